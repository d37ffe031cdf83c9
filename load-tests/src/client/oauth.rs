//! Signing in at a provider, as a browser goes there and back.

use reqwest::Method;
use url::form_urlencoded::Serializer;

use super::redirect::{Redirect, redirected};
use super::{Failure, Project};

/// The name under which the provider of a run is known to the projects.
pub(crate) const PROVIDER: &str = "keycloak";

/// Leaves for the provider: the address of its page.
pub(crate) async fn authorize(project: &Project, challenge: Option<&str>) -> Result<Redirect, Failure> {
    let proof = challenge.map(|challenge| [("code_challenge", challenge), ("code_challenge_method", "s256")]);
    let pairs = proof.into_iter().flatten().chain([("provider", PROVIDER)]);
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    redirected(project.public(Method::GET, &format!("authorize?{query}"))).await
}

/// Comes back from the provider with its code: the address at which the app is opened.
pub(crate) async fn callback(project: &Project, code: &str, state: &str) -> Result<Redirect, Failure> {
    let query = Serializer::new(String::new()).append_pair("code", code).append_pair("state", state).finish();
    redirected(project.public(Method::GET, &format!("callback?{query}"))).await
}
