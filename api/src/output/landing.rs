//! Where a browser goes after it came back from a provider (`contract/mfa-passkeys-oauth.md` §3.3, §3.4).

use axum::response::Response;
use domain::callback::{Landing, Outcome};
use domain::provider::ProviderTokens;
use domain::refusal::{Refusal, Wire};
use domain::tokens::IssuedSession;

use crate::failure::Failure;
use crate::input::query::Query;
use crate::output::redirect::{self, Target};

/// The redirect to the application: 303 to the site where no flow is known, else 302.
///
/// # Errors
/// Fails where the target cannot stand in a header.
pub(crate) fn answer(landing: &Landing) -> Result<Response, Failure> {
    let location = location(landing);
    match landing.outcome {
        Outcome::NoFlow(_) => redirect::see_other(&location),
        _ => redirect::found(&location),
    }
}

/// Tokens are put behind the target as it was given, everything else into its parts.
fn location(landing: &Landing) -> String {
    let target = &domain::redirect::encoded(&landing.target);
    match &landing.outcome {
        Outcome::Session { session, tokens } => format!("{}#{}", landing.target, fragment(session, tokens).encode()),
        Outcome::Code(code) => Target::of(target).with_query("code", code.expose()).text(),
        Outcome::NoFlow(refusal) => Told::of(&refusal.wire(), refusal).in_query(Target::of(target)).text(),
        Outcome::Refused(refusal) => Told::of(&refusal.wire(), refusal).everywhere(&bare(target)),
        Outcome::ProviderRefused { error, description } => {
            Told { error, code: None, description }.everywhere(&bare(target))
        }
    }
}

/// The contract writes an address with nothing behind its `//` without the slashes where it tells an error.
fn bare(target: &str) -> String {
    match target.split_once("://") {
        Some((scheme, rest)) if rest.is_empty() || rest.starts_with(['?', '#']) => format!("{scheme}:{rest}"),
        _ => target.to_owned(),
    }
}

/// The access token of the provider always stands there, its refresh token where there is one.
fn fragment(session: &IssuedSession, tokens: &ProviderTokens) -> Query {
    let mut fragment: Query = [
        ("access_token", session.access_token.expose().clone()),
        ("expires_at", session.expires_at.to_string()),
        ("expires_in", session.expires_in.to_string()),
        ("provider_token", tokens.access_token.expose().clone()),
        ("refresh_token", session.refresh_token.expose().clone()),
        ("sb", String::new()),
        ("token_type", "bearer".to_owned()),
    ]
    .into_iter()
    .collect();
    if !tokens.refresh_token.expose().is_empty() {
        fragment.set("provider_refresh_token", tokens.refresh_token.expose().clone());
    }
    fragment
}

/// An error as the application is told it.
struct Told<'a> {
    error: &'a str,
    /// `None` for an error in the words of OAuth, which has no codes of ours.
    code: Option<&'a str>,
    description: &'a str,
}

impl<'a> Told<'a> {
    fn of(wire: &'a Wire, refusal: &Refusal) -> Self {
        let description = &wire.message;
        match refusal {
            Refusal::Provider(row) if row.is_of_oauth() => Self { error: wire.code, code: None, description },
            _ => Self { error: error_of(wire), code: Some(wire.code), description },
        }
    }

    /// In query and fragment. The fragment leaves out what is empty.
    fn everywhere(&self, target: &str) -> String {
        let mut fragment: Query = [("error", self.error.to_owned()), ("sb", String::new())].into_iter().collect();
        let code = self.code.unwrap_or_default();
        for (name, value) in [("error_code", code), ("error_description", self.description)] {
            if !value.is_empty() {
                fragment.set(name, value);
            }
        }
        self.in_query(Target::of(target).with_fragment(&fragment)).text()
    }

    fn in_query<'t>(&self, target: Target<'t>) -> Target<'t> {
        let target = target.with_query("error", self.error).with_query("error_description", self.description);
        match self.code {
            Some(code) => target.with_query("error_code", code),
            None => target,
        }
    }
}

/// The word of RFC 6749 §4.1.2.1 for a refusal.
fn error_of(wire: &Wire) -> &'static str {
    match wire.code {
        "signup_disabled" | "user_banned" | "provider_email_needs_verification" => "access_denied",
        _ => redirect::error_of(wire.status).unwrap_or("server_error"),
    }
}

#[cfg(test)]
mod tests {
    use domain::refusal::{HookRefusal, ProviderRefusal};
    use domain::secret::Secret;
    use http::StatusCode;
    use http::header::LOCATION;

    use super::*;
    use crate::wire::examples;

    fn lands(target: &str, outcome: Outcome) -> (u16, String) {
        let response = answer(&Landing { target: target.to_owned(), outcome }).unwrap();
        (response.status().as_u16(), response.headers()[LOCATION].to_str().unwrap().to_owned())
    }

    fn session(access: &str, refresh: &str) -> Outcome {
        let tokens = ProviderTokens {
            access_token: Secret::new(access.to_owned()),
            refresh_token: Secret::new(refresh.to_owned()),
        };
        Outcome::Session { session: Box::new(examples::issued_session()), tokens }
    }

    #[test]
    fn tokens_are_put_behind_the_target_as_it_is() {
        let ours = "access_token=header.payload.signature&expires_at=1700003600&expires_in=3600";
        let rest = "refresh_token=refresh-token&sb=&token_type=bearer";
        assert_eq!(
            lands("https://a.co/in?x=1", session("at", "rt")),
            (302, format!("https://a.co/in?x=1#{ours}&provider_refresh_token=rt&provider_token=at&{rest}"))
        );
        // A provider without tokens still has the key of one.
        for target in ["com.app://", "https://a.co/#top"] {
            assert_eq!(lands(target, session("", "")), (302, format!("{target}#{ours}&provider_token=&{rest}")));
        }
    }

    #[test]
    fn a_code_joins_the_query() {
        let code = Outcome::Code(Secret::new("the-code".to_owned()));
        assert_eq!(lands("https://a.co/cb?z=1&a=2", code), (302, "https://a.co/cb?a=2&code=the-code&z=1".to_owned()));
    }

    #[test]
    fn a_refusal_stands_in_query_and_fragment() {
        let refused = Outcome::Refused(ProviderRefusal::CodeRefused("wron".to_owned()).into());
        assert_eq!(
            lands("https://a.co/in?keep=1&error=old#top", refused),
            (
                302,
                "https://a.co/in?error=server_error&error_code=unexpected_failure\
                 &error_description=Unable+to+exchange+external+code%3A+wron&keep=1\
                 #error=server_error&error_code=unexpected_failure\
                 &error_description=Unable+to+exchange+external+code%253A+wron&sb="
                    .to_owned()
            )
        );
    }

    #[test]
    fn the_words_of_a_provider_go_on_as_they_are() {
        let refused = |error: &str, description: &str| Outcome::ProviderRefused {
            error: error.to_owned(),
            description: description.to_owned(),
        };
        assert_eq!(
            lands("https://a.co", refused("access_denied", "He & she said <no>")),
            (
                302,
                "https://a.co?error=access_denied&error_description=He+%26+she+said+%3Cno%3E\
                 #error=access_denied&error_description=He+%2526+she+said+%253Cno%253E&sb="
                    .to_owned()
            )
        );
        assert_eq!(
            lands("https://a.co", refused("temporarily_unavailable", "")),
            (
                302,
                "https://a.co?error=temporarily_unavailable&error_description=#error=temporarily_unavailable&sb="
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_hooks_refusal_without_code_has_an_empty_one_in_the_query_only() {
        let (status, location) =
            lands("https://a.co", Outcome::Refused(HookRefusal::Rejected(403, "no".to_owned()).into()));
        assert_eq!(status, 302);
        assert_eq!(
            location,
            "https://a.co?error=access_denied&error_code=&error_description=no\
             #error=access_denied&error_description=no&sb="
        );
    }

    #[test]
    fn without_a_flow_the_query_alone_says_why() {
        assert_eq!(
            lands("https://a.co/?from=site", Outcome::NoFlow(ProviderRefusal::StateUnknown.into())),
            (
                303,
                "https://a.co/?error=invalid_request&error_code=bad_oauth_state\
                 &error_description=OAuth+state+not+found+or+expired&from=site"
                    .to_owned()
            )
        );
    }

    #[test]
    fn an_application_without_host_loses_its_slashes_with_an_error_only() {
        for (target, start) in [
            ("com.app://", "com.app:?error=invalid_request&"),
            ("com.app://?z=1#top", "com.app:?error=invalid_request&"),
            ("com.app://in", "com.app://in?error=invalid_request&"),
        ] {
            let (_, location) = lands(target, Outcome::Refused(ProviderRefusal::CodeMissing.into()));
            assert!(location.starts_with(start), "{location}");
            assert!(lands(target, session("", "")).1.starts_with(target));
        }
    }

    #[test]
    fn each_refusal_has_one_of_the_words_of_oauth() {
        let wire = |status, code| Wire { status, code, message: "".into() };
        for (status, code, word) in [
            (422, "signup_disabled", "access_denied"),
            (403, "user_banned", "access_denied"),
            (422, "provider_email_needs_verification", "access_denied"),
            (400, "validation_failed", "invalid_request"),
            (401, "no_authorization", "unauthorized_client"),
            (403, "x", "access_denied"),
            (500, "unexpected_failure", "server_error"),
            (503, "provider_unavailable", "temporarily_unavailable"),
            (404, "invite_not_found", "server_error"),
            (422, "identity_already_exists", "server_error"),
            (429, "over_email_send_rate_limit", "server_error"),
        ] {
            assert_eq!(error_of(&wire(status, code)), word, "{status} {code}");
        }
    }

    #[test]
    fn a_target_that_could_split_the_header_is_a_fault() {
        let landing = Landing { target: "https://a.co/\r\nSet-Cookie: x=1".to_owned(), outcome: session("", "") };
        assert!(answer(&landing).is_err());
        assert_eq!(redirect::found("https://a.co").unwrap().status(), StatusCode::FOUND);
    }
}
