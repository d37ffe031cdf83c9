//! A software authenticator that also does what no honest one would.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value as Cbor;
use crypto::webauthn::Started;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const PRESENT: u8 = 0x01;
pub(crate) const VERIFIED: u8 = 0x04;
pub(crate) const BACKUP_ELIGIBLE: u8 = 0x08;
pub(crate) const BACKUP_STATE: u8 = 0x10;
pub(crate) const ATTESTED: u8 = 0x40;
pub(crate) const EXTENSIONS: u8 = 0x80;

enum Key {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

/// Makes an attestation statement of the authenticator data and the hash of the client data.
type Statement = Box<dyn Fn(&[u8], &[u8]) -> Cbor>;

/// One credential on one device.
pub(crate) struct Authenticator {
    algorithm: i64,
    key: Key,
    pub(crate) id: Vec<u8>,
    pub(crate) aaguid: [u8; 16],
}

/// What is about to be answered; tests change it before it is signed.
pub(crate) struct Script {
    pub(crate) kind: String,
    pub(crate) challenge: String,
    pub(crate) origin: String,
    pub(crate) rp_id: String,
    pub(crate) flags: u8,
    pub(crate) count: u32,
    /// The id inside of the attested data.
    pub(crate) attested_id: Vec<u8>,
    pub(crate) cose: Vec<u8>,
    /// What follows the rest of the authenticator data.
    pub(crate) tail: Vec<u8>,
    pub(crate) format: String,
    pub(crate) statement: Statement,
    pub(crate) handle: Option<Vec<u8>>,
}

impl Authenticator {
    pub(crate) fn new(algorithm: i64) -> Self {
        let ec = |signing: &'static EcdsaSigningAlgorithm| Key::Ec(EcdsaKeyPair::generate(signing).unwrap());
        let rsa =
            |padding: &'static dyn RsaEncoding| Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), padding);
        let key = match algorithm {
            -7 => ec(&ECDSA_P256_SHA256_ASN1_SIGNING),
            -35 => ec(&ECDSA_P384_SHA384_ASN1_SIGNING),
            -36 => ec(&ECDSA_P521_SHA512_ASN1_SIGNING),
            -257 => rsa(&RSA_PKCS1_SHA256),
            -258 => rsa(&RSA_PKCS1_SHA384),
            -259 => rsa(&RSA_PKCS1_SHA512),
            -37 => rsa(&RSA_PSS_SHA256),
            -38 => rsa(&RSA_PSS_SHA384),
            -39 => rsa(&RSA_PSS_SHA512),
            -8 => Key::Ed(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no algorithm {other}"),
        };
        Self { algorithm, key, id: vec![0xc0; 32], aaguid: [0; 16] }
    }

    /// Answers creation options, changed by `change`.
    pub(crate) fn create(&self, started: &Started, change: impl FnOnce(&mut Script)) -> Value {
        let mut script = self.script("webauthn.create", PRESENT | VERIFIED | ATTESTED, started);
        change(&mut script);
        let client_data = script.client_data();
        let mut data = script.authenticator_data();
        if script.flags & ATTESTED != 0 {
            data.extend_from_slice(&self.aaguid);
            data.extend_from_slice(&(script.attested_id.len() as u16).to_be_bytes());
            data.extend_from_slice(&script.attested_id);
            data.extend_from_slice(&script.cose);
        }
        data.extend_from_slice(&script.tail);
        let statement = (script.statement)(&data, &Sha256::digest(&client_data));
        let object =
            map([("fmt", Cbor::Text(script.format.clone())), ("attStmt", statement), ("authData", Cbor::Bytes(data))]);
        let id = base64url(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": base64url(client_data),
                "attestationObject": base64url(encoded(&object)),
                "transports": ["internal", "hybrid"],
            },
        })
    }

    /// Answers request options, changed by `change`.
    pub(crate) fn get(&self, started: &Started, count: u32, change: impl FnOnce(&mut Script)) -> Value {
        let mut script = self.script("webauthn.get", PRESENT | VERIFIED, started);
        script.count = count;
        change(&mut script);
        let client_data = script.client_data();
        let mut data = script.authenticator_data();
        data.extend_from_slice(&script.tail);
        let signature = self.sign(&[data.as_slice(), &Sha256::digest(&client_data)].concat());
        let id = base64url(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": base64url(client_data),
                "authenticatorData": base64url(data),
                "signature": base64url(signature),
                "userHandle": script.handle.map(base64url),
            },
        })
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Ed(key) => key.sign(message).as_ref().to_vec(),
            Key::Rsa(key, padding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*padding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// The public key as COSE.
    pub(crate) fn cose(&self) -> Vec<u8> {
        encoded(&Cbor::Map(self.parameters().into_iter().map(|(label, value)| (label.into(), value)).collect()))
    }

    /// The labels and values of the COSE key.
    pub(crate) fn parameters(&self) -> Vec<(i64, Cbor)> {
        let algorithm = (3, self.algorithm.into());
        match &self.key {
            Key::Ec(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = match self.algorithm {
                    -7 => 1,
                    -35 => 2,
                    _ => 3,
                };
                vec![(1, 2.into()), algorithm, (-1, curve.into()), (-2, bytes(x)), (-3, bytes(y))]
            }
            Key::Ed(key) => vec![(1, 1.into()), algorithm, (-1, 6.into()), (-2, bytes(key.public_key().as_ref()))],
            Key::Rsa(key, _) => {
                let public: RsaPublicKeyComponents<Vec<u8>> = key.public_key().into();
                vec![(1, 3.into()), algorithm, (-1, bytes(&public.n)), (-2, bytes(&public.e))]
            }
        }
    }

    fn script(&self, kind: &str, flags: u8, started: &Started) -> Script {
        Script {
            kind: kind.to_owned(),
            challenge: started.session.challenge.clone(),
            origin: "https://example.com".to_owned(),
            rp_id: started.session.rp_id.clone(),
            flags,
            count: 0,
            attested_id: self.id.clone(),
            cose: self.cose(),
            tail: Vec::new(),
            format: "none".to_owned(),
            statement: Box::new(|_, _| Cbor::Map(Vec::new())),
            handle: Some(started.session.user_id.0.clone()),
        }
    }
}

impl Script {
    fn client_data(&self) -> Vec<u8> {
        let said = json!({
            "type": self.kind, "challenge": self.challenge, "origin": self.origin, "crossOrigin": false,
        });
        said.to_string().into_bytes()
    }

    fn authenticator_data(&self) -> Vec<u8> {
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(self.flags);
        data.extend_from_slice(&self.count.to_be_bytes());
        data
    }
}

pub(crate) fn map<const N: usize>(entries: [(&str, Cbor); N]) -> Cbor {
    Cbor::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

pub(crate) fn bytes(bytes: impl AsRef<[u8]>) -> Cbor {
    Cbor::Bytes(bytes.as_ref().to_vec())
}

pub(crate) fn encoded(item: &Cbor) -> Vec<u8> {
    let mut encoded = Vec::new();
    ciborium::into_writer(item, &mut encoded).unwrap();
    encoded
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn from_base64url(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}
