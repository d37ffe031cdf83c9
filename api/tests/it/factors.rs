//! Second factors: what is read of a request, and what its answer looks like.

use domain::challenge_factor::{Ceremony, Challenge};
use domain::enroll_factor::{Details, Enrolled};
use domain::factor::FactorType;
use domain::ids::{ChallengeId, FactorId};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::user::Factor;
use domain::{admin_factors, challenge_factor, enroll_factor, unenroll_factor, verify_factor};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::examples;
use crate::support::{FakeRuntime, TestEdge};

const BEARER: [(&str, &str); 1] = [("authorization", "Bearer a.b.c")];

/// What no endpoint here takes for a body, and a body in which a field has another type than it must have.
const BAD_BODIES: [&str; 6] = ["", "{", "[]", "\"text\"", "{} {}", "5"];

fn factor() -> Factor {
    Factor {
        id: FactorId(Uuid::from_u128(1)),
        created_at: examples::at(),
        updated_at: examples::at(),
        verified: true,
        friendly_name: "phone".to_owned(),
        factor_type: FactorType::Totp,
        phone: None,
        last_challenged_at: None,
        web_authn_aaguid: None,
        last_webauthn_challenge_data: None,
    }
}

#[tokio::test]
async fn a_factor_is_enrolled() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: enroll_factor::Request| {
        assert_eq!(request.bearer.0.unwrap().expose(), "a.b.c");
        let body = request.body?;
        let told = [&body.factor_type, &body.friendly_name, &body.issuer, &body.phone].map(String::as_str);
        let details = match told {
            ["totp", "", "", ""] => {
                let [qr_code, secret, uri] = ["<svg/>", "ABC", "otpauth://x"].map(|text| Secret::new(text.to_owned()));
                Details::Totp { qr_code, secret, uri }
            }
            ["phone", "mine", "Shop", "+1555"] => Details::Phone(body.phone),
            _ => return Err(Refusal::FactorTypeInvalid.into()),
        };
        Ok(Enrolled { id: FactorId(Uuid::nil()), friendly_name: body.friendly_name, details })
    }));
    for path in ["/factors", "/factors/"] {
        let totp = edge.ask("POST", path, &BEARER, r#"{"factor_type":"totp","friendly_name":null}"#).await;
        assert_eq!(
            totp.json(),
            json!({
                "id": Uuid::nil(),
                "type": "totp",
                "friendly_name": "",
                "totp": {"qr_code": "<svg/>", "secret": "ABC", "uri": "otpauth://x"},
            })
        );
        assert_eq!(totp.header("cache-control"), Some("no-store"));
    }
    let body = r#"{"Factor_Type":"phone","friendly_name":"mine","issuer":"Shop","phone":"+1555","more":1}"#;
    let phone = edge.ask("POST", "/factors", &BEARER, body).await;
    assert_eq!(phone.json(), json!({"id": Uuid::nil(), "type": "phone", "friendly_name": "mine", "phone": "+1555"}));
    let bad = ["{\"factor_type\":5}", "{\"friendly_name\":[\"x\"]}", "{\"issuer\":{}}", "{\"phone\":15551234567}"];
    for body in BAD_BODIES.into_iter().chain(bad) {
        let answer = edge.ask("POST", "/factors", &BEARER, body).await;
        assert_eq!(answer.refusal(), (400, "bad_json".to_owned()), "{body}");
    }
    let unreadable = edge.ask("POST", "/factors", &BEARER, r#"{"friendly_name":"\u0000"}"#).await;
    assert_eq!(unreadable.refusal(), (400, "validation_failed".to_owned()));
}

#[tokio::test]
async fn a_challenge_needs_a_body_only_where_its_flow_looks_at_it() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: challenge_factor::Request| {
        let (factor_type, webauthn) = match request.factor.as_str() {
            "totp" => (FactorType::Totp, None),
            "phone" => {
                assert_eq!(request.channel?, "sms");
                (FactorType::Phone, None)
            }
            "key" => {
                assert_eq!(request.channel?, "");
                (FactorType::WebAuthn, Some(Ceremony::Request(json!({"rpId": "localhost"}))))
            }
            _ => return Err(Refusal::FactorIdMalformed.into()),
        };
        Ok(Challenge { id: ChallengeId(Uuid::nil()), factor_type, expires_at: 1_700_000_300, webauthn })
    }));
    let challenge = |factor: &'static str, body: String| {
        let edge = &edge;
        async move { edge.ask("POST", &format!("/factors/{factor}/challenge"), &BEARER, body).await }
    };
    let too_long = format!("{{\"x\":\"{}\"}}", "x".repeat(1_048_576));
    let bodies = BAD_BODIES.map(str::to_owned).into_iter().chain([r#"{"channel":5}"#.to_owned(), too_long]);
    for body in bodies {
        let totp = challenge("totp", body.clone()).await;
        assert_eq!(totp.json(), json!({"id": Uuid::nil(), "type": "totp", "expires_at": 1_700_000_300}));
        let (status, code) = if body.len() > 100 { (413, "request_entity_too_large") } else { (400, "bad_json") };
        assert_eq!(challenge("phone", body).await.refusal(), (status, code.to_owned()));
    }
    assert_eq!(challenge("phone", r#"{"channel":"sms","factorId":"x"}"#.to_owned()).await.json()["type"], "phone");
    let key = challenge("key", r#"{"webauthn":{"rpId":"other"}}"#.to_owned()).await.json();
    let options = json!({"type": "request", "credential_options": {"publicKey": {"rpId": "localhost"}}});
    assert_eq!(key["webauthn"], options);
    assert_eq!(challenge("%ff", "{}".to_owned()).await.refusal(), (404, "validation_failed".to_owned()));
}

#[tokio::test]
async fn a_raised_session_is_named_in_no_header() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: verify_factor::Request| {
        assert_eq!(request.factor, "the-factor");
        let body = request.body?;
        assert_eq!((body.challenge, body.code.expose().as_str()), (Uuid::from_u128(7), "123456"));
        assert!(body.webauthn.is_none());
        Ok(examples::issued_session())
    }));
    let body = r#"{"challenge_id":"00000000-0000-0000-0000-000000000007","code":"123456","webauthn":null}"#;
    let answer = edge.ask("POST", "/factors/the-factor/verify", &BEARER, body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["expires_in"]), (200, &json!(3600)));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("sb-auth-")), "{:?}", answer.headers);
}

#[tokio::test]
async fn an_answer_to_a_challenge_is_read_as_it_may_be_sent() {
    type Told = (Uuid, String, Option<(String, Option<Value>)>);
    fn edge_that_saw(told: Told) -> TestEdge {
        TestEdge::new(FakeRuntime::default().on(move |_, request: verify_factor::Request| {
            let body = request.body?;
            let webauthn = body.webauthn.map(|webauthn| (webauthn.ceremony, webauthn.credential_response));
            assert_eq!((body.challenge, body.code.into_inner(), webauthn), told);
            Ok(examples::issued_session())
        }))
    }
    let key = |ceremony: &str, response| Some((ceremony.to_owned(), response));
    for (body, challenge, code, webauthn) in [
        ("{}", 0, "", None),
        ("null", 0, "", None),
        (r#"{"challenge_id":null,"code":null,"webauthn":null}"#, 0, "", None),
        (r#"{"Challenge_ID":"00000000000000000000000000000009","CODE":" 1 "}"#, 9, " 1 ", None),
        (r#"{"webauthn":{}}"#, 0, "", key("", None)),
        (r#"{"webauthn":{"type":"create","credential_response":null}}"#, 0, "", key("create", None)),
        (r#"{"webauthn":{"TYPE":"x","credential_response":"y","rpId":"z"}}"#, 0, "", key("x", Some(json!("y")))),
    ] {
        let edge = edge_that_saw((Uuid::from_u128(challenge), code.to_owned(), webauthn));
        assert_eq!(edge.ask("POST", "/factors/f/verify", &BEARER, body).await.status, 200, "{body}");
    }
    let edge = edge_that_saw((Uuid::nil(), String::new(), None));
    let bad = [
        r#"{"challenge_id":"not-a-uuid"}"#,
        r#"{"challenge_id":""}"#,
        r#"{"challenge_id":7}"#,
        r#"{"code":123456}"#,
        r#"{"webauthn":"text"}"#,
        r#"{"webauthn":[]}"#,
        r#"{"webauthn":{"type":1}}"#,
    ];
    for body in BAD_BODIES.into_iter().chain(bad) {
        let answer = edge.ask("POST", "/factors/f/verify", &BEARER, body).await;
        assert_eq!(answer.refusal(), (400, "bad_json".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_factor_is_removed() {
    let edge =
        TestEdge::new(FakeRuntime::default().on(
            |_, request: unenroll_factor::Request| match request.factor.as_str() {
                "00000000-0000-0000-0000-000000000001" => Ok(FactorId(Uuid::from_u128(1))),
                _ => Err(Refusal::FactorIdMalformed.into()),
            },
        ));
    for path in ["/factors/00000000-0000-0000-0000-000000000001", "/factors/00000000-0000-0000-0000-000000000001/"] {
        let answer = edge.ask("DELETE", path, &BEARER, "").await;
        assert_eq!(answer.text, r#"{"id":"00000000-0000-0000-0000-000000000001"}"#);
    }
    for id in ["abc", "%00", "%ff"] {
        let answer = edge.ask("DELETE", &format!("/factors/{id}"), &BEARER, "").await;
        assert_eq!(answer.refusal(), (404, "validation_failed".to_owned()), "{id}");
    }
}

#[tokio::test]
async fn an_admin_lists_renames_and_removes_factors() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, list: admin_factors::List| Ok(if list.user == "none" { Vec::new() } else { vec![factor()] }))
            .on(|_, update: admin_factors::Update| {
                assert_eq!((update.user.as_str(), update.factor.as_str()), ("the-user", "the-factor"));
                let body = update.body?;
                assert_eq!(body.phone, "");
                Ok(Factor { friendly_name: body.friendly_name, ..factor() })
            })
            .on(|_, delete: admin_factors::Delete| {
                assert_eq!((delete.user.as_str(), delete.factor.as_str()), ("the-user", "the-factor"));
                Ok(factor())
            }),
    );
    let shown = |name: &str| {
        format!(
            r#"{{"id":"00000000-0000-0000-0000-000000000001","created_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:20Z","status":"verified","friendly_name":"{name}","factor_type":"totp","phone":"","last_challenged_at":null}}"#
        )
    };
    for slash in ["", "/"] {
        let list = |user: &str| format!("/admin/users/{user}/factors{slash}");
        assert_eq!(edge.ask("GET", &list("none"), &BEARER, "").await.text, "[]");
        assert_eq!(edge.ask("GET", &list("the-user"), &BEARER, "").await.text, format!("[{}]", shown("phone")));
        let one = format!("/admin/users/the-user/factors/the-factor{slash}");
        assert_eq!(edge.ask("PUT", &one, &BEARER, r#"{"friendly_name":"new"}"#).await.text, shown("new"));
        assert_eq!(edge.ask("DELETE", &one, &BEARER, "").await.text, shown("phone"));
        for body in BAD_BODIES.into_iter().chain([r#"{"friendly_name":5}"#, r#"{"phone":5}"#]) {
            assert_eq!(edge.ask("PUT", &one, &BEARER, body).await.refusal(), (400, "bad_json".to_owned()), "{body}");
        }
    }
}
