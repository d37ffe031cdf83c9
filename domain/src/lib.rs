//! Pure types and decisions of Tenantry: facts in, verdict out. No I/O, no clock, no randomness of its own.
//!
//! A file named after a verb (`refresh`, `signup`, ...) holds that verb's request, its answer and its decision;
//! the same file name stands in `api`, `flows` and `storage`.

pub mod access_token;
pub mod admin_users;
pub mod bearer;
pub mod config;
pub mod contact;
pub mod discovery;
pub mod email;
pub mod entropy;
#[cfg(test)]
mod fixtures;
pub mod go_duration;
pub mod ids;
pub mod logout;
pub mod metadata;
pub mod pagination;
pub mod password;
pub mod phone;
pub mod pkce;
pub mod project;
pub mod redirect;
pub mod refresh;
pub mod refusal;
pub mod request;
pub mod secret;
pub mod session;
pub mod sessions;
pub mod sign_in;
pub mod signup;
pub mod time;
pub mod tokens;
pub mod user;
pub mod user_read;
pub mod user_update;
pub mod verify;
