//! Recovery codes.

use domain::recovery_codes::{Delete, Generate, Generated, Get, Regenerate, Summary, Verify};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::unenroll_factor;
use uuid::Uuid;

use crate::examples;
use crate::support::{FakeRuntime, TestEdge};

const BEARER: [(&str, &str); 1] = [("authorization", "Bearer good")];

const SUMMARY: Summary = Summary { id: Uuid::nil(), total: 10, remaining: 9 };

fn generated() -> Generated {
    let codes = ["abcd2345", "efgh6723"].map(|code| Secret::new(code.to_owned())).to_vec();
    Generated { summary: Summary { remaining: 10, ..SUMMARY }, codes }
}

fn edge() -> TestEdge {
    TestEdge::new(
        FakeRuntime::default()
            .with_tokens("good")
            .on(|_, request: Get| {
                request.bearer.0.ok_or(Refusal::NoAuthorization)?;
                Ok(SUMMARY)
            })
            .on(|_, _: Generate| Ok(generated()))
            .on(|_, _: Regenerate| Ok(generated()))
            .on(|_, _: Delete| Ok(SUMMARY.id))
            .on(|_, request: Verify| match request.code?.expose().as_str() {
                "ABCD-2345" => Ok(examples::issued_session()),
                _ => Err(Refusal::RecoveryCodeInvalid.into()),
            })
            .on(|_, request: unenroll_factor::Request| panic!("{} is no factor", request.factor)),
    )
}

#[tokio::test]
async fn codes_are_shown_when_they_are_made_and_counted_later() {
    let edge = edge();
    let shown = r#"{"id":"00000000-0000-0000-0000-000000000000","type":"recovery_code","total":10,"remaining":10,"codes":["abcd2345","efgh6723"]}"#;
    for path in ["/factors/recovery-codes", "/factors/recovery-codes/regenerate"] {
        for body in ["", "{}", r#"{"friendly_name":"x"}"#, "not json"] {
            let made = edge.ask("POST", path, &BEARER, body).await;
            assert_eq!((made.status.as_u16(), made.text.as_str()), (200, shown), "{path} {body}");
            assert_eq!(made.header("cache-control"), Some("no-store"));
        }
    }
    let counted = edge.ask("GET", "/factors/recovery-codes", &BEARER, "").await;
    let count = r#"{"id":"00000000-0000-0000-0000-000000000000","type":"recovery_code","total":10,"remaining":9}"#;
    assert_eq!(counted.text, count);
    let gone = edge.ask("DELETE", "/factors/recovery-codes", &BEARER, "").await;
    assert_eq!(gone.text, r#"{"id":"00000000-0000-0000-0000-000000000000"}"#);
}

#[tokio::test]
async fn a_code_raises_the_session() {
    let edge = edge();
    let verify = |body: &'static str| edge.ask("POST", "/factors/recovery-codes/verify", &BEARER, body);
    let raised = verify(r#"{"code":"ABCD-2345"}"#).await;
    assert_eq!(raised.json()["access_token"], "header.payload.signature");
    assert_eq!(raised.header("cache-control"), Some("no-store"));
    assert!(raised.headers.keys().all(|name| !name.as_str().starts_with("sb-auth-")), "{:?}", raised.headers);
    for body in ["{}", "null", r#"{"code":"other"}"#] {
        assert_eq!(verify(body).await.refusal(), (422, "mfa_verification_failed".to_owned()), "{body}");
    }
    for body in ["", "{", "[]", r#"{"code":123}"#] {
        assert_eq!(verify(body).await.refusal(), (400, "bad_json".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_lockout_says_when_it_ends() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, _: Verify| Err(Refusal::RecoveryCodesLocked(42).into())));
    let locked = edge.ask("POST", "/factors/recovery-codes/verify", &BEARER, r#"{"code":"x"}"#).await;
    assert_eq!(locked.refusal(), (429, "mfa_recovery_codes_locked".to_owned()));
    assert_eq!(locked.header("retry-after"), Some("42"));
}

#[tokio::test]
async fn no_factor_hides_behind_their_name() {
    let edge = edge();
    for (method, path, allow) in [
        ("PUT", "/factors/recovery-codes", "DELETE, GET, POST"),
        ("HEAD", "/factors/recovery-codes", "DELETE, GET, POST"),
        ("GET", "/factors/recovery-codes/verify", "POST"),
        ("DELETE", "/factors/recovery-codes/regenerate", "POST"),
        ("GET", "/factors", "POST"),
        ("POST", "/factors/abc", "DELETE"),
        ("GET", "/factors/abc/verify", "POST"),
        ("DELETE", "/factors/abc/challenge", "POST"),
    ] {
        let answer = edge.ask(method, path, &BEARER, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some(allow)), "{method} {path}");
        assert_eq!(edge.ask(method, path, &[], "").await.status, 401, "{method} {path}");
    }
    let nothing = edge.ask("GET", "/factors/abc/verify/more", &BEARER, "").await;
    assert_eq!(nothing.text, "404 page not found\n");
    assert_eq!(edge.ask("GET", "/factors/abc/verify/more", &[], "").await.status, 401);
    assert_eq!(edge.ask("GET", "/factors/recovery-codes", &[], "").await.status, 401);
}
