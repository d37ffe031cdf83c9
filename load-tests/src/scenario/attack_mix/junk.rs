//! Requests that make no sense, and the refusals that the API has for them.

use reqwest::{Method, RequestBuilder, header};

use super::HUGE;
use crate::client::Project;

/// One kind of junk.
pub(super) struct Junk {
    pub(super) operation: &'static str,
    method: Method,
    path: &'static str,
    bearer: Bearer,
    body: Body,
    /// What it may be refused with.
    pub(super) refusals: &'static [&'static str],
}

enum Bearer {
    None,
    Text(&'static str),
}

enum Body {
    None,
    Json(&'static str),
    Form(&'static str),
    Huge,
}

/// A token of the right form that nobody signed.
const FORGED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIwMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDAiLCJyb2xlIjoic2VydmljZV9yb2xlIiwiZXhwIjo0MTAyNDQ0ODAwfQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A token that says it needs no signature.
const UNSIGNED: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJyb2xlIjoic2VydmljZV9yb2xlIiwiZXhwIjo0MTAyNDQ0ODAwfQ.";

const BAD_JSON: &[&str] = &["400 bad_json"];
const BAD_TOKEN: &[&str] = &["403 bad_jwt", "401 bad_jwt", "401"];
const NO_TOKEN: &[&str] = &["401 no_authorization", "401"];

const fn post(path: &'static str, body: Body, refusals: &'static [&'static str]) -> Junk {
    Junk { operation: "junk-body", method: Method::POST, path, bearer: Bearer::None, body, refusals }
}

const fn token(method: Method, path: &'static str, bearer: Bearer, refusals: &'static [&'static str]) -> Junk {
    Junk { operation: "junk-token", method, path, bearer, body: Body::None, refusals }
}

const fn path(method: Method, path: &'static str, refusals: &'static [&'static str]) -> Junk {
    Junk { operation: "junk-path", method, path, bearer: Bearer::None, body: Body::None, refusals }
}

/// All of it, kinds mixed.
pub(super) static JUNK: &[Junk] = &[
    post("token?grant_type=password", Body::Json("{\"email\":"), BAD_JSON),
    token(Method::GET, "user", Bearer::Text("x.y.z"), BAD_TOKEN),
    path(Method::GET, "no-such-thing", &["404"]),
    post("signup", Body::Json("[1, 2, 3]"), BAD_JSON),
    token(Method::GET, "user", Bearer::Text(FORGED), BAD_TOKEN),
    path(Method::DELETE, "signup", &["405"]),
    post("signup", Body::Json("{\"email\": 5, \"password\": {}}"), BAD_JSON),
    token(Method::GET, "admin/users", Bearer::Text(UNSIGNED), BAD_TOKEN),
    path(Method::GET, "..%2f..%2fetc%2fpasswd", &["404"]),
    post("signup", Body::Form("email=a%40example.com&password=x"), BAD_JSON),
    token(Method::GET, "user", Bearer::None, NO_TOKEN),
    post("signup", Body::Huge, &["413 request_entity_too_large", "413"]),
    token(Method::GET, "admin/users", Bearer::None, NO_TOKEN),
    post("token?grant_type=nothing", Body::Json("{}"), &["400 invalid_credentials", "400 unsupported_grant_type"]),
    post(
        "token?grant_type=refresh_token",
        Body::Json("{\"refresh_token\":\"guessed-12-34\"}"),
        &["400 refresh_token_not_found", "400 validation_failed"],
    ),
    post("verify", Body::Json("{\"type\":\"email\",\"token_hash\":\"guessed\"}"), &["403 otp_expired"]),
];

impl Junk {
    pub(super) fn request(&self, project: &Project) -> RequestBuilder {
        let request = project.public(self.method.clone(), self.path);
        let request = match self.bearer {
            Bearer::None => request,
            Bearer::Text(token) => request.bearer_auth(token),
        };
        let typed = |kind: &'static str| (header::CONTENT_TYPE, kind);
        let ((name, kind), body) = match self.body {
            Body::None => return request,
            Body::Json(text) => (typed("application/json"), text.to_owned()),
            Body::Form(text) => (typed("application/x-www-form-urlencoded"), text.to_owned()),
            Body::Huge => (typed("application/json"), format!("{{\"email\":\"{}\"}}", "a".repeat(HUGE))),
        };
        request.header(name, kind).body(body)
    }
}
