//! Keys, tokens, hashes and sealing of Tenantry. Pure functions: time and randomness are parameters.
//!
//! Everything here is synchronous. Password hashing takes tens of milliseconds and belongs on a thread of its own;
//! everything else takes microseconds.

pub mod api_key;
pub mod digest;
pub mod jwt;
pub mod otp;
pub mod password;
pub mod pkce;
pub mod project_key;
pub mod qr;
pub mod recovery_code;
pub mod refresh_token;
pub mod seal;
pub mod totp;
pub mod web3;
pub mod webauthn;

mod bytes;
