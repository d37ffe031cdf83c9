//! Query strings, read and written as the contract has them: form encoding, the first of several equal names counts, pairs
//! that cannot be decoded are dropped, and names are sorted when a query is written back (`contract/core.md` §17.2, §15.3).

use std::collections::HashSet;
use std::fmt::Write as _;

use domain::refusal::Refusal;
use serde_json::Value;

use crate::input::object::Object;

/// A decoded query string.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, Result<String, Unreadable>)>);

/// A value that is not UTF-8 or holds NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unreadable;

impl Query {
    /// Decodes `raw`, the text after `?`.
    pub(crate) fn parse(raw: &str) -> Self {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')).filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = readable(decode(name)?).ok()?;
            Some((name, readable(decode(value)?)))
        });
        Self(pairs.collect())
    }

    /// The first value of `name`; `None` when absent.
    ///
    /// # Errors
    /// Refuses a value that is not UTF-8 or holds NUL.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, Refusal> {
        self.all(name).next().transpose()
    }

    /// The first value of `name`; empty when absent.
    ///
    /// # Errors
    /// As [`Query::get`].
    pub(crate) fn text(&self, name: &str) -> Result<String, Refusal> {
        Ok(self.get(name)?.unwrap_or_default().to_owned())
    }

    /// Every value of `name` in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = Result<&str, Refusal>> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| match value {
            Ok(value) => Ok(value.as_str()),
            Err(Unreadable) => Err(Refusal::UnreadableText),
        })
    }

    /// The first value of every name that is not in `names`, in their order.
    ///
    /// # Errors
    /// As [`Query::get`], for any of these.
    pub(crate) fn without(&self, names: &[&str]) -> Result<Vec<(String, String)>, Refusal> {
        let mut seen: HashSet<&str> = names.iter().copied().collect();
        let firsts = self.0.iter().filter(|(name, _)| seen.insert(name));
        let pair = |(name, value): &(String, Result<String, Unreadable>)| match value {
            Ok(value) => Ok((name.clone(), value.clone())),
            Err(Unreadable) => Err(Refusal::UnreadableText),
        };
        firsts.map(pair).collect()
    }

    /// The first value of each name as a text field of a body.
    ///
    /// # Errors
    /// As [`Query::get`], for any name.
    pub(crate) fn into_object(self) -> Result<Object, Refusal> {
        let fields = self.0.into_iter().rev().map(|(name, value)| match value {
            Ok(value) => Ok((name, Value::String(value))),
            Err(Unreadable) => Err(Refusal::UnreadableText),
        });
        fields.collect()
    }

    /// Replaces every value of `name` by `value`.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(key, _)| key != name);
        self.0.push((name.to_owned(), Ok(value.into())));
    }

    /// Form-encodes the pairs, sorted by name.
    pub(crate) fn encode(&self) -> String {
        let mut pairs: Vec<(&str, &str)> = self
            .0
            .iter()
            .filter_map(|(name, value)| value.as_deref().ok().map(|value| (name.as_str(), value)))
            .collect();
        pairs.sort_by_key(|(name, _)| *name);
        let mut text = String::new();
        for (name, value) in pairs {
            if !text.is_empty() {
                text.push('&');
            }
            escape(&mut text, name);
            text.push('=');
            escape(&mut text, value);
        }
        text
    }
}

impl<'a> FromIterator<(&'a str, String)> for Query {
    fn from_iter<I: IntoIterator<Item = (&'a str, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), Ok(value))).collect())
    }
}

fn readable(bytes: Vec<u8>) -> Result<String, Unreadable> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or(Unreadable)
}

/// The bytes of a form-encoded text; `None` where a percent sign is not followed by two hexadecimal digits.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            // Writing to a string cannot fail.
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_form_decoded_and_the_first_counts() {
        let query = Query::parse("scope=a+b%2Bc&scope=second&empty&x=");
        assert_eq!(query.get("scope").unwrap(), Some("a b+c"));
        assert_eq!(query.get("empty").unwrap(), Some(""));
        assert_eq!(query.get("absent").unwrap(), None);
        assert_eq!(query.text("absent").unwrap(), "");
    }

    #[test]
    fn pairs_that_cannot_be_decoded_are_dropped() {
        let query = Query::parse("a=%zz&a=%2&a=%&b;c=1&a=good");
        assert_eq!(query.get("a").unwrap(), Some("good"));
    }

    #[test]
    fn unreadable_values_are_refused_when_asked_for() {
        let query = Query::parse("a=%ff&b=%00&c=fine&%ff=x");
        assert_eq!(query.get("a"), Err(Refusal::UnreadableText));
        assert_eq!(query.get("b"), Err(Refusal::UnreadableText));
        assert_eq!(query.get("c"), Ok(Some("fine")));
    }

    #[test]
    fn what_is_left_has_one_value_a_name() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let query = Query::parse("prompt=none&provider=x&prompt=login&hd=a.co&Provider=y&empty");
        let left = [pair("prompt", "none"), pair("hd", "a.co"), pair("Provider", "y"), pair("empty", "")];
        assert_eq!(query.without(&["provider", "scopes"]).unwrap(), left);
        let query = Query::parse("a=%ff&b=1");
        assert_eq!(query.without(&[]), Err(Refusal::UnreadableText));
        assert_eq!(query.without(&["a"]).unwrap(), [pair("b", "1")]);
    }

    #[test]
    fn a_form_is_read_like_a_body() {
        let mut fields = Query::parse("token=a%2Bb&token=second&x=").into_object().unwrap();
        assert_eq!(fields.text("token").unwrap(), "a+b");
        assert!(Query::parse("a=1&b=%00").into_object().is_err());
    }

    #[test]
    fn a_query_is_written_back_with_sorted_names() {
        let mut query = Query::parse("query=author%3Aa%40b.co&per_page=2&page=1&sort=b&sort=a");
        query.set("page", "2");
        assert_eq!(query.encode(), "page=2&per_page=2&query=author%3Aa%40b.co&sort=b&sort=a");
    }

    #[test]
    fn encoding_keeps_only_unreserved_characters() {
        let query: Query = [("k", "a b:/é~".to_owned())].into_iter().collect();
        assert_eq!(query.encode(), "k=a+b%3A%2F%C3%A9~");
    }
}
