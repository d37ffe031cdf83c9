//! Invitations, links, the audit log and introspection.

use domain::pagination::{Page, Paged};
use domain::refusal::Refusal;
use domain::{audit_log, generate_link, introspect, invite};
use serde_json::json;
use serde_json::value::RawValue;

use crate::examples;
use crate::support::{FakeRuntime, TestEdge};

const ADMIN: [(&str, &str); 1] = [("authorization", "Bearer admin")];

#[tokio::test]
async fn an_invitation_answers_the_user() {
    let edge = TestEdge::new(FakeRuntime::default().on(|call, request: invite::Request| {
        assert_eq!(request.bearer.0.unwrap().expose(), "admin");
        assert_eq!(call.caller.redirect_candidates, ["https://app.example.com/join"]);
        assert_eq!((request.email.as_str(), &request.data.unwrap()["team"]), ("A@b.co", &json!("blue")));
        Ok(examples::user())
    }));
    let path = "/invite?redirect_to=https%3A%2F%2Fapp.example.com%2Fjoin";
    let answer = edge.ask("POST", path, &ADMIN, r#"{"email":"A@b.co","data":{"team":"blue"}}"#).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["email"]), (200, &json!("a@b.co")));
}

#[tokio::test]
async fn a_generated_link_stands_beside_the_keys_of_its_user() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: generate_link::Request| {
        assert_eq!((request.kind.as_str(), request.email.as_str()), ("signup", "a@b.co"));
        assert_eq!((request.password.expose().as_str(), request.new_email.as_str()), ("secret", ""));
        assert_eq!(request.redirect_to, "https://app.example.com");
        Ok(generate_link::Link {
            user: examples::user(),
            action_link: "https://x/verify?token=h&type=signup&redirect_to=y".to_owned().into(),
            email_otp: "12345678".to_owned().into(),
            hashed_token: "h".to_owned().into(),
            verification_type: "signup".to_owned(),
            redirect_to: "y".to_owned(),
        })
    }));
    let body = r#"{"type":"signup","email":"a@b.co","password":"secret","redirect_to":"https://app.example.com","redirectTo":"z"}"#;
    let answer = edge.ask("POST", "/admin/generate_link", &ADMIN, body).await;
    assert!(answer.text.starts_with(r#"{"id":"11111111-2222-4333-8444-555555555555","aud":"#), "{}", answer.text);
    let end = r#""is_anonymous":false,"action_link":"https://x/verify?token=h\u0026type=signup\u0026redirect_to=y","email_otp":"12345678","hashed_token":"h","verification_type":"signup","redirect_to":"y"}"#;
    assert!(answer.text.ends_with(end), "{}", answer.text);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn the_audit_log_is_a_list_with_pages() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, list: audit_log::List| {
        assert_eq!((list.page.as_deref(), list.per_page.as_deref()), (Some("1"), Some("2")));
        assert_eq!(list.query, "author:a@b.co");
        let payload = RawValue::from_string(r#"{"action":"login", "z":1,"a":"<"}"#.to_owned()).unwrap();
        let entry = audit_log::Entry {
            id: uuid::Uuid::from_u128(1),
            payload,
            created_at: examples::at(),
            ip_address: String::new(),
        };
        Ok(Paged { items: vec![entry], total: 3, page: Page { number: 1, size: 2 } })
    }));
    for path in ["/admin/audit", "/admin/audit/"] {
        let answer = edge.ask("GET", &format!("{path}?query=author:a@b.co&page=1&per_page=2"), &ADMIN, "").await;
        assert_eq!(
            answer.text,
            r#"[{"id":"00000000-0000-0000-0000-000000000001","payload":{"action":"login", "z":1,"a":"<"},"created_at":"2023-11-14T22:13:20Z","ip_address":""}]"#
        );
        assert_eq!(answer.header("x-total-count"), Some("3"));
        let link = answer.header("link").unwrap();
        let next = format!("</p/acme/auth/v1{path}?page=2&per_page=2&query=author%3Aa%40b.co>; rel=\"next\"");
        assert!(link.starts_with(&next), "{link}");
    }
    assert_eq!(edge.ask("POST", "/admin/audit", &ADMIN, "").await.status, 500, "the gate asks nobody here");
}

#[tokio::test]
async fn introspection_takes_a_form_or_json() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: introspect::Request| {
        let claims = json!({ "sub": "the-user", "exp": 1, "active": false });
        Ok((request.token.expose() == "a+good token").then(|| claims.as_object().unwrap().clone()))
    }));
    let form = [ADMIN[0], ("content-type", "application/x-www-form-urlencoded")];
    let good = edge.ask("POST", "/admin/introspect", &form, "token=a%2Bgood+token&token_type_hint=access_token").await;
    assert_eq!(good.text, r#"{"active":true,"exp":1,"sub":"the-user"}"#);
    assert_eq!(good.header("cache-control"), Some("no-store"));
    let good = edge.ask("POST", "/admin/introspect", &ADMIN, r#"{"token":"a+good token"}"#).await;
    assert_eq!(good.json()["active"], true);
    let bad = edge.ask("POST", "/admin/introspect", &ADMIN, r#"{"token":"other"}"#).await;
    assert_eq!(bad.text, r#"{"active":false}"#);
}

#[tokio::test]
async fn introspection_needs_a_token_to_look_at() {
    let edge = TestEdge::new(FakeRuntime::default().with_tokens("admin"));
    let form = [ADMIN[0], ("content-type", "application/x-www-form-urlencoded")];
    for (headers, body) in [(&form[..], ""), (&form[..], "token="), (&ADMIN[..], "{}")] {
        let answer = edge.ask("POST", "/admin/introspect", headers, body).await;
        assert_eq!(answer.refusal(), (400, "validation_failed".to_owned()), "{body}");
    }
    assert_eq!(edge.post("/admin/introspect", "").await.refusal(), (401, "no_authorization".to_owned()));
}

#[tokio::test]
async fn what_admins_ask_is_refused_in_the_flows_words() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, _: invite::Request| Err(Refusal::InviteEmailExists.into()))
            .on(|_, link: generate_link::Request| Err(Refusal::LinkTypeInvalid(link.kind).into())),
    );
    assert_eq!(edge.ask("POST", "/invite", &ADMIN, "{}").await.refusal(), (422, "email_exists".to_owned()));
    let nope = edge.ask("POST", "/admin/generate_link", &ADMIN, r#"{"type":"nope"}"#).await;
    assert_eq!(nope.json()["msg"], "Invalid email action link type requested: nope");
}
