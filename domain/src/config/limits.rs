//! How often things may be asked for.

use crate::config::policy::Reader;

/// The limits of a project: those of the contract (`contract/core.md` §3), and limits of attempts, which are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// `/verify` per address and 5 minutes.
    pub verify: u32,
    /// `/token` per address and 5 minutes.
    pub token_refresh: u32,
    /// Sign-up, OTP, magic link, recover, resend and user update, each, per address and 5 minutes.
    pub otp: u32,
    /// Anonymous sign-ins per address and hour.
    pub anonymous_users: u32,
    /// Mails of the project per hour.
    pub email_sent: u32,
    /// SMS of the project per hour.
    pub sms_sent: u32,
    /// Wallet sign-ins per address and 5 minutes.
    pub web3: u32,
    /// Challenges of second factors, and answers to them, each, per address and minute.
    pub factors: u32,
    /// Beginnings of a sign-in with a passkey per address and 5 minutes.
    pub passkeys: u32,
    /// Failed password sign-ins of one address or number.
    pub sign_in: AttemptLimit,
    /// Sign-ups from one client address.
    pub sign_up: AttemptLimit,
    /// Recoveries of one address, messages sent to it again, and re-authentications, each.
    pub recovery: AttemptLimit,
    /// One-time codes and links for one address or number.
    pub otp_request: AttemptLimit,
    /// Failed verifications of a second factor in one session.
    pub mfa_session: AttemptLimit,
    /// Failed verifications of a second factor of one user.
    pub mfa_user: AttemptLimit,
}

/// At most `events` in any window of `seconds` (`security/advisor.md` §1.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLimit {
    /// 0 = no limit.
    pub events: u32,
    /// The length of the window.
    pub seconds: u32,
}

impl RateLimits {
    pub(crate) fn read(read: &Reader<'_>) -> Self {
        let attempts = |events, window| AttemptLimit { events: read.limit(events), seconds: read.limit(window) };
        Self {
            verify: read.limit("rate_limit_verify"),
            token_refresh: read.limit("rate_limit_token_refresh"),
            otp: read.limit("rate_limit_otp"),
            anonymous_users: read.limit("rate_limit_anonymous_users"),
            email_sent: read.limit("rate_limit_email_sent"),
            sms_sent: read.limit("rate_limit_sms_sent"),
            web3: read.limit("rate_limit_web3"),
            factors: read.limit("rate_limit_mfa_challenge_and_verify"),
            passkeys: read.limit("rate_limit_passkey"),
            sign_in: attempts("rate_limit_sign_in_per_email", "rate_limit_sign_in_window"),
            sign_up: attempts("rate_limit_sign_up_per_ip", "rate_limit_sign_up_window"),
            recovery: attempts("rate_limit_recovery_per_email", "rate_limit_recovery_window"),
            otp_request: attempts("rate_limit_otp_request_per_email", "rate_limit_otp_request_window"),
            mfa_session: attempts("rate_limit_mfa_verify_per_session", "rate_limit_mfa_verify_window"),
            mfa_user: attempts("rate_limit_mfa_verify_per_user", "rate_limit_mfa_verify_user_window"),
        }
    }
}
