//! JSON bodies as the contract writes them (`contract/core.md` §1.1): compact, `<`, `>` and `&` escaped so that a body can
//! stand inside HTML, whole numbers without a fraction, content type exactly `application/json`.

use std::io;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::failure::Failure;

/// Bytes that tokens with their user, the largest of what is asked for often, fit in.
const USUAL: usize = 2048;

/// An answer of `status` with `value` as its body.
///
/// # Errors
/// Fails for a value that is no JSON, such as a map with keys that are not text.
pub(crate) fn answer(status: StatusCode, value: &impl Serialize) -> Result<Response, Failure> {
    let body = encode(value).map_err(Failure::fault)?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The text of `value`.
///
/// # Errors
/// As [`answer`].
pub(crate) fn encode(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(USUAL);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Contract))?;
    Ok(bytes)
}

struct Contract;

impl Formatter for Contract {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, tail) = rest.split_at(at);
            out.write_all(plain.as_bytes())?;
            let mut characters = tail.chars();
            if let Some(escaped) = characters.next() {
                write!(out, "\\u{:04x}", u32::from(escaped))?;
            }
            rest = characters.as_str();
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        let text = match escape {
            CharEscape::Quote => "\\\"",
            CharEscape::ReverseSolidus => "\\\\",
            CharEscape::Solidus => "\\/",
            CharEscape::Backspace => "\\b",
            CharEscape::FormFeed => "\\f",
            CharEscape::LineFeed => "\\n",
            CharEscape::CarriageReturn => "\\r",
            CharEscape::Tab => "\\t",
            CharEscape::AsciiControl(byte) => return write!(out, "\\u{byte:04x}"),
        };
        out.write_all(text.as_bytes())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        if size == 0.0 || (1e-6..1e21).contains(&size) {
            return write!(out, "{value}");
        }
        let text = format!("{value:e}");
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => write!(out, "{digits}e+{exponent}"),
            _ => out.write_all(text.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &impl Serialize) -> String {
        String::from_utf8(encode(value).unwrap()).unwrap()
    }

    #[test]
    fn characters_that_mean_something_to_html_are_escaped() {
        let value = json!({"<k>": "a<b>&c \u{2028}\u{2029} \"q\" \\ é /", "n": "\u{1}\n"});
        let escaped = r#"{"\u003ck\u003e":"a\u003cb\u003e\u0026c \u2028\u2029 \"q\" \\ é /","n":"\u0001\n"}"#;
        assert_eq!(text(&value), escaped);
    }

    #[test]
    fn the_escaped_text_reads_back_as_it_was() {
        let value = json!({"html": "<script>alert('&')</script>\u{2028}", "list": [1, 2.5, null, true]});
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text(&value)).unwrap(), value);
    }

    #[test]
    fn numbers_look_as_the_contract_prints_them() {
        for (number, printed) in [
            (1.0, "1"),
            (2.5, "2.5"),
            (-3.0, "-3"),
            (0.0, "0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-7"),
            (0.000_001, "0.000001"),
        ] {
            assert_eq!(text(&number), printed);
        }
    }
}
