//! Signing with a parsed key.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use domain::secret::Secret;
use serde::Serialize;
use serde_json::json;

use super::Algorithm;
use crate::bytes::{base64url, push_base64url};

/// Bytes that the claims of most sessions fit in, so that no buffer grows.
const USUAL_CLAIMS: usize = 1024;

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignError {
    /// The key in use is public, or none is and the shared secret is not accepted.
    #[error("no key to sign with")]
    NoKey,
    /// The claims have no JSON form.
    #[error("claims cannot be written as json")]
    Claims,
    /// The cryptographic library failed.
    #[error("signature could not be computed")]
    Signature,
}

/// A parsed private key; one variant for each algorithm.
pub(super) enum PrivateKey {
    Shared(Box<hmac::Key>),
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Shared(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ecdsa(pair) => Some(pair.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec()),
            Self::Ed25519(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
        }
    }
}

/// A private key and the encoded header of its tokens.
pub(super) struct Signer {
    header: String,
    key: PrivateKey,
}

impl Signer {
    pub(super) fn new(algorithm: Algorithm, kid: Option<&str>, key: PrivateKey) -> Self {
        let header = match kid {
            Some(kid) => json!({ "alg": algorithm.as_str(), "kid": kid, "typ": "JWT" }),
            None => json!({ "alg": algorithm.as_str(), "typ": "JWT" }),
        };
        Self { header: base64url(header.to_string()), key }
    }

    /// A signer with the shared secret, whose tokens carry no `kid`.
    pub(super) fn shared(secret: &Secret<String>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        Self::new(Algorithm::HS256, None, PrivateKey::Shared(Box::new(key)))
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self.key {
            PrivateKey::Shared(_) => Algorithm::HS256,
            PrivateKey::Rsa(_) => Algorithm::RS256,
            PrivateKey::Ecdsa(_) => Algorithm::ES256,
            PrivateKey::Ed25519(_) => Algorithm::EdDSA,
        }
    }

    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<Secret<String>, SignError> {
        let mut plain = Vec::with_capacity(USUAL_CLAIMS);
        serde_json::to_writer(&mut plain, claims).map_err(|_| SignError::Claims)?;
        let mut token = String::with_capacity(self.header.len() + 2 * USUAL_CLAIMS);
        token.push_str(&self.header);
        token.push('.');
        push_base64url(&mut token, plain);
        let signature = self.key.sign(token.as_bytes()).ok_or(SignError::Signature)?;
        token.push('.');
        push_base64url(&mut token, signature);
        Ok(Secret::new(token))
    }
}

/// The long-lived API key of a `role` (`anon`, `service_role`): a JWT signed with the project's shared secret
/// (`contract/management.md` §2.4). The times are seconds since the Unix epoch.
///
/// # Errors
/// The token could not be signed.
pub fn mint_legacy_api_key(
    secret: &Secret<String>,
    role: &str,
    project_ref: &str,
    issued_at: i64,
    expires_at: i64,
) -> Result<Secret<String>, SignError> {
    Signer::shared(secret).sign(&json!({
        "iss": "supabase",
        "ref": project_ref,
        "role": role,
        "iat": issued_at,
        "exp": expires_at,
    }))
}
