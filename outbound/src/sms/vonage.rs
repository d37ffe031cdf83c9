//! Vonage.

use domain::sms::Sms;

use super::SmsError;
use super::call::{Answer, Call, Login};

/// A message.
pub(super) fn message(base: &str, key: &str, secret: &str, from: &str, sms: &Sms) -> Result<Call<'static>, SmsError> {
    let text = sms.body.expose();
    let call = Call::new(base, &["sms", "json"], Login::InForm)?
        .field("from", from)
        .field("to", &sms.phone)
        .field("text", text)
        .field("api_key", key)
        .field("api_secret", secret);
    Ok(if text.is_ascii() { call } else { call.field("type", "unicode") })
}

/// Whether a message was taken.
pub(super) fn accepted(answer: &Answer) -> Result<(), String> {
    if !answer.has("/messages/0") {
        return Err("vonage error: Internal Error".to_owned());
    }
    match answer.text("/messages/0/status").as_str() {
        "0" => Ok(()),
        status => Err(format!(
            "vonage error: {} (status: {status}) for message {}",
            answer.text("/messages/0/error-text"),
            answer.text("/messages/0/message-id")
        )),
    }
}
