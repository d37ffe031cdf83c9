//! The admin API.

use domain::admin_users::Users;
use domain::pagination::{Cursor, Page, Paged};
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
        assert_eq!(list.stretch, None);
        let page = Paged { items: vec![examples::user()], total: 3, page: Page { number: 1, size: 2 } };
        Ok(admin_users::Listing { aud: "authenticated".to_owned(), users: Users::Page(page) })
    }));
    let path = "/admin/users?per_page=2&page=1&filter=w&sort=created_at+asc&sort=created_at%20desc";
    let answer = edge.ask("GET", path, &ADMIN, "").await;
    assert_eq!(answer.json()["aud"], "authenticated");
    assert!(answer.json().get("pagination").is_none());
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
async fn a_list_can_be_walked_with_cursors() {
    let next = Cursor { created_at: examples::user().created_at, id: examples::user().id };
    let edge = TestEdge::new(FakeRuntime::default().on(move |_, list: admin_users::List| {
        let stretch = list.stretch.unwrap();
        assert_eq!(stretch.limit, if stretch.after.is_some() { 50 } else { 1 });
        let next = stretch.after.is_none().then_some(next);
        let users = Users::Stretch { items: vec![examples::user()], next };
        Ok(admin_users::Listing { aud: "authenticated".to_owned(), users })
    }));
    let first = edge.ask("GET", "/admin/users?cursor=&limit=1&filter=w&page=&per_page=", &ADMIN, "").await;
    assert_eq!(first.json()["users"].as_array().unwrap().len(), 1);
    assert_eq!(first.json()["pagination"]["has_more"], true);
    let cursor = first.json()["pagination"]["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(first.header("x-total-count"), None);
    assert_eq!(
        first.header("link").unwrap(),
        format!("</p/acme/auth/v1/admin/users?cursor={cursor}&filter=w&limit=1&page=&per_page=>; rel=\"next\"")
    );
    let last = edge.ask("GET", &format!("/admin/users?cursor={cursor}"), &ADMIN, "").await;
    assert_eq!(last.json()["pagination"], serde_json::json!({ "has_more": false }));
    assert_eq!(last.header("link"), None);
}

#[tokio::test]
async fn a_page_number_wins_over_a_cursor() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, list: admin_users::List| {
        assert_eq!(list.stretch, None);
        let page = Paged { items: Vec::new(), total: 0, page: Page { number: 1, size: 50 } };
        Ok(admin_users::Listing { aud: "authenticated".to_owned(), users: Users::Page(page) })
    }));
    for query in ["", "?page=&per_page=", "?page=1&cursor=x", "?per_page=5&limit=0", "?limit=100", "?limit=x"] {
        assert_eq!(edge.ask("GET", &format!("/admin/users{query}"), &ADMIN, "").await.status, 200, "{query}");
    }
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

#[tokio::test]
async fn page_0_is_followed_by_page_1() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, list: admin_users::List| {
        let page = Page::parse(list.page.as_deref(), list.per_page.as_deref()).unwrap();
        let page = Paged { items: vec![examples::user()], total: 3, page };
        Ok(admin_users::Listing { aud: "authenticated".to_owned(), users: Users::Page(page) })
    }));
    let answer = edge.ask("GET", "/admin/users?page=0&per_page=2", &ADMIN, "").await;
    let path = "/p/acme/auth/v1/admin/users";
    let links = format!("<{path}?page=1&per_page=2>; rel=\"next\", <{path}?page=2&per_page=2>; rel=\"last\"");
    assert_eq!(answer.header("link").unwrap(), links);
}

#[tokio::test]
async fn a_user_is_looked_for_before_a_body_is_decoded() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, get: admin_users::Get| match get.user.as_str() {
        "known" => Ok(examples::user()),
        "unknown" => Err(Refusal::UserNotFound.into()),
        _ => Err(Refusal::UserIdMalformed.into()),
    }));
    for (id, status, code) in
        [("x", 404, "validation_failed"), ("unknown", 404, "user_not_found"), ("known", 400, "bad_json")]
    {
        for (method, body) in [("PUT", "{"), ("PUT", r#"{"email":5}"#), ("DELETE", "{"), ("DELETE", "[]")] {
            let answer = edge.ask(method, &format!("/admin/users/{id}"), &ADMIN, body).await;
            assert_eq!(answer.refusal(), (status, code.to_owned()), "{method} {id} {body}");
        }
    }
}

#[tokio::test]
async fn an_import_without_metadata_shows_null() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, _: admin_users::Create| Ok(examples::user())));
    for (body, is_null) in [
        (r#"{"email":"a@b.co","password_hash":"h"}"#, true),
        (r#"{"email":"a@b.co","password_hash":"h","user_metadata":null}"#, true),
        (r#"{"email":"a@b.co","password_hash":"h","user_metadata":{}}"#, false),
        (r#"{"email":"a@b.co","password_hash":"h","email_confirm":true}"#, false),
        (r#"{"email":"a@b.co"}"#, false),
    ] {
        let made = edge.ask("POST", "/admin/users", &ADMIN, body).await;
        assert_eq!(made.json()["user_metadata"].is_null(), is_null, "{body}");
    }
}
