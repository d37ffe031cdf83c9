//! Second factors: an authenticator app (RFC 6238: HMAC-SHA1, six digits, steps of 30 seconds).

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use totp_rs::{Builder, Totp};

use super::{Failure, Session, Tokens, send, send_json};

/// Seconds of a step.
const PERIOD: u64 = 30;

/// An app that holds one factor's secret.
///
/// A server may take each step once, and takes one step ahead of its clock: so an app has two codes at any time, and then one
/// in 30 seconds.
pub(crate) struct App {
    totp: Totp,
    factor: String,
    /// The last step whose code was given out.
    last: u64,
}

impl App {
    fn new(secret: &str, factor: String) -> Result<Self, Failure> {
        let secret = totp_rs::Secret::try_from_base32(secret).map_err(|_| Failure::unexpected())?;
        Ok(Self { totp: Builder::new().with_secret(secret).build_noncompliant(), factor, last: 0 })
    }

    /// The factor that it proves.
    pub(crate) fn factor(&self) -> &str {
        &self.factor
    }

    /// Whether [`Self::code`] has one at `now`, in seconds since 1970.
    pub(crate) fn has_code(&self, now: u64) -> bool {
        self.next_step(now).is_some()
    }

    /// A code that was not given yet and that a server takes at `now`.
    pub(crate) fn code(&mut self, now: u64) -> Result<String, Failure> {
        let step = self.next_step(now).ok_or_else(|| Failure("the codes of this minute are used up".to_owned()))?;
        self.last = step;
        Ok(self.totp.generate(step * PERIOD).to_string())
    }

    fn next_step(&self, now: u64) -> Option<u64> {
        let now = now / PERIOD;
        let step = now.max(self.last + 1);
        (step <= now + 1).then_some(step)
    }
}

/// Seconds since 1970 by this machine's clock, which has to agree with the server's to half a minute.
#[expect(clippy::disallowed_methods, reason = "codes by time are those of the real clock")]
pub(crate) fn unix_now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
}

/// Begins to enrol an authenticator app under a name that the user's other factors do not have.
pub(crate) async fn enroll(session: &Session, name: &str) -> Result<App, Failure> {
    #[derive(Deserialize)]
    struct Enrolled {
        id: String,
        totp: Shown,
    }
    #[derive(Deserialize)]
    struct Shown {
        secret: String,
    }
    let body = json!({"factor_type": "totp", "friendly_name": name});
    let enrolled: Enrolled = send_json(session.request(Method::POST, "factors").json(&body)).await?;
    App::new(&enrolled.totp.secret, enrolled.id)
}

/// Asks to be asked for a code.
pub(crate) async fn challenge(session: &Session, factor: &str) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Challenge {
        id: String,
    }
    let challenge: Challenge = send_json(session.request(Method::POST, &format!("factors/{factor}/challenge"))).await?;
    Ok(challenge.id)
}

/// Answers a challenge, which raises the session.
pub(crate) async fn verify(session: &mut Session, factor: &str, challenge: &str, code: &str) -> Result<(), Failure> {
    let body = json!({"challenge_id": challenge, "code": code});
    let request = session.request(Method::POST, &format!("factors/{factor}/verify")).json(&body);
    let raised: Tokens = send_json(request).await?;
    session.tokens = raised;
    Ok(())
}

/// Gives a factor up.
pub(crate) async fn unenroll(session: &Session, factor: &str) -> Result<(), Failure> {
    send(session.request(Method::DELETE, &format!("factors/{factor}"))).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        App::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "f".to_owned()).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            assert_eq!(app().code(seconds).unwrap(), code);
        }
    }

    #[test]
    fn a_step_is_given_once_and_one_ahead_of_the_clock() {
        let mut app = app();
        let first = app.code(1_767_225_600).unwrap();
        assert!(app.has_code(1_767_225_600));
        let second = app.code(1_767_225_600).unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("745690", "119644"));
        assert!(!app.has_code(1_767_225_629) && app.code(1_767_225_629).is_err());
        assert_eq!(app.code(1_767_225_630).unwrap(), "582485");
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        assert!(App::new("not base32!", "f".to_owned()).is_err());
    }
}
