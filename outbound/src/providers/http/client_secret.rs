//! Client secrets that are signed when they are needed (Apple: "Creating a client secret").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::provider::{ClientKey, ProviderSettings};
use domain::secret::Secret;
use domain::time::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

/// Whom the assertion is for.
const AUDIENCE: &str = "https://appleid.apple.com";
/// How long one is good: for one exchange.
const LIFE: i64 = 300;

/// The private key cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyUnusable;

/// The secret of a client: the one that was set, or one that is signed for the moment.
pub(super) fn of(settings: &ProviderSettings, client_id: &str, now: Timestamp) -> Result<Secret<String>, KeyUnusable> {
    match &settings.client_key {
        Some(key) => sign(key, client_id, now).ok_or(KeyUnusable),
        None => Ok(settings.secret.clone()),
    }
}

fn sign(key: &ClientKey, client_id: &str, now: Timestamp) -> Option<Secret<String>> {
    let signer = EncodingKey::from_ec_der(&decode(key.private_key.expose())?);
    let header = Header { typ: None, kid: Some(key.key_id.clone()), ..Header::new(Algorithm::ES256) };
    let issued = now.unix();
    let claims = json!({
        "iss": key.team_id, "iat": issued, "exp": issued + LIFE, "aud": AUDIENCE, "sub": client_id,
    });
    jsonwebtoken::encode(&header, &claims, &signer).ok().map(Secret::new)
}

/// The PKCS#8 inside a PEM text (RFC 7468).
fn decode(pem: &str) -> Option<Vec<u8>> {
    // Settings that come by way of the environment have their line ends escaped.
    let pem = pem.replace("\\n", "\n");
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    use super::*;

    fn settings(private_key: &str) -> ProviderSettings {
        let client_key = ClientKey {
            team_id: "TEAM".to_owned(),
            key_id: "KEY".to_owned(),
            private_key: Secret::new(private_key.to_owned()),
        };
        ProviderSettings { client_key: Some(client_key), secret: Secret::new("set".to_owned()), ..Default::default() }
    }

    #[test]
    fn a_key_signs_a_secret_for_five_minutes() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let now = Timestamp::from_unix(1_800_000_000);
        for pem in [pair.serialize_pem(), pair.serialize_pem().replace('\n', "\\n")] {
            let secret = of(&settings(&pem), "app.example", now).unwrap();
            let (x, y) = pair.public_key_raw()[1..].split_at(32);
            let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
            let verifier = DecodingKey::from_ec_components(&x, &y).unwrap();
            let mut validation = Validation::new(Algorithm::ES256);
            validation.set_audience(&["https://appleid.apple.com"]);
            validation.validate_exp = false;
            let token = jsonwebtoken::decode::<Value>(secret.expose(), &verifier, &validation).unwrap();
            assert_eq!(token.header.kid.as_deref(), Some("KEY"));
            assert_eq!(token.claims["iss"], "TEAM");
            assert_eq!(token.claims["sub"], "app.example");
            assert_eq!(token.claims["iat"], 1_800_000_000);
            assert_eq!(token.claims["exp"], 1_800_000_300);
        }
    }

    #[test]
    fn a_set_secret_is_sent_as_it_is_and_a_broken_key_is_no_secret() {
        let now = Timestamp::from_unix(0);
        let set = ProviderSettings { client_key: None, ..settings("") };
        assert_eq!(of(&set, "app", now).unwrap().expose(), "set");
        assert_eq!(of(&settings("nonsense"), "app", now), Err(KeyUnusable));
    }
}
