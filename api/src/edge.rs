//! A request as its handler sees it: which project it is for, who asks, and how long there is time.

use std::net::SocketAddr;
use std::sync::Arc;

use actors::Operation;
use axum::extract::{ConnectInfo, FromRequestParts, OriginalUri};
use domain::captcha::Proof;
use domain::first_checks::{self, Endpoint};
use domain::ids::ProjectRef;
use domain::refusal::Refusal;
use domain::request::{Bearer, Caller};
use domain::secret::Secret;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, REFERER, USER_AGENT};
use http::request::Parts;
use tokio::time::Instant;

use crate::auth::gate::Gate;
use crate::client_ip;
use crate::failure::Failure;
use crate::input::body::Received;
use crate::input::object::Object;
use crate::input::query::Query;
use crate::layers::Entered;
use crate::layers::Observed;
use crate::runtime::{Ask, Call, Facts, Runtime};
use crate::state::ApiState;

/// A request to a project's auth API.
pub(crate) struct Edge {
    state: ApiState,
    project: ProjectRef,
    facts: Arc<Facts>,
    caller: Caller,
    deadline: Instant,
    /// The bearer token, where there is a well-formed one.
    pub(crate) bearer: Bearer,
    /// Whether there is an `Authorization` header at all.
    pub(crate) has_authorization: bool,
    /// The query string.
    pub(crate) query: Query,
    /// The path as it was received, with the project's prefix.
    pub(crate) path: String,
    body: Received,
    form: bool,
}

impl Edge {
    /// Asks the project.
    pub(crate) async fn ask<O: Operation>(&self, operation: O) -> Result<O::Answer, Failure>
    where
        dyn Runtime: Ask<O>,
    {
        self.ask_until(self.deadline, operation).await
    }

    /// Asks the project for what is answered after the request itself was.
    pub(crate) async fn ask_until<O: Operation>(&self, deadline: Instant, operation: O) -> Result<O::Answer, Failure>
    where
        dyn Runtime: Ask<O>,
    {
        let call = Call { project: self.project.clone(), caller: self.caller.clone(), deadline };
        self.state.runtime().ask(call, operation).await
    }

    /// The gateway's own side of the request.
    pub(crate) fn gateway(&self) -> &ApiState {
        &self.state
    }

    /// Which project is asked.
    pub(crate) fn project(&self) -> &ProjectRef {
        &self.project
    }

    /// The body as it came.
    ///
    /// # Errors
    /// Refuses a body that is too long, broken, or stalled.
    pub(crate) fn body(&self) -> Result<&[u8], Failure> {
        Ok(self.body.bytes()?)
    }

    /// The fields of the body, for an open route.
    ///
    /// # Errors
    /// Refuses a body that is no JSON object. A form counts as an empty body: the contract has it read as a form before
    /// the handler sees it (`contract/core.md` §1.2).
    pub(crate) fn object(&self) -> Result<Object, Failure> {
        Ok(Object::parse(self.unless_form()?)?)
    }

    /// The body as it came, empty where it is a form.
    ///
    /// # Errors
    /// As [`Edge::body`].
    pub(crate) fn unless_form(&self) -> Result<&[u8], Failure> {
        if self.form { Ok(&[]) } else { self.body() }
    }

    /// The fields of a body that may be a form or a JSON object.
    ///
    /// # Errors
    /// As [`Edge::object`], and for a form that is no text.
    pub(crate) fn form_or_object(&self) -> Result<Object, Failure> {
        if !self.form {
            return self.object();
        }
        Ok(self.form()?.into_object()?)
    }

    /// The fields of a form.
    ///
    /// # Errors
    /// Refuses a body that is too long, broken, stalled, or no text.
    pub(crate) fn form(&self) -> Result<Query, Failure> {
        let text = std::str::from_utf8(self.body()?).map_err(|_| Refusal::UnreadableText)?;
        Ok(Query::parse(text))
    }

    /// The fields of a form; none where the body is something else.
    ///
    /// # Errors
    /// As [`Edge::form`].
    pub(crate) fn form_if_any(&self) -> Result<Query, Failure> {
        if self.form { self.form() } else { Ok(Query::default()) }
    }

    /// What `fields` and the headers hold for the captcha check.
    pub(crate) fn captcha(&self, fields: &Object) -> Proof {
        let token = fields.captcha_token();
        Proof { malformed: token.is_err(), token: token.unwrap_or_default(), bearer: self.bearer.clone() }
    }

    /// Reads the body of an endpoint that checks something before it decodes: where the body cannot be decoded, that is
    /// what decides first.
    ///
    /// # Errors
    /// What those checks refuse, else what is wrong with the body.
    pub(crate) async fn decode<T>(
        &self,
        endpoint: Endpoint,
        object: Result<Object, Failure>,
        fields: impl FnOnce(&mut Object) -> Result<T, Refusal>,
    ) -> Result<T, Failure> {
        let (captcha, failure) = match object {
            Err(failure) => (None, failure),
            Ok(mut object) => {
                let captcha = self.captcha(&object);
                match fields(&mut object) {
                    Ok(decoded) => return Ok(decoded),
                    Err(refusal) => (Some(captcha), refusal.into()),
                }
            }
        };
        let gate = if endpoint == Endpoint::UserUpdate { Gate::User } else { Gate::Open };
        gate.pass(self).await?;
        self.ask(first_checks::Request { endpoint, captcha }).await?;
        Err(failure)
    }

    /// Reads the body of an endpoint whose flow tells in its own time what is wrong with it.
    ///
    /// # Errors
    /// Only for a body that did not arrive.
    pub(crate) fn late<T>(
        &self,
        fields: impl FnOnce(&mut Object) -> Result<T, Refusal>,
    ) -> Result<Result<T, Refusal>, Failure> {
        match self.object() {
            Ok(mut object) => Ok(fields(&mut object)),
            Err(Failure::Refused(refusal)) => Ok(Err(refusal)),
            Err(failure) => Err(failure),
        }
    }

    /// Puts `target` in the place of what the request itself says about where to return to.
    pub(crate) fn return_to(&mut self, target: &str) {
        self.caller.redirect_candidates = vec![target.to_owned()];
    }

    /// What the edge knows of the project.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The name the project's operator gave it; `None` where it cannot be read now.
    pub(crate) async fn project_name(&self) -> Option<String> {
        match self.state.runtime().name(&self.project).await {
            Ok(name) => Some(name).filter(|name| !name.is_empty()),
            Err(failure) => {
                tracing::debug!(%failure, "the project's name is not known");
                None
            }
        }
    }

    /// The fields of a body behind `gate`: an invalid token is refused before an invalid body.
    pub(crate) async fn fields<T>(
        &self,
        gate: Gate,
        fields: impl FnOnce(Object) -> Result<T, Refusal>,
    ) -> Result<T, Failure> {
        let fields = self.object().and_then(|object| Ok(fields(object)?));
        self.behind(gate, fields).await
    }

    /// Gives `parsed`, or where it is an error first what `gate` says about the token.
    pub(crate) async fn behind<T>(&self, gate: Gate, parsed: Result<T, impl Into<Failure>>) -> Result<T, Failure> {
        match parsed {
            Ok(parsed) => Ok(parsed),
            Err(refusal) => Err(gate.before(self, refusal.into()).await),
        }
    }
}

impl FromRequestParts<ApiState> for Edge {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Failure> {
        let missing = |what: &'static str| Failure::fault(what);
        let entered =
            parts.extensions.get::<Entered>().ok_or_else(|| missing("a route of a project has no project"))?;
        let observed = parts.extensions.get::<Observed>().ok_or_else(|| missing("a request was not observed"))?;
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let path = parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |original| original.path());
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        Ok(Self {
            state: state.clone(),
            project: entered.project.clone(),
            facts: Arc::clone(&entered.facts),
            caller: caller(&parts.headers, &query, peer, &entered.facts, state, observed.request_id())?,
            deadline: observed.deadline(),
            bearer: bearer(&parts.headers),
            has_authorization: parts.headers.get(AUTHORIZATION).is_some_and(|value| !value.is_empty()),
            path: path.to_owned(),
            query,
            form: is_form(&parts.headers),
            body: Received::from_request_parts(parts, state).await?,
        })
    }
}

/// The token of an `Authorization` header: the scheme in any case, exactly one space (`contract/core.md` §8.4).
pub(crate) fn bearer(headers: &HeaderMap) -> Bearer {
    let token = || {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        let well_formed = !token.is_empty() && !token.contains(char::is_whitespace);
        (scheme.eq_ignore_ascii_case("bearer") && well_formed).then(|| Secret::new(token.to_owned()))
    };
    Bearer(token())
}

fn caller(
    headers: &HeaderMap,
    query: &Query,
    peer: Option<SocketAddr>,
    facts: &Facts,
    state: &ApiState,
    request_id: &str,
) -> Result<Caller, Failure> {
    let text = |name| {
        let value = headers.get(name).map(|value: &http::HeaderValue| std::str::from_utf8(value.as_bytes()));
        value.transpose().map(|text| text.filter(|text| !text.is_empty()).map(str::to_owned))
    };
    let peer = peer.map(|peer| peer.ip().to_canonical());
    let client = client_ip::of(peer, headers, state.trusted_proxies(), facts.sb_forwarded_for);
    Ok(Caller {
        ip: client.or(peer).map(|address| address.to_string()),
        counted: client.map(|address| address.to_string()),
        user_agent: headers
            .get(USER_AGENT)
            .map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned())
            .filter(|agent| !agent.is_empty()),
        audience: text("x-jwt-aud").map_err(|_| Refusal::UnreadableText)?,
        redirect_candidates: redirect_candidates(headers, query),
        request_id: request_id.to_owned(),
    })
}

/// Where the caller wants to return to, best first (`contract/core.md` §4.1). What cannot be read is no candidate.
fn redirect_candidates(headers: &HeaderMap, query: &Query) -> Vec<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let wanted = header("redirect_to").or_else(|| query.get("redirect_to").ok().flatten());
    let candidates = wanted.into_iter().chain(header(REFERER.as_str()));
    candidates.filter(|candidate| !candidate.is_empty()).map(str::to_owned).collect()
}

fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_counts_as_a_bearer() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer a.b.c", Some("a.b.c")),
            ("BEARER abc", Some("abc")),
            ("Bearer  abc", None),
            ("Bearer a b", None),
            ("Bearer abc ", None),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
        ] {
            let found = bearer(&headers(&[("authorization", value)]));
            assert_eq!(found.0.as_ref().map(|token| token.expose().as_str()), token, "{value:?}");
        }
        assert!(bearer(&HeaderMap::new()).0.is_none());
    }

    #[test]
    fn redirect_candidates_are_ordered() {
        let query = Query::parse("redirect_to=https%3A%2F%2Fq.co");
        let all = headers(&[("redirect_to", "https://h.co"), ("referer", "https://r.co")]);
        assert_eq!(redirect_candidates(&all, &query), ["https://h.co", "https://r.co"]);
        assert_eq!(redirect_candidates(&headers(&[("redirect_to", "")]), &query), ["https://q.co"]);
        assert_eq!(redirect_candidates(&HeaderMap::new(), &Query::parse("redirect_to=%ff")), Vec::<String>::new());
    }

    #[test]
    fn forms_are_told_by_their_media_type() {
        for (value, form) in [
            ("application/x-www-form-urlencoded", true),
            ("Application/X-WWW-Form-Urlencoded; charset=utf-8", true),
            ("application/json", false),
            ("text/plain", false),
        ] {
            assert_eq!(is_form(&headers(&[("content-type", value)])), form, "{value}");
        }
    }
}
