//! What a verified ID token must say (`contract/mfa-passkeys-oauth.md` §5.1, steps 8 to 11).

use super::Trust;
use crate::provider::IdToken;
use crate::refusal::ProviderRefusal;

/// How the nonce of a request is compared with the one of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonces {
    /// The token has the digest of what the request has.
    Hashed,
    /// Not at all, unless the project demands nonces.
    Skipped,
    /// The same, for a provider whose tokens have either the digest or the nonce itself.
    Verbatim,
}

/// The nonce of a request.
#[derive(Clone, Copy, Debug)]
pub struct Nonce<'a> {
    /// As it was sent, empty when absent.
    pub sent: &'a str,
    /// The lower-case hex of its SHA-256.
    pub digest: &'a str,
    /// The project demands one.
    pub required: bool,
}

impl Trust {
    /// Whether the token is somebody's, for the project, and for this request.
    ///
    /// # Errors
    /// It is not.
    pub fn judge(&self, token: &IdToken, nonce: Nonce<'_>) -> Result<(), ProviderRefusal> {
        if token.profile.subject.is_empty() {
            return Err(ProviderRefusal::IdTokenWithoutSub);
        }
        if !token.profile.is_of_somebody() {
            return Err(ProviderRefusal::IdTokenBad);
        }
        // No client id is empty: an empty audience is nobody's.
        let is_ours = |audience: &String| !audience.is_empty() && self.audiences.contains(audience);
        if !token.audiences.iter().any(is_ours) {
            return Err(ProviderRefusal::IdTokenAudience(token.audiences.join(" ")));
        }
        self.nonces.compare(token.nonce.as_deref().unwrap_or_default(), nonce)
    }
}

impl Nonces {
    fn compare(self, repeated: &str, nonce: Nonce<'_>) -> Result<(), ProviderRefusal> {
        let Nonce { sent, digest, required } = nonce;
        if self != Self::Hashed && !required {
            return Ok(());
        }
        match (sent.is_empty(), repeated.is_empty()) {
            (true, true) if !required => Ok(()),
            (false, false) if repeated == digest || (self == Self::Verbatim && repeated == sent) => Ok(()),
            (false, false) => Err(ProviderRefusal::NonceMismatch),
            _ => Err(ProviderRefusal::NonceMissing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Issuer, Profile};

    const SENT: &str = "demo-nonce-123";
    const DIGEST: &str = "bdedd5fce31480a9aa795ed844773e76e41c2e99de0247119eb2d2fc48bdfc60";

    fn trust(nonces: Nonces) -> Trust {
        Trust {
            provider: "keycloak".to_owned(),
            issuer: Issuer { issuer: "https://sso.example".to_owned(), discovery_url: None, foreign: false },
            audiences: vec!["web".to_owned(), "native".to_owned(), String::new()],
            nonces,
            email_optional: false,
        }
    }

    fn token(subject: &str, audiences: &[&str], nonce: &str) -> IdToken {
        IdToken {
            issuer: "https://sso.example".to_owned(),
            audiences: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
            nonce: Some(nonce.to_owned()),
            profile: Profile { subject: subject.to_owned(), ..Profile::default() },
        }
    }

    fn sent(sent: &str, required: bool) -> Nonce<'_> {
        Nonce { sent, digest: if sent.is_empty() { "" } else { DIGEST }, required }
    }

    #[test]
    fn a_token_is_somebodys_first() {
        let judged = trust(Nonces::Hashed).judge(&token("", &[], "x"), sent("", false));
        assert_eq!(judged, Err(ProviderRefusal::IdTokenWithoutSub));
        let judged = trust(Nonces::Hashed).judge(&token("s\0", &["web"], ""), sent("", false));
        assert_eq!(judged, Err(ProviderRefusal::IdTokenBad));
    }

    #[test]
    fn one_audience_must_be_ours() {
        let judge = |audiences: &[&str]| trust(Nonces::Hashed).judge(&token("s", audiences, ""), sent("", false));
        for audiences in [&["web"][..], &["native"], &["other", "web"]] {
            assert_eq!(judge(audiences), Ok(()));
        }
        for (audiences, told) in [
            (&[][..], ""),
            (&["other"], "other"),
            (&["one", "two"], "one two"),
            (&["WEB"], "WEB"),
            (&["web "], "web "),
            (&[""], ""),
        ] {
            assert_eq!(judge(audiences), Err(ProviderRefusal::IdTokenAudience(told.to_owned())));
        }
        // Whom it is for comes before the nonce.
        let judged = trust(Nonces::Hashed).judge(&token("s", &["other"], "x"), sent("", false));
        assert_eq!(judged, Err(ProviderRefusal::IdTokenAudience("other".to_owned())));
    }

    #[test]
    fn nonces_are_on_both_sides_or_on_none_and_match() {
        use ProviderRefusal::{NonceMismatch, NonceMissing};
        let judge = |nonces: Nonces, repeated: &str, nonce: Nonce<'_>| {
            trust(nonces).judge(&token("s", &["web"], repeated), nonce)
        };
        for (repeated, given, required, hashed, skipped, verbatim) in [
            ("", "", false, Ok(()), Ok(()), Ok(())),
            (DIGEST, SENT, false, Ok(()), Ok(()), Ok(())),
            (DIGEST, "", false, Err(NonceMissing), Ok(()), Ok(())),
            ("", SENT, false, Err(NonceMissing), Ok(()), Ok(())),
            (SENT, SENT, false, Err(NonceMismatch), Ok(()), Ok(())),
            ("other", SENT, false, Err(NonceMismatch), Ok(()), Ok(())),
            ("", "", true, Err(NonceMissing), Err(NonceMissing), Err(NonceMissing)),
            (DIGEST, "", true, Err(NonceMissing), Err(NonceMissing), Err(NonceMissing)),
            ("", SENT, true, Err(NonceMissing), Err(NonceMissing), Err(NonceMissing)),
            (DIGEST, SENT, true, Ok(()), Ok(()), Ok(())),
            (SENT, SENT, true, Err(NonceMismatch), Err(NonceMismatch), Ok(())),
            ("other", SENT, true, Err(NonceMismatch), Err(NonceMismatch), Err(NonceMismatch)),
        ] {
            for (nonces, expected) in
                [(Nonces::Hashed, hashed), (Nonces::Skipped, skipped), (Nonces::Verbatim, verbatim)]
            {
                assert_eq!(judge(nonces, repeated, sent(given, required)), expected, "{nonces:?} {repeated} {given}");
            }
        }
        let mut without = token("s", &["web"], "");
        without.nonce = None;
        assert_eq!(trust(Nonces::Hashed).judge(&without, sent("", false)), Ok(()));
        assert_eq!(trust(Nonces::Hashed).judge(&without, sent(SENT, false)), Err(NonceMissing));
    }
}
