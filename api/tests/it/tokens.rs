//! Sign-up, the grants of `/token`, the user and his sessions.

use domain::pagination::{Page, Paged};
use domain::refusal::Refusal;
use domain::tokens::{IssuedSession, Rotation};
use domain::user::User;
use domain::{logout, pkce, refresh, sessions, sign_in, signup, user_read, user_update};

use crate::examples;
use crate::support::{FakeRuntime, TestEdge};

#[tokio::test]
async fn a_sign_up_answers_tokens_or_a_bare_user() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: signup::Request| {
        assert_eq!(request.password.as_ref().map(|password| password.expose().as_str()), Some("secret"));
        assert_eq!(request.data["plan"], "a");
        Ok(match request.email.as_str() {
            "confirmed@b.co" => signup::Answer::Session(Box::new(examples::issued_session())),
            _ => signup::Answer::User(Box::new(examples::user())),
        })
    }));
    // A client sends nulls outside PKCE and an empty object without captcha.
    let body = |email: &str| {
        format!(
            r#"{{"email":"{email}","password":"secret","data":{{"plan":"a"}},"gotrue_meta_security":{{}},"code_challenge":null,"code_challenge_method":null}}"#
        )
    };
    let tokens = edge.post("/signup?redirect_to=http%3A%2F%2Fx", body("confirmed@b.co")).await;
    assert_eq!(tokens.status, 200);
    assert_eq!(tokens.json()["access_token"], "header.payload.signature");
    assert!(tokens.json()["user"].get("confirmed_at").is_none());
    assert!(tokens.json().get("weak_password").is_none());
    assert_eq!(tokens.header("cache-control"), Some("no-store"));
    assert_eq!(tokens.header("sb-auth-user-id"), Some("11111111-2222-4333-8444-555555555555"));
    let user = edge.post("/signup/", body("new@b.co")).await;
    assert_eq!(user.json()["id"], "11111111-2222-4333-8444-555555555555");
    assert_eq!(user.header("sb-auth-user-id"), None);
}

#[tokio::test]
async fn the_query_names_the_grant() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, request: sign_in::Request| {
                assert_eq!((request.email.as_str(), request.password.expose().as_str()), ("a@b.co", "x"));
                Ok(IssuedSession { weak_password: Some(None), ..examples::issued_session() })
            })
            .on(|_, request: refresh::Request| {
                assert_eq!(request.refresh_token.expose(), "old");
                let rotation = Some(Rotation { reused: false, reuse_causes: Vec::new() });
                Ok(IssuedSession { rotation, ..examples::issued_session() })
            })
            .on(|_, request: pkce::Exchange| {
                assert_eq!((request.auth_code.expose().as_str(), request.code_verifier.expose().as_str()), ("c", "v"));
                Ok(examples::issued_session())
            }),
    );
    let password = edge.post("/token?grant_type=password", r#"{"email":"a@b.co","password":"x"}"#).await;
    assert_eq!(password.json().get("weak_password"), Some(&serde_json::Value::Null));
    assert!(password.json()["user"].get("confirmed_at").is_some());
    let refreshed = edge.post("/token?grant_type=refresh_token", r#"{"refresh_token":"old"}"#).await;
    assert_eq!(refreshed.header("sb-auth-refresh-token-reuse"), Some("false"));
    assert_eq!(refreshed.header("sb-auth-refresh-token-counter"), Some("4"));
    let exchanged = edge.post("/token?grant_type=pkce", r#"{"auth_code":"c","code_verifier":"v"}"#).await;
    assert_eq!(exchanged.status, 200);
}

#[tokio::test]
async fn other_grants_do_not_exist() {
    let edge =
        TestEdge::new(FakeRuntime::default().on(|_, _: sign_in::Request| Err(Refusal::OverRequestRateLimit.into())));
    for path in ["/token", "/token?grant_type=", "/token?grant_type=other"] {
        let answer = edge.post(path, "{}").await;
        assert_eq!(answer.text, r#"{"code":400,"error_code":"invalid_credentials","msg":"unsupported_grant_type"}"#);
    }
}

#[tokio::test]
async fn a_user_reads_and_changes_himself() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, request: user_read::Request| {
                assert_eq!(request.bearer.0.unwrap().expose(), "a.b.c");
                Ok(examples::user())
            })
            .on(|_, request: user_update::Request| {
                assert_eq!(request.password.unwrap().expose(), "");
                assert_eq!(request.data.unwrap()["a"], serde_json::Value::Null);
                assert!(request.current_password.is_none() && request.app_metadata.is_none());
                Ok(User { email_change: "new@b.co".to_owned(), ..examples::user() })
            }),
    );
    let bearer = [("authorization", "bearer a.b.c")];
    for path in ["/user", "/user/"] {
        let answer = edge.ask("GET", path, &bearer, "").await;
        assert_eq!(answer.json()["email"], "a@b.co");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let changed = edge.ask("PUT", "/user", &bearer, r#"{"password":"","data":{"a":null}}"#).await;
    assert_eq!(changed.json()["new_email"], "new@b.co");
}

#[tokio::test]
async fn logout_is_204_without_body() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: logout::Request| match request.scope.as_str() {
        "" | "others" => Ok(()),
        other => Err(Refusal::UnsupportedLogoutScope(other.to_owned()).into()),
    }));
    let bearer = [("authorization", "Bearer a.b.c")];
    for path in ["/logout", "/logout?scope=", "/logout?scope=others"] {
        let answer = edge.ask("POST", path, &bearer, "not even json").await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{path}");
    }
    let answer = edge.ask("POST", "/logout?scope=everything", &bearer, "").await;
    assert_eq!(answer.json()["msg"], "Unsupported logout scope \"everything\"");
}

#[tokio::test]
async fn sessions_are_listed_by_page_and_ended_by_id() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, request: sessions::List| {
                assert_eq!(request.page, Page { number: 2, size: 1 });
                let sessions = Paged { items: vec![examples::session()], total: 3, page: request.page };
                Ok(sessions::Listing { user: examples::user().id, current: Some(examples::session().id), sessions })
            })
            .on(|_, request: sessions::End| match request.session.as_str() {
                "33333333-2222-4333-8444-555555555555" => Ok(()),
                _ => Err(Refusal::SessionIdMalformed.into()),
            }),
    );
    let bearer = [("authorization", "Bearer a.b.c")];
    let listed = edge.ask("GET", "/sessions?per_page=1&page=2", &bearer, "").await;
    assert_eq!(listed.json()["sessions"][0]["current"], true);
    assert_eq!(listed.json()["sessions"][0]["device"]["browser"], "Firefox");
    assert_eq!(listed.header("x-total-count"), Some("3"));
    assert_eq!(
        listed.header("link"),
        Some(
            "</p/acme/auth/v1/sessions?page=3&per_page=1>; rel=\"next\", \
             </p/acme/auth/v1/sessions?page=3&per_page=1>; rel=\"last\""
        )
    );
    let ended = edge.ask("DELETE", "/sessions/33333333-2222-4333-8444-555555555555", &bearer, "").await;
    assert_eq!((ended.status.as_u16(), ended.text.as_str()), (204, ""));
    for id in ["abc", "%ff", "%00"] {
        let answer = edge.ask("DELETE", &format!("/sessions/{id}"), &bearer, "").await;
        assert_eq!(answer.refusal(), (404, "validation_failed".to_owned()), "{id}");
    }
}

#[tokio::test]
async fn an_account_is_ended_by_its_user() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: domain::user_delete::Request| {
        assert_eq!(request.bearer.0.unwrap().expose(), "token");
        let password = request.current_password.map(domain::secret::Secret::into_inner);
        match request.nonce.expose().as_str() {
            "123456" => assert_eq!(password.as_deref(), Some("secret")),
            nonce => assert_eq!((nonce, password), ("", None)),
        }
        Ok(())
    }));
    let bearer = [("authorization", "Bearer token")];
    for body in ["", "{}", "null", r#"{"nonce":"123456","current_password":"secret"}"#] {
        for path in ["/user", "/user/"] {
            let answer = edge.ask("DELETE", path, &bearer, body).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{path} {body}");
        }
    }
}
