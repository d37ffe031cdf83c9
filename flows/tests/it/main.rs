//! The flows through the real router, actors and storage; on SQLite always, on PostgreSQL where one is configured.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may stop at the first surprise, their helpers too"
)]

mod account;
mod account_attacks;
mod account_made;
mod admin_list;
mod admin_users;
mod api_keys;
mod audit_log;
mod audit_rows;
mod authorize;
mod both;
mod callback;
mod callback_errors;
mod captcha;
mod cleanup;
mod confirm_page;
mod confirmation;
mod custom_providers;
mod delivery;
mod discretion;
mod first_checks;
mod generate_link;
mod hooks;
mod id_token;
mod id_token_link;
mod identities;
mod introspect;
mod invite;
mod letters;
mod limits;
mod link_identity;
mod logout;
mod mails;
mod mfa;
mod new_device;
mod oauth;
mod oauth_custom;
mod oauth_pkce;
mod oauth_races;
mod otp;
mod passkey;
mod passkey_registration;
mod passkey_sign_in;
mod passkeys;
mod password;
mod password_strength;
mod provider_test;
mod races;
mod races_revoke;
mod raised_tokens;
mod recover;
mod recovery;
mod recovery_codes;
mod redirect_review;
mod redirects;
mod redirects_oauth;
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
mod state_cookie;
mod statements;
mod step_up;
mod step_up_passkeys;
mod tenancy;
mod third_party;
mod third_party_issuers;
mod token_life;
mod totp;
mod unlink_identity;
mod unstorable_claims;
mod user_delete;
mod user_update;
mod verify;
mod verify_contact;
mod verify_hooks;
mod verify_ownership;
mod verify_phone;
mod wallet;
mod web3;
mod web3_again;
