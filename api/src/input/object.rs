//! Request bodies as the contract decodes them (`contract/core.md` §1.2): one JSON object, unknown keys ignored, keys matched
//! without regard to ASCII case, the last of several equal keys counts, `null` is the field's zero value, and a body `null`
//! is an empty object.

use std::fmt;

use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::user::Metadata;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use uuid::Uuid;

/// A decoded body. Fields are taken out by name; a field of another type than asked for is refused.
#[derive(Debug, Default)]
pub(crate) struct Object(Vec<(String, Value)>);

impl Object {
    /// Reads `body`.
    ///
    /// # Errors
    /// `bad_json` for anything but one object (or `null`); `validation_failed` where a text holds what no text may hold:
    /// NUL, invalid UTF-8 or half of a surrogate pair.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Err(bad("unexpected end of JSON input"));
        }
        let text = std::str::from_utf8(body).map_err(|_| Refusal::UnreadableText)?;
        if text.contains('\0') {
            return Err(Refusal::UnreadableText);
        }
        let object: Self = serde_json::from_str(text).map_err(|error| {
            if has_lone_surrogate(text) {
                Refusal::UnreadableText
            } else if error.is_data() {
                bad("a JSON object is wanted")
            } else {
                bad(error.to_string())
            }
        })?;
        if text.contains("\\u0000") && object.0.iter().any(|(key, value)| key.contains('\0') || has_nul(value)) {
            return Err(Refusal::UnreadableText);
        }
        Ok(object)
    }

    /// Like [`Object::parse`], for the one endpoint that reads the first JSON value of its body and nothing behind it.
    ///
    /// # Errors
    /// As [`Object::parse`].
    pub(crate) fn parse_first(body: &[u8]) -> Result<Self, Refusal> {
        let mut values = serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>();
        let end = matches!(values.next(), Some(Ok(_))).then(|| values.byte_offset());
        Self::parse(end.and_then(|end| body.get(..end)).unwrap_or(body))
    }

    /// A text field; empty when absent or `null`.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, Refusal> {
        let mut text = String::new();
        for value in self.take(name) {
            match value {
                Value::Null => {}
                Value::String(value) => text = value,
                _ => return Err(wrong_type(name, "a string")),
            }
        }
        Ok(text)
    }

    /// A text field that tells absence (and `null`) from an empty text.
    pub(crate) fn optional_text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let mut text = None;
        for value in self.take(name) {
            text = match value {
                Value::Null => None,
                Value::String(value) => Some(value),
                _ => return Err(wrong_type(name, "a string")),
            };
        }
        Ok(text)
    }

    /// Like [`Object::text`], for values that must not be shown.
    pub(crate) fn secret(&mut self, name: &str) -> Result<Secret<String>, Refusal> {
        self.text(name).map(Secret::new)
    }

    /// Like [`Object::optional_text`], for values that must not be shown.
    pub(crate) fn optional_secret(&mut self, name: &str) -> Result<Option<Secret<String>>, Refusal> {
        Ok(self.optional_text(name)?.map(Secret::new))
    }

    /// A boolean field; false when absent or `null`.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        self.flag_or(name, false)
    }

    /// A boolean field; `otherwise` when absent or `null`.
    pub(crate) fn flag_or(&mut self, name: &str, otherwise: bool) -> Result<bool, Refusal> {
        let mut flag = otherwise;
        for value in self.take(name) {
            match value {
                Value::Null => {}
                Value::Bool(value) => flag = value,
                _ => return Err(wrong_type(name, "a boolean")),
            }
        }
        Ok(flag)
    }

    /// An object field; `None` when absent or `null`.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Metadata>, Refusal> {
        let mut object = None;
        for value in self.take(name) {
            object = match value {
                Value::Null => None,
                Value::Object(value) => Some(value),
                _ => return Err(wrong_type(name, "an object")),
            };
        }
        Ok(object)
    }

    /// An object field as fields; `None` when absent or `null`.
    pub(crate) fn fields(&mut self, name: &str) -> Result<Option<Self>, Refusal> {
        Ok(self.object(name)?.map(|fields| fields.into_iter().collect()))
    }

    /// A field that holds a UUID in any of its spellings; nil when absent or `null`.
    pub(crate) fn uuid(&mut self, name: &str) -> Result<Uuid, Refusal> {
        let mut id = Uuid::nil();
        for value in self.take(name) {
            match value {
                Value::Null => {}
                Value::String(text) => id = Uuid::parse_str(&text).map_err(|_| wrong_type(name, "a UUID"))?,
                _ => return Err(wrong_type(name, "a UUID")),
            }
        }
        Ok(id)
    }

    /// A field of any type; `None` when absent or `null`.
    pub(crate) fn any(&mut self, name: &str) -> Option<Value> {
        self.take(name).pop().filter(|value| !value.is_null())
    }

    /// A list field; `None` when absent or `null`.
    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Refusal> {
        let mut list = None;
        for value in self.take(name) {
            list = match value {
                Value::Null => None,
                Value::Array(value) => Some(value),
                _ => return Err(wrong_type(name, "a list")),
            };
        }
        Ok(list)
    }

    /// The token of a solved captcha, blanks removed; empty when absent. The field stays where it is.
    ///
    /// # Errors
    /// As [`Object::text`], and where the field that holds the token is no object.
    pub(crate) fn captcha_token(&self) -> Result<Secret<String>, Refusal> {
        const FIELD: &str = "gotrue_meta_security";
        let mut token = String::new();
        for (_, value) in self.0.iter().filter(|(key, _)| key.eq_ignore_ascii_case(FIELD)) {
            match value {
                Value::Null => {}
                Value::Object(security) => {
                    let mut security = Self(security.clone().into_iter().collect());
                    token = security.text("captcha_token")?;
                }
                _ => return Err(wrong_type(FIELD, "an object")),
            }
        }
        Ok(Secret::new(token.trim().to_owned()))
    }

    /// Every field that nobody took, under its own name.
    pub(crate) fn into_map(self) -> Metadata {
        self.0.into_iter().collect()
    }

    fn take(&mut self, name: &str) -> Vec<Value> {
        self.0.extract_if(.., |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

impl FromIterator<(String, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_unit<E>(self) -> Result<Object, E> {
                Ok(Object::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_any(Fields)
    }
}

fn bad(detail: impl Into<String>) -> Refusal {
    Refusal::BadJson(detail.into())
}

fn wrong_type(name: &str, wanted: &str) -> Refusal {
    bad(format!("field {name} must be {wanted}"))
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether an escape of `json` is one half of a surrogate pair without the other. Backslashes stand inside strings only.
fn has_lone_surrogate(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let escape = rest.get(at..).unwrap_or_default();
        match unit(escape) {
            Some(0xD800..=0xDBFF) => match escape.get(6..).and_then(unit) {
                Some(0xDC00..=0xDFFF) => rest = escape.get(12..).unwrap_or_default(),
                _ => return true,
            },
            Some(0xDC00..=0xDFFF) => return true,
            Some(_) => rest = escape.get(6..).unwrap_or_default(),
            None => rest = escape.get(1..).map(skip_one).unwrap_or_default(),
        }
    }
    false
}

fn unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

fn skip_one(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> Object {
        Object::parse(body.as_bytes()).unwrap()
    }

    fn refused(body: impl AsRef<[u8]>) -> &'static str {
        Object::parse(body.as_ref()).unwrap_err().wire().code
    }

    #[test]
    fn only_one_object_is_a_body() {
        for body in
            ["", "[]", "\"text\"", "5", "true", "{\"a\":", "{\"a\":1} x", "{} {}", "{'a':1}", "{\"a\":1,}", "nul"]
        {
            assert_eq!(refused(body), "bad_json", "{body}");
        }
        assert!(parsed("null").0.is_empty());
        assert!(parsed(" {} \n").0.is_empty());
    }

    #[test]
    fn the_detail_of_a_refusal_does_not_repeat_the_body() {
        let Refusal::BadJson(detail) = Object::parse(br#""hunter2""#).unwrap_err() else { panic!("another refusal") };
        assert!(!detail.contains("hunter2"), "{detail}");
    }

    #[test]
    fn keys_match_in_any_case_and_the_last_one_counts() {
        let mut body = parsed(r#"{"EMAIL":"a","email":"b","Email":"c","other":1}"#);
        assert_eq!(body.text("email").unwrap(), "c");
    }

    #[test]
    fn keys_are_folded_in_ascii_only() {
        let mut body = parsed("{\"to\u{212A}en\":\"kelvin\"}");
        assert_eq!(body.text("token").unwrap(), "");
    }

    #[test]
    fn null_is_the_zero_value() {
        let mut body = parsed(r#"{"a":null,"b":null,"c":null,"d":null}"#);
        assert_eq!(body.text("a").unwrap(), "");
        assert_eq!(body.optional_text("b").unwrap(), None);
        assert!(!body.flag("c").unwrap());
        assert_eq!(body.object("d").unwrap(), None);
    }

    #[test]
    fn a_wrong_type_is_bad_json() {
        let field = r#"{"a":5}"#;
        assert_eq!(parsed(field).text("a").unwrap_err().wire().code, "bad_json");
        assert_eq!(parsed(field).optional_text("a").unwrap_err().wire().code, "bad_json");
        assert_eq!(parsed(field).flag("a").unwrap_err().wire().code, "bad_json");
        assert_eq!(parsed(field).object("a").unwrap_err().wire().code, "bad_json");
        // An earlier wrong value is not forgiven by a later right one.
        assert_eq!(parsed(r#"{"a":5,"a":"x"}"#).text("a").unwrap_err().wire().code, "bad_json");
    }

    #[test]
    fn an_id_may_be_spelled_in_many_ways() {
        let id = |body: &str| parsed(body).uuid("id").map(|id| id.to_string());
        let spelled = "11111111-2222-4333-8444-55555555aaaa";
        for text in [
            spelled,
            "11111111-2222-4333-8444-55555555AAAA",
            "1111111122224333844455555555aaaa",
            "{11111111-2222-4333-8444-55555555aaaa}",
            "urn:uuid:11111111-2222-4333-8444-55555555aaaa",
        ] {
            assert_eq!(id(&format!(r#"{{"ID":"{text}"}}"#)).unwrap(), spelled, "{text}");
        }
        for body in ["{}", r#"{"id":null}"#] {
            assert_eq!(id(body).unwrap(), Uuid::nil().to_string(), "{body}");
        }
        for body in [r#"{"id":""}"#, r#"{"id":"not-a-uuid"}"#, r#"{"id":5}"#, r#"{"id":{}}"#, r#"{"id":"x","id":null}"#]
        {
            assert_eq!(id(body).unwrap_err().wire().code, "bad_json", "{body}");
        }
    }

    #[test]
    fn fields_within_a_field_are_read_alike() {
        let mut body = parsed(r#"{"outer":{"Inner":"a","any":[1]},"none":null,"text":"x"}"#);
        let mut outer = body.fields("outer").unwrap().unwrap();
        assert_eq!((outer.text("inner").unwrap().as_str(), outer.any("any")), ("a", Some(serde_json::json!([1]))));
        assert!(body.fields("none").unwrap().is_none() && body.any("none").is_none() && body.any("absent").is_none());
        assert_eq!(body.fields("text").unwrap_err().wire().code, "bad_json");
    }

    #[test]
    fn what_follows_the_first_value_can_be_left_alone() {
        let first = |body: &[u8]| Object::parse_first(body).map(|mut object| object.text("email").unwrap());
        for body in [&br#"{"email":"a"}"#[..], br#" {"email":"a"} trailing"#, b"{\"email\":\"a\"}\xff\x00"] {
            assert_eq!(first(body).unwrap(), "a", "{body:?}");
        }
        assert_eq!(first(b"null x").unwrap(), "");
        for bad in [&b""[..], b"[] {}", b"{\"email\":", b"x{}", b"\"{}\""] {
            assert_eq!(first(bad).unwrap_err().wire().code, "bad_json", "{bad:?}");
        }
        assert_eq!(first(b"{\"email\":\"\xff\"} x").unwrap_err(), Refusal::UnreadableText);
    }

    #[test]
    fn an_absent_flag_may_be_true() {
        let flag = |body: &str| parsed(body).flag_or("create_user", true);
        assert!(flag("{}").unwrap() && flag(r#"{"create_user":null}"#).unwrap());
        assert!(!flag(r#"{"create_user":false}"#).unwrap());
        assert!(flag(r#"{"create_user":"no"}"#).is_err());
    }

    #[test]
    fn a_captcha_token_is_a_trimmed_text() {
        for (body, token) in [
            (r#"{"gotrue_meta_security":{"captcha_token":" abc \n"}}"#, "abc"),
            (r#"{"GoTrue_Meta_Security":{"Captcha_Token":"abc"}}"#, "abc"),
            (r#"{"gotrue_meta_security":{}}"#, ""),
            (r#"{"gotrue_meta_security":null}"#, ""),
            ("{}", ""),
        ] {
            assert_eq!(parsed(body).captcha_token().unwrap().expose(), token, "{body}");
        }
        for body in [r#"{"gotrue_meta_security":{"captcha_token":5}}"#, r#"{"gotrue_meta_security":"abc"}"#] {
            assert_eq!(parsed(body).captcha_token().unwrap_err().wire().code, "bad_json", "{body}");
        }
    }

    #[test]
    fn absent_and_empty_passwords_differ() {
        assert!(parsed("{}").optional_secret("password").unwrap().is_none());
        assert_eq!(parsed(r#"{"password":""}"#).optional_secret("password").unwrap().unwrap().expose(), "");
    }

    #[test]
    fn unreadable_text_is_refused_wherever_it_stands() {
        for body in [
            r#"{"a":"x\u0000"}"#,
            r#"{"a\u0000":"x"}"#,
            r#"{"data":{"deep":["\u0000"]}}"#,
            r#"{"data":{"\u0000":1}}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\ud800x"}"#,
            r#"{"a":"\udc00"}"#,
            r#"{"a":"\ud83d\ud83d"}"#,
            "{\"a\":\"\0\"}",
        ] {
            assert_eq!(refused(body), "validation_failed", "{body}");
        }
        assert_eq!(refused(b"{\"a\":\"\xff\"}"), "validation_failed");
    }

    #[test]
    fn readable_text_is_taken_as_it_is() {
        assert_eq!(parsed(r#"{"a":"\ud83d\ude00 \\u0000 \u00e9"}"#).text("a").unwrap(), "\u{1F600} \\u0000 \u{e9}");
    }

    #[test]
    fn broken_escapes_are_bad_json_not_unreadable() {
        for body in [r#"{"a":"\u12"}"#, r#"{"a":"\x"}"#, r#"{"a":"\\ud800"#] {
            assert_eq!(refused(body), "bad_json", "{body}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_rather_than_followed() {
        let body = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(refused(body), "bad_json");
    }
}
