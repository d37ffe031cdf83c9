//! The mailbox for people: readable without any script. What a mail contains is shown in a frame that has neither scripts
//! nor this site's origin.

use std::fmt::Write as _;

use axum::Extension;
use axum::extract::{OriginalUri, Path, RawQuery};
use axum::response::{IntoResponse, Response};
use html_escape::{encode_double_quoted_attribute as attribute, encode_text as text};
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION};
use serde_json::Value;

use crate::failure::Failure;
use crate::input::query::Query;
use crate::mail::api::MailPath;
use crate::mail::guard::Mails;
use crate::mail::links;

/// How many mails the list shows.
const SHOWN: usize = 200;

const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Links open outside the frame; pictures may load, nothing else may.
const MAIL_POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; \
     img-src data: http: https:; base-uri 'none'; frame-ancestors 'self'",
);

const STYLE: &str = "\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
.unread { font-weight: bold; }
.link a { overflow-wrap: anywhere; }
iframe { width: 100%; height: 28rem; border: 1px solid #8884; background: white; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid #8884; }
input { font: inherit; padding: .3rem; }
";

/// `GET /mail`: the page's address ends with a slash, so that its links are relative to it.
pub(super) async fn to_list(OriginalUri(uri): OriginalUri) -> Result<Response, Failure> {
    let location = HeaderValue::try_from(format!("{}/", uri.path())).map_err(Failure::fault)?;
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// `GET /mail/style.css`.
pub(super) async fn style() -> Response {
    let mut response = STYLE.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    response
}

/// `GET /mail/`: the newest mails, or those that match `query`.
pub(super) async fn list(Extension(mails): Extension<Mails>, RawQuery(raw): RawQuery) -> Result<Response, Failure> {
    let words = Query::parse(&raw.unwrap_or_default()).text("query")?;
    let listing = mails.store.search(mails.scope, &words, 0, SHOWN);
    Ok(page("Mailbox", "style.css", &list_body(&listing, &words)))
}

fn list_body(listing: &Value, words: &str) -> String {
    let mut body = format!(
        "<h1>Mailbox</h1>\n<p>Mails that would have been sent. They stay in memory until the gateway stops.</p>\n\
         <form method=\"get\"><input type=\"search\" name=\"query\" value=\"{}\" aria-label=\"Search\" \
         placeholder=\"Search\"></form>\n",
        attribute(words)
    );
    let mails = listing.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if mails.is_empty() {
        body.push_str("<p>There is no mail. Reload the page after something was sent.</p>\n");
        return body;
    }
    body.push_str("<table>\n<tr><th>To</th><th>Subject</th><th>When</th></tr>\n");
    for mail in mails {
        let class = if mail.get("Read").and_then(Value::as_bool).unwrap_or(false) { "read" } else { "unread" };
        // Writing to a string cannot fail.
        let _infallible = writeln!(
            body,
            "<tr class=\"{class}\"><td>{}</td><td><a href=\"message/{}\">{}</a></td><td>{}</td></tr>",
            text(&receivers(mail)),
            attribute(field(mail, "ID")),
            text(subject(mail)),
            text(field(mail, "Created")),
        );
    }
    body.push_str("</table>\n");
    body
}

/// `GET /mail/message/{id}`.
pub(super) async fn message(
    Extension(mails): Extension<Mails>,
    Path(path): Path<MailPath>,
) -> Result<Response, Failure> {
    let mail = mails.store.message(mails.scope, &path.id).ok_or(Failure::NoRoute)?;
    Ok(page(subject(&mail), "../style.css", &message_body(&mail)))
}

fn message_body(mail: &Value) -> String {
    let mut body = format!(
        "<p><a href=\"../\">Mailbox</a></p>\n<h1>{}</h1>\n<p>To {}<br>From {}<br>{}</p>\n",
        text(subject(mail)),
        text(&receivers(mail)),
        text(&person(mail.get("From").unwrap_or(&Value::Null))),
        text(field(mail, "Date")),
    );
    for link in links::of(field(mail, "HTML")) {
        let _infallible = writeln!(
            body,
            "<p class=\"link\"><a href=\"{}\" rel=\"noreferrer\">{}</a></p>",
            attribute(&link),
            text(&link)
        );
    }
    let id = attribute(field(mail, "ID"));
    let _infallible = write!(
        body,
        "<iframe title=\"The mail\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"{id}/html\"></iframe>\n\
         <h2>Text</h2>\n<pre>{}</pre>\n",
        text(field(mail, "Text"))
    );
    body
}

/// `GET /mail/message/{id}/html`: the mail's own page, for the frame.
pub(super) async fn html(Extension(mails): Extension<Mails>, Path(path): Path<MailPath>) -> Result<Response, Failure> {
    let mail = mails.store.message(mails.scope, &path.id).ok_or(Failure::NoRoute)?;
    // A link must not use itself up inside the frame.
    let html = format!("<base target=\"_blank\">{}", field(&mail, "HTML"));
    Ok(document(html, MAIL_POLICY))
}

fn page(title: &str, style: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n\
         <link rel=\"stylesheet\" href=\"{style}\">\n</head>\n<body>\n{body}</body>\n</html>\n",
        text(title)
    );
    document(html, PAGE_POLICY)
}

fn document(html: String, policy: HeaderValue) -> Response {
    let mut response = html.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

fn field<'a>(mail: &'a Value, name: &str) -> &'a str {
    mail.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn subject(mail: &Value) -> &str {
    match field(mail, "Subject") {
        "" => "(no subject)",
        subject => subject,
    }
}

fn receivers(mail: &Value) -> String {
    let receivers = mail.get("To").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    receivers.iter().map(person).collect::<Vec<_>>().join(", ")
}

fn person(person: &Value) -> String {
    match (field(person, "Name"), field(person, "Address")) {
        ("", address) => address.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_mail_says_cannot_become_markup() {
        let evil = "<script>alert(1)</script>\"'";
        let mail = json!({
            "ID": evil, "Subject": evil, "Text": evil, "Date": evil, "Created": evil,
            "From": {"Name": evil, "Address": evil}, "To": [{"Name": evil, "Address": evil}],
            "HTML": "<a href=\"https://a.co/?x=&quot;&gt;&lt;script&gt;\">x</a>",
        });
        for body in [message_body(&mail), list_body(&json!({"messages": [mail]}), evil)] {
            assert!(!body.contains("<script>"), "{body}");
            assert!(!body.contains("value=\"<script>alert(1)</script>\""), "{body}");
        }
        let link = "<a href=\"https://a.co/?x=&quot;&gt;&lt;script&gt;\" rel=\"noreferrer\">";
        assert!(message_body(&mail).contains(link), "{}", message_body(&mail));
    }

    #[test]
    fn an_empty_mailbox_says_so() {
        assert!(list_body(&json!({"messages": []}), "").contains("There is no mail."));
    }

    #[test]
    fn the_link_of_a_mail_can_be_followed_from_its_page() {
        let mail = json!({"ID": "abc", "Subject": "Confirm", "HTML": "<a href=\"http://h/verify?token=a&amp;type=signup\">Confirm</a>"});
        let body = message_body(&mail);
        let link = "<a href=\"http://h/verify?token=a&amp;type=signup\" rel=\"noreferrer\">";
        assert!(body.contains(link), "{body}");
        assert!(body.contains("src=\"abc/html\""), "{body}");
    }
}
