//! Messages to phones over the providers of `contract/platform.md` §6.
//!
//! [`HttpSms`] speaks to the providers, [`RecordingSms`] to nobody. What a provider answers when it refuses is passed on in its
//! own words, but never with a credential or the code.

mod bounded;
mod call;
mod http;
mod messagebird;
mod recording;
mod textlocal;
mod twilio;
mod vonage;

pub use bounded::BoundedSms;
pub use http::{Endpoints, HttpSms};
pub use recording::RecordingSms;

use async_trait::async_trait;
use domain::config::SmsProvider;
use domain::secret::Secret;
use domain::sms::Sms;
use serde_json::{Map, Value};

use crate::template::{self, TemplateError};

/// Hands messages to a project's provider.
#[async_trait]
pub trait SmsTransport: Send + Sync {
    /// Returns once the provider has taken `message`. Twilio Verify sends a code of its own instead of the message's.
    async fn send(&self, provider: &SmsProvider, message: &Sms) -> Result<(), SmsError>;

    /// Asks the provider whether `code` is the one it sent to `phone` (E.164 digits without `+`). Only Twilio Verify can say;
    /// of any other provider it is an error.
    async fn check(&self, provider: &SmsProvider, phone: &str, code: &Secret<String>) -> Result<bool, SmsError>;
}

/// What a provider did not do, in its own words where it has any (`contract/platform.md` §6). Holds no credential and no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SmsError(String);

impl SmsError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The text of a message: `template` with `.Code` in Go's `text/template` syntax.
pub fn text(template: &str, code: &str) -> Result<String, TemplateError> {
    let mut data = Map::new();
    data.insert("Code".to_owned(), Value::from(code));
    template::render_text(template, &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_template_with_the_code() {
        for (template, expected) in [
            ("Your code is {{ .Code }}", "Your code is 123456"),
            ("{{.Code}} is <your> code & \"more\"+'s", "123456 is <your> code & \"more\"+'s"),
            ("@app.test #{{ .Code }} {{ .Other }}", "@app.test #123456 "),
            ("{{ if .Code }}{{ printf \"%s!\" .Code }}{{ end }}", "123456!"),
            ("{{ .Code | urlquery }}", "123456"),
            ("no code", "no code"),
        ] {
            assert_eq!(text(template, "123456").as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn a_value_is_not_escaped_unless_the_template_asks() {
        assert_eq!(text("<b>{{ .Code }}</b>", "<1&2>").as_deref(), Ok("<b><1&2></b>"));
        assert_eq!(text("{{ html .Code }} {{ .Code | urlquery }}", "<1 2>").as_deref(), Ok("&lt;1 2&gt; %3C1+2%3E"));
    }

    #[test]
    fn a_broken_template_is_refused() {
        assert!(matches!(text("{{ .Code", "1"), Err(TemplateError::Syntax { line: 1, .. })));
    }
}
