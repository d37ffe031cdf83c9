//! An issuer on this machine: its keys, its metadata, and everything that can be wrong with what it signs.

mod discovery;
mod examined;
mod id_tokens;
mod sign_in;
mod third_party;

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::entropy::Entropy;
use domain::provider::Issuer;
use domain::time::{Clock, Timestamp};
use outbound::HttpProviders;
use outbound::providers::Endpoints;
use serde_json::{Value, json};

use crate::stand_in::{Reply, Request, StandIn, client, json as json_reply, reply};

/// When all of it happens.
pub(crate) const NOW: i64 = 1_800_000_000;
/// Who the issuer says it is.
pub(crate) const ISSUER: &str = "https://idp.test";

/// The one whose client secrets are signed.
pub(crate) const APPLE: &str = "https://appleid.apple.com";

/// A clock that is moved by hand.
pub(crate) struct Hand(AtomicI64);

impl Hand {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.0.load(Ordering::SeqCst))
    }
}

/// Never the same bytes twice.
#[derive(Default)]
struct Counted(AtomicU8);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::SeqCst));
    }
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// A key of an issuer.
pub(crate) struct Signer {
    pub(crate) algorithm: &'static str,
    /// Its public half.
    pub(crate) jwk: Value,
    sign: Sign,
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    /// A key for one algorithm.
    pub(crate) fn new(algorithm: &'static str, kid: &str) -> Self {
        match algorithm {
            "RS256" => Self::rsa(algorithm, kid, &RSA_PKCS1_SHA256),
            "RS512" => Self::rsa(algorithm, kid, &RSA_PKCS1_SHA512),
            "PS256" => Self::rsa(algorithm, kid, &RSA_PSS_SHA256),
            "ES256" => Self::ec(algorithm, kid, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => Self::ec(algorithm, kid, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => Self::ec(algorithm, kid, "P-521", &ECDSA_P521_SHA512_FIXED_SIGNING),
            "EdDSA" => Self::ed(kid),
            other => panic!("no key for {other}"),
        }
    }

    fn rsa(algorithm: &'static str, kid: &str, padding: &'static dyn RsaEncoding) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        // PKCS#1 of a key of 2048 bits: the modulus stands behind nine bytes of frame, the exponent is 65537.
        let modulus = pair.public_key().as_ref()[9..265].to_vec();
        let jwk = json!({"kty": "RSA", "kid": kid, "use": "sig", "n": base64(&modulus), "e": "AQAB"});
        let sign = move |message: &[u8]| {
            let mut signature = vec![0; 256];
            pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        };
        Self { algorithm, jwk, sign: Box::new(sign) }
    }

    fn ec(algorithm: &'static str, kid: &str, curve: &str, scheme: &'static EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(scheme).unwrap();
        let point = pair.public_key().as_ref()[1..].to_vec();
        let (x, y) = point.split_at(point.len() / 2);
        let jwk = json!({"kty": "EC", "kid": kid, "crv": curve, "x": base64(x), "y": base64(y)});
        let sign = move |message: &[u8]| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec();
        Self { algorithm, jwk, sign: Box::new(sign) }
    }

    fn ed(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let jwk = json!({"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": base64(pair.public_key().as_ref())});
        Self { algorithm: "EdDSA", jwk, sign: Box::new(move |message: &[u8]| pair.sign(message).as_ref().to_vec()) }
    }

    /// A token with the usual header.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm, "kid": self.jwk["kid"], "typ": "JWT"}), claims)
    }

    /// A token with any header.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        format!("{signed}.{}", base64(&(self.sign)(signed.as_bytes())))
    }
}

/// What is signed of a token.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()))
}

/// Claims of a good token, with changes; `null` takes one away.
pub(crate) fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": "s1", "aud": "client", "iat": NOW, "exp": NOW + 600,
        "email": "a@example.com", "email_verified": true,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name.as_str()] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// What the issuer serves.
pub(crate) struct Served {
    /// Keys.
    pub(crate) keys: Vec<Value>,
    /// Members of the metadata; `None` = the place is empty.
    pub(crate) metadata: Option<Value>,
    /// The answer of the token endpoint.
    pub(crate) token: Reply,
    /// The answer of the profile's endpoint.
    pub(crate) profile: Reply,
    /// Given to everything, as long as it is there.
    pub(crate) instead: Option<Reply>,
}

/// An issuer and the gateway's side of it.
pub(crate) struct World {
    pub(crate) clock: Arc<Hand>,
    pub(crate) server: StandIn,
    pub(crate) providers: HttpProviders,
    served: Arc<Mutex<Served>>,
}

impl World {
    /// An issuer with these keys, that advertises their algorithms.
    pub(crate) async fn with(signers: &[&Signer]) -> Self {
        let metadata = json!({
            "issuer": ISSUER,
            "authorization_endpoint": format!("{ISSUER}/authorize"),
            "token_endpoint": format!("{ISSUER}/token"),
            "userinfo_endpoint": format!("{ISSUER}/userinfo"),
            "jwks_uri": format!("{ISSUER}/jwks"),
            "id_token_signing_alg_values_supported": signers.iter().map(|signer| signer.algorithm).collect::<Vec<_>>(),
        });
        let served = Arc::new(Mutex::new(Served {
            keys: signers.iter().map(|signer| signer.jwk.clone()).collect(),
            metadata: Some(metadata),
            token: reply(400, &[], br#"{"error":"invalid_grant"}"#),
            profile: json_reply(r#"{"sub":"s1","email":"a@example.com","email_verified":true}"#),
            instead: None,
        }));
        let serving = Arc::clone(&served);
        let server = StandIn::at("127.0.0.1", move |_, request| serving.lock().unwrap().answer(request)).await;
        let clock = Arc::new(Hand(AtomicI64::new(NOW)));
        let endpoints = Endpoints::default().moved(ISSUER, &server.url("")).moved(APPLE, &server.url(""));
        let entropy = Arc::<Counted>::default();
        let providers = HttpProviders::new(client(), client(), Arc::clone(&clock) as _, entropy, endpoints);
        Self { clock, server, providers, served }
    }

    /// What it serves from now on.
    pub(crate) fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap()
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.server.requests().iter().filter(|request| path_of(request) == path).count()
    }
}

impl Served {
    fn answer(&self, request: &Request) -> Reply {
        if let Some(instead) = &self.instead {
            return instead.clone();
        }
        match path_of(request) {
            "/.well-known/openid-configuration" => match &self.metadata {
                Some(metadata) => json_reply(&metadata.to_string()),
                None => reply(404, &[], b""),
            },
            "/jwks" => json_reply(&json!({ "keys": self.keys }).to_string()),
            "/token" => self.token.clone(),
            "/userinfo" => self.profile.clone(),
            "/authorize" => reply(200, &[("content-type", "text/html")], b"<form>sign in</form>"),
            _ => reply(404, &[], b""),
        }
    }
}

fn path_of(request: &Request) -> &str {
    request.target.split('?').next().unwrap()
}

/// The issuer, as an operator or as a project has chosen it.
pub(crate) fn issuer(foreign: bool) -> Issuer {
    Issuer { issuer: ISSUER.to_owned(), discovery_url: None, foreign }
}
