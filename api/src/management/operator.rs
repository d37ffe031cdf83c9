//! Who may use the Management API, and what every request of it is read with.

use actors::management::{Error, Management};
use axum::extract::{FromRequestParts, Path};
use domain::ids::ProjectRef;
use domain::refusal::Refusal;
use domain::secret::Secret;
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use uuid::Uuid;

use crate::edge;
use crate::failure::Failure;
use crate::input::body::Received;
use crate::input::object::Object;
use crate::input::query::Query;
use crate::management::message;
use crate::state::ApiState;

/// Proof that a request carries the operator's token.
pub(super) struct Operator {
    state: ApiState,
    query: Query,
    body: Received,
    path: Result<PathTexts, Failure>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PathTexts {
    r#ref: String,
    id: String,
    provider: String,
}

impl Operator {
    /// The operator's hand on the projects.
    pub(super) fn management(&self) -> Result<&Management, Failure> {
        self.state.runtime().management().ok_or(Failure::NoRoute)
    }

    /// The project the path names.
    pub(super) fn project(&self) -> Result<ProjectRef, Failure> {
        let text = self.path.as_ref().map(|path| path.r#ref.as_str()).unwrap_or_default();
        text.parse().map_err(|_| message(StatusCode::NOT_FOUND, "Project not found"))
    }

    /// The id the path names.
    pub(super) fn id(&self) -> Result<Uuid, Failure> {
        let text = self.path.as_ref().map(|path| path.id.as_str()).unwrap_or_default();
        text.parse().map_err(|_| message(StatusCode::BAD_REQUEST, "the id must be a UUID"))
    }

    /// The provider the path names.
    pub(super) fn provider(&self) -> &str {
        self.path.as_ref().map(|path| path.provider.as_str()).unwrap_or_default()
    }

    /// The fields of the body; an empty one counts as an empty object.
    pub(super) fn object(&self) -> Result<Object, Failure> {
        let bytes = self.body.bytes().map_err(|failure| match failure {
            Failure::Refused(refusal) => told(refusal),
            other => other,
        })?;
        if bytes.is_empty() { Ok(Object::default()) } else { Object::parse(bytes).map_err(told) }
    }

    /// Whether the query switches `name` on.
    pub(super) fn switch(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.query.get(name).map_err(told)? {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(message(StatusCode::BAD_REQUEST, format!("{name} must be true or false"))),
        }
    }
}

impl Operator {
    /// The whole number that the query gives for `name`.
    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, Failure> {
        let Some(text) = self.query.get(name).map_err(told)? else { return Ok(None) };
        let number = text.parse();
        number.map(Some).map_err(|_| message(StatusCode::BAD_REQUEST, format!("{name} must be a whole number")))
    }
}

impl FromRequestParts<ApiState> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Failure> {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let path = Path::from_request_parts(parts, state).await;
        let path = path.map(|Path(texts)| texts).map_err(|_| Failure::NoRoute);
        let body = Received::from_request_parts(parts, state).await?;
        let operator = Self { state: state.clone(), query, body, path };
        let unauthorized = || message(StatusCode::UNAUTHORIZED, "Unauthorized");
        let token = edge::bearer(&parts.headers).0.filter(is_well_formed).ok_or_else(unauthorized)?;
        match operator.management()?.is_operator(&token).await {
            Ok(true) => Ok(operator),
            Ok(false) => Err(unauthorized()),
            Err(error) => Err(refused(error)),
        }
    }
}

/// The form that the tools of the contract check themselves (`contract/management.md` §2.1).
fn is_well_formed(token: &Secret<String>) -> bool {
    let digits = token.expose().strip_prefix("sbp_").unwrap_or_default();
    digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A refusal in the words of the Management API.
pub(super) fn told(refusal: Refusal) -> Failure {
    let wire = refusal.wire();
    message(StatusCode::from_u16(wire.status).unwrap_or(StatusCode::BAD_REQUEST), wire.message)
}

/// Why an operator's request has no answer.
pub(super) fn refused(error: Error) -> Failure {
    match error {
        Error::NotFound => message(StatusCode::NOT_FOUND, "Not found"),
        Error::Invalid(text) => message(StatusCode::BAD_REQUEST, text),
        Error::Conflict(text) => message(StatusCode::CONFLICT, text),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_token_has_one_form() {
        let good = format!("sbp_{}", "0123456789abcdef0123456789abcdef01234567");
        assert!(is_well_formed(&Secret::new(good.clone())));
        for bad in [good.to_uppercase(), good.replace("sbp_", "sbp_oauth_"), good[..43].to_owned(), String::new()] {
            assert!(!is_well_formed(&Secret::new(bad.clone())), "{bad}");
        }
    }
}
