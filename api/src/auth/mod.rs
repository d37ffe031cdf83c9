//! The auth API of a project: one file per verb, each parses, asks and answers.

pub(crate) mod admin_users;
pub(crate) mod audit_log;
pub(crate) mod gate;
pub(crate) mod generate_link;
pub(crate) mod health;
pub(crate) mod introspect;
pub(crate) mod invite;
pub(crate) mod jwks;
pub(crate) mod logout;
pub(crate) mod magic_link;
pub(crate) mod openid;
pub(crate) mod otp;
pub(crate) mod pkce;
pub(crate) mod reauthenticate;
pub(crate) mod recover;
pub(crate) mod refresh;
pub(crate) mod resend;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod signup;
pub(crate) mod token;
pub(crate) mod user_delete;
pub(crate) mod user_read;
pub(crate) mod user_update;
pub(crate) mod verify;
