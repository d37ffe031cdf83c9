//! The layer in front of a project's routes: it finds the project, answers preflights, checks what the project asks of API
//! keys, and adds the headers its browsers need.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, OriginalUri, Request};
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectRef;
use domain::project::Profile;
use http::header::{CACHE_CONTROL, HeaderMap, HeaderValue, ORIGIN, STRICT_TRANSPORT_SECURITY};
use http::{Method, Uri};
use tokio::time::Instant;

use crate::api_key::{self, ApiKey};
use crate::client_ip;
use crate::cors::{self, Cors};
use crate::edge;
use crate::failure::{ApiKeyFault, Failure};
use crate::input::query::Query;
use crate::layers::Observed;
use crate::project;
use crate::runtime::Facts;
use crate::state::ApiState;

/// A host of a project's own is insisted on with all below it; one that projects share is not theirs to speak for
/// (`security/advisor.md` §1.3).
const SUBDOMAINS: &str = "; includeSubDomains";

/// The project of a request and what the edge knows of it.
#[derive(Clone)]
pub(crate) struct Entered {
    pub(crate) project: ProjectRef,
    pub(crate) facts: Arc<Facts>,
}

/// See the module: before `answer` and after it.
pub(crate) async fn enter<A: Future<Output = Response>>(
    state: &ApiState,
    mut request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let uri = request.extensions().get::<OriginalUri>().map_or_else(|| request.uri().clone(), |uri| uri.0.clone());
    let deadline = request.extensions().get::<Observed>().map_or_else(Instant::now, Observed::deadline);
    if cors::is_preflight(request.method(), request.headers()) {
        return preflight(state, &uri, request.headers(), deadline).await;
    }
    let method = request.method().clone();
    let origin = request.headers().get(ORIGIN).cloned();
    let hsts =
        over_https(state, &request).then(|| if project::in_path(uri.path()).is_some() { "" } else { SUBDOMAINS });
    let entered = find(state, &uri, request.headers(), deadline).await;
    let facts = entered.as_ref().ok().map(|(entered, _)| Arc::clone(&entered.facts));
    let mut response = match entered {
        Err(failure) => failure.into_response(),
        Ok((entered, key)) => {
            if let Some(observed) = request.extensions().get::<Observed>() {
                observed.found(&entered.project, entered.facts.profile);
            }
            match check_key(&entered.facts, key.as_ref(), request.headers()) {
                Err(failure) => failure.into_response(),
                Ok(()) => {
                    request.extensions_mut().insert(entered);
                    answer(request).await
                }
            }
        }
    };
    finish(response.headers_mut(), facts.as_deref(), &method, origin.as_ref());
    let hsts = hsts.zip(facts.map(|facts| facts.hsts_max_age).filter(|age| *age > 0));
    if let Some((subdomains, age)) = hsts
        && let Ok(value) = HeaderValue::try_from(format!("max-age={age}{subdomains}"))
    {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

fn over_https(state: &ApiState, request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    client_ip::over_https(peer, request.headers(), state.trusted_proxies())
}

async fn preflight(state: &ApiState, uri: &Uri, headers: &HeaderMap, deadline: Instant) -> Response {
    // A host of several projects learns the project from the key of the request that follows; until then it permits what
    // any project would, and the answer itself says who may read it.
    let cors = match project::of(state.runtime(), state.domain(), uri, headers, None, deadline).await {
        Ok((_, facts)) => facts.cors,
        Err(_) => Cors::default(),
    };
    cors.preflight(headers)
}

async fn find(
    state: &ApiState,
    uri: &Uri,
    headers: &HeaderMap,
    deadline: Instant,
) -> Result<(Entered, Option<ApiKey>), Failure> {
    let key = ApiKey::of(headers, &Query::parse(uri.query().unwrap_or_default()));
    let found = project::of(state.runtime(), state.domain(), uri, headers, key.as_ref(), deadline).await;
    let (project, facts) = found?;
    Ok((Entered { project, facts: Arc::new(facts) }, key))
}

fn check_key(facts: &Facts, key: Option<&ApiKey>, headers: &HeaderMap) -> Result<(), Failure> {
    if key.is_some_and(|key| key.in_query) && !facts.api_key_in_query {
        return Err(Failure::ApiKey(ApiKeyFault::Missing));
    }
    if facts.block_secret_key_in_browser {
        let bearer = edge::bearer(headers).0;
        let key = key.map(|key| &key.value);
        let tokens: Vec<&str> = bearer.iter().chain(key).map(|token| token.expose().as_str()).collect();
        if api_key::secret_in_browser(headers, &tokens, facts.profile == Profile::Shield) {
            return Err(Failure::ApiKey(ApiKeyFault::SecretInBrowser));
        }
    }
    Ok(())
}

fn finish(response: &mut HeaderMap, facts: Option<&Facts>, method: &Method, origin: Option<&HeaderValue>) {
    let open = Cors::default();
    facts.map_or(&open, |facts| &facts.cors).apply(response, method, origin);
    response.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
