//! A software authenticator together with its browser: what `navigator.credentials` gives for the options of a ceremony
//! (Web Authentication level 3, §5.8, §6.1, §6.5), as JSON. It can be made to lie.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value as Cbor;
use serde_json::{Value, json};

/// What an authenticator's key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256.
    Es256,
    /// ECDSA on P-384.
    Es384,
    /// ECDSA on P-521.
    Es512,
    /// Ed25519.
    EdDsa,
    /// RSA with PKCS #1 v1.5.
    Rs256,
    /// RSA with PSS.
    Ps256,
}

impl Algorithm {
    /// Its number in COSE.
    pub fn cose(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
            Self::Es384 => -35,
            Self::Es512 => -36,
            Self::Ps256 => -37,
            Self::Rs256 => -257,
        }
    }
}

/// How an authenticator vouches for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attestation {
    /// Not at all.
    None,
    /// With a signature of the new key (`packed`, self attestation).
    Packed,
}

/// Where an authenticator or its browser deviates from what it was asked.
#[derive(Clone, Debug, Default)]
pub struct Lies {
    /// The page's origin.
    pub origin: Option<String>,
    /// The relying party it signs for.
    pub rp_id: Option<String>,
    /// The challenge it signs, base64url.
    pub challenge: Option<String>,
    /// The kind of ceremony.
    pub kind: Option<String>,
    /// The user it says it is for; `Some(None)` = it does not say.
    pub user_handle: Option<Option<Vec<u8>>>,
    /// The id of the credential.
    pub credential_id: Option<Vec<u8>>,
    /// Nobody touched it.
    pub absent: bool,
    /// The signature is another one.
    pub tampered: bool,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// An authenticator with one discoverable credential, plugged into a browser that shows a page of `origin`.
pub struct Authenticator {
    algorithm: Algorithm,
    key: Key,
    /// The credential.
    pub credential_id: Vec<u8>,
    /// Whose credential it is, from the ceremony that made it.
    pub user_handle: Option<Vec<u8>>,
    /// The page.
    pub origin: String,
    /// The model.
    pub aaguid: [u8; 16],
    /// Whether it knows its user (PIN, fingerprint) and says so.
    pub verifies_user: bool,
    /// Whether its keys are kept elsewhere, too.
    pub backed_up: bool,
    /// Signatures so far; grows by one with each, unless it is zero and `counts` is false.
    pub sign_count: u32,
    /// Whether it counts signatures.
    pub counts: bool,
    /// How it vouches for itself.
    pub attestation: Attestation,
    /// What it does other than asked.
    pub lies: Lies,
}

impl Authenticator {
    /// A new one that is honest, knows its user, and counts.
    pub fn new(algorithm: Algorithm, origin: &str) -> Self {
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| Key::Ecdsa(EcdsaKeyPair::generate(algorithm).unwrap());
        let key = match algorithm {
            Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            Algorithm::Es384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            Algorithm::Es512 => ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING),
            Algorithm::EdDsa => Key::Ed25519(Ed25519KeyPair::generate().unwrap()),
            Algorithm::Rs256 | Algorithm::Ps256 => {
                Key::Rsa(RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap())
            }
        };
        let mut credential_id = vec![0; 32];
        aws_lc_rs::rand::fill(&mut credential_id).unwrap();
        Self {
            algorithm,
            key,
            credential_id,
            user_handle: None,
            origin: origin.to_owned(),
            aaguid: [0; 16],
            verifies_user: true,
            backed_up: false,
            sign_count: 0,
            counts: true,
            attestation: Attestation::None,
            lies: Lies::default(),
        }
    }

    /// What `navigator.credentials.create` gives for `options`, with or without `publicKey` around them.
    pub fn create(&mut self, options: &Value) -> Value {
        let options = options.get("publicKey").unwrap_or(options);
        self.user_handle = options["user"]["id"].as_str().map(decode);
        let client_data = self.client_data("webauthn.create", options);
        let rp_id = options["rp"]["id"].as_str().unwrap_or("localhost");
        let mut authenticator_data = self.authenticator_data(rp_id, 0x40);
        let id = self.lies.credential_id.as_ref().unwrap_or(&self.credential_id);
        authenticator_data.extend(self.aaguid);
        authenticator_data.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
        authenticator_data.extend(id);
        authenticator_data.extend(cbor(&self.public_key()));
        let (format, statement) = match self.attestation {
            Attestation::None => ("none", Vec::new()),
            Attestation::Packed => {
                let signed = [authenticator_data.as_slice(), hash(client_data.as_bytes()).as_slice()].concat();
                let sig = (Cbor::from("sig"), Cbor::Bytes(self.sign(&signed)));
                ("packed", vec![(Cbor::from("alg"), Cbor::from(self.algorithm.cose())), sig])
            }
        };
        let object = Cbor::Map(vec![
            (Cbor::from("fmt"), Cbor::from(format)),
            (Cbor::from("attStmt"), Cbor::Map(statement)),
            (Cbor::from("authData"), Cbor::Bytes(authenticator_data)),
        ]);
        self.credential(json!({
            "clientDataJSON": encode(client_data.as_bytes()),
            "attestationObject": encode(&cbor(&object)),
            "transports": ["internal"],
        }))
    }

    /// What `navigator.credentials.get` gives for `options`, with or without `publicKey` around them.
    pub fn get(&mut self, options: &Value) -> Value {
        let options = options.get("publicKey").unwrap_or(options);
        if self.counts || self.sign_count > 0 {
            self.sign_count += 1;
        }
        let client_data = self.client_data("webauthn.get", options);
        let authenticator_data = self.authenticator_data(options["rpId"].as_str().unwrap_or("localhost"), 0);
        let signed = [authenticator_data.as_slice(), hash(client_data.as_bytes()).as_slice()].concat();
        let mut signature = self.sign(&signed);
        if self.lies.tampered
            && let Some(last) = signature.last_mut()
        {
            *last ^= 1;
        }
        let mut response = json!({
            "clientDataJSON": encode(client_data.as_bytes()),
            "authenticatorData": encode(&authenticator_data),
            "signature": encode(&signature),
        });
        if let Some(handle) = self.lies.user_handle.as_ref().unwrap_or(&self.user_handle) {
            response["userHandle"] = json!(encode(handle));
        }
        self.credential(response)
    }

    fn credential(&self, response: Value) -> Value {
        let id = encode(self.lies.credential_id.as_ref().unwrap_or(&self.credential_id));
        json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        })
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        json!({
            "type": self.lies.kind.as_deref().unwrap_or(kind),
            "challenge": self.lies.challenge.as_deref().or(options["challenge"].as_str()),
            "origin": self.lies.origin.as_deref().unwrap_or(&self.origin),
            "crossOrigin": false,
        })
        .to_string()
    }

    fn authenticator_data(&self, rp_id: &str, more_flags: u8) -> Vec<u8> {
        let rp_id = self.lies.rp_id.as_deref().unwrap_or(rp_id);
        let flags = more_flags
            | u8::from(!self.lies.absent)
            | if self.verifies_user { 0x04 } else { 0 }
            | if self.backed_up { 0x18 } else { 0 };
        [hash(rp_id.as_bytes()).as_slice(), &[flags], &self.sign_count.to_be_bytes()].concat()
    }

    /// The public key as COSE has it (RFC 9053 §7, RFC 8230 §4).
    fn public_key(&self) -> Cbor {
        let number = |label: i64, value: i64| (Cbor::from(label), Cbor::from(value));
        let bytes = |label: i64, value: &[u8]| (Cbor::from(label), Cbor::Bytes(value.to_vec()));
        let algorithm = number(3, self.algorithm.cose());
        Cbor::Map(match &self.key {
            Key::Ecdsa(key) => {
                let curve = match self.algorithm {
                    Algorithm::Es384 => 2,
                    Algorithm::Es512 => 3,
                    _ => 1,
                };
                // An uncompressed point: 4, x, y.
                let (x, y) = key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
                vec![number(1, 2), algorithm, number(-1, curve), bytes(-2, x), bytes(-3, y)]
            }
            Key::Ed25519(key) => vec![number(1, 1), algorithm, number(-1, 6), bytes(-2, key.public_key().as_ref())],
            Key::Rsa(key) => {
                let (modulus, exponent) = rsa_numbers(key.public_key().as_ref());
                vec![number(1, 3), algorithm, bytes(-1, modulus), bytes(-2, exponent)]
            }
        })
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Ecdsa(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Key::Rsa(key) => {
                let padding: &'static dyn RsaEncoding = match self.algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signed = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut signed).unwrap();
                signed
            }
        }
    }
}

/// Modulus and exponent of an RSA key in DER: a sequence of two integers.
fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    let (sequence, _) = der_value(der);
    let (modulus, rest) = der_value(sequence);
    let (exponent, _) = der_value(rest);
    (modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent)
}

/// The value at the start of `der`, and what follows it.
fn der_value(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, head) = match der[1] {
        short @ 0..0x80 => (usize::from(short), 2),
        long => {
            let width = usize::from(long & 0x7f);
            (der[2..2 + width].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), 2 + width)
        }
    };
    der[head..].split_at(length)
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn cbor(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}
