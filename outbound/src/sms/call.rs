//! One request to a provider and its answer, apart from how they travel.

use domain::secret::Secret;
use serde_json::Value;
use url::Url;

use super::SmsError;

/// The longest text of an error that is passed on, in characters.
const MAX_TEXT: usize = 500;

/// How a provider knows who asks, where the form does not say it.
pub(super) enum Login<'a> {
    /// The form says it.
    InForm,
    /// HTTP Basic.
    Basic(&'a str, &'a Secret<String>),
    /// `Authorization: AccessKey ...`.
    AccessKey(&'a Secret<String>),
}

/// A `POST` with a form. Has no `Debug`: it holds credentials.
pub(super) struct Call<'a> {
    pub(super) url: Url,
    pub(super) login: Login<'a>,
    pub(super) form: Vec<(&'static str, String)>,
}

impl<'a> Call<'a> {
    /// A call of `base`, followed by `segments`, none of which can leave its place in the path.
    pub(super) fn new(base: &str, segments: &[&str], login: Login<'a>) -> Result<Self, SmsError> {
        let unusable = || SmsError::new("the SMS provider's address is not a URL");
        let mut url = Url::parse(base).map_err(|_| unusable())?;
        url.path_segments_mut().map_err(|()| unusable())?.pop_if_empty().extend(segments);
        Ok(Self { url, login, form: Vec::new() })
    }

    pub(super) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.form.push((name, value.into()));
        self
    }
}

/// What a provider answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) json: Value,
}

impl Answer {
    /// The scalar at a JSON pointer as text; empty where there is none.
    pub(super) fn text(&self, pointer: &str) -> String {
        match self.json.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(scalar @ (Value::Number(_) | Value::Bool(_))) => scalar.to_string(),
            _ => String::new(),
        }
    }

    pub(super) fn has(&self, pointer: &str) -> bool {
        self.json.pointer(pointer).is_some()
    }

    /// An answer that says nothing of what its provider documents.
    pub(super) fn unexpected(&self) -> SmsError {
        SmsError::new(format!("the SMS provider's answer cannot be read (status {})", self.status))
    }
}

/// `text` on one line, of bounded length, and without any of `secrets`, which a provider may quote.
pub(super) fn presentable(text: &str, secrets: &[&str]) -> SmsError {
    let mut text = crate::mail::single_line(text);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***");
    }
    SmsError(text.chars().take(MAX_TEXT).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_stays_a_segment() {
        for (base, segment, url) in [
            ("https://a.test", "AC1", "https://a.test/AC1/x"),
            ("https://a.test/", "A/../b?c#d", "https://a.test/A%2F..%2Fb%3Fc%23d/x"),
            ("https://a.test/v1/", "..", "https://a.test/v1/x"),
        ] {
            let call = Call::new(base, &[segment, "x"], Login::InForm).ok().unwrap();
            assert_eq!(call.url.as_str(), url);
        }
        assert!(Call::new("nonsense", &[], Login::InForm).is_err());
    }

    #[test]
    fn what_is_passed_on_is_short_and_holds_no_secret() {
        let error = presentable("bad key k3y\r\nfor k3y 123456", &["k3y", "", "123456"]);
        assert_eq!(error.to_string(), "bad key *** for *** ***");
        assert_eq!(presentable(&"ä".repeat(9000), &[]).to_string().chars().count(), MAX_TEXT);
    }
}
