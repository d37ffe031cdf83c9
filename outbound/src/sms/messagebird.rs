//! MessageBird.

use domain::secret::Secret;
use domain::sms::Sms;

use super::SmsError;
use super::call::{Answer, Call, Login};

/// A message.
pub(super) fn message<'a>(
    base: &str,
    access_key: &'a Secret<String>,
    originator: &str,
    sms: &Sms,
) -> Result<Call<'a>, SmsError> {
    Ok(Call::new(base, &["messages"], Login::AccessKey(access_key))?
        .field("originator", originator)
        .field("body", sms.body.expose())
        .field("recipients", &sms.phone)
        .field("type", "sms")
        .field("datacoding", "unicode"))
}

/// Whether a message was taken.
pub(super) fn accepted(answer: &Answer) -> Result<(), String> {
    match answer.status {
        400 | 401 | 403 | 422 if answer.has("/errors/0/description") => Err(answer.text("/errors/0/description")),
        400.. => Err(answer.unexpected().to_string()),
        _ => match answer.json.pointer("/recipients/totalSentCount").and_then(serde_json::Value::as_u64) {
            Some(0) => Err("messagebird error: total sent count is 0".to_owned()),
            Some(_) => Ok(()),
            None => Err(answer.unexpected().to_string()),
        },
    }
}
