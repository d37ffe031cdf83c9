//! Pure types and decisions of Tenantry: facts in, verdict out. No I/O, no clock, no randomness of its own.
//!
//! A file named after a verb (`refresh`, `signup`, ...) holds that verb's request, its answer and its decision;
//! the same file name stands in `api`, `flows` and `storage`.

pub mod access_token;
pub mod admin_users;
pub mod audit_log;
pub mod bearer;
pub mod captcha;
pub mod config;
pub mod contact;
pub mod discovery;
pub mod email;
pub mod entropy;
pub mod first_checks;
#[cfg(test)]
mod fixtures;
pub mod generate_link;
pub mod go_duration;
pub mod hook;
pub mod ids;
pub mod introspect;
pub mod invite;
pub mod logout;
pub mod magic_link;
pub mod metadata;
pub mod otp;
pub mod pagination;
pub mod password;
pub mod phone;
pub mod pkce;
pub mod project;
pub mod reauthenticate;
pub mod recover;
pub mod redirect;
pub mod refresh;
pub mod refusal;
pub mod request;
pub mod resend;
pub mod secret;
pub mod session;
pub mod sessions;
pub mod sign_in;
pub mod signup;
pub mod sms;
pub mod time;
pub mod tokens;
pub mod user;
pub mod user_delete;
pub mod user_json;
pub mod user_read;
pub mod user_update;
pub mod verify;
