//! Followed links and typed codes.

use domain::refusal::Refusal;
use domain::verify::{Answer, Landing, Link, Outcome, Request};

use crate::examples;
use crate::support::{FakeRuntime, TestEdge};

fn edge() -> TestEdge {
    TestEdge::new(
        FakeRuntime::default()
            .on(|_, link: Link| {
                let outcome = match link.token.expose().as_str() {
                    "" => return Err(Refusal::VerifyLinkTokenRequired.into()),
                    "good" => {
                        Outcome::Session { session: Box::new(examples::issued_session()), kind: link.kind.clone() }
                    }
                    _ => Outcome::Refused(Refusal::LinkExpired),
                };
                Ok(Landing { target: "http://localhost:3000".to_owned(), outcome, pkce: false })
            })
            .on(|_, request: Request| match request.kind.as_str() {
                "signup" => Ok(Answer::Session(Box::new(examples::issued_session()))),
                _ => Ok(Answer::Message("Confirmation link accepted.")),
            }),
    )
}

#[tokio::test]
async fn a_link_leads_to_the_app_with_tokens_in_the_fragment() {
    for path in ["/verify?token=good&type=signup", "/verify/?token=good&type=signup"] {
        let answer = edge().get(path).await;
        assert_eq!(answer.status, 303);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let location = answer.header("location").unwrap();
        assert!(location.starts_with("http://localhost:3000#access_token=header.payload.signature&"), "{location}");
        assert!(!answer.text.contains("payload"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_dead_link_leads_to_the_app_with_the_refusal() {
    let answer = edge().get("/verify?token=old&type=signup").await;
    assert_eq!(
        answer.header("location"),
        Some(
            "http://localhost:3000#error=access_denied&error_code=otp_expired\
             &error_description=Email+link+is+invalid+or+has+expired&sb="
        )
    );
}

#[tokio::test]
async fn a_link_without_token_is_refused_in_json() {
    assert_eq!(edge().get("/verify?type=signup").await.refusal(), (400, "validation_failed".to_owned()));
}

#[tokio::test]
async fn looking_ahead_uses_nothing_up() {
    let runtime = FakeRuntime::default().on(|_, _: Link| panic!("a prefetch reached the flow"));
    let headers = [("sec-purpose", "prefetch;prerender")];
    let answer = TestEdge::new(runtime).ask("GET", "/verify?token=good&type=signup", &headers, "").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
}

#[tokio::test]
async fn a_code_answers_tokens_or_half_a_change() {
    let edge = edge();
    let tokens = edge.post("/verify", r#"{"type":"signup","token":"123456","email":"a@b.co","options":{}}"#).await;
    assert_eq!(tokens.json()["token_type"], "bearer");
    assert!(tokens.json().get("weak_password").is_none());
    let half = edge.post("/verify/", r#"{"type":"email_change","token":"123456","email":"a@b.co"}"#).await;
    assert_eq!(half.text, r#"{"code":"200","msg":"Confirmation link accepted."}"#);
}
