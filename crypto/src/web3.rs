//! Signatures of wallets (`contract/mfa-passkeys-oauth.md` §7.3): EIP-191 `personal_sign` by an externally owned account, and
//! Ed25519 over the message or over the envelope in which hardware wallets of Solana sign.

use domain::web3::Chain;
use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey as Ed25519Key};
use k256::ecdsa::{RecoveryId, Signature as EcdsaSignature, VerifyingKey};
use sha3::{Digest, Keccak256};

use crate::bytes::{from_base64url_lenient, hex};

/// How the envelope of off-chain messages begins: its marker and its version.
const ENVELOPE: &[u8] = b"\xffsolana offchain\0";

/// Bytes of the envelope's application domain.
const DOMAIN_LENGTH: usize = 32;

/// Digits of an Ethereum signature.
const DIGITS: usize = 130;

/// Why a text is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Solana: another length.
    #[error("signature must be 64 bytes encoded as base64 with or without padding")]
    Length,
    /// Solana: other letters.
    #[error("signature does not contain valid base64 characters")]
    Base64,
    /// Ethereum: another length.
    #[error("signature must be 65 bytes long, encoded as a 130 character-long hexadecimal string")]
    Digits,
}

/// A signature as it was shown.
#[derive(Clone, Debug)]
pub struct Signature(Form);

#[derive(Clone, Debug)]
enum Form {
    /// `None` where no signature can be written like that.
    Ethereum(Option<(EcdsaSignature, RecoveryId)>),
    Solana(Vec<u8>),
}

impl Signature {
    /// Reads the signature of a wallet of `chain`: hexadecimal, or base64 of either alphabet.
    ///
    /// # Errors
    /// It does not have the form.
    pub fn parse(chain: Chain, text: &str) -> Result<Self, Malformed> {
        match chain {
            Chain::Ethereum if text.strip_prefix("0x").unwrap_or(text).len() != DIGITS => Err(Malformed::Digits),
            Chain::Ethereum => Ok(Self(Form::Ethereum(text.strip_prefix("0x").and_then(recoverable)))),
            Chain::Solana if !matches!(text.len(), 86 | 88) => Err(Malformed::Length),
            Chain::Solana => {
                let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
                from_base64url_lenient(&text).map(|bytes| Self(Form::Solana(bytes))).ok_or(Malformed::Base64)
            }
        }
    }

    /// Whether the wallet at `address` has signed `message` for the application at `domain`.
    pub fn proves(&self, message: &str, address: &str, domain: &str) -> bool {
        match &self.0 {
            Form::Ethereum(None) => false,
            Form::Ethereum(Some((signature, recovery))) => {
                signer(message, signature, *recovery).is_some_and(|signer| {
                    address.strip_prefix("0x").is_some_and(|digits| digits.eq_ignore_ascii_case(&signer))
                })
            }
            Form::Solana(signature) => match public_key(address) {
                Some(key) => {
                    is_signed(&key, message.as_bytes(), signature)
                        || enveloped(&key, message, domain)
                            .is_some_and(|envelope| is_signed(&key, &envelope, signature))
                }
                None => false,
            },
        }
    }
}

/// The spelling of an Ethereum address that carries its checksum (EIP-55); other texts as they are.
pub fn checksummed(address: &str) -> String {
    let Some(digits) = address.strip_prefix("0x") else { return address.to_owned() };
    let digits = digits.to_ascii_lowercase();
    let digest = hex(Keccak256::digest(digits.as_bytes()));
    let spelled = digits.chars().zip(digest.chars()).map(|(digit, mark)| match mark >= '8' {
        true => digit.to_ascii_uppercase(),
        false => digit,
    });
    format!("0x{}", spelled.collect::<String>())
}

/// r, s and v of a signature. What is written as 27 and 28 stands for 0 and 1.
fn recoverable(digits: &str) -> Option<(EcdsaSignature, RecoveryId)> {
    let bytes = from_hex(digits)?;
    let (last, both) = bytes.split_last()?;
    let recovery = RecoveryId::from_byte(last.checked_sub(27).unwrap_or(*last))?;
    Some((EcdsaSignature::from_slice(both).ok()?, recovery))
}

/// The address of whoever has signed `message`, without `0x` (EIP-191, version `E`). Of the two signatures that are one
/// mathematically, only the lower one is taken, as wallets make it (EIP-2).
fn signer(message: &str, signature: &EcdsaSignature, recovery: RecoveryId) -> Option<String> {
    let digest = Keccak256::new()
        .chain_update(format!("\x19Ethereum Signed Message:\n{}", message.len()))
        .chain_update(message)
        .finalize();
    let key = VerifyingKey::recover_from_prehash(&digest, signature, recovery).ok()?;
    let point = key.to_encoded_point(false);
    let hashed = Keccak256::digest(point.as_bytes().get(1..)?);
    Some(hex(hashed.get(12..)?))
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

/// The key that a Solana address is.
fn public_key(address: &str) -> Option<[u8; 32]> {
    bs58::decode(address).into_vec().ok()?.try_into().ok()
}

/// Strictly: under keys of small order anybody can sign anything, so nothing is proven by them.
fn is_signed(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = Ed25519Key::from_bytes(key) else { return false };
    Ed25519Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
}

/// The message in its envelope: for one signer, in the format of plain letters.
fn enveloped(key: &[u8; 32], message: &str, domain: &str) -> Option<Vec<u8>> {
    let length = u16::try_from(message.len()).ok()?;
    let mut application = domain.as_bytes().to_vec();
    application.resize(DOMAIN_LENGTH, 0);
    Some([ENVELOPE, &application, &[0, 1], key, &length.to_le_bytes(), message.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use k256::ecdsa::SigningKey;
    use proptest::prelude::*;

    use super::*;

    const DOMAIN: &str = "app.example.com";

    const ETHEREUM_ADDRESS: &str = "0x51b9142ec8201fbc0eb27e1dde895f327b4379b8";
    const ETHEREUM_SIGNATURE: &str = "0xcb2aec608f3b298f52a791e368896c4a9cc2784563e32e9cd3b0e67d563214b4\
        2f5e5e3157f5d03870878685f40ccf254ba08ae1d5c7d794f0bc4740a5f7778f1c";

    const SOLANA_ADDRESS: &str = "2YiQswBzxk4QYTvtzPH7c9wqy45JQwmEbgw5uGFQAj74";
    const SOLANA_SIGNATURE: &str =
        "X1VkeOp44VItatriB7SUNMKYMuTomDcBdwkyV5IdZsZLKPwd4qI3y5-X2QGa1tvtF0YVzeyaERd6zSHJ69myDw";
    const LEDGER_SIGNATURE: &str =
        "XaHiPbICesp5jXj1uG0pXc1Wb-ipvOvkDo7mSkKZmPx3O_zKnljke4MFq05DBfUJ_dpHNQGr_Kcr15gdH0EKBw";

    /// Appendix C of the contract.
    fn message(chain: Chain) -> String {
        let (address, last) = match chain {
            Chain::Ethereum => (ETHEREUM_ADDRESS, "Chain ID: 1\nNonce: abcdefgh\nIssued At: 2026-01-01T00:00:00Z"),
            Chain::Solana => (SOLANA_ADDRESS, "Issued At: 2026-01-01T00:00:00Z\nChain ID: solana:mainnet"),
        };
        format!(
            "{DOMAIN} wants you to sign in with your {} account:\n{address}\n\nSign in to the demo\n\n\
            URI: https://app.example.com/\nVersion: 1\n{last}",
            chain.title()
        )
    }

    fn proves(chain: Chain, signature: &str, message: &str, address: &str) -> bool {
        Signature::parse(chain, signature).unwrap().proves(message, address, DOMAIN)
    }

    #[test]
    fn the_vectors_of_the_contract_hold() {
        let ethereum = message(Chain::Ethereum);
        assert!(proves(Chain::Ethereum, ETHEREUM_SIGNATURE, &ethereum, ETHEREUM_ADDRESS));
        assert!(proves(Chain::Ethereum, ETHEREUM_SIGNATURE, &ethereum, &checksummed(ETHEREUM_ADDRESS)));
        let solana = message(Chain::Solana);
        for signature in [SOLANA_SIGNATURE, LEDGER_SIGNATURE] {
            assert!(proves(Chain::Solana, signature, &solana, SOLANA_ADDRESS));
            let other_alphabet = signature.replace('-', "+").replace('_', "/");
            assert!(proves(Chain::Solana, &other_alphabet, &solana, SOLANA_ADDRESS));
            assert!(proves(Chain::Solana, &format!("{other_alphabet}=="), &solana, SOLANA_ADDRESS));
        }
        assert!(!Signature::parse(Chain::Solana, LEDGER_SIGNATURE).unwrap().proves(
            &solana,
            SOLANA_ADDRESS,
            "b.example"
        ));
    }

    #[test]
    fn another_text_or_another_wallet_is_not_proven() {
        for (chain, signature, address, other) in [
            (Chain::Ethereum, ETHEREUM_SIGNATURE, ETHEREUM_ADDRESS, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
            (Chain::Solana, SOLANA_SIGNATURE, SOLANA_ADDRESS, "11111111111111111111111111111111"),
            (Chain::Solana, LEDGER_SIGNATURE, SOLANA_ADDRESS, "11111111111111111111111111111111"),
        ] {
            let message = message(chain);
            assert!(!proves(chain, signature, &format!("{message} "), address));
            assert!(!proves(chain, signature, &message.replace("demo", "other"), address));
            assert!(!proves(chain, signature, &message, other));
        }
    }

    #[test]
    fn forms_that_are_no_signature() {
        let solana = |text: &str| Signature::parse(Chain::Solana, text).err();
        assert_eq!(solana(""), Some(Malformed::Length));
        assert_eq!(solana(&SOLANA_SIGNATURE[1..]), Some(Malformed::Length));
        assert_eq!(solana(&format!("{SOLANA_SIGNATURE}=")), Some(Malformed::Length));
        assert_eq!(solana(&"!".repeat(86)), Some(Malformed::Base64));
        let ethereum = |text: &str| Signature::parse(Chain::Ethereum, text).err();
        assert_eq!(ethereum(""), Some(Malformed::Digits));
        assert_eq!(ethereum("0x12"), Some(Malformed::Digits));
        assert_eq!(ethereum(&format!("{ETHEREUM_SIGNATURE}0")), Some(Malformed::Digits));
    }

    #[test]
    fn forms_that_prove_nothing() {
        let message = message(Chain::Ethereum);
        let with_v = |v: &str| format!("{}{v}", &ETHEREUM_SIGNATURE[..130]);
        for signature in [
            ETHEREUM_SIGNATURE.trim_start_matches("0x").to_owned(),
            format!("0x{}", "0".repeat(130)),
            format!("0x{}", "f".repeat(130)),
            format!("0x{}", "g".repeat(130)),
            format!("0x{}", "\u{e4}".repeat(65)),
            with_v("1b"),
            with_v("1d"),
            with_v("ff"),
        ] {
            assert!(!proves(Chain::Ethereum, &signature, &message, ETHEREUM_ADDRESS), "{signature}");
        }
        assert!(proves(Chain::Ethereum, &with_v("01"), &message, ETHEREUM_ADDRESS));
        // Addresses that are no key: letters that base58 does not have, and other lengths.
        let solana = super::tests::message(Chain::Solana);
        for address in ["0OIl0OIl0OIl0OIl0OIl0OIl0OIl0OIl", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", ""] {
            assert!(!proves(Chain::Solana, SOLANA_SIGNATURE, &solana, address), "{address}");
        }
    }

    #[test]
    fn the_twin_of_a_signature_is_no_second_one() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let (signature, recovery) = signed(&key, "text");
        let twin = EcdsaSignature::from_scalars(signature.r(), -signature.s()).unwrap();
        let (address, flipped) = (address(&key), RecoveryId::new(!recovery.is_y_odd(), recovery.is_x_reduced()));
        assert!(proves(Chain::Ethereum, &written(&signature, recovery), "text", &address));
        assert!(!proves(Chain::Ethereum, &written(&twin, flipped), "text", &address));
    }

    #[test]
    fn a_key_under_which_anybody_can_sign_proves_nothing() {
        // Points of order 1, 2, 4 and 8, the last in both of its forms; R is the neutral element and s is 0.
        let eighth = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
        let other = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
        let mut neutral = [0; 64];
        neutral[0] = 1;
        let signature = crate::bytes::base64url(neutral);
        for point in ["01", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "00", eighth, other] {
            let key = from_hex(&format!("{point:0<64}")).unwrap();
            let address = bs58::encode(key).into_string();
            for number in 0..64 {
                assert!(!proves(Chain::Solana, &signature, &format!("message {number}"), &address), "{address}");
            }
        }
    }

    #[test]
    fn checksums_are_those_of_eip_55() {
        for address in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            assert_eq!(checksummed(&address.to_ascii_lowercase()), address);
            assert_eq!(checksummed(&format!("0x{}", address[2..].to_ascii_uppercase())), address);
        }
        assert_eq!(checksummed(SOLANA_ADDRESS), SOLANA_ADDRESS);
    }

    fn signed(key: &SigningKey, message: &str) -> (EcdsaSignature, RecoveryId) {
        let text = format!("\x19Ethereum Signed Message:\n{}{message}", message.len());
        key.sign_prehash_recoverable(&Keccak256::digest(text)).unwrap()
    }

    fn address(key: &SigningKey) -> String {
        let hashed = Keccak256::digest(&key.verifying_key().to_encoded_point(false).as_bytes()[1..]);
        format!("0x{}", hex(&hashed[12..]))
    }

    fn written(signature: &EcdsaSignature, recovery: RecoveryId) -> String {
        format!("0x{}{:02x}", hex(signature.to_bytes()), 27 + recovery.to_byte())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_a_wallet_signs_it_proves(secret in 1_u8..255, message in "\\PC{0,200}") {
            let key = SigningKey::from_slice(&[secret; 32]).unwrap();
            let (signature, recovery) = signed(&key, &message);
            let (text, other) = (written(&signature, recovery), message.clone() + ".");
            prop_assert!(proves(Chain::Ethereum, &text, &message, &address(&key)));
            prop_assert!(!proves(Chain::Ethereum, &text, &other, &address(&key)));
            let key = Ed25519KeyPair::from_seed_unchecked(&[secret; 32]).unwrap();
            let address = bs58::encode(key.public_key().as_ref()).into_string();
            let text = crate::bytes::base64url(key.sign(message.as_bytes()).as_ref());
            prop_assert!(proves(Chain::Solana, &text, &message, &address));
            prop_assert!(!proves(Chain::Solana, &text, &other, &address));
        }

        #[test]
        fn no_text_makes_it_fall_over(signature in "\\PC{86,132}", digits in "(0x)?[0-9a-f]{130}", address in "\\PC{0,50}") {
            for (chain, text) in [(Chain::Ethereum, &signature), (Chain::Ethereum, &digits), (Chain::Solana, &signature)] {
                if let Ok(signature) = Signature::parse(chain, text) {
                    prop_assert!(!signature.proves("message", &address, &address));
                }
            }
        }
    }
}
