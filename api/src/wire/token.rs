//! Token answers and their headers (`contract/core.md` §7.4, §10.6, §10.7).

use axum::response::Response;
use domain::refusal::WeakPassword;
use domain::tokens::IssuedSession;
use domain::user_json::User;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::json;

#[derive(Serialize)]
struct Tokens<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    expires_at: i64,
    refresh_token: &'a str,
    user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weak_password: Option<Option<Weakness<'a>>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    provider_token: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    provider_refresh_token: &'a str,
}

#[derive(Serialize)]
struct Weakness<'a> {
    message: &'a str,
    reasons: Vec<&'static str>,
}

impl<'a> Weakness<'a> {
    fn of(weak: &'a WeakPassword) -> Self {
        Self { message: &weak.message, reasons: weak.reasons.iter().map(|reason| reason.as_str()).collect() }
    }
}

/// 200 with the tokens of `issued`.
///
/// # Errors
/// Never for values the flows give.
pub(crate) fn answer(issued: &IssuedSession) -> Result<Response, Failure> {
    answer_with(issued, User::of(&issued.user))
}

/// Like [`answer`], for a user that this very request made.
///
/// # Errors
/// As [`answer`].
pub(crate) fn answer_new(issued: &IssuedSession) -> Result<Response, Failure> {
    answer_with(issued, User::new(&issued.user))
}

/// Like [`answer`], for a session that only rose: it keeps its id, and the contract names it in no header
/// (`contract/mfa-passkeys-oauth.md` §0.5).
///
/// # Errors
/// As [`answer`].
pub(crate) fn answer_raised(issued: &IssuedSession) -> Result<Response, Failure> {
    body(issued, User::of(&issued.user))
}

fn answer_with(issued: &IssuedSession, user: User<'_>) -> Result<Response, Failure> {
    let mut response = body(issued, user)?;
    for (name, value) in headers(issued) {
        let value = HeaderValue::try_from(value).map_err(Failure::fault)?;
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    Ok(response)
}

fn body(issued: &IssuedSession, user: User<'_>) -> Result<Response, Failure> {
    let provider = issued.provider_tokens.as_ref();
    let tokens = Tokens {
        access_token: issued.access_token.expose(),
        token_type: "bearer",
        expires_in: issued.expires_in,
        expires_at: issued.expires_at,
        refresh_token: issued.refresh_token.expose(),
        user,
        weak_password: issued.weak_password.as_ref().map(|weak| weak.as_ref().map(Weakness::of)),
        provider_token: provider.map(|tokens| tokens.access_token.expose().as_str()).unwrap_or_default(),
        provider_refresh_token: provider.map(|tokens| tokens.refresh_token.expose().as_str()).unwrap_or_default(),
    };
    json::answer(StatusCode::OK, &tokens)
}

fn headers(issued: &IssuedSession) -> Vec<(&'static str, String)> {
    let mut headers =
        vec![("sb-auth-user-id", issued.user.id.to_string()), ("sb-auth-session-id", issued.session.id.to_string())];
    headers.push(match issued.session.refresh_token_counter {
        Some(counter) => ("sb-auth-refresh-token-counter", counter.to_string()),
        None => ("sb-auth-refresh-token-prefix", issued.refresh_token.expose().chars().take(5).collect()),
    });
    if let Some(rotation) = &issued.rotation {
        headers.push(("sb-auth-refresh-token-reuse", rotation.reused.to_string()));
        if !rotation.reuse_causes.is_empty() {
            headers.push(("sb-auth-refresh-token-reuse-cause", rotation.reuse_causes.join(",")));
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use domain::provider::ProviderTokens;
    use domain::refusal::WeakReason;
    use domain::secret::Secret;
    use domain::tokens::Rotation;
    use http_body_util::BodyExt;

    use super::*;
    use crate::wire::examples;

    async fn shown(issued: &IssuedSession) -> serde_json::Value {
        let body = answer(issued).unwrap().into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn weak_password_is_absent_null_or_an_object() {
        let with = |weak_password| IssuedSession { weak_password, ..examples::issued_session() };
        assert!(shown(&with(None)).await.get("weak_password").is_none());
        assert_eq!(shown(&with(Some(None))).await.get("weak_password"), Some(&serde_json::Value::Null));
        let weak = WeakPassword { message: "too short".to_owned(), reasons: vec![WeakReason::Length] };
        let told = shown(&with(Some(Some(weak)))).await;
        assert_eq!(told["weak_password"], serde_json::json!({"message": "too short", "reasons": ["length"]}));
    }

    #[tokio::test]
    async fn the_tokens_of_a_provider_are_shown_where_there_are_any() {
        let with = |access: &str, refresh: &str| {
            let [access_token, refresh_token] = [access, refresh].map(|token| Secret::new(token.to_owned()));
            let provider_tokens = Some(ProviderTokens { access_token, refresh_token });
            IssuedSession { provider_tokens, ..examples::issued_session() }
        };
        let both = shown(&with("at", "rt")).await;
        assert_eq!((&both["provider_token"], &both["provider_refresh_token"]), (&"at".into(), &"rt".into()));
        for issued in [with("", ""), examples::issued_session()] {
            let none = shown(&issued).await;
            assert!(none.get("provider_token").is_none() && none.get("provider_refresh_token").is_none());
        }
    }

    #[tokio::test]
    async fn keys_stand_in_the_contracts_order() {
        let body = answer(&examples::issued_session()).unwrap().into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let start = r#"{"access_token":"header.payload.signature","token_type":"bearer","expires_in":3600,"expires_at":1700003600,"refresh_token":"refresh-token","user":{"id":"#;
        assert!(text.starts_with(start), "{text}");
    }

    #[test]
    fn headers_name_user_session_and_token() {
        let mut issued = examples::issued_session();
        assert_eq!(
            headers(&issued),
            [
                ("sb-auth-user-id", "11111111-2222-4333-8444-555555555555".to_owned()),
                ("sb-auth-session-id", "33333333-2222-4333-8444-555555555555".to_owned()),
                ("sb-auth-refresh-token-counter", "4".to_owned()),
            ]
        );
        issued.session.refresh_token_counter = None;
        issued.rotation = Some(Rotation { reused: true, reuse_causes: vec!["concurrent-refresh", "fail-to-save"] });
        assert_eq!(
            headers(&issued).split_off(2),
            [
                ("sb-auth-refresh-token-prefix", "refre".to_owned()),
                ("sb-auth-refresh-token-reuse", "true".to_owned()),
                ("sb-auth-refresh-token-reuse-cause", "concurrent-refresh,fail-to-save".to_owned()),
            ]
        );
    }
}
