//! Cross-origin access (`contract/core.md` §1.3). Two rules go beyond the recorded behaviour: credentials are never allowed
//! together with `*`, and `apikey` is among the allowed request headers, because no other gateway stands in front.

use axum::response::{IntoResponse, Response};
use domain::config::policy::CorsOrigins;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Headers a page may send: the contract's, `apikey`, and those of distributed tracing.
const HEADERS: [&str; 12] = [
    "accept",
    "apikey",
    "authorization",
    "baggage",
    "content-type",
    "traceparent",
    "tracestate",
    "x-client-info",
    "x-client-ip",
    "x-jwt-aud",
    "x-supabase-api-version",
    "x-use-cookie",
];

const EXPOSED: HeaderValue = HeaderValue::from_static("X-Total-Count, Link, X-Supabase-Api-Version");

/// Which pages may read answers.
#[derive(Clone, Debug)]
pub struct Cors {
    /// The origins.
    pub origins: CorsOrigins,
    /// They may send credentials; without effect while every origin may read.
    pub credentials: bool,
}

impl Default for Cors {
    fn default() -> Self {
        Self { origins: CorsOrigins::Any, credentials: false }
    }
}

impl Cors {
    /// The value of `Access-Control-Allow-Origin` for `origin`; `None` where it may not read.
    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match &self.origins {
            CorsOrigins::Any => Some(HeaderValue::from_static("*")),
            CorsOrigins::Listed(origins) => {
                origin.to_str().ok().filter(|origin| origins.contains(*origin)).map(|_| origin.clone())
            }
        }
    }

    fn grant(&self, headers: &mut HeaderMap, allowed: HeaderValue) {
        if self.credentials && allowed != "*" {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    }

    /// The answer to a preflight: always 204, with the permissions only where everything asked for is allowed.
    pub(crate) fn preflight(&self, request: &HeaderMap) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        for name in ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"] {
            headers.append(VARY, HeaderValue::from_static(name));
        }
        let method = request.get(ACCESS_CONTROL_REQUEST_METHOD);
        let wanted = request.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|value| !value.is_empty());
        let origin = request.get(ORIGIN).filter(|origin| !origin.is_empty());
        if let (Some(origin), Some(method)) = (origin, method)
            && method.to_str().is_ok_and(allows_method)
            && wanted.is_none_or(allows_headers)
            && let Some(allowed) = self.allowed(origin)
        {
            self.grant(headers, allowed);
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
            if let Some(wanted) = wanted {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
            }
        }
        response
    }

    /// Adds what a page needs to read the answer to a request from `origin`.
    pub(crate) fn apply(&self, response: &mut HeaderMap, method: &Method, origin: Option<&HeaderValue>) {
        response.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = origin.filter(|origin| !origin.is_empty()) else { return };
        if allows_method(method.as_str())
            && let Some(allowed) = self.allowed(origin)
        {
            self.grant(response, allowed);
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// Whether a request asks for permission rather than for an answer.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.get(ACCESS_CONTROL_REQUEST_METHOD).is_some_and(|method| !method.is_empty())
}

/// Methods are written in capitals (RFC 9110 §9.1). `OPTIONS` is always allowed, as recorded.
fn allows_method(method: &str) -> bool {
    method == Method::OPTIONS.as_str() || METHODS.contains(&method)
}

fn allows_headers(wanted: &HeaderValue) -> bool {
    let known = |name: &str| HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name));
    wanted.to_str().is_ok_and(|wanted| wanted.split(',').map(str::trim).all(|name| name.is_empty() || known(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(origins: &[&str], credentials: bool) -> Cors {
        Cors { origins: CorsOrigins::Listed(origins.iter().map(|&origin| origin.to_owned()).collect()), credentials }
    }

    fn preflight(cors: &Cors, origin: &'static str, method: &'static str, headers: &'static str) -> Vec<String> {
        let mut request = HeaderMap::new();
        for (name, value) in
            [(ORIGIN, origin), (ACCESS_CONTROL_REQUEST_METHOD, method), (ACCESS_CONTROL_REQUEST_HEADERS, headers)]
        {
            if !value.is_empty() {
                request.insert(name, HeaderValue::from_static(value));
            }
        }
        let response = cors.preflight(&request);
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        shown(response.headers())
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let mut shown: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        shown.sort();
        shown
    }

    const REFUSED: [&str; 3] =
        ["vary: Access-Control-Request-Headers", "vary: Access-Control-Request-Method", "vary: Origin"];

    #[test]
    fn a_preflight_echoes_what_it_allows() {
        let granted = preflight(
            &Cors::default(),
            "https://shop.example.com",
            "POST",
            "apikey,Authorization,x-client-info,x-supabase-api-version",
        );
        assert_eq!(
            granted[..3],
            [
                "access-control-allow-headers: apikey,Authorization,x-client-info,x-supabase-api-version",
                "access-control-allow-methods: POST",
                "access-control-allow-origin: *",
            ]
        );
        assert_eq!(granted[3..], REFUSED);
        let without_headers = preflight(&Cors::default(), "https://shop.example.com", "PUT", "");
        assert!(!without_headers.iter().any(|header| header.starts_with("access-control-allow-headers")));
    }

    #[test]
    fn headers_are_granted_in_any_case_and_with_blanks() {
        for headers in ["Authorization , CONTENT-TYPE", "apikey,authorization,content-type", " x-client-info,"] {
            let granted = preflight(&Cors::default(), "https://shop.example.com", "POST", headers);
            assert!(granted.contains(&"access-control-allow-methods: POST".to_owned()), "{headers}: {granted:?}");
        }
    }

    #[test]
    fn a_preflight_names_a_method() {
        let asks = |method: Option<&'static str>| {
            let wanted = method.map(|method| (ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static(method)));
            is_preflight(&Method::OPTIONS, &wanted.into_iter().collect())
        };
        assert!(asks(Some("POST")) && !asks(Some("")) && !asks(None));
    }

    #[test]
    fn a_refused_preflight_is_204_without_permissions() {
        for (origin, method, headers) in [
            ("https://shop.example.com", "POST", "x-unknown-header"),
            ("https://shop.example.com", "TRACE", "apikey"),
            ("https://shop.example.com", "post", "apikey"),
            ("", "POST", "apikey"),
        ] {
            assert_eq!(preflight(&Cors::default(), origin, method, headers), REFUSED, "{origin} {method} {headers}");
        }
    }

    #[test]
    fn credentials_never_stand_beside_a_wildcard() {
        let cors = Cors { credentials: true, ..Cors::default() };
        let granted = preflight(&cors, "https://shop.example.com", "POST", "");
        assert!(!granted.iter().any(|header| header.contains("credentials")), "{granted:?}");
        let granted = preflight(&listed(&["https://shop.example.com"], true), "https://shop.example.com", "POST", "");
        assert!(granted.contains(&"access-control-allow-credentials: true".to_owned()), "{granted:?}");
    }

    #[test]
    fn only_listed_origins_are_echoed() {
        let cors = listed(&["https://shop.example.com"], false);
        let granted = preflight(&cors, "https://shop.example.com", "POST", "");
        assert!(granted.contains(&"access-control-allow-origin: https://shop.example.com".to_owned()));
        assert_eq!(preflight(&cors, "https://evil.example.com", "POST", ""), REFUSED);
    }

    #[test]
    fn an_answer_always_varies_by_origin() {
        let answer = |method: Method, origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            let origin = origin.map(HeaderValue::from_static);
            Cors::default().apply(&mut headers, &method, origin.as_ref());
            shown(&headers)
        };
        assert_eq!(answer(Method::GET, None), ["vary: Origin"]);
        assert_eq!(
            answer(Method::GET, Some("https://a.co")),
            [
                "access-control-allow-origin: *",
                "access-control-expose-headers: X-Total-Count, Link, X-Supabase-Api-Version",
                "vary: Origin",
            ]
        );
        assert_eq!(answer(Method::HEAD, Some("https://a.co")), ["vary: Origin"]);
        assert_eq!(answer(Method::OPTIONS, Some("https://a.co"))[0], "access-control-allow-origin: *");
    }
}
