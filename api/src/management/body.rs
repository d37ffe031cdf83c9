//! Bodies of the Management API: one JSON object, whatever is asked for.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::management::message;

/// The members of a body. Of several with one name the last counts.
///
/// # Errors
/// 400 for anything but one object, and for a text that holds NUL: with the name of its member, and not with what it held.
pub(super) fn members(body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let refuse = |why: String| message(StatusCode::BAD_REQUEST, why);
    let text = std::str::from_utf8(body).map_err(|_| refuse("the body must be UTF-8".to_owned()))?;
    if text.trim().is_empty() {
        return Err(refuse("the body must be a JSON object: it is empty".to_owned()));
    }
    let value =
        serde_json::from_str(text).map_err(|error| refuse(format!("the body must be a JSON object: {error}")))?;
    let Value::Object(members) = value else {
        return Err(refuse(format!("the body must be a JSON object, not {}", kind(&value))));
    };
    match members.iter().find_map(|(name, value)| nul_in(name.clone(), name, value)) {
        Some(place) => Err(refuse(format!("{place} must not contain NUL characters"))),
        None => Ok(members),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Where below `path` there is a NUL, if there is one.
fn nul_in(path: String, name: &str, value: &Value) -> Option<String> {
    if name.contains('\0') {
        return Some("a member's name".to_owned());
    }
    match value {
        Value::String(text) if text.contains('\0') => Some(path),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(number, item)| nul_in(format!("{path}[{number}]"), "", item))
        }
        Value::Object(members) => {
            members.iter().find_map(|(name, value)| nul_in(format!("{path}.{name}"), name, value))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(body: impl AsRef<[u8]>) -> String {
        match members(body.as_ref()).unwrap_err() {
            Failure::Management(StatusCode::BAD_REQUEST, text) => text,
            other => panic!("another failure: {other:?}"),
        }
    }

    #[test]
    fn only_an_object_is_a_body() {
        for (body, words) in [
            ("", "empty"),
            (" \n", "empty"),
            ("null", "null"),
            ("[{\"a\":1}]", "a list"),
            ("\"hunter2\"", "a text"),
            ("5", "a number"),
            ("true", "true or false"),
            ("{\"a\":", "EOF"),
            ("{\"a\":1} {}", "trailing"),
            (r#"{"a":"hunter2\ud83d"}"#, "hex escape"),
        ] {
            let text = complaint(body);
            assert!(text.starts_with("the body must be a JSON object") && text.contains(words), "{body}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert_eq!(complaint(b"{\"a\":\"\xff\"}"), "the body must be UTF-8");
        assert!(members(b" {} \n").unwrap().is_empty());
        assert_eq!(members(br#"{"a":1,"a":2}"#).unwrap().get("a"), Some(&Value::from(2)));
    }

    #[test]
    fn a_nul_is_refused_with_the_member_it_stands_in() {
        for (body, place) in [
            (r#"{"site_url":"https://a\u0000"}"#, "site_url"),
            (r#"{"smtp_pass":"hunter2\u0000"}"#, "smtp_pass"),
            (r#"{"header":{"config":{"site_url":"\u0000"}}}"#, "header.config.site_url"),
            (r#"{"projects":["a","b\u0000"]}"#, "projects[1]"),
            (r#"{"a\u0000":"hunter2"}"#, "a member's name"),
            (r#"{"a":{"b\u0000":1}}"#, "a member's name"),
        ] {
            assert_eq!(complaint(body), format!("{place} must not contain NUL characters"), "{body}");
        }
        assert_eq!(members(br#"{"a":"\\u0000"}"#).unwrap()["a"], "\\u0000");
    }
}
