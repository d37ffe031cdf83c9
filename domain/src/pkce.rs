//! PKCE: the challenge of a flow, and `POST /token?grant_type=pkce` (`contract/core.md` §5.3, §13.3).

use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Life of a flow, in seconds.
pub const FLOW_LIFE: i64 = 300;

/// An authorization code to be traded for a session. Answers an `IssuedSession`.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The `auth_code` of the body, empty when absent.
    pub auth_code: Secret<String>,
    /// The `code_verifier` of the body, empty when absent.
    pub code_verifier: Secret<String>,
}

/// How a verifier is compared with its challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The challenge is the verifier's SHA-256.
    S256,
    /// The challenge is the verifier.
    Plain,
}

impl Method {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S256 => "s256",
            Self::Plain => "plain",
        }
    }

    /// Reads the word in any case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::S256, Self::Plain].into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text))
    }
}

/// What the client of a flow must later prove (RFC 7636 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    method: Method,
    value: String,
}

/// A challenge whose method is missing or neither `s256` nor `plain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a challenge without a known method")]
pub struct UnknownMethod;

impl Challenge {
    /// Reads the two parameters of a flow; `None` when both are empty.
    ///
    /// # Errors
    /// One without the other, a challenge of another length or other characters, an unknown method.
    pub fn parse(challenge: &str, method: &str) -> Result<Option<Self>, Refusal> {
        if challenge.is_empty() && method.is_empty() {
            return Ok(None);
        }
        if challenge.is_empty() || method.is_empty() {
            return Err(Refusal::PkceIncomplete);
        }
        if !(43..=128).contains(&challenge.len()) {
            return Err(Refusal::PkceChallengeLength);
        }
        if !challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
            return Err(Refusal::PkceChallengeCharset);
        }
        let method = Method::parse(method).ok_or(Refusal::PkceMethod)?;
        Ok(Some(Self { method, value: challenge.to_owned() }))
    }

    /// Takes the two parameters as they are, where the contract does not check them (§16.2): without a challenge there is
    /// no flow, and a challenge of any length is one.
    ///
    /// # Errors
    /// A challenge without a known method.
    pub fn unchecked(challenge: &str, method: &str) -> Result<Option<Self>, UnknownMethod> {
        if challenge.is_empty() {
            return Ok(None);
        }
        let method = Method::parse(method).ok_or(UnknownMethod)?;
        Ok(Some(Self { method, value: challenge.to_owned() }))
    }

    /// How the verifier is compared.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The text to compare with.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Whether a flow that began at `created_at`, and whose code was given out at `issued_at`, can no longer be finished. For a
/// sign-in by mail the time to read mail does not count (§13.3).
pub fn is_expired(
    authentication_method: &str,
    created_at: Timestamp,
    issued_at: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let since = match authentication_method {
        "magiclink" => issued_at.unwrap_or(created_at),
        _ => created_at,
    };
    now > since.plus_seconds(FLOW_LIFE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::at;

    #[test]
    fn only_a_sign_in_by_mail_counts_from_its_code() {
        for (method, issued, now, expired) in [
            ("email/signup", Some(200), 300, false),
            ("email/signup", Some(200), 301, true),
            ("recovery", Some(200), 301, true),
            ("email_change", Some(200), 301, true),
            ("invite", Some(200), 301, true),
            ("magiclink", Some(200), 500, false),
            ("magiclink", Some(200), 501, true),
            ("magiclink", None, 301, true),
        ] {
            assert_eq!(is_expired(method, at(0), issued.map(at), at(now)), expired, "{method} {issued:?} {now}");
        }
    }

    #[test]
    fn challenges_are_checked_in_order() {
        let good = "a".repeat(43);
        let parse = |challenge: &str, method: &str| Challenge::parse(challenge, method);
        assert_eq!(parse("", ""), Ok(None));
        assert_eq!(parse(&good, ""), Err(Refusal::PkceIncomplete));
        assert_eq!(parse("", "s256"), Err(Refusal::PkceIncomplete));
        assert_eq!(parse(&"a".repeat(42), "nonsense"), Err(Refusal::PkceChallengeLength));
        assert_eq!(parse(&"a".repeat(129), "s256"), Err(Refusal::PkceChallengeLength));
        assert_eq!(parse(&"=".repeat(43), "nonsense"), Err(Refusal::PkceChallengeCharset));
        assert_eq!(parse(&good, "nonsense"), Err(Refusal::PkceMethod));
    }

    #[test]
    fn unchecked_challenges_need_a_method_only() {
        let unchecked = |challenge: &str, method: &str| {
            Challenge::unchecked(challenge, method).map(|taken| taken.map(|taken| taken.value().to_owned()))
        };
        assert_eq!(unchecked("", ""), Ok(None));
        assert_eq!(unchecked("", "nonsense"), Ok(None));
        assert_eq!(unchecked("=", "PLAIN"), Ok(Some("=".to_owned())));
        assert_eq!(unchecked("short", ""), Err(UnknownMethod));
        assert_eq!(unchecked("short", "nonsense"), Err(UnknownMethod));
    }

    #[test]
    fn methods_are_read_in_any_case() {
        let challenge = "A-z.0_9~".repeat(6);
        let method = |text: &str| Challenge::parse(&challenge, text).unwrap().unwrap().method();
        assert_eq!(method("S256"), Method::S256);
        assert_eq!(method("s256"), Method::S256);
        assert_eq!(method("PLAIN"), Method::Plain);
    }
}
