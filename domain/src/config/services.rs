//! Settings of the services that a project names: SMS providers, captchas, hooks.

use std::collections::BTreeMap;

use crate::config::policy::Reader;
use crate::hook::{Point, Target};
use crate::secret::Secret;

/// An SMS provider with its credentials (`contract/platform.md` §6). What is not set is empty, and refused by the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmsProvider {
    /// Twilio Messaging.
    Twilio {
        /// Account SID, also the user name.
        account_sid: String,
        /// Password.
        auth_token: Secret<String>,
        /// Messaging service SID or sender number.
        message_service_sid: String,
        /// Content template for WhatsApp, empty when none.
        content_sid: String,
    },
    /// Twilio Verify, which makes and checks codes of its own.
    TwilioVerify {
        /// Account SID, also the user name.
        account_sid: String,
        /// Password.
        auth_token: Secret<String>,
        /// Verify service SID.
        message_service_sid: String,
    },
    /// MessageBird.
    Messagebird {
        /// Key.
        access_key: Secret<String>,
        /// Sender.
        originator: String,
    },
    /// Textlocal.
    Textlocal {
        /// Key.
        api_key: Secret<String>,
        /// Sender.
        sender: String,
    },
    /// Vonage.
    Vonage {
        /// Key.
        api_key: String,
        /// Secret.
        api_secret: Secret<String>,
        /// Sender.
        from: String,
    },
}

impl SmsProvider {
    /// The name in `sms_provider`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Twilio { .. } => "twilio",
            Self::TwilioVerify { .. } => "twilio_verify",
            Self::Messagebird { .. } => "messagebird",
            Self::Textlocal { .. } => "textlocal",
            Self::Vonage { .. } => "vonage",
        }
    }

    pub(crate) fn read(name: &str, read: &Reader<'_>) -> Option<Self> {
        let secret = |field| Secret::new(read.text(field));
        Some(match name {
            "twilio" => Self::Twilio {
                account_sid: read.text("sms_twilio_account_sid"),
                auth_token: secret("sms_twilio_auth_token"),
                message_service_sid: read.text("sms_twilio_message_service_sid"),
                content_sid: read.text("sms_twilio_content_sid"),
            },
            "twilio_verify" => Self::TwilioVerify {
                account_sid: read.text("sms_twilio_verify_account_sid"),
                auth_token: secret("sms_twilio_verify_auth_token"),
                message_service_sid: read.text("sms_twilio_verify_message_service_sid"),
            },
            "messagebird" => Self::Messagebird {
                access_key: secret("sms_messagebird_access_key"),
                originator: read.text("sms_messagebird_originator"),
            },
            "textlocal" => {
                Self::Textlocal { api_key: secret("sms_textlocal_api_key"), sender: read.text("sms_textlocal_sender") }
            }
            "vonage" => Self::Vonage {
                api_key: read.text("sms_vonage_api_key"),
                api_secret: secret("sms_vonage_api_secret"),
                from: read.text("sms_vonage_from"),
            },
            _ => return None,
        })
    }
}

/// Who judges captchas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptchaProvider {
    /// hCaptcha.
    Hcaptcha,
    /// Cloudflare Turnstile.
    Turnstile,
}

/// A project's captcha.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptchaSettings {
    /// Who judges.
    pub provider: CaptchaProvider,
    /// The site's secret.
    pub secret: Secret<String>,
    /// Hosts whose answers count; empty = not compared.
    pub hostnames: Vec<String>,
}

impl CaptchaSettings {
    /// The captcha in force, `None` when it is off.
    pub(crate) fn read(read: &Reader<'_>, derived_hosts: impl FnOnce() -> Vec<String>) -> Option<Self> {
        if !read.on("security_captcha_enabled") {
            return None;
        }
        let hostnames = match read.text("security_captcha_hostnames").as_str() {
            "derived" => derived_hosts(),
            listed => crate::config::format::list(listed).map(str::to_owned).collect(),
        };
        Some(Self {
            provider: match read.text("security_captcha_provider").as_str() {
                "turnstile" => CaptchaProvider::Turnstile,
                _ => CaptchaProvider::Hcaptcha,
            },
            secret: Secret::new(read.text("security_captcha_secret")),
            hostnames,
        })
    }
}

/// The hooks that are on. One without a URI that can be called is not passed over: it fails (`contract/platform.md` §4.4).
pub(crate) fn hooks(read: &Reader<'_>) -> BTreeMap<Point, Target> {
    let is_on = |point: &Point| read.on(&format!("hook_{}_enabled", point.setting()));
    let target = |point: Point| {
        let text = |setting: &str| read.text(&format!("hook_{}_{setting}", point.setting()));
        (point, Target::parse(&text("uri"), &text("secrets")).unwrap_or(Target::Unusable))
    };
    Point::ALL.into_iter().filter(is_on).map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Explicit, Policy};
    use crate::fixtures::defaults;

    #[test]
    fn a_hook_that_is_on_is_never_passed_over() {
        let hooks = |uri: &str, on: bool| {
            let mut explicit = Explicit::default();
            explicit.set("hook_send_sms_enabled", on.into());
            explicit.set("hook_send_sms_uri", uri.into());
            Policy::from_explicit(&explicit, &defaults()).hooks
        };
        for uri in ["", "ftp://h.example/x", "pg-functions://postgres"] {
            assert_eq!(hooks(uri, true).get(&Point::SendSms), Some(&Target::Unusable), "{uri}");
        }
        assert!(matches!(hooks("HTTPS://h.example/x", true).get(&Point::SendSms), Some(Target::Http(_))));
        assert!(hooks("ftp://h.example/x", false).is_empty() && hooks("https://h.example/x", false).is_empty());
    }
}
