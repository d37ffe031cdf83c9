//! Escaping of single values for the places of an HTML document, byte for byte as Go does it.

/// Stands for a value that must not appear where it should.
pub(super) const REFUSED: &str = "ZgotmplZ";

/// For text and quoted attribute values. Go escapes `+` too, except in its function `html`.
pub(super) fn html(text: &str, plus: bool) -> String {
    replaced(text, |c| match c {
        '\0' => Some("\u{fffd}"),
        '"' => Some("&#34;"),
        '&' => Some("&amp;"),
        '\'' => Some("&#39;"),
        '+' if plus => Some("&#43;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    })
}

/// For attribute values without quotes.
pub(super) fn html_unquoted(text: &str) -> String {
    if text.is_empty() {
        return REFUSED.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => escaped.push_str("&#xfffd;"),
            '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ' | '"' | '\'' | '+' | '=' | '`' => {
                escaped.push_str(&format!("&#{};", u32::from(c)));
            }
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{ffff}' => escaped.push_str(&format!("&#x{:x};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// For the name of an attribute: letters and digits of a name that carries neither script, style nor address.
pub(super) fn attribute_name(text: &str) -> &str {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let lower = text.to_ascii_lowercase();
    let harmless = matches!(super::html::Attribute::of(&lower), super::html::Attribute::Plain);
    if plain && harmless { text } else { REFUSED }
}

/// Whether following the URL does no more than open a page or a mail.
pub(super) fn is_safe_url(url: &str) -> bool {
    match url.split_once(':') {
        Some((scheme, _)) if !scheme.contains('/') => {
            ["http", "https", "mailto"].iter().any(|safe| scheme.eq_ignore_ascii_case(safe))
        }
        _ => true,
    }
}

/// The URL unless it is dangerous.
pub(super) fn url_filter(url: &str) -> String {
    if is_safe_url(url) { url.to_owned() } else { format!("#{REFUSED}") }
}

/// A URL made fit for quotes and `url(...)`; what is escaped already stays.
pub(super) fn url_normalize(url: &str) -> String {
    let bytes = url.as_bytes();
    let mut normal = String::with_capacity(url.len());
    for (at, byte) in bytes.iter().enumerate() {
        let escape = bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        match byte {
            b'%' if escape => normal.push('%'),
            b if is_unreserved(*b) || b"!#$&*+,/:;=?@[]".contains(b) => normal.push(char::from(*b)),
            b => normal.push_str(&format!("%{b:02x}")),
        }
    }
    normal
}

/// A part of a URL's query or fragment.
pub(super) fn url_escape(part: &str) -> String {
    let mut escaped = String::with_capacity(part.len());
    for byte in part.bytes() {
        if is_unreserved(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02x}"));
        }
    }
    escaped
}

/// Go's `url.QueryEscape`: as in a form, a blank is `+`.
pub(crate) fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b if is_unreserved(b) => escaped.push(char::from(b)),
            b' ' => escaped.push('+'),
            b => escaped.push_str(&format!("%{b:02X}")),
        }
    }
    escaped
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The candidates of a `srcset`: an address and letters, digits, blanks after it.
pub(super) fn srcset(text: &str) -> String {
    let blank = |c: char| c.is_ascii_whitespace();
    let candidates = text.split(',').map(|candidate| {
        let start = candidate.len() - candidate.trim_start_matches(blank).len();
        let (before, rest) = candidate.split_at(start);
        let (url, after) = rest.split_at(rest.find(blank).unwrap_or(rest.len()));
        let harmless = after.chars().all(|c| blank(c) || c.is_ascii_alphanumeric());
        if is_safe_url(url) && harmless {
            format!("{before}{}{after}", url_normalize(url))
        } else {
            format!("#{REFUSED}")
        }
    });
    candidates.collect::<Vec<_>>().join(",")
}

/// For the inside of a quoted JavaScript or JSON string, or of a template literal.
pub(super) fn js_string(text: &str, template_literal: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\u{c}' => escaped.push_str("\\f"),
            '\r' => escaped.push_str("\\r"),
            '\\' => escaped.push_str("\\\\"),
            '/' => escaped.push_str("\\/"),
            '"' | '\'' | '`' | '&' | '+' | '<' | '>' => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            '$' | '{' | '}' if template_literal => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if c < ' ' || matches!(c, '\u{2028}' | '\u{2029}') => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A value as a JavaScript or JSON expression that cannot end the script it stands in.
pub(super) fn js_value(value: &serde_json::Value) -> String {
    let json = replaced(&value.to_string(), |c| match c {
        '&' => Some("\\u0026"),
        '<' => Some("\\u003c"),
        '>' => Some("\\u003e"),
        '\u{2028}' => Some("\\u2028"),
        '\u{2029}' => Some("\\u2029"),
        _ => None,
    });
    // Blanks keep words and numbers from running into a keyword beside them.
    let is_word = json.starts_with(|c: char| c.is_alphanumeric());
    if is_word || json.ends_with(|c: char| c.is_alphanumeric()) { format!(" {json} ") } else { json }
}

/// For the inside of a CSS string.
pub(super) fn css_string(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\0' | '\t' | '\n' | '\u{c}' | '\r' | '"' | '&' | '\'' | '(' | ')' | '+' | '/' | ':' | ';' | '<' | '>'
            | '{' | '}' => {
                escaped.push_str(&format!("\\{:x}", u32::from(c)));
                // A hex digit or blank after the escape would be taken as part of it.
                if rest.peek().is_none_or(|next| next.is_ascii_hexdigit() || next.is_ascii_whitespace()) {
                    escaped.push(' ');
                }
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A CSS value: a keyword, a number, a colour, a list of them. Whatever could be more is refused.
pub(super) fn css_value(text: &str) -> String {
    let text = super::css::decode(text);
    let opens_more = text.chars().any(|c| "\0\"'()/;@[\\]`{}<>".contains(c)) || text.contains("--");
    let name: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let name = name.to_ascii_lowercase();
    if opens_more || name.contains("expression") || name.contains("mozbinding") {
        return REFUSED.to_owned();
    }
    text
}

fn replaced(text: &str, replacement: impl Fn(char) -> Option<&'static str>) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match replacement(c) {
            Some(with) => escaped.push_str(with),
            None => escaped.push(c),
        }
    }
    escaped
}
