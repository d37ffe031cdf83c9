//! The mailbox for development.

use domain::ids::ProjectId;
use outbound::Message;
use outbound::mailbox::{Limits, Mailbox, Page, Scope};
use serde_json::json;
use uuid::Uuid;

use crate::messages::message;

const ONE: ProjectId = ProjectId(Uuid::from_u128(1));
const TWO: ProjectId = ProjectId(Uuid::from_u128(2));

fn letter(id: u128, to: &str, subject: &str) -> Message {
    let mut message = message();
    message.id = Uuid::from_u128(id);
    message.to.email = to.to_owned();
    message.subject = subject.to_owned();
    message
}

fn filled() -> Mailbox {
    let mailbox = Mailbox::default();
    mailbox.deliver(ONE, &letter(1, "ada@x.test", "Reset your password")).unwrap();
    mailbox.deliver(ONE, &letter(2, "bob@x.test", "Your sign-in link")).unwrap();
    mailbox.deliver(TWO, &letter(3, "ada@y.test", "Your sign-in link")).unwrap();
    mailbox
}

fn id(n: u128) -> String {
    Uuid::from_u128(n).simple().to_string()
}

fn ids(mailbox: &Mailbox, scope: Scope, query: &str) -> Vec<String> {
    mailbox.search(scope, query, Page::default()).messages.into_iter().map(|summary| summary.id).collect()
}

#[test]
fn the_json_is_mailpits() {
    let mailbox = Mailbox::default();
    mailbox.deliver(ONE, &message()).unwrap();
    let size = message().to_bytes().unwrap().len();
    let listing = serde_json::to_value(mailbox.list(Scope::All, Page::default())).unwrap();
    assert_eq!(
        listing,
        json!({
            "total": 1, "unread": 1, "count": 1, "messages_count": 1, "messages_unread": 1, "start": 0, "tags": [],
            "messages": [{
                "ID": "00000000000000000000000000000007",
                "MessageID": "00000000-0000-0000-0000-000000000007@acme.test",
                "Read": false,
                "From": { "Name": "Acme, Inc. <ops>", "Address": "auth@acme.test" },
                "To": [{ "Name": "", "Address": "ada@example.test" }],
                "Cc": [], "Bcc": [], "ReplyTo": [],
                "Subject": "Grüße & more",
                "Created": "2023-11-14T22:13:20Z",
                "Username": "", "Tags": ["notification"], "Size": size, "Attachments": 0,
                "Snippet": "Größe: 1 . .", "Code": "",
            }],
        })
    );
    let mail = serde_json::to_value(mailbox.get(Scope::Project(ONE), "latest").unwrap()).unwrap();
    assert_eq!(
        mail,
        json!({
            "ID": "00000000000000000000000000000007",
            "MessageID": "00000000-0000-0000-0000-000000000007@acme.test",
            "From": { "Name": "Acme, Inc. <ops>", "Address": "auth@acme.test" },
            "To": [{ "Name": "", "Address": "ada@example.test" }],
            "Cc": [], "Bcc": [], "ReplyTo": [],
            "ReturnPath": "auth@acme.test",
            "Subject": "Grüße & more",
            "ListUnsubscribe": { "Header": "", "Links": [], "Errors": "", "HeaderPost": "" },
            "Date": "2023-11-14T22:13:20Z",
            "Tags": ["notification"], "Username": "",
            "Text": "Größe: 1",
            "HTML": "<p>Größe: <b>1</b></p>\n<p>.</p>\n.\n",
            "Size": size, "Inline": [], "Attachments": [],
            "Link": "", "LinkText": "", "Code": "",
        })
    );
}

#[test]
fn a_project_sees_its_own_mails_newest_first() {
    let mailbox = filled();
    assert_eq!(ids(&mailbox, Scope::Project(ONE), ""), [id(2), id(1)]);
    assert_eq!(ids(&mailbox, Scope::All, ""), [id(3), id(2), id(1)]);
    assert!(mailbox.get(Scope::Project(TWO), &id(1)).is_none());
    assert_eq!(mailbox.get(Scope::Project(ONE), "latest").unwrap().id, id(2));
    mailbox.delete(Scope::Project(TWO), &[id(1)]);
    assert_eq!(mailbox.list(Scope::All, Page::default()).total, 3);
}

#[test]
fn pages_and_counts_fit_together() {
    let mailbox = filled();
    let page = mailbox.search(Scope::All, "sign-in", Page { start: 1, limit: 5 });
    assert_eq!((page.total, page.messages_count, page.count, page.start), (3, 2, 1, 1));
    assert_eq!(page.messages[0].id, id(2));
    assert_eq!(mailbox.list(Scope::All, Page { start: 9, limit: 5 }).count, 0);
    assert_eq!(mailbox.list(Scope::All, Page { start: 0, limit: 0 }).messages_count, 3);
}

#[test]
fn searching_speaks_mailpits_language() {
    let mailbox = filled();
    for (query, found) in [
        ("to:ada", vec![3, 1]),
        ("TO:ADA@x.test", vec![1]),
        ("to:ada subject:\"reset your\"", vec![1]),
        ("sign-in link", vec![3, 2]),
        ("\"link sign-in\"", vec![]),
        ("größe", vec![3, 2, 1]),
        ("-to:ada", vec![2]),
        ("!subject:link", vec![1]),
        ("from:auth@acme.test", vec![3, 2, 1]),
        ("addressed:bob", vec![2]),
        ("message-id:3-0", vec![]),
        ("message-id:000000000003@", vec![3]),
        ("is:read", vec![]),
        ("is:unread", vec![3, 2, 1]),
        ("to: subject:", vec![3, 2, 1]),
    ] {
        let query_found = ids(&mailbox, Scope::All, query);
        let wanted: Vec<String> = found.into_iter().map(id).collect();
        assert_eq!(query_found, wanted, "{query}");
    }
}

#[test]
fn opening_a_mail_marks_it_read() {
    let mailbox = filled();
    mailbox.get(Scope::All, &id(2)).unwrap();
    assert_eq!(ids(&mailbox, Scope::All, "is:read"), [id(2)]);
    assert_eq!(mailbox.list(Scope::All, Page::default()).unread, 2);
    mailbox.set_read(Scope::Project(ONE), &[], true);
    assert_eq!(mailbox.list(Scope::All, Page::default()).unread, 1);
    mailbox.set_read(Scope::All, &[id(1)], false);
    assert_eq!(ids(&mailbox, Scope::All, "is:unread"), [id(3), id(1)]);
}

#[test]
fn mails_can_be_thrown_away() {
    let mailbox = filled();
    mailbox.delete(Scope::All, &[id(1), "unknown".to_owned()]);
    assert_eq!(ids(&mailbox, Scope::All, ""), [id(3), id(2)]);
    mailbox.delete_matching(Scope::All, "to:bob");
    assert_eq!(ids(&mailbox, Scope::All, ""), [id(3)]);
    mailbox.delete(Scope::Project(ONE), &[]);
    assert_eq!(ids(&mailbox, Scope::All, ""), [id(3)]);
    mailbox.delete(Scope::All, &[]);
    assert_eq!(mailbox.list(Scope::All, Page::default()).total, 0);
}

#[test]
fn the_oldest_make_room() {
    let limits = Limits { per_project: 3, messages: 5, bytes: 1000 };
    let mailbox = Mailbox::new(limits);
    for n in 1..=5 {
        mailbox.deliver(ONE, &letter(n, "a@x.test", "s")).unwrap();
    }
    assert_eq!(ids(&mailbox, Scope::All, ""), [id(5), id(4), id(3)]);
    for n in 6..=8 {
        mailbox.deliver(TWO, &letter(n, "a@x.test", "s")).unwrap();
    }
    assert_eq!(ids(&mailbox, Scope::All, ""), [id(8), id(7), id(6), id(5), id(4)]);

    let mut big = letter(9, "a@x.test", "s");
    big.html = "x".repeat(5000);
    mailbox.deliver(TWO, &big).unwrap();
    assert_eq!(ids(&mailbox, Scope::All, ""), [id(9)]);
}

#[test]
fn a_mail_delivered_twice_is_there_once() {
    let mailbox = filled();
    mailbox.deliver(ONE, &letter(1, "ada@x.test", "again")).unwrap();
    assert_eq!(ids(&mailbox, Scope::Project(ONE), ""), [id(1), id(2)]);
    assert!(mailbox.deliver(ONE, &letter(4, "no address", "s")).is_err());
}

#[test]
fn readers_and_writers_do_not_disturb_each_other() {
    let mailbox = Mailbox::new(Limits { per_project: 10, ..Limits::default() });
    std::thread::scope(|scope| {
        for project in [ONE, TWO] {
            let mailbox = &mailbox;
            scope.spawn(move || {
                for n in 0..100 {
                    mailbox.deliver(project, &letter(n, "a@x.test", "s")).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..200 {
                let listing = mailbox.list(Scope::All, Page::default());
                assert!(listing.total <= 20 && listing.count == listing.total);
            }
        });
    });
    assert_eq!(mailbox.list(Scope::All, Page::default()).total, 20);
}
