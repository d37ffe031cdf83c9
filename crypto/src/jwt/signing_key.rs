//! One key of a project, parsed.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{KeyPairComponents, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey,
};
use domain::entropy::Entropy;
use domain::secret::Secret;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Algorithm;
use super::jwk::{self, Members};
use super::rsa_numbers::{self, RsaNumbers};
use super::signer::PrivateKey;
use crate::bytes::{base64url, from_base64url};

/// Why a JSON Web Key cannot be used. Never holds a part of the key.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("key {0}")]
pub struct KeyError(pub(super) &'static str);

/// A key with its id and its one algorithm. A key without private numbers verifies only.
pub struct SigningKey {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    pub(super) private: Option<PrivateKey>,
    pub(super) verifier: DecodingKey,
    public_jwk: Option<Value>,
    private_jwk: Secret<Value>,
}

impl SigningKey {
    /// A fresh key. RSA keys have 2048 bits; their primes come from the cryptographic library's own generator, which
    /// takes no other.
    ///
    /// # Errors
    /// The library could not generate an RSA key, or `entropy` yields nothing but invalid keys.
    pub fn generate(algorithm: Algorithm, kid: &str, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let write = |numbers: jwk::Numbers<'_>| Self::from_jwk(&jwk::write(algorithm, kid, &[], numbers));
        match algorithm {
            Algorithm::HS256 => write(&[("k", Zeroizing::new(entropy.bytes::<32>()).as_slice())]),
            Algorithm::EdDSA => {
                let seed = Zeroizing::new(entropy.bytes::<32>());
                let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| UNGENERATED)?;
                write(&[("x", pair.public_key().as_ref()), ("d", seed.as_slice())])
            }
            Algorithm::ES256 => {
                let (pair, scalar) = generate_p256(entropy).ok_or(UNGENERATED)?;
                let (x, y) = coordinates(pair.public_key().as_ref()).ok_or(UNGENERATED)?;
                write(&[("x", x), ("y", y), ("d", scalar.as_slice())])
            }
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| UNGENERATED)?;
                let document: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| UNGENERATED)?;
                let numbers = rsa_numbers::from_pkcs8(document.as_ref()).ok_or(UNGENERATED)?;
                write(&named(&numbers))
            }
        }
    }

    /// Reads a JWK with a `kid`: RSA of at least 2048 bits with `e` = `AQAB` and, when private, all CRT members; EC on
    /// P-256; OKP on Ed25519; `oct` of at least 16 characters. `alg` may be absent; unknown members are dropped.
    ///
    /// # Errors
    /// Anything else, and numbers that do not belong together.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let members = Members::of(jwk)?;
        let algorithm = members.algorithm()?;
        let unnamed = KeyError("has no kid");
        let kid = members.text("kid", unnamed)?.filter(|kid| !kid.is_empty()).ok_or(unnamed)?;
        if members.text("use", NOT_FOR_SIGNATURES)?.is_some_and(|usage| usage != "sig") {
            return Err(NOT_FOR_SIGNATURES);
        }
        match algorithm {
            Algorithm::HS256 => read_oct(kid, &members),
            Algorithm::RS256 => read_rsa(kid, &members),
            Algorithm::ES256 => read_p256(kid, &members),
            Algorithm::EdDSA => read_ed25519(kid, &members),
        }
    }

    /// A project's JWT secret as a key.
    ///
    /// # Errors
    /// The secret is too short for one.
    pub fn of_secret(kid: &str, secret: &Secret<String>) -> Result<Self, KeyError> {
        Self::from_jwk(&jwk::write(Algorithm::HS256, kid, &[], &[("k", secret.expose().as_bytes())]))
    }

    /// The key's id: the `kid` of its JWK and of the tokens it signs.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm the key is used with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the key can sign.
    pub fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// The whole key, to be sealed. [`SigningKey::from_jwk`] reads it.
    pub fn to_private_jwk(&self) -> Secret<Value> {
        self.private_jwk.clone()
    }

    /// What may be published: exactly `kty`, `kid`, `alg`, `use`, `key_ops` and the public numbers. `None` for shared
    /// secrets.
    pub fn public_jwk(&self) -> Option<Value> {
        self.public_jwk.clone()
    }

    /// What tells this key from every other, whatever its id: base64url of its JWK thumbprint (RFC 7638), which its public numbers
    /// give; `None` for shared secrets.
    pub fn thumbprint(&self) -> Option<String> {
        let members = self.public_jwk.as_ref()?.as_object()?;
        let required = ["crv", "e", "kty", "n", "x", "y"];
        let kept: Map<String, Value> =
            required.iter().filter_map(|name| Some(((*name).to_owned(), members.get(*name)?.clone()))).collect();
        Some(base64url(Sha256::digest(Value::Object(kept).to_string())))
    }

    /// The bytes that a shared secret is; `None` for keys of two halves.
    pub fn shared_secret(&self) -> Option<Secret<Vec<u8>>> {
        let text = self.private_jwk.expose().get("k").filter(|_| self.algorithm.is_symmetric())?;
        from_base64url(text.as_str()?).map(Secret::new)
    }

    fn new(
        kid: &str,
        algorithm: Algorithm,
        private: Option<PrivateKey>,
        verifier: DecodingKey,
        public: jwk::Numbers<'_>,
        secret: jwk::Numbers<'_>,
    ) -> Self {
        let public_jwk = (!algorithm.is_symmetric()).then(|| jwk::write(algorithm, kid, &["verify"], public));
        let operations: &[&str] = if private.is_some() { &["sign", "verify"] } else { &["verify"] };
        let numbers: Vec<_> = public.iter().chain(secret).copied().collect();
        let private_jwk = Secret::new(jwk::write(algorithm, kid, operations, &numbers));
        Self { kid: kid.to_owned(), algorithm, private, verifier, public_jwk, private_jwk }
    }
}

const UNGENERATED: KeyError = KeyError("could not be generated");
const NOT_FOR_SIGNATURES: KeyError = KeyError("has a use other than sig");
const INVALID_OCT: KeyError = KeyError("must have a k of at least 16 characters of base64url");
const INVALID_RSA: KeyError = KeyError("must be RSA of 2048 to 8192 bits with e = AQAB and all CRT members");
const INVALID_EC: KeyError = KeyError("must have numbers that belong together on P-256");
const INVALID_OKP: KeyError = KeyError("must have numbers that belong together on Ed25519");

const RSA_EXPONENT: &[u8] = &[1, 0, 1];
const RSA_BITS: usize = 2048;
const RSA_NAMES: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
const RSA_PUBLIC: usize = 2;

fn read_oct(kid: &str, members: &Members<'_>) -> Result<SigningKey, KeyError> {
    let secret = members.bytes("k", INVALID_OCT)?;
    if members.text("k", INVALID_OCT)?.is_none_or(|text| text.len() < 16) {
        return Err(INVALID_OCT);
    }
    let private = PrivateKey::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &secret)));
    let verifier = DecodingKey::from_secret(&secret);
    Ok(SigningKey::new(kid, Algorithm::HS256, Some(private), verifier, &[], &[("k", &secret)]))
}

fn read_rsa(kid: &str, members: &Members<'_>) -> Result<SigningKey, KeyError> {
    let mut numbers = RsaNumbers::default();
    let is_private = RSA_NAMES.iter().skip(RSA_PUBLIC).any(|name| members.has(name));
    let given = if is_private { RSA_NAMES.len() } else { RSA_PUBLIC };
    for (number, name) in numbers.iter_mut().zip(RSA_NAMES).take(given) {
        *number = members.bytes(name, INVALID_RSA)?;
    }
    let [n, e, d, p, q, dp, dq, qi] = &numbers;
    let public = RsaPublicKeyComponents { n, e };
    // The library reads shorter ones, and fails with their first signature.
    let valid = bits(n) >= RSA_BITS && public.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).is_ok();
    if !valid || e.as_slice() != RSA_EXPONENT || members.has("oth") {
        return Err(INVALID_RSA);
    }
    let private = if is_private {
        let public_key = RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
        let components = KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi };
        Some(PrivateKey::Rsa(RsaKeyPair::from_components(&components).map_err(|_| INVALID_RSA)?))
    } else {
        None
    };
    let verifier = DecodingKey::from_rsa_raw_components(n, e);
    let named = named(&numbers);
    let (public, secret) = named.split_at_checked(RSA_PUBLIC).ok_or(INVALID_RSA)?;
    let secret = if is_private { secret } else { &[] };
    Ok(SigningKey::new(kid, Algorithm::RS256, private, verifier, public, secret))
}

/// The length of a number, big-endian, without its leading zeros.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeros) * 8 - first
}

fn read_p256(kid: &str, members: &Members<'_>) -> Result<SigningKey, KeyError> {
    let x = members.array::<32>("x", INVALID_EC)?;
    let y = members.array::<32>("y", INVALID_EC)?;
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).parse().map_err(|_| INVALID_EC)?;
    let verifier = DecodingKey::from_ec_der(&point);
    let public = [("x", x.as_slice()), ("y", y.as_slice())];
    if !members.has("d") {
        return Ok(SigningKey::new(kid, Algorithm::ES256, None, verifier, &public, &[]));
    }
    let d = members.array::<32>("d", INVALID_EC)?;
    let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, d.as_slice(), &point).map_err(|_| INVALID_EC)?;
    let private = Some(PrivateKey::Ecdsa(pair));
    Ok(SigningKey::new(kid, Algorithm::ES256, private, verifier, &public, &[("d", d.as_slice())]))
}

fn read_ed25519(kid: &str, members: &Members<'_>) -> Result<SigningKey, KeyError> {
    let x = members.array::<32>("x", INVALID_OKP)?;
    UnparsedPublicKey::new(&ED25519, x.as_slice()).parse().map_err(|_| INVALID_OKP)?;
    let verifier = DecodingKey::from_ed_components(&base64url(x.as_slice())).map_err(|_| INVALID_OKP)?;
    let public = [("x", x.as_slice())];
    if !members.has("d") {
        return Ok(SigningKey::new(kid, Algorithm::EdDSA, None, verifier, &public, &[]));
    }
    let d = members.array::<32>("d", INVALID_OKP)?;
    let pair = Ed25519KeyPair::from_seed_and_public_key(d.as_slice(), x.as_slice()).map_err(|_| INVALID_OKP)?;
    let private = Some(PrivateKey::Ed25519(pair));
    Ok(SigningKey::new(kid, Algorithm::EdDSA, private, verifier, &public, &[("d", d.as_slice())]))
}

fn named(numbers: &RsaNumbers) -> Vec<(&'static str, &[u8])> {
    RSA_NAMES.into_iter().zip(numbers).map(|(name, number)| (name, number.as_slice())).collect()
}

/// Draws scalars until one is in range, which the first is but once in four thousand million times.
fn generate_p256(entropy: &dyn Entropy) -> Option<(EcdsaKeyPair, Zeroizing<[u8; 32]>)> {
    /// An `ECPrivateKey` (RFC 5915) on prime256v1 without its public key: what precedes and what follows the scalar.
    const HEAD: &[u8] = &[0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
    const TAIL: &[u8] = &[0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let draw = |_| {
        let scalar = Zeroizing::new(entropy.bytes::<32>());
        let document = Zeroizing::new([HEAD, scalar.as_slice(), TAIL].concat());
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &document).ok()?;
        Some((pair, scalar))
    };
    (0..16).find_map(draw)
}

/// The coordinates of an uncompressed point on P-256.
fn coordinates(point: &[u8]) -> Option<(&[u8], &[u8])> {
    point.strip_prefix(&[4])?.split_at_checked(32)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_thumbprint_is_the_standards_and_says_nothing_of_the_id() {
        // RFC 8037 §A.3.
        let jwk = |kid: &str| json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": kid });
        let thumbprint = |kid: &str| SigningKey::from_jwk(&jwk(kid)).unwrap().thumbprint();
        assert_eq!(thumbprint("a").as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
        assert_eq!(thumbprint("a"), thumbprint("b"));
    }

    #[test]
    fn a_secret_is_a_key_with_the_same_bytes() {
        let secret = Secret::new("a-secret-of-a-project".to_owned());
        let key = SigningKey::of_secret("kid", &secret).unwrap();
        assert_eq!(key.shared_secret().unwrap().expose(), secret.expose().as_bytes());
        assert_eq!((key.algorithm(), key.thumbprint(), key.public_jwk()), (Algorithm::HS256, None, None));
        assert!(SigningKey::of_secret("kid", &Secret::new("short".to_owned())).is_err());
    }
}
