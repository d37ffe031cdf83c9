//! Pure types and decisions of Tenantry: facts in, verdict out. No I/O, no clock, no randomness of its own.
//!
//! A file named after a verb (`refresh`, `signup`, ...) holds that verb's request, its answer and its decision;
//! the same file name stands in `api`, `flows` and `storage`.

pub mod admin_users;
pub mod entropy;
pub mod ids;
pub mod logout;
pub mod pagination;
pub mod pkce;
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
