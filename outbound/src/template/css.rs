//! Where in a style sheet or a `style` attribute the output stands.

use super::escape;
use super::html::UrlPart;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Css {
    Code,
    Comment,
    /// In a string, which may be an address, up to this quote.
    String(char, UrlPart),
    /// In `url(...)`, up to a quote, or without one up to a blank or the parenthesis.
    Url(Option<char>, UrlPart),
    /// Nobody knows: an escape was left unfinished.
    Unclear,
}

impl Css {
    /// The place after `text`; what of it is no comment goes to `out`.
    pub(super) fn advance(mut self, text: &str, out: &mut String) -> Self {
        let mut rest = text;
        while !rest.is_empty() {
            let (next, consumed) = self.step(rest);
            let (seen, after) = rest.split_at_checked(consumed.max(1)).unwrap_or((rest, ""));
            match (self, next) {
                (Self::Comment, Self::Comment) => {}
                (Self::Comment, _) => out.push(' '),
                (_, Self::Comment) => out.push_str(seen.strip_suffix("/*").unwrap_or(seen)),
                _ => out.push_str(seen),
            }
            (self, rest) = (next, after);
        }
        self
    }

    fn step(self, text: &str) -> (Self, usize) {
        match self {
            Self::Code => code(text),
            Self::Comment => match text.find("*/") {
                Some(at) => (Self::Code, at + 2),
                None => (self, text.len()),
            },
            Self::String(quote, part) => match quoted(text, &[quote]) {
                Quoted::Ends(at) => (Self::Code, at),
                Quoted::Goes => (Self::String(quote, part.after(&decode(text))), text.len()),
                Quoted::Breaks => (Self::Unclear, text.len()),
            },
            Self::Url(quote, part) => match quoted(text, quote.as_slice()) {
                Quoted::Ends(at) => (Self::Code, at),
                Quoted::Goes => (Self::Url(quote, part.after(&decode(text))), text.len()),
                Quoted::Breaks => (Self::Unclear, text.len()),
            },
            Self::Unclear => (self, text.len()),
        }
    }

    /// `value`, printed as `text`, fit for this place.
    pub(super) fn escape(self, text: &str) -> String {
        match self {
            Self::Code => escape::css_value(text),
            Self::Comment => String::new(),
            Self::Unclear => escape::REFUSED.to_owned(),
            Self::String(_, UrlPart::Query) | Self::Url(_, UrlPart::Query) => escape::url_escape(text),
            Self::String(_, UrlPart::Start) => escape::css_string(&escape::url_filter(text)),
            Self::String(_, UrlPart::Path) => escape::css_string(text),
            Self::Url(_, UrlPart::Start) => escape::url_normalize(&escape::url_filter(text)),
            Self::Url(_, UrlPart::Path) => escape::url_normalize(text),
        }
    }
}

fn code(text: &str) -> (Css, usize) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(['(', '"', '\'', '/'])).map(|at| from + at) {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        match text.as_bytes().get(at) {
            Some(b'"') => return (Css::String('"', UrlPart::Start), at + 1),
            Some(b'\'') => return (Css::String('\'', UrlPart::Start), at + 1),
            Some(b'/') if after.starts_with('*') => return (Css::Comment, at + 2),
            Some(b'(') if ends_with_url(before) => {
                let address = after.trim_start_matches(BLANKS);
                let start = text.len() - address.len();
                return match address.chars().next() {
                    Some(quote @ ('"' | '\'')) => (Css::Url(Some(quote), UrlPart::Start), start + 1),
                    _ => (Css::Url(None, UrlPart::Start), start),
                };
            }
            _ => from = at + 1,
        }
    }
    (Css::Code, text.len())
}

const BLANKS: [char; 5] = ['\t', '\n', '\u{c}', '\r', ' '];

/// Looks only as far back as it must, so that a style sheet full of parentheses is no burden.
fn ends_with_url(before: &str) -> bool {
    let mut backwards = before.trim_end_matches(BLANKS).chars().rev().map(|c| c.to_ascii_lowercase());
    let named = backwards.by_ref().take(3).eq("lru".chars());
    let longer = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || !c.is_ascii();
    named && !backwards.next().is_some_and(longer)
}

enum Quoted {
    /// Just before this byte.
    Ends(usize),
    Goes,
    /// In the middle of an escape.
    Breaks,
}

/// Whether the text ends with one of `quotes`, or without any given with a blank or the parenthesis of `url(`.
fn quoted(text: &str, quotes: &[char]) -> Quoted {
    let mut hidden = false;
    for (at, c) in text.char_indices() {
        let ends = if quotes.is_empty() { c == ')' || BLANKS.contains(&c) } else { quotes.contains(&c) };
        if hidden {
            hidden = false;
        } else if c == '\\' {
            hidden = true;
        } else if ends {
            return Quoted::Ends(at + c.len_utf8());
        }
    }
    if hidden { Quoted::Breaks } else { Quoted::Goes }
}

/// Resolves the escapes of CSS.
pub(super) fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        decoded.push_str(before);
        let digits = after.bytes().take(6).take_while(u8::is_ascii_hexdigit).count();
        let (hex, tail) = after.split_at_checked(digits).unwrap_or(("", after));
        if hex.is_empty() {
            let mut characters = tail.chars();
            decoded.extend(characters.next());
            rest = characters.as_str();
        } else {
            let code = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
            decoded.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            rest = tail.strip_prefix("\r\n").or_else(|| tail.strip_prefix(BLANKS)).unwrap_or(tail);
        }
    }
    decoded + rest
}
