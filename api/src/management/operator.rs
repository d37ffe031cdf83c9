//! Who may use the Management API, and what every request of it is read with.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use actors::management::{Error, Management};
use axum::extract::{ConnectInfo, FromRequestParts, OriginalUri, RawPathParams};
use domain::ids::{ProjectId, ProjectRef};
use domain::operator::{Access, Operator as Identity, Reach, Scope, Verdict};
use domain::refusal::Refusal;
use domain::secret::Secret;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::client_ip;
use crate::edge;
use crate::failure::{Dialect, Failure};
use crate::input::body::Received;
use crate::input::query::Query;
use crate::management::{body, message};
use crate::state::ApiState;

/// A request whose token nobody has looked at.
pub(super) struct Asker(Box<Asked>);

struct Asked {
    state: ApiState,
    headers: HeaderMap,
    query: Query,
    body: Result<Received, Failure>,
    path: Vec<(String, String)>,
    dialect: Dialect,
    address: Option<std::net::IpAddr>,
}

/// Proof that a request may do what its route is for.
pub(super) struct Operator {
    asked: Box<Asked>,
    identity: Arc<Identity>,
    management: Management,
    reveals: bool,
}

impl FromRequestParts<ApiState> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Infallible> {
        let uri = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |uri| uri.0.clone());
        let path = RawPathParams::from_request_parts(parts, state).await.ok();
        let path = path.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        Ok(Self(Box::new(Asked {
            state: state.clone(),
            query: Query::parse(uri.query().unwrap_or_default()),
            body: Received::from_request_parts(parts, state).await,
            path,
            dialect: if uri.path().starts_with("/v2/") { Dialect::V2 } else { Dialect::V1 },
            address: client_ip::of(peer, &parts.headers, state.trusted_proxies(), false),
            headers: parts.headers.clone(),
        })))
    }
}

impl Asker {
    /// How failures are told.
    pub(super) fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// The operator, where the token may do what needs `access`, at the project that the path names or at the gateway.
    ///
    /// # Errors
    /// 401 for a token that opens nothing, 403 for one that is not for this, 404 for a project that it is not for.
    pub(super) async fn allowed(self, access: Access) -> Result<Operator, Failure> {
        let Self(asked) = self;
        let management = asked.state.runtime().management().ok_or(Failure::NoRoute)?;
        let unauthorized = || message(StatusCode::UNAUTHORIZED, "Unauthorized");
        let identity = identity(management, &asked.headers).await?.ok_or_else(unauthorized)?;
        let scope = match asked.part("ref") {
            None => Scope::Gateway,
            Some(_) if identity.reach == Reach::Everything => Scope::Project(ProjectId(Uuid::nil())),
            Some(named) => {
                let named: ProjectRef = named.parse().map_err(|_| Failure::IllFormedRef)?;
                Scope::Project(management.project_id(&named).await.map_err(refused)?)
            }
        };
        match identity.may(access, scope) {
            Verdict::Allowed => {}
            Verdict::Forbidden => return Err(message(StatusCode::FORBIDDEN, "This token may not do that")),
            Verdict::Hidden => return Err(not_found()),
        }
        let reveals = identity.may(Access::Reveal, scope) == Verdict::Allowed;
        let management = management.acting(Arc::clone(&identity), asked.address);
        Ok(Operator { asked, identity, management, reveals })
    }
}

/// Whose token the request carries, if it is one that opens anything.
async fn identity(management: &Management, headers: &HeaderMap) -> Result<Option<Arc<Identity>>, Failure> {
    match edge::bearer(headers).0.filter(is_well_formed) {
        Some(token) => management.operator_of(&token).await.map_err(refused),
        None => Ok(None),
    }
}

/// Whether the request carries the token of an operator who may know of every project. Where that cannot be found out, it does not.
pub(crate) async fn sees_every_project(state: &ApiState, headers: &HeaderMap) -> bool {
    let Some(management) = state.runtime().management() else { return false };
    matches!(identity(management, headers).await, Ok(Some(identity)) if identity.reach == Reach::Everything)
}

impl Asked {
    fn part(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Operator {
    /// The operator's hand on the projects; what it changes is noted under the token's name.
    pub(super) fn management(&self) -> &Management {
        &self.management
    }

    /// Whose token it is.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the token may see secrets, too.
    pub(super) fn may_reveal(&self) -> bool {
        self.reveals
    }

    /// Below which domain hosts lead to projects by their refs.
    pub(super) fn domain(&self) -> &str {
        self.asked.state.domain()
    }

    /// The project the path names.
    pub(super) fn project(&self) -> Result<ProjectRef, Failure> {
        self.text("ref").parse().map_err(|_| Failure::IllFormedRef)
    }

    /// The id the path names.
    pub(super) fn id(&self) -> Result<Uuid, Failure> {
        self.text("id").parse().map_err(|_| message(StatusCode::BAD_REQUEST, "the id must be a UUID"))
    }

    /// The part of the path in braces.
    pub(super) fn text(&self, name: &str) -> &str {
        self.asked.part(name).unwrap_or_default()
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.asked.headers.get(name)?.to_str().ok()
    }

    /// The query.
    pub(super) fn query(&self) -> &Query {
        &self.asked.query
    }

    /// The text that the query gives for `name`; an empty one counts as none.
    pub(super) fn parameter(&self, name: &str) -> Result<Option<&str>, Failure> {
        Ok(self.asked.query.get(name).map_err(told)?.filter(|text| !text.is_empty()))
    }

    /// What the query gives for `name`, were it nothing.
    pub(super) fn given(&self, name: &str) -> Result<Option<&str>, Failure> {
        self.asked.query.get(name).map_err(told)
    }

    /// Whether the query switches `name` on.
    pub(super) fn switch(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.asked.query.get(name).map_err(told)? {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(message(StatusCode::BAD_REQUEST, format!("{name} must be true or false"))),
        }
    }

    /// The whole number that the query gives for `name`.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, Failure> {
        let Some(text) = self.parameter(name)? else { return Ok(None) };
        let number = text.parse();
        number.map(Some).map_err(|_| message(StatusCode::BAD_REQUEST, format!("{name} must be a whole number")))
    }

    /// The body as text.
    pub(super) fn lines(&self) -> Result<&str, Failure> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| message(StatusCode::BAD_REQUEST, "the body must be UTF-8"))
    }

    /// The members of the body.
    ///
    /// # Errors
    /// 400 for a body that is no object, or missing.
    pub(super) fn members(&self) -> Result<Map<String, Value>, Failure> {
        body::members(self.bytes()?)
    }

    /// The body.
    ///
    /// # Errors
    /// 400 says which member is missing, unknown or of another type.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        read(self.members()?)
    }

    /// The body of a request that needs none: without one, every member is as if it were not given.
    ///
    /// # Errors
    /// As [`Operator::body`].
    pub(super) fn body_if_any<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.bytes()?.is_empty() { read(Map::new()) } else { self.body() }
    }

    fn bytes(&self) -> Result<&[u8], Failure> {
        let told = |failure: Failure| match failure {
            Failure::Refused(refusal) => told(refusal),
            other => other,
        };
        match &self.asked.body {
            Ok(received) => Ok(received.bytes().map_err(told)?),
            Err(_) => Err(Failure::BodyBroken),
        }
    }
}

/// Reads a body's members.
///
/// # Errors
/// 400 names the member; what it held is not repeated, since it may be a secret.
pub(super) fn read<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Failure> {
    serde_path_to_error::deserialize(Value::Object(members)).map_err(|error| {
        let (path, text) = (error.path().to_string(), without_value(&error.inner().to_string()));
        message(StatusCode::BAD_REQUEST, if path == "." { text } else { format!("{path}: {text}") })
    })
}

/// `text` without the value that it quotes.
fn without_value(text: &str) -> String {
    match (text.find('"'), text.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            let (before, after) = (text.get(..first).unwrap_or_default(), text.get(last + 1..).unwrap_or_default());
            format!("{}{after}", before.trim_end())
        }
        _ => text.to_owned(),
    }
}

/// A member that must not be shown.
pub(super) fn hidden<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

/// The form that the tools of the contract check themselves (`contract/management.md` §2.1).
fn is_well_formed(token: &Secret<String>) -> bool {
    let digits = token.expose().strip_prefix("sbp_").unwrap_or_default();
    digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Of whatever there is not, or not for this token: that texts differ must not tell which of both it is.
fn not_found() -> Failure {
    message(StatusCode::NOT_FOUND, "Not found")
}

/// A refusal in the words of the Management API.
pub(super) fn told(refusal: Refusal) -> Failure {
    let wire = refusal.wire();
    message(StatusCode::from_u16(wire.status).unwrap_or(StatusCode::BAD_REQUEST), wire.message)
}

/// Why an operator's request has no answer.
pub(super) fn refused(error: Error) -> Failure {
    match error {
        Error::NotFound => not_found(),
        Error::Invalid(text) => message(StatusCode::BAD_REQUEST, text),
        Error::Conflict(text) => message(StatusCode::CONFLICT, text),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only how it is refused matters")]
    struct Body {
        name: String,
        #[serde(default, deserialize_with = "hidden")]
        password: Option<Secret<String>>,
        #[serde(default)]
        list: Vec<u32>,
    }

    fn complaint(body: Value) -> String {
        let Value::Object(members) = body else { panic!("no object") };
        let Failure::Management(StatusCode::BAD_REQUEST, text) = read::<Body>(members).unwrap_err() else {
            panic!("another failure")
        };
        text
    }

    #[test]
    fn a_complaint_names_the_member_and_not_what_it_held() {
        for (body, words) in [
            (json!({}), "name"),
            (json!({"name": 5}), "name"),
            (json!({"name": "a", "nome": "b"}), "nome"),
            (json!({"name": "a", "list": "hunter2"}), "list"),
            (json!({"name": "a", "list": [1, "hunter2"]}), "list[1]"),
            (json!({"name": "a", "password": ["hunter2"]}), "password"),
        ] {
            let text = complaint(body);
            assert!(text.contains(words) && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn an_operator_token_has_one_form() {
        let good = format!("sbp_{}", "0123456789abcdef0123456789abcdef01234567");
        assert!(is_well_formed(&Secret::new(good.clone())));
        for bad in [good.to_uppercase(), good.replace("sbp_", "sbp_oauth_"), good[..43].to_owned(), String::new()] {
            assert!(!is_well_formed(&Secret::new(bad.clone())), "{bad}");
        }
    }
}
