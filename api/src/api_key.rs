//! The `apikey` of a request (`contract/management.md` §3.2): it names the project, and the role of a client, never a user.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::ProjectRef;
use domain::secret::Secret;
use http::header::{ORIGIN, USER_AGENT};
use serde::Deserialize;

use crate::input::query::Query;

/// An API key as it was presented.
pub(crate) struct ApiKey {
    /// The key.
    pub(crate) value: Secret<String>,
    /// It stood in the query, where proxies and histories keep it.
    pub(crate) in_query: bool,
}

/// What an old-style key says about itself. Nothing of it is checked here: it routes, it does not authorise.
#[derive(Default, Deserialize)]
struct Claims {
    #[serde(default, rename = "ref")]
    project: Option<String>,
    #[serde(default)]
    role: Option<String>,
}

impl ApiKey {
    /// The key of a request: the header first, then the query.
    pub(crate) fn of(headers: &HeaderMap, query: &Query) -> Option<Self> {
        let present = |text: &&str| !text.is_empty();
        if let Some(value) = headers.get("apikey").and_then(|value| value.to_str().ok()).filter(present) {
            return Some(Self { value: Secret::new(value.to_owned()), in_query: false });
        }
        let value = query.get("apikey").ok().flatten().filter(present)?;
        Some(Self { value: Secret::new(value.to_owned()), in_query: true })
    }

    /// The project an old-style key names.
    pub(crate) fn claimed_project(&self) -> Option<ProjectRef> {
        claims(self.value.expose())?.project?.parse().ok()
    }
}

/// Whether a browser presents a key that opens the admin endpoints. `strict` also looks into old-style keys.
pub(crate) fn secret_in_browser(headers: &HeaderMap, tokens: &[&str], strict: bool) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let browser = agent.starts_with("Mozilla/") || (strict && headers.contains_key(ORIGIN));
    let opens = |token: &&str| {
        let role = || claims(token).and_then(|claims| claims.role);
        token.starts_with("sb_secret_") || (strict && role().as_deref() == Some("service_role"))
    };
    browser && tokens.iter().any(opens)
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key(header: Option<&'static str>, query: &str) -> Option<(String, bool)> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("apikey", HeaderValue::from_static(header));
        }
        ApiKey::of(&headers, &Query::parse(query)).map(|key| (key.value.into_inner(), key.in_query))
    }

    fn old_style(claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_header_comes_before_the_query() {
        assert_eq!(key(Some("a"), "apikey=b"), Some(("a".to_owned(), false)));
        assert_eq!(key(None, "x=1&apikey=b"), Some(("b".to_owned(), true)));
        assert_eq!(key(Some(""), "apikey=b"), Some(("b".to_owned(), true)));
        assert_eq!(key(None, "apikey="), None);
        assert_eq!(key(None, "apikey=%ff"), None);
    }

    #[test]
    fn an_old_style_key_names_its_project() {
        let named = |text: &str| {
            let key = ApiKey { value: Secret::new(text.to_owned()), in_query: false };
            key.claimed_project().map(|project| project.to_string())
        };
        assert_eq!(named(&old_style(r#"{"ref":"acme","role":"anon"}"#)), Some("acme".to_owned()));
        for other in [
            old_style(r#"{"role":"anon"}"#),
            old_style(r#"{"ref":"NOT A REF"}"#),
            "sb_publishable_x".to_owned(),
            "a.!.c".to_owned(),
        ] {
            assert_eq!(named(&other), None, "{other}");
        }
    }

    #[test]
    fn secret_keys_in_browsers_are_noticed() {
        let mut browser = HeaderMap::new();
        browser.insert(USER_AGENT, HeaderValue::from_static("Mozilla/5.0 (X11; Linux x86_64)"));
        let mut server = HeaderMap::new();
        server.insert(USER_AGENT, HeaderValue::from_static("node"));
        let service = old_style(r#"{"role":"service_role"}"#);
        let anon = old_style(r#"{"role":"anon"}"#);
        assert!(secret_in_browser(&browser, &["sb_secret_x"], false));
        assert!(!secret_in_browser(&server, &["sb_secret_x"], true));
        assert!(!secret_in_browser(&browser, &["sb_publishable_x", &anon], true));
        assert!(!secret_in_browser(&browser, &[&service], false));
        assert!(secret_in_browser(&browser, &[&service], true));
        server.insert(ORIGIN, HeaderValue::from_static("https://shop.example.com"));
        assert!(secret_in_browser(&server, &[&service], true));
    }
}
