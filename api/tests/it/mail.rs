//! The development mailbox.

use std::sync::{Arc, Mutex};

use api::mail::{MailScope, MailStore};
use axum::body::Body;
use domain::ids::ProjectId;
use http::Request;
use serde_json::{Value, json};

use crate::support::{Answered, FakeRuntime, TestEdge, facts};

/// One mail, and what was asked of it.
#[derive(Default)]
struct OneMail(Mutex<Vec<String>>);

impl OneMail {
    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

impl MailStore for OneMail {
    fn search(&self, scope: MailScope, query: &str, start: usize, limit: usize) -> Value {
        self.note(format!("search {scope:?} {query:?} {start} {limit}"));
        json!({"total": 1, "messages": [{"ID": "abc", "Subject": "Confirm <you>", "Read": false, "To": [{"Name": "", "Address": "a@b.co"}], "Created": "2026-08-20T10:00:00Z"}]})
    }

    fn message(&self, _: MailScope, id: &str) -> Option<Value> {
        let html = "<a href=\"http://127.0.0.1:8000/p/acme/auth/v1/verify?token=t&amp;type=signup\">Confirm</a><script>alert(1)</script>";
        (id == "abc" || id == "latest")
            .then(|| json!({"ID": "abc", "Subject": "Confirm <you>", "HTML": html, "Text": "Hello"}))
    }

    fn set_read(&self, _: MailScope, ids: &[String], read: bool) {
        self.note(format!("set_read {ids:?} {read}"));
    }

    fn delete(&self, _: MailScope, ids: &[String]) {
        self.note(format!("delete {ids:?}"));
    }

    fn delete_matching(&self, _: MailScope, query: &str) {
        self.note(format!("delete_matching {query:?}"));
    }
}

fn edge() -> (TestEdge, Arc<OneMail>) {
    let mail = Arc::new(OneMail::default());
    (TestEdge::with_mailbox(FakeRuntime::default(), Some(Arc::clone(&mail) as Arc<dyn MailStore>)), mail)
}

async fn get(edge: &TestEdge, uri: &str) -> Answered {
    edge.send(Request::get(uri).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_page_lists_mails_without_any_script() {
    let (edge, mail) = edge();
    let page = get(&edge, "/mail/?query=confirm").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert!(page.text.contains("<a href=\"message/abc\">Confirm &lt;you&gt;</a>"), "{}", page.text);
    assert!(!page.text.contains("<script"), "{}", page.text);
    assert_eq!(*mail.0.lock().unwrap(), ["search All \"confirm\" 0 200"]);
}

#[tokio::test]
async fn a_mail_is_shown_in_a_frame_and_its_link_beside_it() {
    let (edge, _) = edge();
    let page = get(&edge, "/mail/message/abc").await;
    assert!(page.text.contains("verify?token=t&"), "{}", page.text);
    assert!(page.text.contains("rel=\"noreferrer\""), "{}", page.text);
    assert!(page.text.contains("<iframe title=\"The mail\" sandbox=\"allow-popups"), "{}", page.text);
    assert!(!page.text.contains("<script"), "{}", page.text);
    let frame = get(&edge, "/mail/message/abc/html").await;
    let policy = frame.header("content-security-policy").unwrap();
    assert!(policy.starts_with("sandbox allow-popups") && policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("script"), "{policy}");
    assert_eq!(get(&edge, "/mail/message/other").await.status, 404);
}

#[tokio::test]
async fn the_addresses_of_the_page_lead_on() {
    let (edge, _) = edge();
    for (uri, location) in [("/mail", "/mail/"), ("/p/acme/mail", "/p/acme/mail/")] {
        let answer = get(&edge, uri).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (308, Some(location)));
    }
    assert_eq!(get(&edge, "/mail/style.css").await.header("content-type"), Some("text/css; charset=utf-8"));
}

#[tokio::test]
async fn tools_speak_mailpits_api() {
    let (edge, mail) = edge();
    let listed = get(&edge, "/mail/api/v1/messages?limit=3&start=2").await;
    assert_eq!(listed.json()["messages"][0]["ID"], "abc");
    get(&edge, "/mail/api/v1/search?query=to%3Aa%40b.co").await;
    assert_eq!(get(&edge, "/mail/api/v1/message/latest").await.json()["Text"], "Hello");
    assert_eq!(get(&edge, "/mail/api/v1/message/none").await.status, 404);
    for (method, uri, body) in [
        ("DELETE", "/mail/api/v1/messages", r#"{"IDs":["abc"]}"#),
        ("DELETE", "/mail/api/v1/messages", ""),
        ("DELETE", "/mail/api/v1/search?query=old", ""),
        ("PUT", "/mail/api/v1/messages", r#"{"IDs":["abc"],"Read":true}"#),
    ] {
        let request = Request::builder().method(method).uri(uri).body(Body::from(body)).unwrap();
        assert_eq!(edge.send(request).await.text, "ok", "{method} {uri}");
    }
    let noted = mail.0.lock().unwrap();
    assert_eq!(
        *noted,
        [
            "search All \"\" 2 3",
            "search All \"to:a@b.co\" 0 50",
            "delete [\"abc\"]",
            "delete []",
            "delete_matching \"old\"",
            "set_read [\"abc\"] true",
        ]
    );
}

#[tokio::test]
async fn a_project_has_a_mailbox_of_its_own_while_it_has_no_mail_server() {
    let (edge, mail) = edge();
    get(&edge, "/p/acme/mail/api/v1/messages").await;
    let scope = MailScope::Project(ProjectId(uuid::Uuid::from_u128(1)));
    assert_eq!(*mail.0.lock().unwrap(), [format!("search {scope:?} \"\" 0 50")]);
    assert_eq!(get(&edge, "/p/unknown/mail/").await.status, 404);

    let mut known = facts();
    known.mailbox = false;
    let store: Arc<dyn MailStore> = Arc::new(OneMail::default());
    let with_server = TestEdge::with_mailbox(FakeRuntime::default().with_facts(known), Some(store));
    assert_eq!(get(&with_server, "/p/acme/mail/").await.status, 404);
}

#[tokio::test]
async fn nobody_else_looks_into_the_mailbox() {
    let (edge, _) = edge();
    let request = |host: &str| Request::get("/mail/").header("host", host).body(Body::empty()).unwrap();
    assert_eq!(edge.send(request("localhost:8000")).await.status, 200);
    assert_eq!(edge.send(request("evil.example.com")).await.status, 404);
    assert_eq!(edge.send_from("203.0.113.9:4711", request("localhost:8000")).await.status, 404);
    let none = TestEdge::new(FakeRuntime::default());
    assert_eq!(none.send(request("localhost:8000")).await.status, 404);
}
