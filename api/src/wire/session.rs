//! Sessions as their owner and the project's admins list them.

use domain::device::Device;
use domain::ids::SessionId;
use domain::session;
use domain::sessions::Listing;
use domain::time::Timestamp;
use serde::Serialize;

/// `{"sessions": [...]}`.
#[derive(Serialize)]
pub(crate) struct Sessions<'a> {
    sessions: Vec<Session<'a>>,
}

impl<'a> Sessions<'a> {
    /// The page of `listing`.
    pub(crate) fn of(listing: &'a Listing) -> Self {
        let sessions = listing.sessions.items.iter();
        Self { sessions: sessions.map(|session| Session::of(session, listing.current)).collect() }
    }
}

#[derive(Serialize)]
struct Session<'a> {
    id: SessionId,
    created_at: Timestamp,
    updated_at: Timestamp,
    refreshed_at: Option<Timestamp>,
    not_after: Option<Timestamp>,
    aal: &'static str,
    amr: Vec<Method<'a>>,
    ip: Option<&'a str>,
    user_agent: Option<&'a str>,
    device: Device<'a>,
    current: bool,
}

#[derive(Serialize)]
struct Method<'a> {
    method: &'a str,
    timestamp: i64,
}

impl<'a> Session<'a> {
    fn of(session: &'a session::Session, current: Option<SessionId>) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at,
            updated_at: session.updated_at,
            refreshed_at: session.refreshed_at,
            not_after: session.not_after,
            aal: session.aal.as_str(),
            amr: session.amr.iter().map(|entry| Method { method: &entry.method, timestamp: entry.at.unix() }).collect(),
            ip: session.ip.as_deref(),
            user_agent: session.user_agent.as_deref(),
            device: session.user_agent.as_deref().map(Device::of).unwrap_or_default(),
            current: current == Some(session.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::pagination::{Page, Paged};

    use super::*;
    use crate::output::json;
    use crate::wire::examples;

    #[test]
    fn a_list_marks_the_session_that_asks() {
        let mine = examples::session();
        let page = Page { number: 1, size: 50 };
        let other =
            session::Session { id: SessionId(uuid::Uuid::nil()), user_agent: None, ip: None, ..examples::session() };
        let current = Some(mine.id);
        let sessions = Paged { items: vec![mine, other], total: 2, page };
        let listing = Listing { user: examples::user().id, current, sessions };
        let text = String::from_utf8(json::encode(&Sessions::of(&listing)).unwrap()).unwrap();
        insta::assert_snapshot!(text, @r#"{"sessions":[{"id":"33333333-2222-4333-8444-555555555555","created_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:20Z","refreshed_at":null,"not_after":null,"aal":"aal1","amr":[{"method":"password","timestamp":1700000000}],"ip":"203.0.113.7","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0","device":{"browser":"Firefox","os":"Linux","kind":"desktop"},"current":true},{"id":"00000000-0000-0000-0000-000000000000","created_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:20Z","refreshed_at":null,"not_after":null,"aal":"aal1","amr":[{"method":"password","timestamp":1700000000}],"ip":null,"user_agent":null,"device":{"browser":null,"os":null,"kind":null},"current":false}]}"#);
    }
}
