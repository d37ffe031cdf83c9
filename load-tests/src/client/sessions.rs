//! A user's own sessions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Failure, Project, Session, Tokens, send, send_json};

/// `{"sessions": [...]}`.
#[derive(Deserialize)]
pub(crate) struct List {
    pub(crate) sessions: Vec<Entry>,
}

/// A session in a list.
#[derive(Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: String,
}

/// Sessions of a page.
pub(crate) const PAGE: usize = 200;

/// The first page of the user's sessions, as the user sees them.
pub(crate) async fn list(session: &Session) -> Result<Vec<Entry>, Failure> {
    let request = session.request(Method::GET, &format!("sessions?per_page={PAGE}"));
    Ok(send_json::<List>(request).await?.sessions)
}

/// Ends one of the user's sessions.
pub(crate) async fn end(session: &Session, id: &str) -> Result<(), Failure> {
    send(session.request(Method::DELETE, &format!("sessions/{id}"))).await.map(|_| ())
}

/// Ends the session itself.
pub(crate) async fn sign_out(session: &Session) -> Result<(), Failure> {
    send(session.request(Method::POST, "logout?scope=local")).await.map(|_| ())
}

/// Exchanges a refresh token, which has to lead to the session with this id.
pub(crate) async fn refresh(project: &Project, token: &str, session: &str) -> Result<Tokens, Failure> {
    let body = json!({"refresh_token": token});
    let tokens = send_json(project.public(Method::POST, "token?grant_type=refresh_token").json(&body)).await?;
    if session_id(&tokens)? == session { Ok(tokens) } else { Err(Failure("another session".to_owned())) }
}

/// The session that an access token belongs to, unchecked.
pub(crate) fn session_id(tokens: &Tokens) -> Result<String, Failure> {
    read_session_id(&tokens.access_token).ok_or_else(Failure::unexpected)
}

fn read_session_id(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        session_id: String,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| claims.session_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_which_session_it_is_of() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"u","session_id":"s-1"}"#);
        assert_eq!(read_session_id(&format!("h.{claims}.x")).as_deref(), Some("s-1"));
        for broken in ["", "h", "h.%%.x", "h.e30.x"] {
            assert_eq!(read_session_id(broken), None, "{broken}");
        }
    }
}
