//! Mailpit's search language, the part that means something here.

use super::shapes::{Mail, MailAddress};

/// A parsed query.
pub(super) struct Query(Vec<Term>);

struct Term {
    negated: bool,
    test: Test,
}

enum Test {
    Read(bool),
    To(String),
    From(String),
    ReplyTo(String),
    Addressed(String),
    Subject(String),
    MessageId(String),
    Tag(String),
    Anywhere(String),
}

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        Self(words(&text.to_lowercase()).into_iter().filter_map(|word| Term::parse(&word)).collect())
    }

    pub(super) fn matches(&self, mail: &Mail, read: bool) -> bool {
        self.0.iter().all(|term| term.test.holds(mail, read) != term.negated)
    }
}

impl Term {
    fn parse(word: &str) -> Option<Self> {
        let (negated, word) = match word.strip_prefix(['-', '!']) {
            Some(rest) if !rest.is_empty() => (true, rest),
            _ => (false, word),
        };
        let test = match word.split_once(':') {
            Some(("is", "read")) => Test::Read(true),
            Some(("is", "unread")) => Test::Read(false),
            Some(("to", what)) => Test::To(what.to_owned()),
            Some(("from", what)) => Test::From(what.to_owned()),
            Some(("reply-to", what)) => Test::ReplyTo(what.to_owned()),
            Some(("addressed", what)) => Test::Addressed(what.to_owned()),
            Some(("subject", what)) => Test::Subject(what.to_owned()),
            Some(("message-id", what)) => Test::MessageId(what.to_owned()),
            Some(("tag", what)) => Test::Tag(what.to_owned()),
            _ => Test::Anywhere(word.to_owned()),
        };
        let empty = word.is_empty() || word.split_once(':').is_some_and(|(_, what)| what.is_empty());
        (!empty).then_some(Self { negated, test })
    }
}

impl Test {
    fn holds(&self, mail: &Mail, read: bool) -> bool {
        let from = std::slice::from_ref(&mail.from);
        match self {
            Self::Read(wanted) => read == *wanted,
            Self::To(what) => any(&mail.to, what),
            Self::From(what) => any(from, what),
            Self::ReplyTo(what) => any(&mail.reply_to, what),
            Self::Addressed(what) => any(from, what) || any(&mail.to, what) || any(&mail.reply_to, what),
            Self::Subject(what) => has(&mail.subject, what),
            Self::MessageId(what) => has(&mail.message_id, what),
            Self::Tag(what) => mail.tags.contains(what),
            Self::Anywhere(what) => {
                any(from, what) || any(&mail.to, what) || has(&mail.subject, what) || has(&mail.text, what)
            }
        }
    }
}

fn has(text: &str, lower: &str) -> bool {
    text.to_lowercase().contains(lower)
}

fn any(addresses: &[MailAddress], lower: &str) -> bool {
    addresses.iter().any(|address| has(&address.address, lower) || has(&address.name, lower))
}

/// Splits at blanks outside double quotes; the quotes vanish.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(String::new()),
            c => {
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
