//! Standard Webhooks signatures (`contract/platform.md` §4.2).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use domain::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::HookError;

/// As Go's standard encoding reads it: padding is wanted, left-over bits of the last letter are not looked at.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A key that signs; it is ready to take the message.
pub(super) struct Key(Hmac<Sha256>);

/// The keys in `v1,whsec_<base64>` secrets.
///
/// # Errors
/// Another kind of secret, or one that is not base64.
pub(super) fn keys(secrets: &[Secret<String>]) -> Result<Vec<Key>, HookError> {
    secrets.iter().map(key).collect()
}

fn key(secret: &Secret<String>) -> Result<Key, HookError> {
    let text = secret.expose().strip_prefix("v1,").ok_or(HookError::Secret("invalid signature format"))?;
    let text = text.strip_prefix("whsec_").unwrap_or(text);
    let bytes = BASE64.decode(text).map_err(|_| HookError::Secret("illegal base64 data"))?;
    Hmac::new_from_slice(&bytes).map(Key).map_err(|_| HookError::Secret("invalid key length"))
}

/// The value of `webhook-signature`: one signature for each key, joined with comma and blank; empty without keys.
pub(super) fn sign(keys: &[Key], id: &str, timestamp: &str, body: &[u8]) -> String {
    let signature = |key: &Key| {
        let mut mac = key.0.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    };
    keys.iter().map(signature).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Vec<Secret<String>> {
        vec![Secret::new(text.to_owned())]
    }

    /// The example in the Standard Webhooks libraries' own tests.
    #[test]
    fn the_published_example() {
        let keys = keys(&secret("v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signed = sign(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_that_cannot_sign() {
        let reason = |text: &str| keys(&secret(text)).err();
        assert_eq!(reason("v1a,whpk_AAAA:whsk_AAAA"), Some(HookError::Secret("invalid signature format")));
        assert_eq!(reason("v1,whsec_a-b_"), Some(HookError::Secret("illegal base64 data")));
    }
}
