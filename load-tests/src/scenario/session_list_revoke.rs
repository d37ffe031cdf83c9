//! Users look at where they are signed in, and end what they do not want there.

use std::collections::{BTreeMap, VecDeque};

use futures::future::{BoxFuture, LocalBoxFuture};

use super::turns::Turns;
use super::{About, Act, Cast, Scenario, Setting};
use crate::client::{Failure, Session, admin, sessions};
use crate::stage::Stage;
use crate::steps::Steps;

const HELD: &str = "sessions";
const ADMIN: &str = "admin-share";

/// `session-list-revoke`.
pub(super) struct SessionListRevoke;

impl Scenario for SessionListRevoke {
    fn about(&self) -> &About {
        &About {
            name: "session-list-revoke",
            does: "users list their sessions, end another one and sign in anew",
            models: "The page 'your devices': it lists the sessions, one is ended from here, and that device signs in again; now and \
                     then support looks at a user's sessions. Sessions can be listed on Tenantry only.",
            tables: &["sessions", "users", "identities", "refresh_tokens", "mfa_amr_claims", "audit_log_entries"],
            needs_gateway: false,
            settings: &[
                Setting { name: HELD, default: 5.0, most: 100.0, does: "other sessions of each client" },
                Setting { name: ADMIN, default: 0.1, most: 1.0, does: "share of the journeys in which support looks" },
            ],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let settings = stage.options().settings.clone();
            let held = settings.get(HELD).max(1.0) as u32;
            let clients = stage.options().clients;
            let users = stage.users(stage.options().users).await?;
            let sessions = stage.sign_in(&users, clients).await?;
            let users: Vec<_> = sessions.iter().map(|session| session.user.clone()).collect();
            let mut others = others(&stage.sign_in(&users, clients.saturating_mul(held)).await?)?;
            let desks = sessions.into_iter().enumerate().map(|(client, session)| {
                let own = others.get_mut(&session.user.id);
                let own = own.map(|own| own.drain(..own.len().min(held as usize)).collect());
                let support = Turns::of(settings.get(ADMIN), client, 0);
                Desk { session, others: own.unwrap_or_default(), support, lost: false }
            });
            let desks: Vec<_> = desks.collect();
            Ok(Cast::new(stage, desks))
        })
    }
}

/// The ids of sessions, by user.
fn others(sessions: &[Session]) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for session in sessions {
        others.entry(session.user.id.clone()).or_default().push(sessions::session_id(&session.tokens)?);
    }
    Ok(others)
}

/// A session that ends others.
struct Desk {
    session: Session,
    /// Oldest first.
    others: VecDeque<String>,
    support: Turns,
    /// Its own session may be gone or have expired.
    lost: bool,
}

impl Desk {
    async fn list(&self, must_have: Option<&String>) -> Result<(), Failure> {
        let listed = sessions::list(&self.session).await?;
        let there = must_have.is_none_or(|id| listed.iter().any(|entry| entry.id == *id));
        // A page has an end: with very many sessions one's own may be further back.
        if there || listed.len() >= sessions::PAGE { Ok(()) } else { Err(Failure("a session is missing".to_owned())) }
    }
}

impl Act for Desk {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if self.lost {
                steps.step("sign-in", self.session.sign_in_again()).await?;
                self.lost = false;
            }
            let oldest = self.others.front().cloned();
            let listed = steps.step("session-list", self.list(oldest.as_ref())).await;
            self.lost = listed.is_err();
            listed?;
            if let Some(oldest) = self.others.pop_front() {
                steps.step("session-end", sessions::end(&self.session, &oldest)).await?;
            }
            let other = steps.step("sign-in", Session::sign_in(self.session.user.clone())).await?;
            self.others.push_back(sessions::session_id(&other.tokens)?);
            if self.support.next() {
                let user = &self.session.user;
                let seen = async {
                    match admin::count_sessions(&user.project, &user.id).await? {
                        0 => Err(Failure("a session is missing".to_owned())),
                        _ => Ok(()),
                    }
                };
                steps.step("admin-session-list", seen).await?;
            }
            Ok(())
        })
    }
}
