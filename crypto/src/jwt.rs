//! JSON Web Tokens and Keys of a project (RFC 7515, 7517, 7519, 8725; `contract/core.md` §8).
//!
//! `jsonwebtoken` checks signatures; the algorithm comes from the key, never from the token. Signing holds the parsed
//! keys itself, because `jsonwebtoken` would parse a private key anew for every token.

mod algorithm;
mod foreign;
mod jwk;
mod key_set;
mod rsa_numbers;
mod signer;
mod signing_key;
mod verification;

pub use algorithm::Algorithm;
pub use foreign::{claimed_issuer, has_private_key};
pub use key_set::{KeySet, KeyUse};
pub use signer::{SignError, mint_legacy_api_key};
pub use signing_key::{KeyError, SigningKey};
pub use verification::TokenError;
