//! Tokens and sessions.

use crate::config::field::Literal::{Bool, Int, Null, Number};
use crate::config::field::{Field, Kind, Lock, MAX};
use crate::config::format::Format;

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::int("jwt_exp", 0, 604800, Int(3600)).locked(Int(3600), Lock::AtMost(3600), "TOK-01"),
    Field::switch("mfa_allow_low_aal", Bool(false)).beside_the_spec(),
    Field::switch("refresh_token_rotation_enabled", Bool(true)).locked(Bool(true), Lock::Only(Bool(true)), "SES-01"),
    Field::int("security_refresh_token_reuse_interval", 0, MAX, Int(10)).locked(Int(10), Lock::AtMost(10), "SES-01"),
    Field::new("sessions_inactivity_timeout", Kind::Number { min: 0.0 }, Int(0)).preset(Number(168.0), "SES-03"),
    Field::switch("sessions_single_per_user", Bool(false)),
    Field::new("sessions_tags", Kind::Text(Format::Tags), Null),
    Field::new("sessions_timebox", Kind::Number { min: 0.0 }, Int(0)).preset(Number(720.0), "SES-03"),
    Field::int("security_refresh_token_algorithm_version", 1, 2, Int(2)).ours().locked(
        Int(2),
        Lock::AtLeast(2),
        "SES-02",
    ),
    Field::int("sessions_max_per_user", 0, 10_000, Int(0)).ours(),
    Field::int("sessions_allow_low_aal", 1, MAX, Null).ours().locked(Int(900), Lock::AtMost(900), "SES-04"),
    Field::switch("security_jwt_strict_claims_enabled", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "TOK-07",
    ),
    Field::switch("security_block_secret_key_in_browser", Bool(true)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "TOK-06",
    ),
    Field::switch("security_apikey_in_query_enabled", Bool(true)).ours().locked(
        Bool(false),
        Lock::Only(Bool(false)),
        "TOK-09",
    ),
];
