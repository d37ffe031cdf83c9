//! The one map from failures to HTTP (`contract/core.md` §2). A handler answers a `Failure`; the outermost layer writes the
//! body, because its shape depends on the version the client asked for, and logs what an operator must see.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use domain::ids::InvalidProjectRef;
use domain::refusal::{DatabaseError, HookRefusal, Refusal, Wire};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use serde::Serialize;

use crate::output::json;

pub use actors::Cause;

/// Why a request has no ordinary answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An expected outcome of the contract.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// No project is meant by the path, the host or the key.
    #[error("unknown project")]
    UnknownProject,
    /// The project does not take the API key of the request.
    #[error("api key not taken")]
    ApiKey(ApiKeyFault),
    /// The gateway or the project has all the work it can hold.
    #[error("overloaded")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// This client or project asks too often.
    #[error("limited")]
    Limited {
        /// When to come back.
        retry_after: Duration,
    },
    /// Something the request needs is away.
    #[error("temporarily unavailable")]
    Unavailable {
        /// When to come back.
        retry_after: Duration,
        /// What is away.
        source: Cause,
    },
    /// The deadline has passed.
    #[error("the deadline has passed")]
    Timeout,
    /// A defect stopped the work half way.
    #[error("the work crashed")]
    Crashed,
    /// A defect, ours or the data's.
    #[error("fault")]
    Fault(#[source] Cause),
    /// Nothing is served at this path.
    #[error("no such route")]
    NoRoute,
    /// The path is served, but not with this method; holds those that are.
    #[error("method not allowed")]
    MethodNotAllowed(Arc<str>),
    /// The sender of a body fell silent.
    #[error("the body stalled")]
    BodyStalled,
    /// The sender of a body broke off or broke the framing.
    #[error("the body is broken")]
    BodyBroken,
    /// A text of the path is no project's ref; the Management API alone tells it from a ref that there is not.
    #[error("no project ref")]
    IllFormedRef,
    /// The Management API refuses with this status and message.
    #[error("management: {1}")]
    Management(StatusCode, String),
}

/// What is wrong with the API key of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKeyFault {
    /// None was given where the project looks for it.
    Missing,
    /// A browser presents a key that belongs on servers only.
    SecretInBrowser,
}

impl Failure {
    /// A fault with `cause`.
    pub fn fault(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Fault(Arc::from(cause.into()))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Carries a failure from the handler to the layer that writes it.
#[derive(Clone)]
struct Carried(Arc<Failure>);

/// How an answer of the Management API tells of a failure; an extension of the response (`contract/management.md` §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `{"message"}`.
    V1,
    /// `{"error": {"code", "message"}}`.
    V2,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Carried(Arc::new(self)));
        response
    }
}

/// The shape of error bodies that a client understands (`contract/core.md` §1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiVersion {
    /// `code` is the status, the error code stands in `error_code`, the text in `msg`.
    Legacy,
    /// From 2024-01-01 on: `code` is the error code, the text stands in `message`.
    Dated,
}

const VERSION: HeaderName = HeaderName::from_static("x-supabase-api-version");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-sb-error-code");
const ROTATED: HeaderName = HeaderName::from_static("sb-auth-refresh-token-rotated");
const DATED: HeaderValue = HeaderValue::from_static("2024-01-01");

impl ApiVersion {
    /// Reads the version header. What is absent, no date, or before 2024 means the legacy shape.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let date = headers.get(VERSION).and_then(|value| value.to_str().ok()).filter(|text| is_date(text));
        if date.is_some_and(|date| date >= "2024-01-01") { Self::Dated } else { Self::Legacy }
    }
}

/// Whether `text` is a day of the calendar as `YYYY-MM-DD`; such texts sort as the days do.
fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut part = |length: usize| {
        parts
            .next()
            .filter(|part| part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))?
            .parse::<u32>()
            .ok()
    };
    let (Some(year), Some(month), Some(day)) = (part(4), part(2), part(2)) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    parts.next().is_none() && (1..=days).contains(&day)
}

/// Writes the body of a failed request and keeps the headers that layers added; other answers pass unchanged.
pub(crate) fn render(mut response: Response, version: ApiVersion, request_id: &str, method: &Method) -> Response {
    let Some(Carried(failure)) = response.extensions_mut().remove::<Carried>() else { return response };
    log(&failure);
    let mut rendered = match response.extensions_mut().remove::<Dialect>() {
        Some(dialect) => manage(&failure, dialect, request_id),
        None => write(&failure, version, request_id),
    };
    for (name, value) in response.headers() {
        if ![ALLOW, CONTENT_LENGTH, CONTENT_TYPE].contains(name) {
            rendered.headers_mut().append(name, value.clone());
        }
    }
    if *method == Method::HEAD {
        *rendered.body_mut() = Body::empty();
    }
    rendered
}

fn log(failure: &Failure) {
    match failure {
        Failure::Fault(source) => tracing::error!(cause = chain(source.as_ref()), "request failed"),
        Failure::Crashed => tracing::error!("request crashed"),
        Failure::Unavailable { source, .. } => tracing::warn!(cause = chain(source.as_ref()), "request not served"),
        Failure::Overloaded { .. } => tracing::warn!("request shed"),
        Failure::Timeout => tracing::warn!("request timed out"),
        Failure::Refused(refusal) => tracing::debug!(code = refusal.wire().code, "request refused"),
        _ => tracing::debug!(%failure, "request refused"),
    }
}

fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// An error as a client is told it.
struct Told<'a> {
    status: u16,
    code: &'a str,
    message: &'a str,
    reasons: Option<Vec<&'static str>>,
    /// Errors of the contract carry their code in a header and, from 500 on, the request's id; crashes carry neither.
    of_contract: bool,
}

fn write(failure: &Failure, version: ApiVersion, request_id: &str) -> Response {
    let plain = |status, code, message| Told { status, code, message, reasons: None, of_contract: true };
    match failure {
        Failure::Refused(refusal) => refused(refusal, version, request_id),
        Failure::UnknownProject | Failure::IllFormedRef => {
            body(&plain(404, "project_not_found", "Project not found"), version, request_id)
        }
        Failure::ApiKey(fault) => api_key(*fault),
        Failure::Overloaded { retry_after } | Failure::Unavailable { retry_after, .. } => {
            let told =
                plain(503, "service_unavailable", "Service is temporarily unavailable, please try again shortly");
            with_retry_after(body(&told, version, request_id), *retry_after)
        }
        Failure::Limited { retry_after } => {
            let wire = Refusal::OverRequestRateLimit.wire();
            with_retry_after(body(&plain(wire.status, wire.code, &wire.message), version, request_id), *retry_after)
        }
        Failure::Timeout => {
            let wire = Refusal::RequestTimeout.wire();
            body(&plain(wire.status, wire.code, &wire.message), version, request_id)
        }
        Failure::Crashed => {
            let told = Told { of_contract: false, ..plain(500, "unexpected_failure", "Internal Server Error") };
            body(&told, version, request_id)
        }
        Failure::Fault(_) => {
            let message = "Unexpected failure, please check server logs for more information";
            body(&Told { of_contract: false, ..plain(500, "unexpected_failure", message) }, version, request_id)
        }
        Failure::NoRoute => text(StatusCode::NOT_FOUND, "404 page not found\n"),
        Failure::MethodNotAllowed(methods) => {
            let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
            if let Ok(methods) = HeaderValue::from_str(methods) {
                response.headers_mut().insert(ALLOW, methods);
            }
            response
        }
        Failure::BodyStalled => {
            let told = plain(408, "request_timeout", "The request body did not arrive in time");
            body(&told, version, request_id)
        }
        Failure::BodyBroken => {
            let told = plain(400, "bad_json", "Could not parse request body as JSON: the body broke off");
            body(&told, version, request_id)
        }
        Failure::Management(status, message) => json_body(*status, &Message { message, hint: None }),
    }
}

fn refused(refusal: &Refusal, version: ApiVersion, request_id: &str) -> Response {
    let wire = refusal.wire();
    let reasons = match refusal {
        Refusal::WeakPassword(weak) => Some(weak.reasons.iter().map(|reason| reason.as_str()).collect()),
        _ => None,
    };
    let told = Told { status: wire.status, code: wire.code, message: &wire.message, reasons, of_contract: true };
    let mut response = match refusal {
        Refusal::Hook(HookRefusal::Raised(raised, _)) if version == ApiVersion::Legacy => {
            raised_body(raised).unwrap_or_else(|| body(&told, version, request_id))
        }
        Refusal::Provider(row) if row.is_of_oauth() => oauth_body(&wire, version),
        _ => body(&told, version, request_id),
    };
    if *refusal == Refusal::RefreshSessionEnded {
        response.headers_mut().insert(ROTATED, HeaderValue::from_static("true"));
    }
    match refusal.retry_after() {
        Some(seconds) => with_retry_after(response, Duration::from_secs(seconds)),
        None => response,
    }
}

fn body(told: &Told<'_>, version: ApiVersion, request_id: &str) -> Response {
    #[derive(Serialize)]
    struct Reasons<'a> {
        reasons: &'a [&'static str],
    }

    #[derive(Serialize)]
    struct Legacy<'a> {
        code: u16,
        error_code: &'a str,
        msg: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        error_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        weak_password: Option<Reasons<'a>>,
    }

    #[derive(Serialize)]
    struct Dated<'a> {
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        weak_password: Option<Reasons<'a>>,
    }

    let status = status_of(told.status);
    let code = if told.code.is_empty() { filler(status) } else { told.code };
    let weak_password = told.reasons.as_deref().map(|reasons| Reasons { reasons });
    let weak = weak_password.is_some();
    let mut response = match version {
        ApiVersion::Legacy => {
            let error_id = Some(request_id).filter(|id| told.of_contract && status.is_server_error() && !id.is_empty());
            let (error_code, msg) = (code, told.message);
            json_body(status, &Legacy { code: status.as_u16(), error_code, msg, error_id, weak_password })
        }
        ApiVersion::Dated => {
            let mut response = json_body(status, &Dated { code, message: told.message, weak_password });
            response.headers_mut().insert(VERSION, DATED);
            response
        }
    };
    // The contract leaves the header out for weak passwords in the dated shape, and for codes that were filled in.
    if told.of_contract
        && !told.code.is_empty()
        && !(weak && version == ApiVersion::Dated)
        && let Ok(code) = HeaderValue::from_str(told.code)
    {
        response.headers_mut().insert(ERROR_CODE, code);
    }
    response
}

/// Hooks choose their own status; one that ends no request is no answer.
fn status_of(status: u16) -> StatusCode {
    let status = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An error as RFC 6749 §5.2 has it: the same in both versions, with no code of ours.
fn oauth_body(wire: &Wire, version: ApiVersion) -> Response {
    #[derive(Serialize)]
    struct OauthError<'a> {
        error: &'a str,
        error_description: &'a str,
    }

    let error = OauthError { error: wire.code, error_description: &wire.message };
    let mut response = json_body(status_of(wire.status), &error);
    if version == ApiVersion::Dated {
        response.headers_mut().insert(VERSION, DATED);
    }
    response
}

/// What a function of the project's database raised, in the database's words; `None` where those stay with us.
fn raised_body(raised: &DatabaseError) -> Option<Response> {
    #[derive(Serialize)]
    struct Raised<'a> {
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        hint: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        detail: &'a str,
    }

    let status = StatusCode::from_u16(raised.shown_with()?).ok()?;
    let DatabaseError { code, message, detail, hint } = raised;
    let mut response = json_body(status, &Raised { code, message, hint, detail });
    response.headers_mut().insert(ERROR_CODE, HeaderValue::from_static("unexpected_failure"));
    Some(response)
}

/// The code of an error that came without one (`contract/core.md` §2.1).
fn filler(status: StatusCode) -> &'static str {
    if status == StatusCode::INTERNAL_SERVER_ERROR { "unexpected_failure" } else { "unknown" }
}

/// A failure as the Management API tells it: whatever went wrong, one shape.
fn manage(failure: &Failure, dialect: Dialect, request_id: &str) -> Response {
    let told = |status: u16, message: &str| (status_of(status), message.to_owned(), None);
    let away = "Service is temporarily unavailable, please try again shortly";
    let (status, message, retry_after) = match failure {
        Failure::Management(status, message) => (*status, message.clone(), None),
        Failure::NoRoute => told(404, "Not Found"),
        Failure::IllFormedRef if dialect == Dialect::V2 => told(400, &InvalidProjectRef.to_string()),
        Failure::UnknownProject | Failure::IllFormedRef => told(404, "Not found"),
        Failure::Overloaded { retry_after } | Failure::Unavailable { retry_after, .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, away.to_owned(), Some(*retry_after))
        }
        Failure::Refused(refusal) => {
            let wire = refusal.wire();
            (status_of(wire.status), wire.message.to_string(), refusal.retry_after().map(Duration::from_secs))
        }
        Failure::Limited { retry_after } => {
            (StatusCode::TOO_MANY_REQUESTS, "Too many requests".to_owned(), Some(*retry_after))
        }
        Failure::Timeout => told(504, "The request took too long"),
        Failure::BodyStalled => told(408, "The request body did not arrive in time"),
        Failure::BodyBroken => told(400, "The request body broke off"),
        Failure::ApiKey(_) => told(401, "Unauthorized"),
        Failure::MethodNotAllowed(_) => told(405, "Method Not Allowed"),
        Failure::Crashed | Failure::Fault(_) => {
            told(500, &format!("Unexpected failure, please check server logs for request {request_id}"))
        }
    };
    let code = if matches!(failure, Failure::IllFormedRef) { "bad_request.invalid_ref" } else { code_of(status) };
    let response = match dialect {
        Dialect::V1 => json_body(status, &Message { message: &message, hint: None }),
        Dialect::V2 => json_body(status, &Wrapped { error: Coded { code, message: &message } }),
    };
    match retry_after {
        Some(after) => with_retry_after(response, after),
        None => response,
    }
}

/// The body of version 2 of the Management API.
#[derive(Serialize)]
struct Wrapped<'a> {
    error: Coded<'a>,
}

#[derive(Serialize)]
struct Coded<'a> {
    code: &'a str,
    message: &'a str,
}

fn code_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "bad_request",
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden.permission_denied",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::CONFLICT => "conflict",
        StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
        status if status.is_server_error() => "internal_error",
        _ => "bad_request",
    }
}

/// The body of gateways and of the Management API.
#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

fn api_key(fault: ApiKeyFault) -> Response {
    let (message, hint) = match fault {
        ApiKeyFault::Missing => {
            ("No API key found in request", Some("This project takes the API key as a header only."))
        }
        ApiKeyFault::SecretInBrowser => ("Forbidden use of secret API key in browser", None),
    };
    json_body(StatusCode::UNAUTHORIZED, &Message { message, hint })
}

fn json_body(status: StatusCode, value: &impl Serialize) -> Response {
    match json::encode(value) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        // Texts and numbers always encode; an empty answer is the fallback that cannot fail itself.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn with_retry_after(mut response: Response, after: Duration) -> Response {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

#[cfg(test)]
mod tests;
