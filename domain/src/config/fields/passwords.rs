//! Passwords, captcha, re-authentication and step-up.

use crate::config::field::Literal::{Bool, Int, Null, Text};
use crate::config::field::{Field, Kind, Lock};
use crate::config::format::Format;

/// The sets of characters a password may be asked to hold; a literal colon is written `\:`.
const CHARACTER_SETS: &[&str] = &[
    "",
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789",
    "abcdefghijklmnopqrstuvwxyz:ABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789",
    r#"abcdefghijklmnopqrstuvwxyz:ABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789:!@#$%^&*()_+-=[]{};'\\:"|<>?,./`~"#,
];

/// Operations that can ask for a fresh second factor.
const STEP_UP_OPERATIONS: &[&str] = &[
    "password_change",
    "email_change",
    "phone_change",
    "factor_unenroll",
    "recovery_codes",
    "passkey_manage",
    "identity_link",
    "identity_unlink",
    "account_delete",
    "admin",
];

/// All of `STEP_UP_OPERATIONS`.
const STEP_UP_ALL: &str = "password_change,email_change,phone_change,factor_unenroll,recovery_codes,passkey_manage,\
identity_link,identity_unlink,account_delete,admin";

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::switch("password_hibp_enabled", Bool(false)).locked(Bool(true), Lock::Only(Bool(true)), "PWD-03"),
    Field::int("password_min_length", 6, 32767, Int(6)).locked(Int(8), Lock::AtLeast(8), "PWD-01"),
    Field::new("password_required_characters", Kind::Choice(CHARACTER_SETS), Null).locked(
        Text(""),
        Lock::Only(Text("")),
        "PWD-02",
    ),
    Field::switch("security_captcha_enabled", Bool(false)),
    Field::new("security_captcha_provider", Kind::Choice(&["turnstile", "hcaptcha"]), Text("hcaptcha"))
        .preset(Text("turnstile"), "CAP-01"),
    Field::text("security_captcha_secret", Null).secret(),
    Field::switch("security_sb_forwarded_for_enabled", Bool(false)),
    Field::switch("security_update_password_require_current_password", Bool(false)).beside_the_spec(),
    Field::switch("security_update_password_require_reauthentication", Bool(false)).locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "PWD-04",
    ),
    Field::switch("password_blocklist_enabled", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "PWD-03",
    ),
    Field::switch("password_hibp_fail_closed", Bool(false)).ours(),
    Field::new("security_captcha_hostnames", Kind::Text(Format::List), Null).ours().preset(Text("derived"), "CAP-01"),
    Field::new("security_step_up_operations", Kind::Text(Format::Words(STEP_UP_OPERATIONS)), Text("")).ours().locked(
        Text(STEP_UP_ALL),
        Lock::Holds(&["password_change", "email_change", "admin"]),
        "MFA-05",
    ),
    Field::int("security_step_up_max_age", 60, 3600, Int(600)).ours().locked(Int(600), Lock::AtMost(900), "MFA-05"),
];
