//! Captcha tokens, against judges that say yes, no and nothing.

use std::sync::Arc;

use domain::config::{CaptchaProvider, CaptchaSettings};
use domain::secret::Secret;
use outbound::captcha::{Asked, Endpoints};
use outbound::{CaptchaError, CaptchaTransport, HttpCaptcha, HttpError, RecordingCaptcha, Verdict};
use tokio::time::Instant;

use crate::stand_in::{Reply, StandIn, client, client_within, json, reply};

fn settings(provider: CaptchaProvider) -> CaptchaSettings {
    CaptchaSettings { provider, secret: Secret::new("s3cret&x".to_owned()), hostnames: Vec::new() }
}

fn captcha(server: &StandIn) -> HttpCaptcha {
    let endpoints = Endpoints { hcaptcha: server.url("/h/siteverify"), turnstile: server.url("/t/siteverify") };
    HttpCaptcha::new(client(), endpoints)
}

async fn judged(answer: Reply) -> Result<Verdict, CaptchaError> {
    let server = StandIn::giving([answer]).await;
    let token = Secret::new("t0ken".to_owned());
    captcha(&server).verify(&settings(CaptchaProvider::Turnstile), &token, None).await
}

#[tokio::test]
async fn each_judge_is_asked_with_secret_token_and_address() {
    let server = StandIn::giving([json(r#"{"success":true,"hostname":"app.example","action":"x"}"#)]).await;
    let token = Secret::new("t0ken+/=".to_owned());
    for provider in [CaptchaProvider::Hcaptcha, CaptchaProvider::Turnstile] {
        let verdict = captcha(&server).verify(&settings(provider), &token, Some("2001:db8::1")).await.unwrap();
        let hostname = Some("app.example".to_owned());
        assert_eq!(verdict, Verdict { success: true, error_codes: Vec::new(), hostname });
    }
    let requests = server.requests();
    let targets: Vec<_> = requests.iter().map(|request| (request.method.as_str(), request.target.as_str())).collect();
    assert_eq!(targets, [("POST", "/h/siteverify"), ("POST", "/t/siteverify")]);
    for request in &requests {
        assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(request.body(), "secret=s3cret%26x&response=t0ken%2B%2F%3D&remoteip=2001%3Adb8%3A%3A1");
    }
}

#[tokio::test]
async fn an_unknown_address_is_not_sent() {
    let server = StandIn::giving([json(r#"{"success":false}"#)]).await;
    let token = Secret::new("t".to_owned());
    let verdict = captcha(&server).verify(&settings(CaptchaProvider::Hcaptcha), &token, None).await.unwrap();
    assert_eq!(verdict, Verdict::default());
    assert_eq!(server.requests()[0].body(), "secret=s3cret%26x&response=t");
}

#[tokio::test]
async fn the_status_of_the_answer_says_nothing() {
    let body = br#"{"success":false,"error-codes":["a","b"],"hostname":null}"#;
    let codes = vec!["a".to_owned(), "b".to_owned()];
    let expected = Verdict { success: false, error_codes: codes, hostname: None };
    for status in [200, 400, 500] {
        assert_eq!(judged(reply(status, &[], body)).await.unwrap(), expected);
    }
    assert_eq!(judged(json(r#"{"success":true,"error-codes":null}"#)).await.unwrap().error_codes, [""; 0]);
}

#[tokio::test]
async fn what_is_no_verdict_proves_nothing() {
    for body in ["", "<html>", "[]", "true", r#"{"success":"true"}"#] {
        assert_eq!(judged(json(body)).await, Err(CaptchaError::NoVerdict), "{body}");
    }
    assert!(matches!(judged(Reply::Raw(Vec::new())).await, Err(CaptchaError::Http(HttpError::Network { .. }))));
    let flood = Reply::Flood(b"HTTP/1.1 200 x\r\n\r\n".to_vec());
    assert!(matches!(judged(flood).await, Err(CaptchaError::Http(HttpError::TooLarge(_)))));
    let nowhere = HttpCaptcha::new(
        client_within(Arc::new(|_| false)),
        Endpoints { hcaptcha: "http://127.0.0.1:1/".to_owned(), turnstile: String::new() },
    );
    let token = Secret::new("t".to_owned());
    let result = nowhere.verify(&settings(CaptchaProvider::Hcaptcha), &token, None).await;
    assert_eq!(result, Err(CaptchaError::Http(HttpError::Forbidden)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_judge_gets_ten_seconds() {
    let start = Instant::now();
    assert_eq!(judged(Reply::Silence).await, Err(CaptchaError::Http(HttpError::Timeout)));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[test]
fn the_real_judges_are_asked_over_https() {
    let Endpoints { hcaptcha, turnstile } = Endpoints::default();
    assert_eq!(hcaptcha, "https://hcaptcha.com/siteverify");
    assert_eq!(turnstile, "https://challenges.cloudflare.com/turnstile/v0/siteverify");
}

#[tokio::test]
async fn a_recorded_judge_finds_everybody_human_until_told_otherwise() {
    let captcha = RecordingCaptcha::new();
    let settings = settings(CaptchaProvider::Hcaptcha);
    captcha.reply_next(Err(CaptchaError::NoVerdict));
    let token = Secret::new("t".to_owned());
    assert_eq!(captcha.verify(&settings, &token, None).await, Err(CaptchaError::NoVerdict));
    assert!(captcha.verify(&settings, &token, Some("192.0.2.1")).await.unwrap().success);
    let asked =
        Asked { provider: CaptchaProvider::Hcaptcha, token: "t".to_owned(), remote_ip: Some("192.0.2.1".to_owned()) };
    assert_eq!(captcha.asked()[1], asked);
}
