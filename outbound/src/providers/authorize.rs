//! The address of a provider's page (`contract/mfa-passkeys-oauth.md` §3.2, §6.3).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::authorize::is_reserved;
use domain::custom_providers::{CustomProvider, Protocol, is_reserved_parameter};
use domain::provider::{Connection, Departure};
use domain::secret::Secret;
use sha2::{Digest, Sha256};
use url::Url;

use super::ProviderError;
use super::plan::{Plan, Provider};

/// The page of the provider at `endpoint`, with all parameters in alphabetical order.
///
/// # Errors
/// [`ProviderError::Discovery`] where `endpoint` is no address.
pub(super) fn url(
    plan: &Plan,
    connection: &Connection,
    departure: &Departure,
    endpoint: &str,
) -> Result<String, ProviderError> {
    let not_an_address = || ProviderError::Discovery("the authorization endpoint is not a URL".to_owned());
    let mut url = Url::parse(endpoint).map_err(|_| not_an_address())?;
    let mut all: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let scope = scope(&plan.provider, connection, &departure.scopes);
    put(&mut all, "scope", &scope);
    for (name, value) in extra(plan, departure) {
        put(&mut all, &name, &value);
    }
    // An ID token with our nonce is promised only to those who ask for one.
    let asks = |scope: &str| scope.split(' ').any(|part| part == "openid");
    if let Some(scoped) = all.get_mut("scope")
        && plan.nonce
        && asks(&scope)
        && !asks(scoped)
    {
        *scoped = format!("openid {scoped}");
    }
    put(&mut all, "client_id", connection.settings.client_ids.first().map_or("", String::as_str));
    put(&mut all, "redirect_uri", &connection.redirect_uri);
    put(&mut all, "response_type", "code");
    put(&mut all, "state", &departure.state);
    if plan.pkce {
        put(&mut all, "code_challenge", &challenge(&departure.code_verifier));
        put(&mut all, "code_challenge_method", "S256");
    }
    if plan.nonce {
        put(&mut all, "nonce", &departure.nonce);
    }
    url.set_fragment(None);
    url.query_pairs_mut().clear().extend_pairs(&all);
    Ok(url.into())
}

fn put(all: &mut BTreeMap<String, String>, name: &str, value: &str) {
    if value.is_empty() && name == "scope" {
        all.remove(name);
    } else {
        all.insert(name.to_owned(), value.to_owned());
    }
}

/// What is asked for.
fn scope(provider: &Provider, connection: &Connection, wanted: &str) -> String {
    match provider {
        Provider::Builtin { description, .. } => {
            let strict = if connection.strict { description.scopes_strict } else { &[] };
            let wanted = if description.client_scopes { wanted } else { "" };
            let own = wanted.split(',').filter(|scope| !scope.is_empty());
            let all: Vec<&str> = description.scopes.iter().chain(strict).copied().chain(own).collect();
            all.join(" ")
        }
        Provider::Custom(provider) => custom_scope(provider, wanted),
    }
}

/// What the client asks for takes the place of what is set; an OpenID provider is always asked for an ID token.
fn custom_scope(provider: &CustomProvider, wanted: &str) -> String {
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    let mut scopes = if wanted.is_empty() { provider.scopes.iter().map(String::as_str).collect() } else { wanted };
    if matches!(provider.protocol, Protocol::Oidc { .. }) && !scopes.contains(&"openid") {
        scopes.insert(0, "openid");
    }
    scopes.join(" ")
}

/// What the client and the project add, the project last.
fn extra(plan: &Plan, departure: &Departure) -> Vec<(String, String)> {
    let ours = |name: &str| is_reserved(name) || (plan.nonce && name.eq_ignore_ascii_case("nonce"));
    let of_client = departure
        .parameters
        .iter()
        .filter(|(name, _)| !ours(name))
        // The name `provider` is ours; who means WorkOS' parameter of that name says `workos_provider`.
        .map(|(name, value)| match name.as_str() {
            "workos_provider" => ("provider".to_owned(), value.clone()),
            name => (name.to_owned(), value.clone()),
        });
    match &plan.provider {
        Provider::Builtin { description, .. } => {
            let fixed = description.parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            of_client.filter(|_| description.passthrough).chain(fixed).collect()
        }
        Provider::Custom(provider) => {
            let set = provider.authorization_params.iter().filter(|(name, _)| !is_reserved_parameter(name));
            of_client.chain(set.map(|(name, value)| (name.clone(), value.clone()))).collect()
        }
    }
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
fn challenge(verifier: &Secret<String>) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_of_rfc_7636_appendix_b() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
