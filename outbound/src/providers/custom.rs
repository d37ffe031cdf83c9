//! Who has signed in at a provider of the project's own (`contract/mfa-passkeys-oauth.md` §6.4, §6.6).

use domain::custom_providers::{CustomProvider, Protocol};
use domain::provider::Profile;
use domain::user::Metadata;
use serde_json::Value;

use super::ProviderError;
use super::plan::Sources;
use super::profile::{of_id_token, put, put_custom, typed};

/// Claims that no mapping sets: what is proven stays what the provider has proven.
const NOT_MAPPED: [&str; 4] = ["aud", "updated_at", "email_verified", "phone_verified"];

/// The profile that an ID token or the endpoint for profiles tells of.
///
/// # Errors
/// There is neither, or a claim has another type than it should.
pub(super) fn profile(provider: &CustomProvider, sources: &Sources<'_>) -> Result<Profile, ProviderError> {
    match (&provider.protocol, sources.id_token) {
        (Protocol::Oidc { issuer, .. }, Some(claims)) => by_id_token(provider, issuer, claims),
        _ => {
            let answer = sources.documents.first().and_then(Value::as_object).ok_or(ProviderError::Profile)?;
            by_answer(provider, answer)
        }
    }
}

/// Addresses are read before claims are mapped: no mapping changes them.
fn by_id_token(provider: &CustomProvider, issuer: &str, claims: &Metadata) -> Result<Profile, ProviderError> {
    let told = of_id_token(issuer, claims)?;
    let mut mine = told.claims;
    if let Some(email) = told.emails.first() {
        put(&mut mine, "email", email.email.clone());
    }
    keep(provider, claims, &mut mine);
    let mapped = typed::profile(mapped(&provider.attribute_mapping, mine));
    Ok(Profile { emails: told.emails, ..mapped })
}

/// Claims are mapped first. An address that came out of a mapping is not the one that the provider has verified.
fn by_answer(provider: &CustomProvider, answer: &Metadata) -> Result<Profile, ProviderError> {
    let mut claims = typed::typed(answer)?;
    let verified = claims.get("email").cloned();
    keep(provider, answer, &mut claims);
    let mut claims = mapped(&provider.attribute_mapping, claims);
    if claims.get("email") != verified.as_ref() {
        claims.remove("email_verified");
    }
    Ok(typed::profile(claims))
}

/// Keeps what the project wants to have of the provider's own claims.
fn keep(provider: &CustomProvider, raw: &Metadata, claims: &mut Metadata) {
    for claim in &provider.custom_claims_allowlist {
        if let Some(value) = raw.get(claim) {
            put_custom(claims, claim, value.clone());
        }
    }
}

/// `claims` with a project's mapping of target to source: a text names a claim, which is left alone where it is absent; anything
/// else is the value itself. All sources are read before anything is set. A mapping that breaks a claim's type does nothing.
fn mapped(mapping: &Metadata, claims: Metadata) -> Metadata {
    let mut changed = claims.clone();
    for (target, source) in mapping.iter().filter(|(target, _)| !NOT_MAPPED.contains(&target.as_str())) {
        let value = match source {
            Value::String(name) => claims.get(name),
            literal => Some(literal),
        };
        if let Some(value) = value {
            changed.insert(target.clone(), value.clone());
        }
    }
    typed::typed(&changed).unwrap_or(claims)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Metadata {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn mappings() {
        let claims = object(json!({
            "sub": "1", "name": "Ada", "nickname": "ada", "preferred_username": "ada@corp.test", "custom_claims": {"a": 1},
        }));
        for (mapping, changes) in [
            (json!({}), json!({})),
            (json!({"name": "nickname"}), json!({"name": "ada"})),
            (json!({"name": "nickname", "nickname": "name"}), json!({"name": "ada", "nickname": "Ada"})),
            (json!({"sub": "preferred_username"}), json!({"sub": "ada@corp.test"})),
            (json!({"name": "absent"}), json!({})),
            (json!({"unknown": "name"}), json!({})),
            (json!({"custom_claims": {"team": 7}}), json!({"custom_claims": {"team": 7}})),
            (json!({"name": 5}), json!({})),
            (json!({"name": 5, "nickname": "name"}), json!({})),
            (json!({"email_verified": true, "phone_verified": true, "aud": ["x"], "updated_at": "name"}), json!({})),
        ] {
            let mut expected = claims.clone();
            expected.extend(object(changes));
            assert_eq!(mapped(&object(mapping.clone()), claims.clone()), expected, "{mapping}");
        }
    }
}
