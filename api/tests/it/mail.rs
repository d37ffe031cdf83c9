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

const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'";

impl MailStore for OneMail {
    fn search(&self, scope: MailScope, query: &str, start: usize, limit: usize) -> Value {
        self.note(format!("search {scope:?} {query:?} {start} {limit}"));
        let mail = json!({
            "ID": "abc", "Subject": "Confirm <you>", "Read": false, "To": [{"Name": "", "Address": "a@b.co"}],
            "Created": "2026-08-20T10:00:00Z", "Tags": ["confirmation"], "Code": "123456",
        });
        let evil = json!({
            "ID": "evil", "Subject": HOSTILE, "Read": false, "To": [{"Name": HOSTILE, "Address": HOSTILE}],
            "Created": HOSTILE, "Tags": [HOSTILE], "Code": HOSTILE,
        });
        json!({"total": 2, "unread": 2, "messages_count": 2, "messages": [mail, evil]})
    }

    fn message(&self, _: MailScope, id: &str) -> Option<Value> {
        let link = "http://127.0.0.1:8000/p/acme/auth/v1/verify?token=t&type=signup";
        match id {
            "abc" | "latest" => Some(json!({
                "ID": "abc", "Subject": "Confirm <you>", "Text": "Hello", "Tags": ["confirmation"], "Code": "123456",
                "Link": link, "LinkText": "Confirm",
                "HTML": format!("<a href=\"{}\">Confirm</a><script>alert(1)</script>", link.replace('&', "&amp;")),
            })),
            "evil" => Some(json!({
                "ID": "evil", "Subject": HOSTILE, "Text": HOSTILE, "Tags": [HOSTILE], "Code": HOSTILE, "Date": HOSTILE,
                "Link": "javascript:alert(1)", "LinkText": HOSTILE, "HTML": HOSTILE,
                "From": {"Name": HOSTILE, "Address": HOSTILE},
            })),
            _ => None,
        }
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

/// Script, style and everything else come from the mailbox itself, and nothing inline counts.
fn assert_strict(page: &Answered) {
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(policy.contains("base-uri 'none'; frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
}

/// No markup but the page's own.
fn assert_tame(page: &Answered) {
    assert!(page.text.matches("<script").count() <= 1, "{}", page.text);
    assert!(!page.text.contains("<img") && !page.text.contains("javascript:"), "{}", page.text);
    assert!(!page.text.contains("style=\"") && !page.text.contains("\" on"), "{}", page.text);
}

#[tokio::test]
async fn the_page_lists_mails() {
    let (edge, mail) = edge();
    let page = get(&edge, "/mail/?query=confirm").await;
    assert_eq!(page.status, 200);
    assert_strict(&page);
    let entry = "<a href=\"./message/abc?query=confirm\" data-id=\"abc\">";
    assert!(page.text.contains(entry), "{}", page.text);
    assert!(page.text.contains("<span class=\"subject\">Confirm &lt;you&gt;</span>"), "{}", page.text);
    assert!(page.text.contains("<script src=\"./mail.js\" defer></script>"), "{}", page.text);
    assert_eq!(*mail.0.lock().unwrap(), ["search All \"confirm\" 0 200"]);
}

#[tokio::test]
async fn the_list_alone_keeps_the_page_up_to_date() {
    let (edge, _) = edge();
    let alone = get(&edge, "/mail/list?query=").await;
    assert_strict(&alone);
    assert!(alone.text.starts_with("<ul data-total=\"2\" data-unread=\"2\">"), "{}", alone.text);
    assert!(get(&edge, "/mail/").await.text.contains(&alone.text));
    let beside = get(&edge, "/mail/list?query=&open=abc").await;
    assert!(get(&edge, "/mail/message/abc").await.text.contains(&beside.text));
    assert!(
        beside.text.contains("<a href=\"../message/abc\" data-id=\"abc\" aria-current=\"page\">"),
        "{}",
        beside.text
    );
}

#[tokio::test]
async fn a_mail_is_shown_in_a_frame_and_its_link_beside_it() {
    let (edge, _) = edge();
    let page = get(&edge, "/mail/message/abc").await;
    assert_strict(&page);
    let link = "href=\"http://127.0.0.1:8000/p/acme/auth/v1/verify?token=t&amp;type=signup\" target=\"_blank\" rel=\"noreferrer\">Confirm</a>";
    assert!(page.text.contains(link), "{}", page.text);
    assert!(page.text.contains("id=\"digits\">123456</output>"), "{}", page.text);
    let frame = "<iframe title=\"The mail\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"abc/html\">";
    assert!(page.text.contains(frame), "{}", page.text);
    let frame = get(&edge, "/mail/message/abc/html").await;
    let policy = frame.header("content-security-policy").unwrap();
    assert!(policy.starts_with("sandbox allow-popups") && policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("script") && !policy.contains("same-origin"), "{policy}");
    assert_eq!(get(&edge, "/mail/message/other").await.status, 404);
    assert_eq!(get(&edge, "/mail/message/other/html").await.status, 404);
}

#[tokio::test]
async fn a_hostile_mail_stays_in_its_frame() {
    let (edge, _) = edge();
    for uri in ["/mail/", "/mail/list", "/mail/message/evil", "/p/acme/mail/message/evil"] {
        let page = get(&edge, uri).await;
        assert_eq!(page.status, 200, "{uri}");
        assert_strict(&page);
        assert_tame(&page);
    }
    let escaped: String = HOSTILE.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for uri in ["/mail/?query=", "/mail/list?query=", "/mail/list?open="] {
        assert_tame(&get(&edge, &format!("{uri}{escaped}")).await);
    }
}

#[tokio::test]
async fn script_style_and_icon_come_from_the_mailbox() {
    let (edge, _) = edge();
    for (name, content_type) in [
        ("mail.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        for base in ["/mail", "/p/acme/mail"] {
            let file = get(&edge, &format!("{base}/{name}")).await;
            assert_eq!((file.status.as_u16(), file.header("content-type")), (200, Some(content_type)), "{base}/{name}");
            assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{name}");
            let foreign = file.text.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("//"), "{name} refers to another place");
        }
    }
}

#[tokio::test]
async fn the_addresses_of_the_page_lead_on() {
    let (edge, _) = edge();
    for (uri, location) in [("/mail", "/mail/"), ("/p/acme/mail", "/p/acme/mail/")] {
        let answer = get(&edge, uri).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (308, Some(location)));
    }
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
