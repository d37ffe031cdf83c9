//! Rate limits.

use crate::config::field::Literal::Int;
use crate::config::field::{Field, Lock, MAX};

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::int("rate_limit_anonymous_users", 1, MAX, Int(30)),
    Field::int("rate_limit_email_sent", 1, MAX, Int(30)),
    Field::int("rate_limit_otp", 1, MAX, Int(30)),
    Field::int("rate_limit_sms_sent", 1, MAX, Int(30)),
    Field::int("rate_limit_token_refresh", 1, MAX, Int(150)),
    Field::int("rate_limit_verify", 1, MAX, Int(30)),
    Field::int("rate_limit_web3", 1, MAX, Int(30)),
    Field::int("rate_limit_mfa_challenge_and_verify", 1, MAX, Int(15)).ours(),
    Field::int("rate_limit_passkey", 1, MAX, Int(30)).ours(),
    Field::int("rate_limit_sign_in_per_email", 0, 1000, Int(0)).ours().locked(Int(5), Lock::Between(1, 5), "RTL-01"),
    Field::int("rate_limit_sign_in_window", 60, 86_400, Int(900)).ours().locked(Int(900), Lock::AtLeast(900), "RTL-01"),
    Field::int("rate_limit_sign_up_per_ip", 0, 1000, Int(0)).ours().locked(Int(3), Lock::Between(1, 3), "RTL-02"),
    Field::int("rate_limit_sign_up_window", 60, 86_400, Int(3600)).ours().locked(
        Int(3600),
        Lock::AtLeast(3600),
        "RTL-02",
    ),
    Field::int("rate_limit_recovery_per_email", 0, 1000, Int(0)).ours().locked(Int(3), Lock::Between(1, 3), "RTL-03"),
    Field::int("rate_limit_recovery_window", 60, 86_400, Int(3600)).ours().locked(
        Int(3600),
        Lock::AtLeast(3600),
        "RTL-03",
    ),
    Field::int("rate_limit_mfa_verify_per_session", 0, 1000, Int(0)).ours().locked(
        Int(5),
        Lock::Between(1, 5),
        "RTL-04",
    ),
    Field::int("rate_limit_mfa_verify_window", 60, 86_400, Int(900)).ours().locked(
        Int(900),
        Lock::AtLeast(900),
        "RTL-04",
    ),
    Field::int("rate_limit_mfa_verify_per_user", 0, 1000, Int(0)).ours().preset(Int(20), "RTL-04"),
    Field::int("rate_limit_mfa_verify_user_window", 60, 86_400, Int(3600)).ours(),
    Field::int("rate_limit_otp_request_per_email", 0, 1000, Int(0)).ours().preset(Int(5), "RTL-03"),
    Field::int("rate_limit_otp_request_window", 60, 86_400, Int(900)).ours(),
    Field::int("security_max_consecutive_failures", 0, 1000, Int(0)).ours().preset(Int(100), "RTL-01"),
];
