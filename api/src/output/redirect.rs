//! Redirects, and where a followed link leads (`contract/core.md` §15.3): how tokens, codes, messages and refusals travel in a URL.

use axum::body::Body;
use axum::response::Response;
use domain::refusal::Refusal;
use domain::tokens::IssuedSession;
use domain::verify::{Landing, Outcome};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY};

use crate::failure::Failure;
use crate::input::query::Query;

/// 303 to `location`.
///
/// # Errors
/// Fails where `location` cannot stand in a header.
pub(crate) fn see_other(location: &str) -> Result<Response, Failure> {
    redirect(StatusCode::SEE_OTHER, location)
}

/// 302 to `location`.
///
/// # Errors
/// As [`see_other`].
pub(crate) fn found(location: &str) -> Result<Response, Failure> {
    redirect(StatusCode::FOUND, location)
}

/// A redirect with a page for clients that do not follow. The page does not repeat the URL: it may hold tokens.
fn redirect(status: StatusCode, location: &str) -> Result<Response, Failure> {
    let location = HeaderValue::try_from(ascii(location)).map_err(Failure::fault)?;
    let mut response =
        Response::new(Body::from("<!doctype html><title>Elsewhere</title><p>The page is elsewhere.</p>\n"));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// A header carries ASCII only.
fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
        } else {
            letter.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| ascii.push_str(&format!("%{byte:02x}")));
        }
    }
    ascii
}

/// Where a followed link leads. Tokens are put behind the target as it was given, everything else into its parts.
pub(crate) fn location(landing: &Landing) -> String {
    let target = &domain::redirect::encoded(&landing.target);
    match &landing.outcome {
        Outcome::Session { session, kind } => {
            format!("{}#{}", landing.target, session_fragment(session, kind).encode())
        }
        Outcome::Code(code) => Target::of(target).with_query("code", code.expose()).text(),
        Outcome::Message(message) => {
            let fragment: Query = [("message", (*message).to_owned()), ("sb", String::new())].into_iter().collect();
            let target = Target::of(target).with_fragment(&fragment);
            if landing.pkce { target.with_query("message", message).text() } else { target.text() }
        }
        // The page that asks is no redirect.
        Outcome::Ask(_) => target.clone(),
        Outcome::Refused(refusal) => refused(target, refusal, landing.pkce),
    }
}

fn refused(target: &str, refusal: &Refusal, pkce: bool) -> String {
    let wire = refusal.wire();
    let mut parameters = Vec::with_capacity(4);
    if let Some(error) = error_of(wire.status) {
        parameters.push(("error", error.to_owned()));
    }
    parameters.push(("error_code", wire.code.to_owned()));
    parameters.push(("error_description", wire.message.into_owned()));
    let mut fragment: Query = parameters.clone().into_iter().collect();
    fragment.set("sb", "");
    let mut target = Target::of(target).with_fragment(&fragment);
    if pkce {
        for (name, value) in &parameters {
            target = target.with_query(name, value);
        }
    }
    target.text()
}

/// The word of RFC 6749 §4.1.2.1 that goes with a status.
pub(super) fn error_of(status: u16) -> Option<&'static str> {
    match status {
        400 => Some("invalid_request"),
        401 => Some("unauthorized_client"),
        403 => Some("access_denied"),
        500 => Some("server_error"),
        503 => Some("temporarily_unavailable"),
        _ => None,
    }
}

fn session_fragment(session: &IssuedSession, kind: &str) -> Query {
    [
        ("access_token", session.access_token.expose().clone()),
        ("expires_at", session.expires_at.to_string()),
        ("expires_in", session.expires_in.to_string()),
        ("refresh_token", session.refresh_token.expose().clone()),
        ("sb", String::new()),
        ("token_type", "bearer".to_owned()),
        ("type", kind.to_owned()),
    ]
    .into_iter()
    .collect()
}

/// A redirect target in its parts. Custom schemes are targets too, so it is split as text and never normalised.
pub(super) struct Target<'a> {
    base: &'a str,
    query: Option<Query>,
    raw_query: Option<&'a str>,
    fragment: Option<String>,
}

impl<'a> Target<'a> {
    /// Takes `text` apart.
    pub(super) fn of(text: &'a str) -> Self {
        let (rest, fragment) = match text.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment.to_owned())),
            None => (text, None),
        };
        let (base, raw_query) = match rest.split_once('?') {
            Some((base, query)) => (base, Some(query)),
            None => (rest, None),
        };
        Self { base, query: None, raw_query, fragment }
    }

    /// Replaces the fragment. Its percent signs are escaped once more, as clients of the contract expect.
    pub(super) fn with_fragment(mut self, fragment: &Query) -> Self {
        self.fragment = Some(fragment.encode().replace('%', "%25"));
        self
    }

    /// Puts `value` in the place of every value of `name`, and sorts the query.
    pub(super) fn with_query(mut self, name: &str, value: &str) -> Self {
        let mut query = self.query.take().unwrap_or_else(|| Query::parse(self.raw_query.unwrap_or_default()));
        query.set(name, value);
        self.query = Some(query);
        self
    }

    /// The whole of it.
    pub(super) fn text(self) -> String {
        let mut text = self.base.to_owned();
        if let Some(query) = self.query.map(|query| query.encode()).or(self.raw_query.map(str::to_owned)) {
            text.push('?');
            text.push_str(&query);
        }
        if let Some(fragment) = self.fragment {
            text.push('#');
            text.push_str(&fragment);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use domain::secret::Secret;

    use super::*;
    use crate::wire::examples;

    fn landing(target: &str, outcome: Outcome, pkce: bool) -> String {
        location(&Landing { target: target.to_owned(), outcome, pkce })
    }

    #[test]
    fn tokens_travel_in_the_fragment() {
        let outcome = || Outcome::Session { session: Box::new(examples::issued_session()), kind: "signup".to_owned() };
        let fragment = "access_token=header.payload.signature&expires_at=1700003600&expires_in=3600&refresh_token=refresh-token\
                        &sb=&token_type=bearer&type=signup";
        assert_eq!(landing("http://localhost:3000", outcome(), false), format!("http://localhost:3000#{fragment}"));
        assert_eq!(landing("app://cb?x=1", outcome(), false), format!("app://cb?x=1#{fragment}"));
    }

    #[test]
    fn a_code_travels_in_the_query() {
        let outcome = || Outcome::Code(Secret::new("the-code".to_owned()));
        assert_eq!(landing("http://localhost:3000", outcome(), true), "http://localhost:3000?code=the-code");
        assert_eq!(
            landing("https://a.co/x?z=1&code=old&a=b+c", outcome(), true),
            "https://a.co/x?a=b+c&code=the-code&z=1"
        );
        assert_eq!(landing("app://cb#top", outcome(), true), "app://cb?code=the-code#top");
    }

    #[test]
    fn a_refusal_travels_in_the_fragment_and_for_pkce_in_the_query_too() {
        let outcome = || Outcome::Refused(Refusal::LinkExpired);
        let fragment =
            "error=access_denied&error_code=otp_expired&error_description=Email+link+is+invalid+or+has+expired&sb=";
        assert_eq!(landing("https://a.co/?x=1", outcome(), false), format!("https://a.co/?x=1#{fragment}"));
        assert_eq!(
            landing("https://a.co/?x=1&error=mine#old", outcome(), true),
            format!(
                "https://a.co/?error=access_denied&error_code=otp_expired\
                 &error_description=Email+link+is+invalid+or+has+expired&x=1#{fragment}"
            )
        );
    }

    #[test]
    fn the_fragment_of_a_refusal_is_encoded_twice_and_its_query_once() {
        assert_eq!(
            landing("https://a.co", Outcome::Refused(Refusal::LinkFlowNotFound), true),
            "https://a.co?error=invalid_request&error_code=flow_state_not_found\
             &error_description=No+associated+flow+state+found.+422%3A+No+valid+flow+state+found+for+user.\
             #error=invalid_request&error_code=flow_state_not_found\
             &error_description=No+associated+flow+state+found.+422%253A+No+valid+flow+state+found+for+user.&sb="
        );
    }

    #[test]
    fn some_statuses_have_no_error_word() {
        let location = landing("https://a.co", Outcome::Refused(Refusal::SamePassword), false);
        assert!(location.starts_with("https://a.co#error_code=same_password&"), "{location}");
    }

    #[test]
    fn half_a_change_is_told_as_a_message() {
        let outcome = || Outcome::Message("Confirmation link accepted.");
        assert_eq!(landing("https://a.co", outcome(), false), "https://a.co#message=Confirmation+link+accepted.&sb=");
        assert_eq!(
            landing("https://a.co", outcome(), true),
            "https://a.co?message=Confirmation+link+accepted.#message=Confirmation+link+accepted.&sb="
        );
    }

    #[test]
    fn the_page_of_a_redirect_holds_no_token() {
        let response = see_other("https://a.co#access_token=secret").unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[LOCATION], "https://a.co#access_token=secret");
        assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    }

    #[test]
    fn a_target_that_could_split_the_header_is_a_fault() {
        assert!(see_other("https://a.co/\r\nSet-Cookie: x=1").is_err());
    }
}
