//! Who may look into the mailbox: a browser or a tool on this machine that asked for this machine. The host is checked too,
//! so that no foreign page reaches the mailbox by a name that it makes point here.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectRef;
use http::header::{CACHE_CONTROL, FORWARDED, HOST, HeaderMap, HeaderValue, REFERRER_POLICY};
use http::request::Parts;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::layers::Observed;
use crate::mail::{MailScope, MailStore};
use crate::project;
use crate::state::ApiState;

/// The mails a request may see.
#[derive(Clone)]
pub(super) struct Mails {
    pub(super) store: Arc<dyn MailStore>,
    pub(super) scope: MailScope,
}

/// Lets the machine's own requests pass; to others there is no mailbox.
pub(super) async fn guard(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match enter(&state, &parts).await {
        Err(failure) => failure.into_response(),
        Ok(mails) => {
            parts.extensions.insert(mails);
            let mut response = next.run(Request::from_parts(parts, body)).await;
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            response
        }
    }
}

async fn enter(state: &ApiState, request: &Parts) -> Result<Mails, Failure> {
    let store = state.mailbox().ok_or(Failure::NoRoute)?;
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    if !is_local(peer, &request.headers, state.domain()) {
        return Err(Failure::NoRoute);
    }
    let uri = request.extensions.get::<OriginalUri>().map_or(&request.uri, |uri| &uri.0);
    let scope = match project::in_path(uri.path()) {
        None => MailScope::All,
        Some(named) => {
            let named: ProjectRef = named.parse().map_err(|_| Failure::UnknownProject)?;
            let deadline = request.extensions.get::<Observed>().map_or_else(Instant::now, Observed::deadline);
            if !state.runtime().facts(&named, deadline).await?.mailbox {
                return Err(Failure::NoRoute);
            }
            MailScope::Project(state.runtime().id(&named).await?)
        }
    };
    Ok(Mails { store: Arc::clone(store), scope })
}

fn is_local(peer: Option<IpAddr>, headers: &HeaderMap, domain: &str) -> bool {
    let forwarded = headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for");
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    peer.is_some_and(|peer| peer.to_canonical().is_loopback())
        && !forwarded
        && host.is_none_or(|host| names_this_machine(host, domain))
}

fn names_this_machine(host: &str, domain: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_end_matches('.').to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.is_loopback();
    }
    let below = |domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    below("localhost") || below(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(peer: &str, host: &'static str, forwarded: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        if forwarded {
            headers.insert("x-forwarded-for", HeaderValue::from_static("127.0.0.1"));
        }
        is_local(Some(peer.parse().unwrap()), &headers, "auth.test")
    }

    #[test]
    fn only_this_machine_looks_into_the_mailbox() {
        for host in [
            "127.0.0.1:8000",
            "localhost:8000",
            "acme.localhost:8000",
            "[::1]:8000",
            "127.0.0.1",
            "auth.test",
            "acme.auth.test:80",
        ] {
            assert!(local("127.0.0.1", host, false), "{host}");
        }
        assert!(local("::1", "localhost", false));
        assert!(local("::ffff:127.0.0.1", "localhost", false));
        assert!(!local("192.168.1.5", "localhost", false));
        assert!(!local("127.0.0.1", "localhost", true), "somebody else stands behind a proxy");
        assert!(!is_local(None, &HeaderMap::new(), "auth.test"));
    }

    #[test]
    fn a_foreign_name_that_points_here_is_not_this_machine() {
        for host in ["evil.example.com", "evil.example.com:8000", "notlocalhost", "10.0.0.1:8000", "evilauth.test"] {
            assert!(!local("127.0.0.1", host, false), "{host}");
        }
    }
}
