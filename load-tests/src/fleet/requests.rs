//! What operators and scripts ask of the Management API about many projects.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::target::Gateway;

/// Changes a project's configuration; it is in force when the answer comes.
pub(crate) fn configure(gateway: &Gateway, reference: &str, jwt_exp: u32) -> RequestBuilder {
    gateway.managed(Method::PATCH, &format!("/v1/projects/{reference}/config/auth")).json(&json!({"jwt_exp": jwt_exp}))
}

/// Lists a page of projects from that one on.
pub(crate) fn list_after(gateway: &Gateway, reference: &str) -> RequestBuilder {
    gateway.managed(Method::GET, &format!("/v1/projects?limit=100&after={reference}"))
}

/// Looks for a project by the beginning of its ref.
pub(crate) fn search(gateway: &Gateway, reference: &str) -> RequestBuilder {
    let start: String = reference.chars().take(5).collect();
    gateway.managed(Method::GET, &format!("/v1/projects?limit=100&search={start}"))
}
