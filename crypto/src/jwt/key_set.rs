//! The keys of a project, ready for use: who signs, who is trusted, what is published.

use std::collections::HashMap;

use domain::secret::Secret;
use domain::time::Timestamp;
use jsonwebtoken::DecodingKey;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::signer::{SignError, Signer};
use super::verification::{self, TokenError, Verifier};
use super::{Algorithm, SigningKey};

/// What a key of a project is used for (`contract/management.md` §2.5). Revoked keys are not part of a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUse {
    /// Signs and verifies.
    InUse,
    /// Verifies and is published, so that it is known before it signs.
    Standby,
    /// Verifies what it signed before.
    PreviouslyUsed,
}

/// A project's shared secret and its keys, parsed once.
pub struct KeySet {
    shared: Option<Shared>,
    keys: HashMap<String, Verifier>,
    signer: Option<Signer>,
    secret_signs: bool,
    jwks: Value,
}

struct Shared {
    verifier: Verifier,
    signer: Signer,
}

impl KeySet {
    /// A set of the shared `secret` and of `keys`. The key in use signs; should there be several, the first one does;
    /// when there is none, the secret does. Of keys with the same id, the one in use counts. The secret verifies tokens
    /// with `alg` HS256 and an unknown or no `kid`; an empty secret verifies nothing.
    pub fn new(secret: Secret<String>, mut keys: Vec<(SigningKey, KeyUse)>) -> Self {
        keys.sort_by_key(|(_, usage)| *usage);
        let published: Vec<Value> = keys.iter().filter_map(|(key, _)| key.public_jwk()).collect();
        let mut set = Self {
            shared: (!secret.expose().is_empty()).then(|| Shared::new(&secret)),
            keys: HashMap::with_capacity(keys.len()),
            signer: None,
            secret_signs: true,
            jwks: json!({ "keys": published }),
        };
        for (index, (key, usage)) in keys.into_iter().enumerate() {
            let SigningKey { kid, algorithm, private, verifier, .. } = key;
            if index == 0 && usage == KeyUse::InUse {
                set.signer = private.map(|private| Signer::new(algorithm, Some(&kid), private));
                set.secret_signs = false;
            }
            set.keys.entry(kid).or_insert_with(|| Verifier::new(algorithm, verifier));
        }
        set
    }

    /// Whether the shared secret is trusted, as it is unless it was revoked. A revoked secret neither verifies nor signs.
    #[must_use]
    pub fn with_secret_accepted(mut self, accepted: bool) -> Self {
        if !accepted {
            self.shared = None;
        }
        self
    }

    /// Signs `claims`: `alg`, `typ` = `JWT` and, unless the shared secret signs, the `kid` go into the header.
    ///
    /// # Errors
    /// There is nothing to sign with, or the claims have no JSON form.
    pub fn sign(&self, claims: &impl Serialize) -> Result<Secret<String>, SignError> {
        self.signer().ok_or(SignError::NoKey)?.sign(claims)
    }

    /// The claims of a `token` that a key of this set signed and that is valid at `now` (`contract/core.md` §8.4 step
    /// 2). `exp` and `nbf` count when present, without leeway; no other claim is looked at.
    ///
    /// The key is chosen by `kid`, and else is the shared secret for `alg` HS256. Its algorithm is its own, and a token that
    /// names another one is refused, as is one with critical extensions. Keys that a token brings along are ignored.
    ///
    /// # Errors
    /// The first of: malformed, not signed by a trusted key, not valid now.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Map<String, Value>, TokenError> {
        let header = verification::Header::of(token)?;
        let known = header.kid().and_then(|kid| self.keys.get(kid));
        let shared = self.shared.as_ref().filter(|_| header.alg() == Some(Algorithm::HS256.as_str()));
        let verifier = known.or(shared.map(|shared| &shared.verifier)).ok_or(TokenError::UNKNOWN_KEY)?;
        if header.alg() != Some(verifier.algorithm().as_str()) {
            return Err(TokenError::OTHER_ALGORITHM);
        }
        verification::check_times(verifier.verify(token)?, now)
    }

    /// The JSON Web Key Set to be published: the public keys of the set, the one in use first; never a shared secret.
    pub fn jwks(&self) -> Value {
        self.jwks.clone()
    }

    /// The algorithm of the tokens that [`KeySet::sign`] returns, `None` when it returns none.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.signer().map(Signer::algorithm)
    }

    /// A key in use that cannot sign is not replaced by the secret: tokens would be weaker than the project wants them.
    fn signer(&self) -> Option<&Signer> {
        let shared = self.shared.as_ref().filter(|_| self.secret_signs).map(|shared| &shared.signer);
        self.signer.as_ref().or(shared)
    }
}

impl Shared {
    fn new(secret: &Secret<String>) -> Self {
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        Self { verifier: Verifier::new(Algorithm::HS256, key), signer: Signer::shared(secret) }
    }
}
