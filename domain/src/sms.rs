//! Messages to phones (`contract/core.md` §18.2, `contract/platform.md` §6).

use crate::config::{Policy, SmsProvider};
use crate::hook::Point;
use crate::refusal::Refusal;
use crate::secret::Secret;

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
