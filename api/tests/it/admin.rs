//! The admin API.

use domain::pagination::{Page, Paged};
use domain::refusal::Refusal;
use domain::{admin_users, sessions};

use crate::examples;
use crate::support::{FakeRuntime, TestEdge};

const ADMIN: [(&str, &str); 1] = [("authorization", "Bearer admin")];

#[tokio::test]
async fn a_list_has_its_headers_and_no_identities() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, list: admin_users::List| {
        assert_eq!((list.page.as_deref(), list.per_page.as_deref()), (Some("1"), Some("2")));
        assert_eq!(list.sort, ["created_at asc", "created_at desc"]);
        assert_eq!(list.filter, "w");
        let users = Paged { items: vec![examples::user()], total: 3, page: Page { number: 1, size: 2 } };
        Ok(admin_users::Listing { aud: "authenticated".to_owned(), users })
    }));
    let path = "/admin/users?per_page=2&page=1&filter=w&sort=created_at+asc&sort=created_at%20desc";
    let answer = edge.ask("GET", path, &ADMIN, "").await;
    assert_eq!(answer.json()["aud"], "authenticated");
    assert_eq!(answer.json()["users"][0]["identities"], serde_json::Value::Null);
    assert_eq!(answer.header("x-total-count"), Some("3"));
    let rest = "per_page=2&sort=created_at+asc&sort=created_at+desc";
    assert_eq!(
        answer.header("link").unwrap(),
        format!(
            "</p/acme/auth/v1/admin/users?filter=w&page=2&{rest}>; rel=\"next\", \
             </p/acme/auth/v1/admin/users?filter=w&page=2&{rest}>; rel=\"last\""
        )
    );
}

#[tokio::test]
async fn users_are_made_read_changed_and_deleted() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, create: admin_users::Create| {
                let attributes = create.attributes;
                assert_eq!((attributes.email.as_str(), attributes.email_confirm), ("a@b.co", true));
                assert_eq!(attributes.password.unwrap().expose(), "x");
                assert_eq!(attributes.user_metadata.unwrap()["full_name"], "A");
                Ok(examples::user())
            })
            .on(|_, get: admin_users::Get| match get.user.as_str() {
                "11111111-2222-4333-8444-555555555555" => Ok(examples::user()),
                _ => Err(Refusal::UserIdMalformed.into()),
            })
            .on(|_, update: admin_users::Update| {
                assert_eq!((update.user.as_str(), update.attributes.ban_duration.as_str()), ("the-id", "1h"));
                Ok(examples::user())
            })
            .on(|_, delete: admin_users::Delete| {
                assert_eq!(delete.user, if delete.soft { "soft" } else { "hard" });
                Ok(())
            }),
    );
    let body = r#"{"email":"a@b.co","password":"x","email_confirm":true,"user_metadata":{"full_name":"A"}}"#;
    let created = edge.ask("POST", "/admin/users", &ADMIN, body).await;
    assert_eq!(created.status, 200);
    assert!(created.json().get("confirmed_at").is_none());
    let read = edge.ask("GET", "/admin/users/11111111-2222-4333-8444-555555555555", &ADMIN, "").await;
    assert!(read.json().get("confirmed_at").is_some());
    assert_eq!(edge.ask("GET", "/admin/users/%ff", &ADMIN, "").await.refusal(), (404, "validation_failed".to_owned()));
    assert_eq!(edge.ask("PUT", "/admin/users/the-id", &ADMIN, r#"{"ban_duration":"1h"}"#).await.status, 200);
    for (path, body) in [("hard", ""), ("hard", "{}"), ("hard", "null"), ("soft", r#"{"should_soft_delete":true}"#)] {
        let deleted = edge.ask("DELETE", &format!("/admin/users/{path}"), &ADMIN, body).await;
        assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (200, "{}"), "{body}");
    }
}

#[tokio::test]
async fn an_admin_lists_and_ends_a_users_sessions() {
    let edge = TestEdge::new(
        FakeRuntime::default()
            .on(|_, list: sessions::AdminList| {
                assert_eq!(list.user, "the-user");
                let sessions = Paged { items: vec![examples::session()], total: 1, page: list.page };
                Ok(sessions::Listing { user: examples::user().id, current: None, sessions })
            })
            .on(|_, end: sessions::AdminEnd| {
                assert_eq!(end.user, "the-user");
                assert!(matches!(end.session.as_deref(), None | Some("the-session")));
                Ok(())
            }),
    );
    let listed = edge.ask("GET", "/admin/users/the-user/sessions", &ADMIN, "").await;
    assert_eq!(listed.json()["sessions"][0]["current"], false);
    assert_eq!(listed.header("x-total-count"), Some("1"));
    for path in ["/admin/users/the-user/sessions", "/admin/users/the-user/sessions/the-session"] {
        assert_eq!(edge.ask("DELETE", path, &ADMIN, "").await.status, 204, "{path}");
    }
}
