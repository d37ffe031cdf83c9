//! Captchas (`contract/core.md` §18.4): what a request brings to show that a person sends it.

use crate::config::CaptchaSettings;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::secret::Secret;

/// What the body and the headers of a request hold for the captcha check.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// `gotrue_meta_security.captcha_token`, blanks removed; empty when absent.
    pub token: Secret<String>,
    /// The field or the token in it is of another type: only where there is a captcha does that matter.
    pub malformed: bool,
    /// An administrator's token spares the check.
    pub bearer: Bearer,
}

/// What the provider says about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// A person solved it.
    pub success: bool,
    /// Why not, in the provider's words.
    pub error_codes: &'a [String],
    /// The site on which it was solved.
    pub hostname: Option<&'a str>,
}

/// Whether the request may go on. A token that was solved on another site than the project's does not count, where the
/// project names its sites.
///
/// # Errors
/// Refused by the provider, or solved elsewhere.
pub fn judge(judgement: Judgement<'_>, settings: &CaptchaSettings) -> Result<(), Refusal> {
    if !judgement.success {
        return Err(Refusal::CaptchaFailed(judgement.error_codes.join(", ")));
    }
    let ours = |name: &str| settings.hostnames.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    if !settings.hostnames.is_empty() && !judgement.hostname.is_some_and(ours) {
        return Err(Refusal::CaptchaFailed("hostname-mismatch".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CaptchaProvider;

    fn judged(success: bool, hostname: Option<&str>, hostnames: &[&str]) -> Result<(), Refusal> {
        let settings = CaptchaSettings {
            provider: CaptchaProvider::Turnstile,
            secret: Secret::default(),
            hostnames: hostnames.iter().map(|name| (*name).to_owned()).collect(),
        };
        let error_codes = ["timeout-or-duplicate".to_owned(), "bad-request".to_owned()];
        judge(Judgement { success, error_codes: &error_codes, hostname }, &settings)
    }

    #[test]
    fn the_providers_words_are_passed_on() {
        let refused = Refusal::CaptchaFailed("timeout-or-duplicate, bad-request".to_owned());
        assert_eq!(judged(false, Some("app.example"), &["app.example"]), Err(refused));
        assert_eq!(judged(true, None, &[]), Ok(()));
    }

    #[test]
    fn a_token_counts_only_where_it_was_solved() {
        let elsewhere = Err(Refusal::CaptchaFailed("hostname-mismatch".to_owned()));
        assert_eq!(judged(true, Some("App.Example"), &["x.example", "app.example"]), Ok(()));
        assert_eq!(judged(true, Some("evil.example"), &["app.example"]), elsewhere);
        assert_eq!(judged(true, None, &["app.example"]), elsewhere);
    }
}
