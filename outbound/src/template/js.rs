//! Where in a script, a JSON-LD block or an `on...` attribute the output stands.
//!
//! Mail programs run no scripts, but some read JSON-LD, and the mailbox shows mails in a browser. What could be a
//! regular expression or an expression inside a template literal is not followed: from there on values are refused.

use serde_json::Value;

use super::escape;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Js {
    Code,
    LineComment,
    BlockComment,
    /// In a string up to this quote; a backquote is a template literal.
    String(char),
    /// Nobody knows.
    Unclear,
}

impl Js {
    /// The place after `text`; what of it is no comment goes to `out`.
    pub(super) fn advance(mut self, text: &str, out: &mut String) -> Self {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (next, length) = self.step(rest, c);
            let (seen, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            let comment = |place| matches!(place, Self::LineComment | Self::BlockComment);
            match (comment(self), comment(next)) {
                (false, false) => out.push_str(seen),
                (true, false) => out.push(if self == Self::LineComment { '\n' } else { ' ' }),
                _ => {}
            }
            (self, rest) = (next, after);
        }
        self
    }

    /// The place after the first character, or the first few, and how many bytes these are.
    fn step(self, text: &str, c: char) -> (Self, usize) {
        let one = c.len_utf8();
        let second = text.get(one..).and_then(|rest| rest.chars().next());
        match (self, c) {
            (Self::Code, '"' | '\'' | '`') => (Self::String(c), one),
            (Self::Code, '/') if second == Some('/') => (Self::LineComment, 2),
            (Self::Code, '/') if second == Some('*') => (Self::BlockComment, 2),
            (Self::Code, '/') => (Self::Unclear, one),
            (Self::Code, '<') if text.starts_with("<!--") => (Self::LineComment, 4),
            (Self::Code, '-') if text.starts_with("-->") => (Self::LineComment, 3),
            (Self::LineComment, '\n' | '\r' | '\u{2028}' | '\u{2029}') => (Self::Code, one),
            (Self::BlockComment, '*') if second == Some('/') => (Self::Code, 2),
            (Self::String('`'), '$') if second == Some('{') => (Self::Unclear, 2),
            (Self::String(_), '\\') => match second {
                Some(hidden) => (self, one + hidden.len_utf8()),
                None => (Self::Unclear, one),
            },
            (Self::String(quote), c) if c == quote => (Self::Code, one),
            _ => (self, one),
        }
    }

    /// `value`, printed as `text`, fit for this place.
    pub(super) fn escape(self, value: &Value, text: &str) -> String {
        match self {
            Self::Code => escape::js_value(value),
            Self::LineComment | Self::BlockComment => String::new(),
            Self::String(quote) => escape::js_string(text, quote == '`'),
            Self::Unclear => escape::REFUSED.to_owned(),
        }
    }
}
