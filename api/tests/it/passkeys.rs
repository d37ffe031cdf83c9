//! Passkeys: registration, signing in, and what their owner and an admin do with them.

use domain::ids::{ChallengeId, PasskeyId};
use domain::passkey_registration::Challenge;
use domain::passkeys::{self, Passkey};
use domain::refusal::{PasskeyRefusal, Refusal};
use domain::{passkey_authentication, passkey_registration};
use serde_json::json;
use uuid::Uuid;

use crate::examples;
use crate::support::{FakeRuntime, TestEdge};

const BEARER: [(&str, &str); 1] = [("authorization", "Bearer good")];

/// Every route behind the project's switch, and what else it is not served with.
const ROUTES: [(&str, &str, &str); 9] = [
    ("GET", "/passkeys", "PUT"),
    ("GET", "/passkeys/", "PUT"),
    ("PATCH", "/passkeys/x", "GET"),
    ("DELETE", "/passkeys/x", "POST"),
    ("POST", "/passkeys/registration/options", "GET"),
    ("POST", "/passkeys/registration/verify", "HEAD"),
    ("POST", "/passkeys/authentication/options", "GET"),
    ("POST", "/passkeys/authentication/verify", "HEAD"),
    ("GET", "/passkeys/a/b/c", "PUT"),
];

fn passkey(name: &str) -> Passkey {
    Passkey {
        id: PasskeyId(Uuid::from_u128(1)),
        friendly_name: name.to_owned(),
        created_at: examples::at(),
        last_used_at: None,
    }
}

fn challenge() -> Challenge {
    Challenge { id: ChallengeId(Uuid::nil()), options: json!({"rpId": "localhost"}), expires_at: 1_700_000_300 }
}

const SHOWN_CHALLENGE: &str =
    r#"{"challenge_id":"00000000-0000-0000-0000-000000000000","options":{"rpId":"localhost"},"expires_at":1700000300}"#;

#[tokio::test]
async fn a_passkey_is_registered() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, options: passkey_registration::Options| {
                assert_eq!(options.bearer.0.unwrap().expose(), "good");
                Ok(challenge())
            })
            .on(|_, verify: passkey_registration::Verify| {
                let body = verify.body?;
                match body.credential {
                    None => Err(Refusal::from(PasskeyRefusal::CredentialRequired).into()),
                    Some(credential) => {
                        assert_eq!((body.challenge.as_str(), credential), ("c", json!({"id": "x"})));
                        Ok(passkey("Passkey"))
                    }
                }
            }),
    );
    for body in ["{}", "", "not json", "[]"] {
        let options = edge.ask("POST", "/passkeys/registration/options", &BEARER, body).await;
        assert_eq!(options.text, SHOWN_CHALLENGE, "{body}");
    }
    let verify = |body: &'static str| edge.ask("POST", "/passkeys/registration/verify", &BEARER, body);
    let kept = verify(r#"{"challenge_id":"c","credential":{"id":"x"}}"#).await;
    let shown = r#"{"id":"00000000-0000-0000-0000-000000000001","friendly_name":"Passkey","created_at":"2023-11-14T22:13:20Z"}"#;
    assert_eq!((kept.status.as_u16(), kept.text.as_str()), (200, shown));
    for body in ["{}", "null", r#"{"challenge_id":"c","credential":null}"#] {
        assert_eq!(verify(body).await.refusal(), (400, "validation_failed".to_owned()), "{body}");
    }
    for body in ["", "{", "[]", r#"{"challenge_id":5,"credential":{}}"#] {
        assert_eq!(verify(body).await.refusal(), (400, "bad_json".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn only_a_captcha_makes_the_body_of_options_count() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, options: passkey_authentication::Options| {
        let captcha = options.captcha;
        match captcha.token.expose().as_str() {
            "solved" => assert_eq!(captcha.bearer.0.as_ref().unwrap().expose(), "good"),
            token => assert_eq!(token, ""),
        }
        if captcha.malformed { Err(Refusal::BadJson("captcha".to_owned()).into()) } else { Ok(challenge()) }
    }));
    let options = |body: &'static str| edge.ask("POST", "/passkeys/authentication/options", &BEARER, body);
    for body in ["{}", r#"{"gotrue_meta_security":{}}"#, r#"{"gotrue_meta_security":{"captcha_token":" solved "}}"#] {
        assert_eq!(options(body).await.text, SHOWN_CHALLENGE, "{body}");
    }
    // The flow is told and decides: without a captcha none of these matters.
    for body in ["", "not json", "[]", r#"{"gotrue_meta_security":5}"#] {
        assert_eq!(options(body).await.refusal(), (400, "bad_json".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_passkey_opens_a_session_that_headers_name() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, verify: passkey_authentication::Verify| {
        let body = verify.body?;
        assert_eq!((body.challenge.as_str(), body.credential), ("c", Some(json!({"id": "x"}))));
        Ok(examples::issued_session())
    }));
    let path = "/passkeys/authentication/verify";
    let answer = edge.post(path, r#"{"challenge_id":"c","credential":{"id":"x"}}"#).await;
    assert_eq!(answer.json()["refresh_token"], "refresh-token");
    assert_eq!(answer.header("sb-auth-session-id"), Some("33333333-2222-4333-8444-555555555555"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(edge.post(path, "{\"credential\":").await.refusal(), (400, "bad_json".to_owned()));
}

#[tokio::test]
async fn passkeys_are_listed_renamed_and_removed() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, _: passkeys::List| {
                Ok(vec![passkey(""), Passkey { last_used_at: Some(examples::at()), ..passkey("laptop") }])
            })
            .on(|_, rename: passkeys::Rename| match rename.passkey.as_str() {
                "mine" => Ok(passkey(&rename.friendly_name?)),
                _ => Err(Refusal::from(PasskeyRefusal::NotFound).into()),
            })
            .on(|_, delete: passkeys::Delete| match delete.passkey.as_str() {
                "mine" => Ok(()),
                _ => Err(Refusal::from(PasskeyRefusal::NotFound).into()),
            }),
    );
    let first = r#"{"id":"00000000-0000-0000-0000-000000000001","created_at":"2023-11-14T22:13:20Z"}"#;
    let second = r#"{"id":"00000000-0000-0000-0000-000000000001","friendly_name":"laptop","created_at":"2023-11-14T22:13:20Z","last_used_at":"2023-11-14T22:13:20Z"}"#;
    for path in ["/passkeys", "/passkeys/"] {
        assert_eq!(edge.ask("GET", path, &BEARER, "").await.text, format!("[{first},{second}]"));
    }
    let renamed = edge.ask("PATCH", "/passkeys/mine", &BEARER, r#"{"friendly_name":"desk"}"#).await;
    assert_eq!(renamed.json()["friendly_name"], "desk");
    for body in ["", "{", r#"{"friendly_name":5}"#] {
        let bad = edge.ask("PATCH", "/passkeys/mine", &BEARER, body).await;
        assert_eq!(bad.refusal(), (400, "bad_json".to_owned()), "{body}");
        let other = edge.ask("PATCH", "/passkeys/other", &BEARER, body).await;
        assert_eq!(other.refusal(), (404, "validation_failed".to_owned()), "the id comes before the body: {body}");
    }
    let removed = edge.ask("DELETE", "/passkeys/mine", &BEARER, "").await;
    assert_eq!((removed.status.as_u16(), removed.text.as_str()), (204, ""));
    assert_eq!(edge.ask("DELETE", "/passkeys/%ff", &BEARER, "").await.refusal().0, 404);
}

#[tokio::test]
async fn an_admin_lists_and_removes_passkeys() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .with_tokens("good")
            .on(|_, list: passkeys::AdminList| {
                assert_eq!(list.user, "the-user");
                Ok(Vec::new())
            })
            .on(|_, delete: passkeys::AdminDelete| {
                assert_eq!((delete.user.as_str(), delete.passkey.as_str()), ("the-user", "the-passkey"));
                Ok(())
            }),
    );
    assert_eq!(edge.ask("GET", "/admin/users/the-user/passkeys", &BEARER, "").await.text, "[]");
    let one = "/admin/users/the-user/passkeys/the-passkey";
    assert_eq!(edge.ask("DELETE", one, &BEARER, "").await.status, 204);
    assert_eq!(edge.ask("GET", one, &BEARER, "").await.header("allow"), Some("DELETE"));
    assert_eq!(edge.ask("GET", one, &[], "").await.status, 401);
}

#[tokio::test]
async fn without_passkeys_nothing_is_told_but_that() {
    let disabled = || Refusal::from(PasskeyRefusal::Disabled);
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(move |_, _: passkeys::List| Err(disabled().into()))
            .on(move |_, _: passkeys::Rename| Err(disabled().into()))
            .on(move |_, _: passkeys::Delete| Err(disabled().into()))
            .on(move |_, _: passkey_registration::Options| Err(disabled().into()))
            .on(move |_, _: passkey_registration::Verify| Err(disabled().into()))
            .on(move |_, _: passkey_authentication::Options| Err(disabled().into()))
            .on(move |_, _: passkey_authentication::Verify| Err(disabled().into())),
    );
    for (method, path, other) in ROUTES {
        for (method, body) in [(method, ""), (method, "{}"), (method, "{"), (other, "")] {
            let answer = edge.ask(method, path, &[], body).await;
            assert_eq!(answer.status, 404, "{method} {path} {body}");
            if method != "HEAD" {
                assert_eq!(answer.refusal().1, "passkey_disabled", "{method} {path} {body}");
            }
        }
    }
}

#[tokio::test]
async fn other_methods_are_refused_behind_the_token() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, list: passkeys::List| match list.bearer.0 {
        Some(token) if token.expose() == "good" => Ok(Vec::new()),
        Some(_) => Err(Refusal::BadJwt("test".to_owned()).into()),
        None => Err(Refusal::NoAuthorization.into()),
    }));
    for (method, path, other) in ROUTES {
        let open = path.starts_with("/passkeys/authentication") || path == "/passkeys/a/b/c";
        let (served, status) = if path == "/passkeys/a/b/c" { (None, 404) } else { (Some(method), 405) };
        let answer = edge.ask(other, path, &BEARER, "").await;
        assert_eq!(answer.status, status, "{other} {path}");
        assert!(served.is_none_or(|served| answer.header("allow").unwrap().contains(served)), "{other} {path}");
        let stranger = edge.ask(other, path, &[], "").await;
        assert_eq!(stranger.status, if open { status } else { 401 }, "{other} {path}");
    }
}
