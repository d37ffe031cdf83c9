//! Hooks.

use crate::config::field::Literal::{Bool, Null};
use crate::config::field::{Field, Kind, Lock};
use crate::config::format::Format;

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::switch("hook_after_user_created_enabled", Bool(false)),
    Field::new("hook_after_user_created_secrets", Kind::Text(Format::HookSecrets), Null)
        .secret()
        .lock(Lock::SignedHook, "HOK-01"),
    Field::new("hook_after_user_created_uri", Kind::Text(Format::HookUri), Null),
    Field::switch("hook_before_user_created_enabled", Bool(false)),
    Field::new("hook_before_user_created_secrets", Kind::Text(Format::HookSecrets), Null)
        .secret()
        .lock(Lock::SignedHook, "HOK-01"),
    Field::new("hook_before_user_created_uri", Kind::Text(Format::HookUri), Null),
    Field::switch("hook_custom_access_token_enabled", Bool(false)),
    Field::new("hook_custom_access_token_secrets", Kind::Text(Format::HookSecrets), Null)
        .secret()
        .lock(Lock::SignedHook, "HOK-01"),
    Field::new("hook_custom_access_token_uri", Kind::Text(Format::HookUri), Null),
    Field::switch("hook_mfa_verification_attempt_enabled", Bool(false)),
    Field::new("hook_mfa_verification_attempt_secrets", Kind::Text(Format::HookSecrets), Null)
        .secret()
        .lock(Lock::SignedHook, "HOK-01"),
    Field::new("hook_mfa_verification_attempt_uri", Kind::Text(Format::HookUri), Null),
    Field::switch("hook_password_verification_attempt_enabled", Bool(false)),
    Field::new("hook_password_verification_attempt_secrets", Kind::Text(Format::HookSecrets), Null)
        .secret()
        .lock(Lock::SignedHook, "HOK-01"),
    Field::new("hook_password_verification_attempt_uri", Kind::Text(Format::HookUri), Null),
    Field::switch("hook_send_email_enabled", Bool(false)),
    Field::new("hook_send_email_secrets", Kind::Text(Format::HookSecrets), Null)
        .secret()
        .lock(Lock::SignedHook, "HOK-01"),
    Field::new("hook_send_email_uri", Kind::Text(Format::HookUri), Null),
    Field::switch("hook_send_sms_enabled", Bool(false)),
    Field::new("hook_send_sms_secrets", Kind::Text(Format::HookSecrets), Null)
        .secret()
        .lock(Lock::SignedHook, "HOK-01"),
    Field::new("hook_send_sms_uri", Kind::Text(Format::HookUri), Null),
];
