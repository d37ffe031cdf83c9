//! Second factors, recovery codes and passkeys.

use crate::config::field::Literal::{Bool, Int, Null, Text};
use crate::config::field::{Field, Kind, Lock, MAX};
use crate::config::format::Format;

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::int("mfa_max_enrolled_factors", 0, MAX, Int(10)),
    Field::switch("mfa_phone_enroll_enabled", Bool(false)),
    Field::int("mfa_phone_max_frequency", 0, 32767, Int(5)),
    Field::int("mfa_phone_otp_length", 0, 32767, Int(6)).locked(Int(6), Lock::AtLeast(6), "LNK-02"),
    Field::text("mfa_phone_template", Text("Your code is {{ .Code }}")),
    Field::switch("mfa_phone_verify_enabled", Bool(false)),
    Field::switch("mfa_totp_enroll_enabled", Bool(true)).locked(Bool(true), Lock::Only(Bool(true)), "MFA-01"),
    Field::switch("mfa_totp_verify_enabled", Bool(true)).locked(Bool(true), Lock::Only(Bool(true)), "MFA-01"),
    Field::switch("mfa_web_authn_enroll_enabled", Bool(false)).preset(Bool(true), "MFA-02"),
    Field::switch("mfa_web_authn_verify_enabled", Bool(false)).preset(Bool(true), "MFA-02"),
    Field::switch("passkey_enabled", Bool(false)).never_null().preset(Bool(true), "PSK-01"),
    Field::text("webauthn_rp_display_name", Null),
    Field::new("webauthn_rp_id", Kind::Text(Format::Domain), Null),
    Field::new("webauthn_rp_origins", Kind::Text(Format::Origins), Null),
    Field::switch("mfa_totp_single_use_enabled", Bool(true))
        .ours()
        .locked(Bool(true), Lock::Only(Bool(true)), "MFA-01")
        .in_every_profile(),
    Field::int("mfa_totp_max_failures", 1, 1000, Int(20)).ours(),
    Field::int("mfa_totp_failure_window", 60, 86_400, Int(900)).ours(),
    Field::switch("mfa_recovery_codes_enroll_enabled", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "MFA-03",
    ),
    Field::switch("mfa_recovery_codes_verify_enabled", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "MFA-03",
    ),
    Field::int("mfa_recovery_codes_count", 4, 16, Int(10)).ours().locked(Int(10), Lock::AtLeast(10), "MFA-03"),
    Field::int("mfa_recovery_codes_code_length", 13, 32, Int(16)).ours().locked(Int(16), Lock::AtLeast(16), "MFA-03"),
    Field::int("mfa_recovery_codes_max_verify_attempts", 3, 15, Int(5)).ours().locked(
        Int(5),
        Lock::AtMost(5),
        "MFA-03",
    ),
    Field::int("mfa_recovery_codes_lockout_duration", 60, 86_400, Int(900)).ours().locked(
        Int(900),
        Lock::AtLeast(900),
        "MFA-03",
    ),
    Field::new(
        "webauthn_user_verification",
        Kind::Choice(&["preferred", "required", "discouraged"]),
        Text("preferred"),
    )
    .ours()
    .locked(Text("required"), Lock::Only(Text("required")), "PSK-02"),
    Field::new("passkey_assurance_level", Kind::Choice(&["aal1", "aal2"]), Text("aal1"))
        .ours()
        .preset(Text("aal2"), ""),
];
