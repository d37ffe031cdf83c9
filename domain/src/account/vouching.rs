//! Whose word about an address counts.

use serde_json::Value;

use crate::config::Policy;
use crate::project::Profile as SecurityProfile;
use crate::provider::{Builtin, Profile, ProviderEmail};

/// `profile` with the addresses that count as verified in this project. In the shield profile Microsoft's word counts only where the
/// address is said to be of a domain that the tenant owns (the claim `xms_edov`), or where the project takes in one tenant: else
/// the administrator of any tenant could claim any address ("nOAuth").
pub fn believed(profile: Profile, provider: &str, policy: &Policy) -> Profile {
    let doubted = policy.profile == SecurityProfile::Shield
        && provider == Builtin::Azure.name()
        && takes_any_tenant(policy)
        && owned_domain(&profile).is_none();
    if !doubted {
        return profile;
    }
    let emails = profile.emails.into_iter().map(|email| ProviderEmail { verified: false, ..email }).collect();
    Profile { emails, ..profile }
}

fn owned_domain(profile: &Profile) -> Option<&Value> {
    profile.claims.get("custom_claims")?.get("xms_edov")
}

/// Whether the address of Microsoft's that the project has set is shared by all tenants.
fn takes_any_tenant(policy: &Policy) -> bool {
    let url = policy.oauth.providers.get(&Builtin::Azure).and_then(|settings| settings.url.as_deref());
    let tenant = url.and_then(|url| url.rsplit('/').next());
    tenant.is_none_or(|tenant| ["common", "consumers", "organizations"].contains(&tenant))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::policy;
    use crate::provider::ProviderSettings;

    fn verified(provider: &str, url: Option<&str>, shield: bool, claims: Value) -> bool {
        let mut policy = policy();
        policy.profile = if shield { SecurityProfile::Shield } else { SecurityProfile::Compat };
        let settings = ProviderSettings { url: url.map(str::to_owned), ..ProviderSettings::default() };
        policy.oauth.providers.insert(Builtin::Azure, settings);
        let profile = Profile {
            subject: "1".to_owned(),
            emails: vec![ProviderEmail { email: "ada@example.com".to_owned(), verified: true, primary: true }],
            claims: claims.as_object().cloned().unwrap(),
        };
        believed(profile, provider, &policy).emails.iter().all(|email| email.verified)
    }

    #[test]
    fn a_tenant_of_anybody_vouches_for_its_own_domains_only() {
        let tenant = Some("https://login.microsoftonline.com/8f2d1c9e-0000-4000-8000-000000000001");
        let shared = Some("https://login.microsoftonline.com/organizations");
        let silent = || json!({ "custom_claims": { "oid": "1" } });
        let owned = || json!({ "custom_claims": { "xms_edov": true } });
        for (provider, url, shield, claims, expected) in [
            ("azure", None, true, silent(), false),
            ("azure", None, true, json!({}), false),
            ("azure", shared, true, silent(), false),
            ("azure", shared, true, owned(), true),
            ("azure", tenant, true, silent(), true),
            ("azure", None, false, silent(), true),
            ("google", None, true, silent(), true),
        ] {
            assert_eq!(verified(provider, url, shield, claims), expected, "{provider} {url:?} {shield}");
        }
    }
}
