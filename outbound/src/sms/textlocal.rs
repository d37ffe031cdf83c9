//! Textlocal.

use domain::sms::Sms;

use super::SmsError;
use super::call::{Answer, Call, Login};

/// The text matches no template that the sender has registered.
const TEMPLATE_MISMATCH: &str = "80";

/// A message.
pub(super) fn message(base: &str, api_key: &str, sender: &str, sms: &Sms) -> Result<Call<'static>, SmsError> {
    Ok(Call::new(base, &["send"], Login::InForm)?
        .field("sender", sender)
        .field("apikey", api_key)
        .field("message", sms.body.expose())
        .field("numbers", &sms.phone))
}

/// Whether the message with this text was taken.
pub(super) fn accepted(answer: &Answer, text: &str) -> Result<(), String> {
    if !answer.has("/status") {
        return Err(answer.unexpected().to_string());
    }
    if answer.text("/status") == "success" {
        return Ok(());
    }
    let code = answer.text("/errors/0/code");
    let about = format!("textlocal error: {} (code: {code})", answer.text("/errors/0/message"));
    Err(if code == TEMPLATE_MISMATCH {
        format!("{about} template message: {text}")
    } else {
        format!("{about} message {}", answer.text("/messages/0/id"))
    })
}
