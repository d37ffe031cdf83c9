//! Whose a token is that a project's keys have signed. Should two projects ever hold the same key, by import or by hand, neither
//! takes the other's tokens (`security/attacks.md`, class H).

use serde_json::Value;

use crate::bearer::Claims;
use crate::ids::ProjectRef;
use crate::refusal::Refusal;

/// The issuer of old-style API keys.
const LEGACY_KEY: &str = "supabase";

/// Refuses what says that it is of another project: a key by its `ref`, any token by its issuer. The `ref` of a person's token is
/// a claim like others, which a hook may set; a token that says nothing of either is its signer's.
///
/// # Errors
/// The token is another project's.
pub fn check(claims: &Claims, project: &ProjectRef, base_url: &str) -> Result<(), Refusal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let issuer = text("iss");
    let is_key = issuer == LEGACY_KEY || text("sub").is_empty();
    let named = text("ref");
    let keyed_elsewhere = is_key && !named.is_empty() && named != project.as_str();
    let issued_elsewhere = issuing_project(issuer, base_url).is_some_and(|issuing| issuing != *project);
    if keyed_elsewhere || issued_elsewhere {
        return Err(Refusal::BadJwt("token has invalid claims: token is of another project".to_owned()));
    }
    Ok(())
}

/// The project of the gateway that serves `base_url` whose tokens have this `issuer`, whether there is one of this name or not.
pub fn issuing_project(issuer: &str, base_url: &str) -> Option<ProjectRef> {
    let parts = |url: &'_ str| -> Option<(String, String)> {
        let (gateway, project) = url.trim_end_matches('/').strip_suffix("/auth/v1")?.rsplit_once("/p/")?;
        Some((gateway.to_ascii_lowercase(), project.to_owned()))
    };
    let (gateway, project) = parts(issuer)?;
    let (own, _) = parts(base_url)?;
    if gateway == own { project.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BASE: &str = "https://auth.example.com/p/acme/auth/v1";

    fn checked(claims: Value) -> bool {
        let claims = serde_json::from_value(claims).unwrap();
        match check(&claims, &"acme".parse().unwrap(), BASE) {
            Ok(()) => true,
            Err(refused) => {
                assert!(matches!(refused, Refusal::BadJwt(_)), "{refused:?}");
                false
            }
        }
    }

    #[test]
    fn a_key_is_the_project_that_it_names() {
        assert!(checked(json!({ "iss": "supabase", "ref": "acme", "role": "anon" })));
        assert!(!checked(json!({ "iss": "supabase", "ref": "other", "role": "anon" })));
        assert!(!checked(json!({ "iss": "supabase", "ref": "other", "sub": "x" })));
        assert!(!checked(json!({ "ref": "other", "role": "service_role" })));
        assert!(!checked(json!({ "ref": "other", "role": "service_role", "sub": "" })));
        // One that was made by hand need not name any.
        assert!(checked(json!({ "role": "service_role" })));
        assert!(checked(json!({ "iss": "supabase", "role": "service_role" })));
    }

    #[test]
    fn a_persons_ref_is_a_claim_like_others() {
        assert!(checked(json!({ "iss": BASE, "sub": "x", "ref": "newsletter" })));
    }

    #[test]
    fn a_token_is_of_the_project_that_issued_it() {
        assert!(checked(json!({ "iss": BASE, "sub": "x" })));
        for other in [
            "https://auth.example.com/p/other/auth/v1",
            "https://auth.example.com/p/other/auth/v1/",
            "https://AUTH.example.com/p/other/auth/v1",
        ] {
            assert!(!checked(json!({ "iss": other, "sub": "x" })), "{other}");
        }
        // What is no project of this gateway is a name like others: projects come from elsewhere with their keys.
        for other in ["https://elsewhere.example.com/p/other/auth/v1", "https://auth.example.com/auth/v1", "shop", ""] {
            assert!(checked(json!({ "iss": other, "sub": "x" })), "{other}");
        }
    }
}
