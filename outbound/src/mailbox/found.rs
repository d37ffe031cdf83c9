//! What somebody who opens a mail is looking for: the link, the code. The mail itself does not say which kind it is, and its
//! template may be anything, so this is a reading of it.

use url::Url;

use crate::plain;

/// What was found in a mail.
pub(super) struct Found {
    pub(super) kind: &'static str,
    pub(super) link: String,
    pub(super) link_text: String,
    pub(super) code: String,
}

impl Found {
    /// Reads a mail with this HTML, of which `shown` can be seen.
    pub(super) fn of(html: &str, shown: &str) -> Self {
        let (mut confirming, mut first) = (None, None);
        for link in plain::links(html) {
            let Some(url) = Url::parse(&link.address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
            else {
                continue;
            };
            if confirming.is_none() && confirms(&url) {
                confirming = Some((link, kind_of(&url)));
            } else if first.is_none() {
                first = Some(link);
            }
        }
        let code = code(shown);
        let kind = match (&confirming, &code) {
            (Some((_, kind)), _) => kind,
            (None, Some(_)) => "code",
            (None, None) => "notification",
        };
        let link = confirming.map(|(link, _)| link).or(first);
        let (link, link_text) = link.map(|link| (link.address, link.words)).unwrap_or_default();
        Self { kind, link, link_text, code: code.unwrap_or_default() }
    }
}

/// Whether a link carries a token.
fn confirms(url: &Url) -> bool {
    url.query_pairs().any(|(name, value)| matches!(name.as_ref(), "token" | "token_hash" | "code") && !value.is_empty())
}

/// The kind of mail by the type in its link.
fn kind_of(url: &Url) -> &'static str {
    let found = url.query_pairs().find(|(name, _)| name == "type");
    match found.as_ref().map(|(_, value)| value.as_ref()) {
        Some("signup") => "confirmation",
        Some("magiclink") => "magic_link",
        Some("invite") => "invite",
        Some("recovery") => "recovery",
        Some("email_change") => "email_change",
        _ => "link",
    }
}

/// The code in what a mail shows: digits alone on a line, or on a line that speaks of a code, or the only ones there are.
fn code(shown: &str) -> Option<String> {
    let lines: Vec<(String, Vec<&str>)> = shown.lines().map(|line| (line.to_lowercase(), digits(line))).collect();
    let alone = lines.iter().find_map(|(line, digits)| digits.iter().find(|digits| **digits == line.trim()));
    let named = || {
        let mut named =
            lines.iter().filter(|(line, _)| ["code", "código", "otp"].iter().any(|word| line.contains(word)));
        named.find_map(|(_, digits)| digits.first())
    };
    let only = || {
        let mut all: Vec<&&str> = lines.iter().flat_map(|(_, digits)| digits).collect();
        all.sort_unstable();
        all.dedup();
        // A longer number may well be a phone's.
        all.first().filter(|digits| all.len() == 1 && digits.len() <= 8).copied()
    };
    alone.or_else(named).or_else(only).map(|code| (*code).to_owned())
}

/// The words of a line that have the form of a code: 6 to 10 digits.
fn digits(line: &str) -> Vec<&str> {
    let words = line.split_whitespace().map(|word| word.trim_matches(['.', ',', ':', ';', '!', '(', ')', '"', '\'']));
    words.filter(|word| (6..=10).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mails::{Data, Kind, compose};

    fn read(html: &str) -> Found {
        Found::of(html, &plain::visible(html))
    }

    #[test]
    fn every_built_in_mail_is_understood() {
        for kind in Kind::ALL {
            let link_type = kind.link_type().unwrap_or_default();
            let link =
                format!("http://localhost:8000/p/acme/auth/v1/verify?token=ab&type={link_type}&redirect_to=http://x");
            let data = Data {
                site_url: "http://localhost:3000".to_owned(),
                confirmation_url: link.clone(),
                email: "ada@x.test".to_owned(),
                token: "12345678".to_owned(),
                phone: "4915112345".to_owned(),
                old_phone: "4915167890".to_owned(),
                ..Data::default()
            };
            let found = read(&compose(kind, None, None, &data).unwrap().html);
            let (expected, link) = match kind {
                Kind::Reauthentication => ("code", ""),
                kind if kind.is_notification() => ("notification", ""),
                kind => (kind.as_str(), link.as_str()),
            };
            assert_eq!((found.kind, found.link.as_str()), (expected, link), "{kind:?}");
            assert_eq!(found.link_text.is_empty(), link.is_empty(), "{kind:?}");
            assert_eq!(found.code, if kind.is_notification() { "" } else { "12345678" }, "{kind:?}");
        }
    }

    #[test]
    fn the_link_with_the_token_comes_first() {
        let html = "<a href='https://app.test'>Home</a> <a href='https://app.test/c?token_hash=ab&type=email'>Go</a>";
        let found = read(html);
        assert_eq!((found.kind, found.link_text.as_str()), ("link", "Go"));
        let found = read("<a href='mailto:a@b.test'>Write</a> <a href='https://app.test'>Home</a>");
        assert_eq!((found.kind, found.link.as_str()), ("notification", "https://app.test"));
        let found = read("<a href='javascript:alert(1)'>x</a><a href='data:text/html,x'>y</a>");
        assert_eq!(found.link, "");
    }

    #[test]
    fn codes_are_told_from_other_numbers() {
        for (html, code) in [
            ("<p>Enter it:</p><p>123456</p>", "123456"),
            ("<p>Order 7777777</p><p>Your code is 123456.</p>", "123456"),
            ("<p>Ihre Nummer lautet 123456</p>", "123456"),
            ("<p>123456 is your OTP, valid until 20260101</p>", "123456"),
            ("<p>between 111111 and 222222</p>", ""),
            ("<p>Your number is now 4915112345</p>", ""),
            ("<p>12345 12345678901 ab123456</p>", ""),
            ("<a href='https://x.test/?token=123456'>Go</a>", ""),
        ] {
            assert_eq!(read(html).code, code, "{html}");
        }
    }
}
