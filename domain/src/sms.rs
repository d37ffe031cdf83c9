//! Messages to phones (`contract/core.md` §18.2, `contract/platform.md` §6).

use crate::config::{Policy, SmsProvider, SmsSettings};
use crate::hook::Point;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The message id that numbers with a fixed code are answered with.
pub const TEST_MESSAGE_ID: &str = "test-otp";

/// How a message reaches the phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// A short message.
    #[default]
    Sms,
    /// A WhatsApp message.
    Whatsapp,
}

impl Channel {
    /// The wire value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// Reads `channel`; empty means SMS. With the send-SMS hook any value passes and counts as SMS.
    ///
    /// # Errors
    /// A channel the project's provider does not serve.
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, Refusal> {
        let twilio = matches!(policy.sms.provider, Some(SmsProvider::Twilio { .. } | SmsProvider::TwilioVerify { .. }));
        match text {
            "" | "sms" => Ok(Self::Sms),
            "whatsapp" if twilio => Ok(Self::Whatsapp),
            _ if policy.hooks.contains_key(&Point::SendSms) => Ok(Self::Sms),
            _ => Err(Refusal::SmsChannel),
        }
    }
}

/// One message to one phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    /// E.164 digits without `+`.
    pub phone: String,
    /// How it is sent.
    pub channel: Channel,
    /// The text.
    pub body: Secret<String>,
    /// The code alone, for providers with templates of their own.
    pub code: Secret<String>,
}

/// The answer of what sends a code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// `test-otp` for numbers with a fixed code, the provider's own where it names one, `None` for mail.
    pub message_id: Option<String>,
}

/// The fixed code of a test number, as long as there are such numbers (`contract/core.md` §18.2).
pub fn test_code<'a>(settings: &'a SmsSettings, phone: &str, now: Timestamp) -> Option<&'a str> {
    if settings.test_otps_valid_until.is_some_and(|until| until <= now) {
        return None;
    }
    settings.test_otps.iter().find(|(number, _)| number == phone).map(|(_, code)| code.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, policy};
    use crate::hook::Target;

    fn with(provider: Option<SmsProvider>) -> Policy {
        let policy = policy();
        Policy { sms: SmsSettings { provider, ..policy.sms.clone() }, ..policy }
    }

    fn verify() -> SmsProvider {
        SmsProvider::TwilioVerify {
            account_sid: String::new(),
            auth_token: Secret::default(),
            message_service_sid: String::new(),
        }
    }

    #[test]
    fn only_twilio_speaks_whatsapp() {
        let messagebird = SmsProvider::Messagebird { access_key: Secret::default(), originator: String::new() };
        for (provider, whatsapp) in [
            (Some(verify()), Ok(Channel::Whatsapp)),
            (Some(messagebird), Err(Refusal::SmsChannel)),
            (None, Err(Refusal::SmsChannel)),
        ] {
            let policy = with(provider);
            assert_eq!(Channel::parse("", &policy), Ok(Channel::Sms));
            assert_eq!(Channel::parse("sms", &policy), Ok(Channel::Sms));
            assert_eq!(Channel::parse("whatsapp", &policy), whatsapp);
            assert_eq!(Channel::parse("SMS", &policy), Err(Refusal::SmsChannel));
        }
    }

    #[test]
    fn a_hook_takes_every_channel() {
        let mut policy = with(None);
        policy.hooks.extend(Target::parse("https://h.example/x", "").map(|target| (Point::SendSms, target)));
        assert_eq!(Channel::parse("pigeon", &policy), Ok(Channel::Sms));
    }

    #[test]
    fn test_numbers_end() {
        let numbers = vec![("15550000001".to_owned(), "123456".to_owned())];
        let until =
            |test_otps_valid_until| SmsSettings { test_otps: numbers.clone(), test_otps_valid_until, ..policy().sms };
        assert_eq!(test_code(&until(None), "15550000001", at(0)), Some("123456"));
        assert_eq!(test_code(&until(None), "15550000002", at(0)), None);
        assert_eq!(test_code(&until(Some(at(10))), "15550000001", at(9)), Some("123456"));
        assert_eq!(test_code(&until(Some(at(10))), "15550000001", at(10)), None);
    }
}
