//! The auth API of a project: one file per verb, each parses, asks and answers.

pub(crate) mod admin_users;
pub(crate) mod gate;
pub(crate) mod health;
pub(crate) mod jwks;
pub(crate) mod logout;
pub(crate) mod openid;
pub(crate) mod pkce;
pub(crate) mod refresh;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod signup;
pub(crate) mod token;
pub(crate) mod user_read;
pub(crate) mod user_update;
pub(crate) mod verify;
