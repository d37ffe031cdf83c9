//! What the mailbox shows, as HTML. Everything a mail says is escaped.

use std::fmt::{self, Write as _};

use html_escape::{encode_double_quoted_attribute as attribute, encode_text as text};
use serde_json::Value;

/// A page of the mailbox.
pub(super) struct View<'a> {
    /// The mails of the list, in Mailpit's shape.
    pub(super) listing: &'a Value,
    /// What was searched for.
    pub(super) query: &'a str,
    /// The mail that is open.
    pub(super) mail: Option<&'a Value>,
}

impl View<'_> {
    fn open(&self) -> &str {
        self.mail.map(|mail| field(mail, "ID")).unwrap_or_default()
    }

    /// The whole document.
    pub(super) fn page(&self) -> String {
        let root = root(self.open());
        let title = self.mail.map_or("Mailbox", subject);
        let mut out = Html::default();
        out.add(format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
             <link rel=\"icon\" href=\"{root}icon.svg\">\n<link rel=\"stylesheet\" href=\"{root}style.css\">\n\
             <script src=\"{root}mail.js\" defer></script>\n</head>\n",
            text(title)
        ));
        out.add(format_args!(
            "<body class=\"{}\" data-root=\"{root}\" data-open=\"{}\">\n<a class=\"skip\" href=\"#mail\">Skip to the mail</a>\n",
            if self.mail.is_some() { "open" } else { "listing" },
            attribute(self.open())
        ));
        out.add(format_args!(
            "<header class=\"top\">\n<a class=\"home\" href=\"{root}\">Mailbox</a>\n\
             <form role=\"search\" method=\"get\" action=\"{root}\"><input type=\"search\" name=\"query\" value=\"{}\" \
             aria-label=\"Search mails\" placeholder=\"Search: words, to:ada, tag:recovery\" autocomplete=\"off\"></form>\n\
             <p class=\"status\" id=\"status\" role=\"status\"></p>\n\
             <button type=\"button\" id=\"clear\" hidden>Delete all</button>\n</header>\n",
            attribute(self.query)
        ));
        out.add(format_args!(
            "<main>\n<nav id=\"list\" aria-label=\"Mails\">\n{}</nav>\n<article id=\"mail\" tabindex=\"-1\">\n{}</article>\n</main>\n\
             </body>\n</html>\n",
            self.list(),
            self.mail.map_or_else(nothing_open, |mail| message(mail, root))
        ));
        out.0
    }

    /// The list alone.
    pub(super) fn list(&self) -> String {
        let open = self.open();
        let mails = self.listing.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let count = |name| self.listing.get(name).and_then(Value::as_u64).unwrap_or_default();
        let mut out = Html::default();
        let (total, matching) = (count("total"), count("messages_count"));
        out.add(format_args!("<ul data-total=\"{total}\" data-unread=\"{}\">\n", count("unread")));
        for mail in mails {
            self.entry(&mut out, mail, open);
        }
        out.add(format_args!("</ul>\n"));
        if mails.is_empty() {
            let words = match self.query.trim() {
                "" => "No mail yet. It appears here as soon as something is sent, and stays until the gateway stops.",
                _ => "No mail matches the search.",
            };
            out.add(format_args!("<p class=\"empty\">{words}</p>\n"));
        } else if matching > mails.len() as u64 {
            out.add(format_args!("<p class=\"more\">The newest {} of {matching}.</p>\n", mails.len()));
        }
        out.0
    }

    fn entry(&self, out: &mut Html, mail: &Value, open: &str) {
        let id = field(mail, "ID");
        let read = mail.get("Read").and_then(Value::as_bool).unwrap_or(false);
        let query = match self.query {
            "" => String::new(),
            query => format!("?query={}", escaped(query)),
        };
        out.add(format_args!(
            "<li class=\"{}\"><a href=\"{}message/{}{}\" data-id=\"{}\"{}>",
            if read { "read" } else { "unread" },
            root(open),
            attribute(id),
            attribute(&query),
            attribute(id),
            if id == open { " aria-current=\"page\"" } else { "" }
        ));
        out.add(format_args!(
            "<span class=\"row\"><span class=\"to\">{}</span>{}</span><span class=\"subject\">{}</span>",
            text(&receivers(mail)),
            time(field(mail, "Created")),
            text(subject(mail))
        ));
        out.add(format_args!("<span class=\"row\"><span class=\"kind\">{}</span>", text(kind(mail))));
        match field(mail, "Code") {
            "" => {}
            code => out.add(format_args!("<span class=\"code\">{}</span>", text(code))),
        }
        out.add(format_args!("</span></a></li>\n"));
    }
}

fn nothing_open() -> String {
    "<div class=\"none\"><p>Choose a mail.</p>\n<p class=\"hint\"><kbd>j</kbd> <kbd>k</kbd> down and up, <kbd>Enter</kbd> opens, \
     <kbd>/</kbd> searches, <kbd>c</kbd> copies the code</p></div>\n"
        .to_owned()
}

fn message(mail: &Value, root: &str) -> String {
    let mut out = Html::default();
    out.add(format_args!("<a class=\"back\" href=\"{root}\">← All mails</a>\n"));
    out.add(format_args!(
        "<p class=\"row\"><span><span class=\"kind\">{}</span> {}</span>\
         <button type=\"button\" data-delete=\"{}\" hidden>Delete</button></p>\n<h1>{}</h1>\n",
        text(kind(mail)),
        time(field(mail, "Date")),
        attribute(field(mail, "ID")),
        text(subject(mail))
    ));
    out.add(format_args!(
        "<dl><dt>To</dt><dd>{}</dd><dt>From</dt><dd>{}</dd>",
        text(&receivers(mail)),
        text(&person(mail.get("From").unwrap_or(&Value::Null)))
    ));
    match people(mail, "ReplyTo").as_str() {
        "" => {}
        reply_to => out.add(format_args!("<dt>Reply to</dt><dd>{}</dd>", text(reply_to))),
    }
    out.add(format_args!("</dl>\n"));
    act(&mut out, mail);
    let id = attribute(field(mail, "ID"));
    out.add(format_args!(
        "<details open><summary>HTML</summary><iframe title=\"The mail\" \
         sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"{id}/html\"></iframe></details>\n\
         <details><summary>Text</summary><pre>{}</pre></details>\n",
        text(field(mail, "Text"))
    ));
    out.0
}

/// What a mail was opened for: the link and the code.
fn act(out: &mut Html, mail: &Value) {
    // Whoever wrote the mail has no say in what a click here may run.
    let link = Some(field(mail, "Link")).filter(|link| link.starts_with("http://") || link.starts_with("https://"));
    let code = Some(field(mail, "Code")).filter(|code| !code.is_empty());
    if link.is_none() && code.is_none() {
        return;
    }
    out.add(format_args!("<section class=\"act\" aria-label=\"Link and code\">\n"));
    if let Some(link) = link {
        let words = Some(field(mail, "LinkText")).filter(|words| !words.is_empty()).unwrap_or("Open the link");
        out.add(format_args!(
            "<p><a class=\"follow\" href=\"{}\" target=\"_blank\" rel=\"noreferrer\">{}</a></p>\n\
             <p class=\"address\"><code id=\"address\">{}</code>\
             <button type=\"button\" data-copy=\"address\" hidden>Copy link</button></p>\n",
            attribute(link),
            text(words),
            text(link)
        ));
    }
    if let Some(code) = code {
        out.add(format_args!(
            "<p class=\"typed\"><span>Code</span><output class=\"digits\" id=\"digits\">{}</output>\
             <button type=\"button\" data-copy=\"digits\" hidden>Copy code</button></p>\n",
            text(code)
        ));
    }
    out.add(format_args!("</section>\n"));
}

/// Where the mailbox is, seen from its list or from the mail `open`.
fn root(open: &str) -> &'static str {
    if open.is_empty() { "./" } else { "../" }
}

fn kind(mail: &Value) -> &'static str {
    let tag = mail.get("Tags").and_then(|tags| tags.get(0)).and_then(Value::as_str);
    match tag.unwrap_or_default() {
        "invite" => "Invitation",
        "confirmation" => "Sign-up",
        "recovery" => "Password reset",
        "magic_link" => "Sign-in",
        "email_change" => "Address change",
        "link" => "Link",
        "code" => "Code",
        _ => "Notice",
    }
}

/// The moment as the gateway has it; the script tells it in the reader's way.
fn time(moment: &str) -> String {
    let words = moment.trim_end_matches('Z').replacen('T', " ", 1);
    format!("<time datetime=\"{}\">{}</time>", attribute(moment), text(&words))
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
    people(mail, "To")
}

fn people(mail: &Value, name: &str) -> String {
    let people = mail.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    people.iter().map(person).collect::<Vec<_>>().join(", ")
}

fn person(person: &Value) -> String {
    match (field(person, "Name"), field(person, "Address")) {
        ("", address) => address.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    }
}

/// A value for a query (RFC 3986 §2.3).
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Text that grows; writing to it cannot fail.
#[derive(Default)]
struct Html(String);

impl Html {
    fn add(&mut self, words: fmt::Arguments<'_>) {
        let _infallible = self.0.write_fmt(words);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EVIL: &str = "<script>alert(1)</script>\"'&";

    fn mail() -> Value {
        json!({
            "ID": "abc", "Subject": "Confirm", "Date": "2026-08-20T10:00:00Z", "Created": "2026-08-20T10:00:00Z",
            "From": {"Name": "Acme", "Address": "auth@acme.test"}, "To": [{"Name": "", "Address": "ada@x.test"}],
            "Tags": ["confirmation"], "Link": "http://h/verify?token=a&type=signup", "LinkText": "Confirm it",
            "Code": "123456", "Text": "Hello",
        })
    }

    fn view(listing: &Value, query: &str, mail: Option<&Value>) -> String {
        View { listing, query, mail }.page()
    }

    #[test]
    fn what_a_mail_says_cannot_become_markup() {
        let person = json!({"Name": EVIL, "Address": EVIL});
        let mail = json!({
            "ID": EVIL, "Subject": EVIL, "Text": EVIL, "Date": EVIL, "Created": EVIL, "From": person, "To": [person],
            "ReplyTo": [person], "Tags": [EVIL], "Link": format!("https://a.test/{EVIL}"), "LinkText": EVIL, "Code": EVIL,
        });
        let page = view(&json!({"messages": [mail]}), EVIL, Some(&mail));
        assert!(!page.contains("<script>"), "{page}");
        assert!(!page.contains("\"'&\""), "a quote ends an attribute: {page}");
        assert_eq!(page.matches("<script").count(), 1, "the page's own: {page}");
    }

    #[test]
    fn link_and_code_stand_out() {
        let page = view(&json!({"messages": [mail()]}), "", Some(&mail()));
        let link = "<a class=\"follow\" href=\"http://h/verify?token=a&amp;type=signup\" target=\"_blank\" \
                    rel=\"noreferrer\">Confirm it</a>";
        assert!(page.contains(link), "{page}");
        assert!(page.contains("<output class=\"digits\" id=\"digits\">123456</output>"), "{page}");
        assert!(page.contains("src=\"abc/html\""), "{page}");
    }

    #[test]
    fn only_web_links_are_offered() {
        for link in ["javascript:alert(1)", "data:text/html,x", "", "//x.test"] {
            let mut mail = mail();
            mail["Link"] = link.into();
            assert!(!view(&json!({}), "", Some(&mail)).contains("class=\"follow\""), "{link}");
        }
    }

    #[test]
    fn a_mail_without_link_and_code_has_no_box_for_them() {
        let mail = json!({"ID": "abc", "Subject": "", "Tags": ["notification"]});
        let page = view(&json!({}), "", Some(&mail));
        assert!(!page.contains("class=\"act\""), "{page}");
        assert!(page.contains("<h1>(no subject)</h1>") && page.contains(">Notice<"), "{page}");
    }

    #[test]
    fn the_list_says_who_what_and_which_is_open() {
        let mut other = mail();
        other["ID"] = "def".into();
        other["Read"] = true.into();
        let listing = json!({"total": 7, "unread": 3, "messages_count": 5, "messages": [mail(), other]});
        let list = View { listing: &listing, query: "to:a&b", mail: Some(&mail()) }.list();
        assert!(list.starts_with("<ul data-total=\"7\" data-unread=\"3\">"), "{list}");
        let open =
            "<li class=\"unread\"><a href=\"../message/abc?query=to%3Aa%26b\" data-id=\"abc\" aria-current=\"page\">";
        assert!(list.contains(open), "{list}");
        assert!(
            list.contains("<li class=\"read\"><a href=\"../message/def?query=to%3Aa%26b\" data-id=\"def\">"),
            "{list}"
        );
        assert!(list.contains("<span class=\"to\">ada@x.test</span>"), "{list}");
        assert!(list.contains("<span class=\"kind\">Sign-up</span><span class=\"code\">123456</span>"), "{list}");
        assert!(list.contains("<time datetime=\"2026-08-20T10:00:00Z\">2026-08-20 10:00:00</time>"), "{list}");
        assert!(list.contains("The newest 2 of 5."), "{list}");
    }

    #[test]
    fn an_empty_mailbox_says_so() {
        let nothing = json!({"messages": []});
        assert!(view(&nothing, "", None).contains("No mail yet."));
        assert!(view(&nothing, "x", None).contains("No mail matches the search."));
    }
}
