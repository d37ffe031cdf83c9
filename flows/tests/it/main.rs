//! The flows through the real router, actors and storage; on SQLite always, on PostgreSQL where one is configured.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may stop at the first surprise, their helpers too"
)]

mod admin_list;
mod admin_users;
mod api_keys;
mod audit_log;
mod audit_rows;
mod both;
mod captcha;
mod cleanup;
mod confirm_page;
mod confirmation;
mod delivery;
mod discretion;
mod first_checks;
mod generate_link;
mod hooks;
mod introspect;
mod invite;
mod letters;
mod limits;
mod logout;
mod mails;
mod mfa;
mod new_device;
mod otp;
mod passkey;
mod passkey_registration;
mod passkey_sign_in;
mod passkeys;
mod password;
mod password_strength;
mod races;
mod races_revoke;
mod raised_tokens;
mod recover;
mod recovery;
mod recovery_codes;
mod redirects;
mod refresh;
mod resend;
mod revocations;
mod sending;
mod sessions;
mod sessions_limit;
mod sessions_many;
mod settings;
mod sign_in;
mod signup;
mod slow_outside;
mod statements;
mod step_up;
mod step_up_passkeys;
mod tenancy;
mod token_life;
mod totp;
mod user_delete;
mod user_update;
mod verify;
mod verify_contact;
mod verify_hooks;
mod verify_ownership;
mod verify_phone;
