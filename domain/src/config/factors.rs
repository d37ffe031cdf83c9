//! Settings of second factors, passkeys and step-up.

use crate::config::format::list;
use crate::config::limits::AttemptLimit;
use crate::config::policy::{Reader, otp_length};
use crate::factor::FactorType;
use crate::session::Aal;
use crate::step_up::{Operation, StepUp};

/// Verified factors of one user, and passkeys of one user, at most.
pub const MAX_VERIFIED: usize = 10;

/// What the project lets be done with one kind of factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// New ones can be made.
    pub enroll: bool,
    /// They can be used.
    pub verify: bool,
}

/// Settings of second factors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaSettings {
    /// Factors of one user, at most.
    pub max_enrolled: usize,
    /// Codes by time.
    pub totp: Offer,
    /// Codes by SMS.
    pub phone: Offer,
    /// Public-key credentials.
    pub webauthn: Offer,
    /// Recovery codes.
    pub recovery_codes: Offer,
    /// Wrong TOTP codes of one factor.
    pub totp_failures: AttemptLimit,
    /// Digits of a code by SMS.
    pub phone_otp_length: usize,
    /// Seconds between two SMS for one factor.
    pub phone_max_frequency: i64,
    /// The message.
    pub phone_template: String,
    /// Recovery codes of a set.
    pub recovery_code_count: usize,
    /// Characters of a recovery code.
    pub recovery_code_length: usize,
    /// Wrong recovery codes of one user, and for how long none is looked at after that.
    pub recovery_failures: AttemptLimit,
}

impl MfaSettings {
    /// What is offered of `kind`.
    pub fn offer(&self, kind: FactorType) -> Offer {
        match kind {
            FactorType::Totp => self.totp,
            FactorType::Phone => self.phone,
            FactorType::WebAuthn => self.webauthn,
        }
    }

    pub(crate) fn read(read: &Reader<'_>) -> Self {
        let offer = |name: &str| Offer {
            enroll: read.on(&format!("mfa_{name}_enroll_enabled")),
            verify: read.on(&format!("mfa_{name}_verify_enabled")),
        };
        let size = |name| usize::try_from(read.limit(name)).unwrap_or(usize::MAX);
        let attempts = |events, window| AttemptLimit { events: read.limit(events), seconds: read.limit(window) };
        Self {
            max_enrolled: size("mfa_max_enrolled_factors"),
            totp: offer("totp"),
            phone: offer("phone"),
            webauthn: offer("web_authn"),
            recovery_codes: offer("recovery_codes"),
            totp_failures: attempts("mfa_totp_max_failures", "mfa_totp_failure_window"),
            phone_otp_length: otp_length(i64::from(read.limit("mfa_phone_otp_length"))),
            phone_max_frequency: i64::from(read.limit("mfa_phone_max_frequency")),
            phone_template: read.text("mfa_phone_template"),
            recovery_code_count: size("mfa_recovery_codes_count"),
            recovery_code_length: size("mfa_recovery_codes_code_length"),
            recovery_failures: attempts(
                "mfa_recovery_codes_max_verify_attempts",
                "mfa_recovery_codes_lockout_duration",
            ),
        }
    }
}

/// `webauthn_user_verification`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserVerification {
    /// An authenticator that knows its user is preferred.
    Preferred,
    /// It must know its user.
    Required,
    /// It need not.
    Discouraged,
}

impl UserVerification {
    /// The name in the settings and in ceremony options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::Required => "required",
            Self::Discouraged => "discouraged",
        }
    }
}

/// Settings of Web Authentication, as they were set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebauthnSettings {
    /// The relying party's id, empty when not set.
    pub rp_id: String,
    /// Its name, empty when not set.
    pub rp_display_name: String,
    /// Origins of its pages.
    pub rp_origins: Vec<String>,
    /// Whether an authenticator must know its user.
    pub user_verification: UserVerification,
    /// The level of a session that a passkey opened whose authenticator knew its user.
    pub passkey_level: Aal,
}

impl WebauthnSettings {
    pub(crate) fn read(read: &Reader<'_>) -> Self {
        Self {
            rp_id: read.text("webauthn_rp_id"),
            rp_display_name: read.text("webauthn_rp_display_name"),
            rp_origins: list(&read.text("webauthn_rp_origins")).map(str::to_owned).collect(),
            user_verification: match read.text("webauthn_user_verification").as_str() {
                "required" => UserVerification::Required,
                "discouraged" => UserVerification::Discouraged,
                _ => UserVerification::Preferred,
            },
            passkey_level: Aal::from_stored(Some(&read.text("passkey_assurance_level"))),
        }
    }
}

pub(crate) fn step_up(read: &Reader<'_>) -> StepUp {
    let names = read.text("security_step_up_operations");
    let operation = |name: &str| Operation::ALL.into_iter().find(|operation| operation.as_str() == name);
    StepUp {
        operations: list(&names).filter_map(operation).collect(),
        max_age: i64::from(read.limit("security_step_up_max_age")),
    }
}
