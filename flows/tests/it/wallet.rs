//! Wallets, and what they sign.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::time::Clock;
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};
use sha3::{Digest, Keccak256};
use testkit::{Answer, TestApp, TestProject};

/// Where the application of these tests is.
pub(crate) const DOMAIN: &str = "app.example.com";

/// Settings of a project with both chains.
pub(crate) fn config(more: Value) -> Value {
    let mut config = json!({
        "external_web3_ethereum_enabled": true,
        "external_web3_solana_enabled": true,
        "uri_allow_list": "https://app.example.com/**,http://localhost:3000/*",
    });
    config.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    config
}

/// A key and the chain it is for.
pub(crate) enum Wallet {
    Ethereum(SigningKey),
    Solana(Ed25519KeyPair),
}

impl Wallet {
    pub(crate) fn ethereum(seed: u8) -> Self {
        Self::Ethereum(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub(crate) fn solana(seed: u8) -> Self {
        Self::Solana(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub(crate) fn chain(&self) -> &'static str {
        match self {
            Self::Ethereum(_) => "ethereum",
            Self::Solana(_) => "solana",
        }
    }

    pub(crate) fn title(&self) -> &'static str {
        match self {
            Self::Ethereum(_) => "Ethereum",
            Self::Solana(_) => "Solana",
        }
    }

    /// In lower case for Ethereum.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Ethereum(key) => {
                let hashed = Keccak256::digest(&key.verifying_key().to_encoded_point(false).as_bytes()[1..]);
                format!("0x{}", hex(&hashed[12..]))
            }
            Self::Solana(key) => bs58::encode(key.public_key().as_ref()).into_string(),
        }
    }

    pub(crate) fn sign(&self, message: &str) -> String {
        match self {
            Self::Ethereum(key) => {
                let text = format!("\x19Ethereum Signed Message:\n{}{message}", message.len());
                let (signature, recovery) = key.sign_prehash_recoverable(&Keccak256::digest(text)).unwrap();
                format!("0x{}{:02x}", hex(&signature.to_bytes()), 27 + recovery.to_byte())
            }
            Self::Solana(key) => URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes())),
        }
    }

    /// A message of this wallet for the application, made now.
    pub(crate) fn message(&self, app: &TestApp) -> String {
        self.message_as(app, &self.address())
    }

    /// The same with the address in another spelling.
    pub(crate) fn message_as(&self, app: &TestApp, address: &str) -> String {
        let network = match self {
            Self::Ethereum(_) => "1",
            Self::Solana(_) => "solana:mainnet",
        };
        format!(
            "{DOMAIN} wants you to sign in with your {} account:\n{address}\n\nSign in to the demo\n\n\
            URI: https://{DOMAIN}/\nVersion: 1\nChain ID: {network}\nNonce: abcdefgh\nIssued At: {}",
            self.title(),
            app.clock.now().to_wire()
        )
    }

    /// What is sent for `message`.
    pub(crate) fn body(&self, message: &str) -> Value {
        json!({ "chain": self.chain(), "message": message, "signature": self.sign(message) })
    }

    /// Signs in with a fresh message.
    pub(crate) async fn sign_in(&self, app: &TestApp, project: &TestProject) -> Answer {
        show(project, self.body(&self.message(app))).await
    }
}

/// Shows a signed message.
pub(crate) async fn show(project: &TestProject, body: Value) -> Answer {
    project.post("/token?grant_type=web3", body).send().await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
