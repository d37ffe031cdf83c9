//! What must be different in every project (attacks of class H): two projects that verified with one key would accept each other's tokens.

use crypto::jwt::SigningKey;
use domain::secret::Secret;

use super::{Error, Management};

const TAKEN: &str = "this key or secret belongs to another project of this gateway: every project needs its own";

impl Management {
    /// The marks of a JWT secret and of signing keys. A mark says nothing of the key to who has not the master key.
    pub(super) fn marks(&self, secret: Option<&Secret<String>>, keys: &[SigningKey]) -> Vec<String> {
        let of_secret = |secret: &Secret<String>| self.master_key.mark("hs256", secret.expose().as_bytes());
        let of_key = |key: &SigningKey| match (key.shared_secret(), key.thumbprint()) {
            (Some(secret), _) => Some(self.master_key.mark("hs256", secret.expose())),
            (None, thumbprint) => thumbprint.map(|text| self.master_key.mark("jwk", text.as_bytes())),
        };
        secret.map(of_secret).into_iter().chain(keys.iter().filter_map(of_key)).collect()
    }
}

/// What a second project with the same key is told.
pub(super) fn taken() -> Error {
    Error::Invalid(TAKEN.to_owned())
}
