//! Twilio Messaging and Twilio Verify.

use domain::secret::Secret;
use domain::sms::{Channel, Sms};

use super::SmsError;
use super::call::{Answer, Call, Login};

/// An account and what it sends with.
pub(super) struct Account<'a> {
    pub(super) sid: &'a str,
    pub(super) token: &'a Secret<String>,
    /// The messaging service or number, or the Verify service.
    pub(super) service: &'a str,
}

impl<'a> Account<'a> {
    fn call(&self, base: &str, segments: &[&str]) -> Result<Call<'a>, SmsError> {
        Call::new(base, segments, Login::Basic(self.sid, self.token))
    }
}

/// `+` and the digits, behind the channel's name where Twilio wants it.
fn receiver(phone: &str, channel: Channel) -> String {
    match channel {
        Channel::Sms => format!("+{phone}"),
        Channel::Whatsapp => format!("whatsapp:+{phone}"),
    }
}

/// The sender: over WhatsApp a number has the channel in front of it, the SID of a messaging service has not.
fn sender(service: &str, channel: Channel) -> String {
    match channel {
        Channel::Whatsapp if domain::phone::validate(service).is_ok() => format!("whatsapp:{service}"),
        _ => service.to_owned(),
    }
}

/// A message. `content_sid` names a template of Twilio's that WhatsApp shows instead of the text.
pub(super) fn message<'a>(
    base: &str,
    account: &Account<'a>,
    content_sid: &str,
    sms: &Sms,
) -> Result<Call<'a>, SmsError> {
    let call = account
        .call(base, &["2010-04-01", "Accounts", account.sid, "Messages.json"])?
        .field("To", receiver(&sms.phone, sms.channel))
        .field("Channel", sms.channel.as_str())
        .field("From", sender(account.service, sms.channel));
    Ok(if sms.channel == Channel::Whatsapp && !content_sid.is_empty() {
        call.field("ContentSid", content_sid)
            .field("ContentVariables", format!("{{\"1\": {}}}", serde_json::Value::from(sms.code.expose().as_str())))
    } else {
        call.field("Body", sms.body.expose())
    })
}

/// Whether a message was taken.
pub(super) fn accepted(answer: &Answer) -> Result<(), String> {
    refused(answer)?;
    match answer.text("/status").as_str() {
        "failed" | "undelivered" => Err(format!(
            "twilio error: {} {} for message {}",
            answer.text("/error_message"),
            answer.text("/error_code"),
            answer.text("/sid")
        )),
        _ => Ok(()),
    }
}

/// A verification, which makes and sends a code.
pub(super) fn verification<'a>(base: &str, account: &Account<'a>, sms: &Sms) -> Result<Call<'a>, SmsError> {
    Ok(account
        .call(base, &["v2", "Services", account.service, "Verifications"])?
        .field("To", receiver(&sms.phone, Channel::Sms))
        .field("Channel", sms.channel.as_str()))
}

/// Whether a verification was started.
pub(super) fn started(answer: &Answer) -> Result<(), String> {
    refused(answer)
}

/// The check of a code.
pub(super) fn check<'a>(base: &str, account: &Account<'a>, phone: &str, code: &str) -> Result<Call<'a>, SmsError> {
    Ok(account
        .call(base, &["v2", "Services", account.service, "VerificationCheck"])?
        .field("To", receiver(phone, Channel::Sms))
        .field("Code", code))
}

/// Whether the code is right. A verification that is over, or never was (404), knows no right code.
pub(super) fn approved(answer: &Answer) -> Result<bool, String> {
    if answer.status == 404 {
        return Ok(false);
    }
    refused(answer)?;
    let status = answer.text("/status");
    let valid = answer.json.pointer("/valid").and_then(serde_json::Value::as_bool) == Some(true);
    match status.as_str() {
        "approved" => Ok(valid),
        "pending" | "canceled" => Ok(false),
        _ => Err(format!("twilio verification error: {} {status}", answer.text("/error_message"))),
    }
}

fn refused(answer: &Answer) -> Result<(), String> {
    if matches!(answer.status, 200 | 201) && answer.json.is_object() {
        return Ok(());
    }
    if !answer.has("/message") {
        return Err(answer.unexpected().to_string());
    }
    Err(format!("{} More information: {}", answer.text("/message"), answer.text("/more_info")))
}
