//! What an issuer says of itself (OpenID Connect Discovery 1.0 §3).
//!
//! The metadata type of `openidconnect` demands members that issuers of nothing but access tokens leave out, and drops those it
//! does not know; what is needed of a document is read here.

use domain::custom_providers::{metadata_missing, metadata_text, metadata_url};
use domain::provider::Issuer;
use openidconnect::core::CoreJwsSigningAlgorithm as Algorithm;
use serde_json::Value;

use super::ways::is_usable;

/// The most algorithms that are looked at.
const MOST: usize = 64;

/// The issuers of Apple, which stand for each other.
const APPLE: [&str; 2] = ["https://appleid.apple.com", "https://account.apple.com"];
/// Google's issuer, which signs without the scheme at times.
const GOOGLE: &str = "https://accounts.google.com";

/// The metadata of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(super) userinfo_endpoint: Option<String>,
    pub(super) jwks_uri: Option<String>,
    /// What a sign-in needs and this issuer does not name.
    pub(super) missing: Option<String>,
    /// What its ID tokens may be signed with; never empty, never symmetric.
    pub(super) algorithms: Vec<Algorithm>,
}

impl Metadata {
    /// Reads a document; `None` where it is none.
    pub(super) fn parse(document: &Value) -> Option<Self> {
        let document = document.as_object()?;
        let text = |name: &str| metadata_text(document, name).map(str::to_owned);
        Some(Self {
            issuer: text("issuer").unwrap_or_default(),
            authorization_endpoint: text("authorization_endpoint"),
            token_endpoint: text("token_endpoint"),
            userinfo_endpoint: text("userinfo_endpoint"),
            jwks_uri: text("jwks_uri"),
            missing: metadata_missing(document),
            algorithms: algorithms(document.get("id_token_signing_alg_values_supported")),
        })
    }

    /// Whether these are of the issuer that was asked, and hold no address that must not be used.
    pub(super) fn fits(&self, issuer: &Issuer) -> Result<(), &'static str> {
        if self.issuer != issuer.issuer && !is_both_apple(&self.issuer, &issuer.issuer) {
            return Err("the issuer in the document is not the one that was asked for");
        }
        let addresses = [&self.authorization_endpoint, &self.token_endpoint, &self.userinfo_endpoint, &self.jwks_uri];
        if addresses.into_iter().flatten().all(|url| is_usable(url, issuer.foreign)) {
            Ok(())
        } else {
            Err("an address in the document cannot be used")
        }
    }
}

/// Where the metadata of an issuer are.
pub(super) fn url(issuer: &Issuer) -> String {
    metadata_url(&issuer.issuer, issuer.discovery_url.as_deref())
}

/// Whether a token that says `claimed` is one of `issuer` (`contract/mfa-passkeys-oauth.md` §4.4).
pub(super) fn is_of(issuer: &str, claimed: &str) -> bool {
    issuer == claimed
        || is_both_apple(issuer, claimed)
        || (issuer == GOOGLE && GOOGLE.strip_prefix("https://") == Some(claimed))
}

fn is_both_apple(one: &str, other: &str) -> bool {
    APPLE.contains(&one) && APPLE.contains(&other)
}

/// The asymmetric algorithms of a list; RS256 where it names none (OpenID Connect Core 1.0 §2).
fn algorithms(named: Option<&Value>) -> Vec<Algorithm> {
    let named = named.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let known: Vec<Algorithm> = named.iter().take(MOST).filter_map(algorithm).filter(is_asymmetric).collect();
    if known.is_empty() { vec![Algorithm::RsaSsaPkcs1V15Sha256] } else { known }
}

/// An algorithm by its name.
pub(super) fn algorithm(name: &Value) -> Option<Algorithm> {
    serde_json::from_value(name.clone()).ok()
}

fn is_asymmetric(algorithm: &Algorithm) -> bool {
    use Algorithm::{HmacSha256, HmacSha384, HmacSha512, None as Unsigned};
    !matches!(algorithm, HmacSha256 | HmacSha384 | HmacSha512 | Unsigned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn issuer(issuer: &str, foreign: bool) -> Issuer {
        Issuer { issuer: issuer.to_owned(), discovery_url: None, foreign }
    }

    #[test]
    fn an_issuer_is_itself_and_apple_has_two_names() {
        assert!(is_of("https://a.example", "https://a.example"));
        assert!(!is_of("https://a.example", "https://a.example/"));
        assert!(is_of(APPLE[0], APPLE[1]) && is_of(APPLE[1], APPLE[0]));
        assert!(is_of(GOOGLE, "accounts.google.com") && !is_of("https://a.example", "a.example"));
        assert!(!is_of(APPLE[0], GOOGLE));
    }

    #[test]
    fn symmetric_and_absent_signatures_are_never_advertised() {
        let of = |document: Value| Metadata::parse(&document).unwrap().algorithms;
        assert_eq!(of(json!({})), [Algorithm::RsaSsaPkcs1V15Sha256]);
        let named = json!({"id_token_signing_alg_values_supported": ["none", "HS256", "ES256", "XY", 7, "EdDSA"]});
        assert_eq!(of(named), [Algorithm::EcdsaP256Sha256, Algorithm::EdDsa]);
        let weak = json!({"id_token_signing_alg_values_supported": ["none", "HS256"]});
        assert_eq!(of(weak), [Algorithm::RsaSsaPkcs1V15Sha256]);
    }

    #[test]
    fn foreign_metadata_must_not_lead_to_scripts_or_out_of_encryption() {
        for (address, foreign, fits) in [
            ("https://a.example/a", true, true),
            ("http://a.example/a", true, false),
            ("http://a.example/a", false, true),
            ("javascript:alert(1)", false, false),
        ] {
            let document = json!({"issuer": "https://a.example", "authorization_endpoint": address});
            let metadata = Metadata::parse(&document).unwrap();
            assert_eq!(metadata.fits(&issuer("https://a.example", foreign)).is_ok(), fits, "{address}");
        }
    }
}
