//! Proof Key for Code Exchange (RFC 7636): a code is worth something only to who began.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Failure, Project, Tokens, send_json};

/// What a client keeps to itself until it comes back with the code.
pub(crate) struct Verifier(String);

impl Verifier {
    /// One of the given text: 43 to 128 letters and digits that nobody can guess.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// What is told at the beginning, for the method S256.
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.0))
    }

    /// Exchanges the code for a session.
    pub(crate) async fn exchange(&self, project: &Project, code: &str) -> Result<Tokens, Failure> {
        let body = json!({"auth_code": code, "code_verifier": self.0});
        send_json(project.public(Method::POST, "token?grant_type=pkce").json(&body)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let verifier = Verifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
