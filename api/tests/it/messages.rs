//! Endpoints that send a code or a link.

use axum::body::Body;
use domain::first_checks::{self, Endpoint};
use domain::refusal::Refusal;
use domain::sms::Sent;
use domain::{magic_link, otp, reauthenticate, recover, resend, sign_in, signup};

use crate::examples;
use crate::support::{FakeRuntime, TestEdge};

fn sent(id: &str) -> Sent {
    Sent { message_id: Some(id.to_owned()).filter(|id| !id.is_empty()) }
}

#[tokio::test]
async fn an_otp_is_asked_for_by_mail_or_phone() {
    let edge = TestEdge::new(FakeRuntime::default().on(|call, request: otp::Request| {
        if request.email.is_empty() {
            assert_eq!((request.phone.as_str(), request.channel.as_str()), ("+15550000001", "whatsapp"));
            assert!(!request.create_user);
            return Ok(sent("test-otp"));
        }
        assert_eq!(call.caller.redirect_candidates, ["https://app.example.com"]);
        assert_eq!((request.email.as_str(), request.create_user), ("a@b.co", true));
        assert_eq!(request.data["plan"], "x");
        assert_eq!((request.code_challenge.as_str(), request.code_challenge_method.as_str()), ("c", "s256"));
        Ok(sent(""))
    }));
    let body = r#"{"email":"a@b.co","data":{"plan":"x"},"create_user":null,"gotrue_meta_security":{},"code_challenge":"c","code_challenge_method":"s256"}"#;
    let answer = edge.post("/otp?redirect_to=https%3A%2F%2Fapp.example.com", body).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "{}"));
    let body = r#"{"phone":"+15550000001","channel":"whatsapp","create_user":false,"data":null}"#;
    assert_eq!(edge.post("/otp", body).await.text, r#"{"message_id":"test-otp"}"#);
    for bad in ["", "[]", r#"{"create_user":"yes"}"#, r#"{"data":[]}"#, "{} {}"] {
        assert_eq!(edge.post("/otp", bad).await.refusal(), (400, "bad_json".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn a_magic_link_has_its_own_decoder_and_answer() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: magic_link::Request| {
        assert_eq!(request.email, "a@b.co");
        Ok(())
    }));
    for body in [r#"{"email":"a@b.co"}"#, r#"{"email":"a@b.co"} trailing"#, r#"{"email":"a@b.co"}{"email":"c@d.co"}"#] {
        let answer = edge.post("/magiclink", body).await;
        assert_eq!(answer.text, r#"{"message":"Magic link sent if email exists"}"#, "{body}");
    }
    let huge = format!(r#"{{"email":"{}"}}"#, "x".repeat(1_048_576));
    for bad in ["", "{", "[]", r#"{"email":5}"#, r#"{"data":"x"}"#, huge.as_str()] {
        let answer = edge.post("/magiclink", bad.to_owned()).await;
        assert_eq!(answer.refusal(), (400, "bad_json".to_owned()));
        let message = answer.json()["msg"].as_str().unwrap().to_owned();
        assert!(message.starts_with("Could not read verification params: "), "{message}");
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(edge.ask("POST", "/magiclink", &form, "email=a%40b.co").await.refusal().0, 400);
    let unreadable = edge.post("/magiclink", Body::from(&b"{\"email\":\"\\u0000\"}"[..])).await;
    assert_eq!(unreadable.refusal(), (400, "validation_failed".to_owned()));
}

#[tokio::test]
async fn recovery_and_resend_answer_an_object() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, request: recover::Request| match request.email.as_str() {
                "" => Err(Refusal::RecoverEmailRequired.into()),
                _ => {
                    assert_eq!(
                        (request.code_challenge.as_str(), request.code_challenge_method.as_str()),
                        ("c", "s256")
                    );
                    Ok(())
                }
            })
            .on(|_, request: resend::Request| {
                assert_eq!((request.kind.as_str(), request.phone.as_str()), ("sms", "15550000002"));
                Ok(sent("SM1"))
            }),
    );
    let body = r#"{"email":"a@b.co","code_challenge":"c","code_challenge_method":"s256"}"#;
    assert_eq!(edge.post("/recover", body).await.text, "{}");
    assert_eq!(edge.post("/recover", "{}").await.refusal(), (400, "validation_failed".to_owned()));
    let body = r#"{"type":"sms","phone":"15550000002","gotrue_meta_security":{}}"#;
    assert_eq!(edge.post("/resend", body).await.text, r#"{"message_id":"SM1"}"#);
}

#[tokio::test]
async fn a_nonce_is_sent_to_the_bearer() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: reauthenticate::Request| match request.bearer.0 {
        None => Err(Refusal::NoAuthorization.into()),
        Some(_) => Ok(sent("")),
    }));
    for path in ["/reauthenticate", "/reauthenticate/"] {
        assert_eq!(edge.ask("GET", path, &[("authorization", "Bearer x")], "").await.text, "{}");
        assert_eq!(edge.get(path).await.refusal(), (401, "no_authorization".to_owned()));
    }
}

#[tokio::test]
async fn a_captcha_token_reaches_everything_that_may_ask_for_one() {
    let check = |proof: &domain::captcha::Proof| {
        assert_eq!(proof.token.expose(), "solved");
        assert_eq!(proof.bearer.0.as_ref().unwrap().expose(), "the-key");
    };
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(move |_, request: signup::Request| {
                check(&request.captcha);
                Ok(signup::Answer::User(Box::new(examples::user())))
            })
            .on(move |_, request: sign_in::Request| {
                check(&request.captcha);
                Ok(examples::issued_session())
            })
            .on(move |_, request: otp::Request| {
                check(&request.captcha);
                Ok(Sent::default())
            })
            .on(move |_, request: magic_link::Request| {
                check(&request.captcha);
                Ok(())
            })
            .on(move |_, request: recover::Request| {
                check(&request.captcha);
                Ok(())
            })
            .on(move |_, request: resend::Request| {
                check(&request.captcha);
                Ok(Sent::default())
            }),
    );
    let body = r#"{"gotrue_meta_security":{"captcha_token":" solved "}}"#;
    for path in ["/signup", "/token?grant_type=password", "/otp", "/magiclink", "/recover", "/resend"] {
        let answer = edge.ask("POST", path, &[("authorization", "Bearer the-key")], body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_captcha_stands_in_front_of_unknown_grants_too() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: first_checks::Request| {
        assert_eq!(request.endpoint, Endpoint::UnknownGrant);
        match request.captcha {
            None => Ok(()),
            Some(proof) if proof.malformed => Err(Refusal::BadJson("wrong type".to_owned()).into()),
            Some(proof) if proof.token.expose().is_empty() => Err(Refusal::CaptchaFailed("none".to_owned()).into()),
            Some(_) => Err(Refusal::UnsupportedGrantType.into()),
        }
    }));
    for (body, code) in [
        (r#"{"email":"a@b.co","gotrue_meta_security":{"captcha_token":"x"}}"#, "invalid_credentials"),
        (r#"{"email":"a@b.co"}"#, "captcha_failed"),
        (r#"{"gotrue_meta_security":5}"#, "bad_json"),
        ("", "bad_json"),
        ("not json", "bad_json"),
    ] {
        for grant in ["nope", "Web3", "ID_TOKEN", ""] {
            let answer = edge.post(&format!("/token?grant_type={grant}"), body).await;
            assert_eq!(answer.refusal(), (400, code.to_owned()), "{grant} {body}");
        }
    }
}

#[tokio::test]
async fn what_comes_before_decoding_is_asked_for_where_a_body_cannot_be_decoded() {
    let edge = TestEdge::new(FakeRuntime::default().with_tokens("good").on(|_, request: first_checks::Request| {
        match request.captcha {
            None => Err(Refusal::OverRequestRateLimit.into()),
            Some(proof) if proof.malformed => Err(Refusal::OverRequestRateLimit.into()),
            Some(_) => Ok(()),
        }
    }));
    let huge = format!(r#"{{"email":"{}"}}"#, "x".repeat(1_048_576));
    let headers = [("authorization", "Bearer good")];
    for (method, path, field) in [
        ("POST", "/otp", "email"),
        ("POST", "/magiclink", "email"),
        ("POST", "/recover", "email"),
        ("POST", "/resend", "email"),
        ("POST", "/verify", "email"),
        ("PUT", "/user", "email"),
        ("POST", "/token?grant_type=password", "email"),
        ("POST", "/token?grant_type=refresh_token", "refresh_token"),
        ("POST", "/token?grant_type=pkce", "auth_code"),
    ] {
        let wrong = format!(r#"{{"{field}":5}}"#);
        for (body, code) in [("{", "over_request_rate_limit"), (&huge, "over_request_rate_limit"), (&wrong, "bad_json")]
        {
            let answer = edge.ask(method, path, &headers, body.to_owned()).await;
            assert_eq!(answer.refusal().1, code, "{method} {path}");
        }
    }
    let nobody = edge.ask("PUT", "/user", &[("authorization", "Bearer bad")], "{").await;
    assert_eq!(nobody.refusal(), (403, "bad_jwt".to_owned()));
}
