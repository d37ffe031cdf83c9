//! Which issuer a project trusts for a request, and for whom its tokens may be (`contract/mfa-passkeys-oauth.md` §5.2). Only
//! what the operator has set up is ever asked for keys, whatever the token or the request say.

use super::Body;
use super::judge::Nonces;
use crate::config::OauthSettings;
use crate::custom_providers::{CustomProvider, PREFIX, Protocol};
use crate::provider::{Builtin, Issuer, ProviderSettings};
use crate::refusal::ProviderRefusal;

/// Apple's issuers.
const APPLE: [&str; 2] = ["https://appleid.apple.com", "https://account.apple.com"];

/// Where Microsoft issues tokens of version 2 and 1, each followed by the tenant.
const MICROSOFT: [(&str, &str); 2] =
    [("https://login.microsoftonline.com/", "/v2.0"), ("https://sts.windows.net/", "")];

/// Providers with one issuer.
const FIXED: [(Builtin, &str); 5] = [
    (Builtin::Google, "https://accounts.google.com"),
    (Builtin::Facebook, "https://www.facebook.com"),
    (Builtin::Kakao, "https://kauth.kakao.com"),
    (Builtin::VercelMarketplace, "https://marketplace.vercel.com"),
    (Builtin::Snapchat, "https://accounts.snapchat.com/accounts/oauth2/token"),
];

/// Whose tokens are taken, and for whom they must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The provider of the identity.
    pub provider: String,
    /// Whose keys verify the token.
    pub issuer: Issuer,
    /// The audiences of which the token must have one.
    pub audiences: Vec<String>,
    /// How nonces are compared.
    pub nonces: Nonces,
    /// Who has no address may come in.
    pub email_optional: bool,
}

/// What a request chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// An issuer that the settings name.
    Trusted(Trust),
    /// The custom provider of this name, if there is one: [`Trust::custom`].
    Custom(String),
}

/// The first of the contract's rows that the request meets. `claimed` is the issuer that the token says it has.
///
/// # Errors
/// No such provider; it is off; or the token says to be another's.
pub fn select(body: &Body, claimed: Option<&str>, settings: &OauthSettings) -> Result<Choice, ProviderRefusal> {
    if body.provider == "apple" || is_apple(&body.issuer) {
        let issuer = detected("Apple", body, claimed, is_apple)?;
        return builtin(Builtin::Apple, issuer, settings);
    }
    if let Some(issuer) = fixed(body, Builtin::Google) {
        return builtin(Builtin::Google, issuer, settings);
    }
    if body.provider == "azure" || is_of_microsoft_v2(&body.issuer) {
        let tenant = own_tenant(settings);
        let issuer = detected("Azure", body, claimed, |issuer| is_microsoft(issuer, tenant))?;
        return builtin(Builtin::Azure, issuer, settings);
    }
    if let Some(issuer) = fixed(body, Builtin::Facebook) {
        return builtin(Builtin::Facebook, issuer, settings);
    }
    let realm = settings.keycloak_realm.as_deref();
    let is_on = settings.providers.contains_key(&Builtin::Keycloak);
    if body.provider == "keycloak" || (is_on && realm.is_some_and(|realm| realm == body.issuer)) {
        // Without an address it is not set up.
        let realm = realm.ok_or_else(|| ProviderRefusal::IdTokenProviderDisabled(String::new()))?;
        return builtin(Builtin::Keycloak, realm, settings);
    }
    for provider in [Builtin::Kakao, Builtin::VercelMarketplace, Builtin::Snapchat] {
        if let Some(issuer) = fixed(body, provider) {
            return builtin(provider, issuer, settings);
        }
    }
    if body.provider.starts_with(PREFIX) {
        return match settings.custom_providers_enabled {
            true => Ok(Choice::Custom(body.provider.clone())),
            false => Err(ProviderRefusal::CustomProvidersDisabled),
        };
    }
    match further(body, settings) {
        Some(trust) => Ok(Choice::Trusted(trust)),
        None => Err(ProviderRefusal::IdTokenProviderUnknown(body.provider.clone())),
    }
}

impl Trust {
    /// What the custom provider `identifier` is trusted with, where it was found.
    ///
    /// # Errors
    /// It does not exist, issues no ID tokens, or is off.
    pub fn custom(identifier: &str, found: Option<&CustomProvider>) -> Result<Self, ProviderRefusal> {
        let name = || identifier.to_owned();
        let provider = found.ok_or_else(|| ProviderRefusal::CustomProviderUnknown(name()))?;
        let Protocol::Oidc { issuer, discovery_url, .. } = &provider.protocol else {
            return Err(ProviderRefusal::CustomProviderNotOidc(name()));
        };
        if !provider.enabled {
            return Err(ProviderRefusal::CustomProviderDisabled(name()));
        }
        let issuer = Issuer { issuer: issuer.clone(), discovery_url: discovery_url.clone(), foreign: true };
        let further = provider.acceptable_client_ids.iter();
        Ok(Self {
            provider: provider.identifier.clone(),
            issuer,
            audiences: std::iter::once(&provider.client_id).chain(further).cloned().collect(),
            nonces: if provider.skip_nonce_check { Nonces::Skipped } else { Nonces::Hashed },
            email_optional: provider.email_optional,
        })
    }
}

/// The issuer of `provider`, where the request names one of the two.
fn fixed(body: &Body, provider: Builtin) -> Option<&'static str> {
    let (_, issuer) = FIXED.into_iter().find(|(of, _)| *of == provider)?;
    (body.provider == provider.name() || body.issuer == issuer).then_some(issuer)
}

/// The issuer that the token claims, where it is one of the provider's and the request names no other.
fn detected<'a>(
    provider: &'static str,
    body: &Body,
    claimed: Option<&'a str>,
    is_own: impl Fn(&str) -> bool,
) -> Result<&'a str, ProviderRefusal> {
    let claimed = claimed.ok_or(ProviderRefusal::IssuerUndetected(provider))?;
    if !is_own(claimed) {
        return Err(ProviderRefusal::IssuerForeign(provider));
    }
    match body.issuer.is_empty() || body.issuer == claimed {
        true => Ok(claimed),
        false => Err(ProviderRefusal::IssuerDiffers),
    }
}

fn builtin(provider: Builtin, issuer: &str, settings: &OauthSettings) -> Result<Choice, ProviderRefusal> {
    let of = settings.providers.get(&provider);
    let ProviderSettings { client_ids, email_optional, skip_nonce_check, .. } =
        of.ok_or_else(|| ProviderRefusal::IdTokenProviderDisabled(issuer.to_owned()))?;
    let nonces = match provider {
        Builtin::Facebook => Nonces::Verbatim,
        _ if *skip_nonce_check => Nonces::Skipped,
        _ => Nonces::Hashed,
    };
    Ok(Choice::Trusted(Trust {
        provider: provider.name().to_owned(),
        issuer: Issuer { issuer: issuer.to_owned(), discovery_url: None, foreign: false },
        audiences: client_ids.clone(),
        nonces,
        email_optional: *email_optional,
    }))
}

/// An issuer beside the providers. An entry may say for whom its tokens must be, `issuer=client id`, once for each client id;
/// then what the request says about that does not count.
fn further(body: &Body, settings: &OauthSettings) -> Option<Trust> {
    let entries = settings.id_token_issuers.iter();
    let named: Vec<(&str, Option<&str>)> = entries
        .map(|entry| entry_parts(entry))
        .filter(|(issuer, _)| !issuer.is_empty() && *issuer == body.issuer)
        .collect();
    let bound: Vec<String> = named.iter().filter_map(|(_, id)| id.map(str::to_owned)).collect();
    let audiences = match bound.is_empty() {
        true => Some(body.client_id.clone()).into_iter().collect(),
        false => bound,
    };
    (!named.is_empty()).then(|| Trust {
        provider: body.issuer.clone(),
        issuer: Issuer { issuer: body.issuer.clone(), discovery_url: None, foreign: false },
        audiences,
        nonces: Nonces::Hashed,
        email_optional: false,
    })
}

/// The issuer of an entry, and the client id that it is bound to.
fn entry_parts(entry: &str) -> (&str, Option<&str>) {
    entry.split_once('=').map_or((entry, None), |(issuer, id)| (issuer.trim(), Some(id.trim())))
}

/// Whether `issuer` is one whose ID tokens the project takes, or that of a provider: others must not speak for its people. With and
/// without a slash at its end it is the same one.
pub fn is_taken(issuer: &str, settings: &OauthSettings) -> bool {
    fn bare(issuer: &str) -> &str {
        issuer.strip_suffix('/').unwrap_or(issuer)
    }
    let realm = settings.providers.get(&Builtin::Keycloak).and_then(|keycloak| keycloak.url.as_deref());
    let further = settings.id_token_issuers.iter().map(|entry| entry_parts(entry).0);
    let mut known = FIXED.iter().map(|(_, issuer)| *issuer).chain(APPLE).chain(realm).chain(further);
    known.any(|known| bare(known) == bare(issuer)) || tenant(issuer).is_some()
}

fn is_apple(issuer: &str) -> bool {
    APPLE.contains(&issuer)
}

/// The tenant of an issuer of Microsoft's.
fn tenant(issuer: &str) -> Option<&str> {
    let is_tenant = |text: &&str| {
        text.starts_with(|letter: char| letter.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    };
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    let of = |(start, end): &(&str, &str)| issuer.strip_prefix(start)?.strip_suffix(end);
    MICROSOFT.iter().find_map(of).filter(is_tenant)
}

fn is_of_microsoft_v2(issuer: &str) -> bool {
    issuer.starts_with(MICROSOFT[0].0) && tenant(issuer).is_some()
}

/// Whether Microsoft issues tokens as `issuer`: for the project's own tenant, where it has one.
fn is_microsoft(issuer: &str, own: Option<&str>) -> bool {
    tenant(issuer).is_some_and(|tenant| own.is_none_or(|own| own.eq_ignore_ascii_case(tenant)))
}

/// The tenant that the project's address of Azure names by its id; names of tenants are not what issuers have.
fn own_tenant(settings: &OauthSettings) -> Option<&str> {
    let url = settings.providers.get(&Builtin::Azure)?.url.as_deref()?;
    let named = url.strip_prefix(MICROSOFT[0].0)?.trim_end_matches('/');
    uuid::Uuid::try_parse(named).is_ok().then_some(named)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use super::*;
    use crate::fixtures::at;
    use crate::secret::Secret;

    const TENANT: &str = "8f2b3c4d-1111-4222-8333-444455556666";

    fn settings(on: &[(Builtin, Option<&str>)]) -> OauthSettings {
        let of = |(provider, url): &(Builtin, Option<&str>)| {
            let client_ids = vec![format!("{}-client", provider.name()), "further".to_owned()];
            (*provider, ProviderSettings { client_ids, url: url.map(str::to_owned), ..ProviderSettings::default() })
        };
        let providers: BTreeMap<_, _> = on.iter().map(of).collect();
        let keycloak_realm = providers.get(&Builtin::Keycloak).and_then(|keycloak| keycloak.url.clone());
        OauthSettings { providers, keycloak_realm, ..OauthSettings::default() }
    }

    fn body(provider: &str, issuer: &str) -> Body {
        let (provider, issuer) = (provider.to_owned(), issuer.to_owned());
        Body { provider, issuer, client_id: "mine".to_owned(), ..Body::default() }
    }

    fn trusted(choice: Result<Choice, ProviderRefusal>) -> Trust {
        match choice {
            Ok(Choice::Trusted(trust)) => trust,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_provider_is_meant_by_its_name_or_by_its_issuer() {
        let all = settings(&FIXED.map(|(provider, _)| (provider, None)));
        for (provider, issuer) in FIXED {
            for body in [body(provider.name(), ""), body("", issuer), body("github", issuer)] {
                let trust = trusted(select(&body, None, &all));
                assert_eq!((trust.provider.as_str(), trust.issuer.issuer.as_str()), (provider.name(), issuer));
                assert_eq!(trust.audiences, [format!("{}-client", provider.name()), "further".to_owned()]);
                let skipped = matches!(trust.nonces, Nonces::Verbatim);
                assert_eq!(skipped, provider == Builtin::Facebook);
            }
            let off = select(&body(provider.name(), ""), None, &settings(&[]));
            assert_eq!(off, Err(ProviderRefusal::IdTokenProviderDisabled(issuer.to_owned())));
        }
    }

    #[test]
    fn names_are_exact_and_no_other_issuer_is_asked() {
        let all: Vec<_> = Builtin::ALL.iter().map(|provider| (*provider, Some("https://idp.example"))).collect();
        for provider in ["github", "Google", "Keycloak", "linkedin_oidc", "slack_oidc", "Custom:x", ""] {
            for issuer in ["", "https://issuer.example", "https://accounts.google.com/", "http://accounts.google.com"] {
                let refused = select(&body(provider, issuer), Some("https://accounts.google.com"), &settings(&all));
                assert_eq!(refused, Err(ProviderRefusal::IdTokenProviderUnknown(provider.to_owned())), "{issuer}");
            }
        }
    }

    /// A token of an attacker's own issuer is not taken for one of Apple's or Azure's (GHSA-9wqv-qrhh-87f4).
    #[test]
    fn a_foreign_issuer_is_not_believed_to_be_apple_or_azure() {
        let both = settings(&[(Builtin::Apple, None), (Builtin::Azure, None)]);
        for (provider, title) in [("apple", "Apple"), ("azure", "Azure")] {
            for claimed in [
                "https://evil.example",
                "https://appleid.apple.com.evil.example",
                "https://appleid.apple.com/",
                "http://appleid.apple.com",
                "https://login.microsoftonline.com.evil.example/x/v2.0",
                "https://login.microsoftonline.com@evil.example/x/v2.0",
                "https://login.microsoftonline.com/",
                "https://login.microsoftonline.com/x",
                "https://login.microsoftonline.com/x/y/v2.0",
                "https://login.microsoftonline.com/../evil/v2.0",
                "https://login.microsoftonline.com/../v2.0",
                "https://login.microsoftonline.com/x?y=/v2.0",
                "https://sts.windows.net/",
                "https://sts.windows.net/x/y",
                "https://sts.windows.net.evil.example/x/",
                "",
            ] {
                let refused = select(&body(provider, ""), Some(claimed), &both);
                assert_eq!(refused, Err(ProviderRefusal::IssuerForeign(title)), "{claimed}");
            }
            let undetected = select(&body(provider, ""), None, &both);
            assert_eq!(undetected, Err(ProviderRefusal::IssuerUndetected(title)));
        }
    }

    #[test]
    fn apple_and_azure_are_whichever_of_their_issuers_the_token_has() {
        let both = settings(&[(Builtin::Apple, None), (Builtin::Azure, None)]);
        for claimed in APPLE {
            for body in [body("apple", ""), body("apple", claimed), body("", claimed)] {
                let trust = trusted(select(&body, Some(claimed), &both));
                assert_eq!((trust.provider.as_str(), trust.issuer.issuer.as_str()), ("apple", claimed));
            }
            let refused = select(&body("apple", "https://appleid.apple.co"), Some(claimed), &both);
            assert_eq!(refused, Err(ProviderRefusal::IssuerDiffers));
        }
        let crossed = select(&body("", APPLE[0]), Some(APPLE[1]), &both);
        assert_eq!(crossed, Err(ProviderRefusal::IssuerDiffers));
        let (v2, v1) =
            (format!("https://login.microsoftonline.com/{TENANT}/v2.0"), format!("https://sts.windows.net/{TENANT}/"));
        for claimed in [&v2, &v1] {
            let trust = trusted(select(&body("azure", ""), Some(claimed), &both));
            assert_eq!((trust.provider.as_str(), &trust.issuer.issuer), ("azure", claimed));
        }
        assert_eq!(trusted(select(&body("", &v2), Some(&v2), &both)).provider, "azure");
        let unknown = select(&body("", &v1), Some(&v1), &both);
        assert_eq!(unknown, Err(ProviderRefusal::IdTokenProviderUnknown(String::new())));
        // What the token says comes before whether the provider is on.
        let off = select(&body("azure", ""), Some("https://evil.example"), &settings(&[]));
        assert_eq!(off, Err(ProviderRefusal::IssuerForeign("Azure")));
        let off = select(&body("azure", ""), Some(&v2), &settings(&[]));
        assert_eq!(off, Err(ProviderRefusal::IdTokenProviderDisabled(v2)));
    }

    #[test]
    fn a_project_of_one_tenant_takes_no_other() {
        let other = "00000000-1111-4222-8333-444455556666";
        let issuers = |tenant: &str| {
            [format!("https://login.microsoftonline.com/{tenant}/v2.0"), format!("https://sts.windows.net/{tenant}/")]
        };
        let with =
            |tenant: &str| settings(&[(Builtin::Azure, Some(&format!("https://login.microsoftonline.com/{tenant}")))]);
        let taken = |tenant: &str, claimed: &str| select(&body("azure", ""), Some(claimed), &with(tenant));
        for claimed in issuers(TENANT) {
            assert_eq!(trusted(taken(TENANT, &claimed)).issuer.issuer, claimed);
            assert_eq!(taken(other, &claimed), Err(ProviderRefusal::IssuerForeign("Azure")));
            for shared in ["common", "organizations", "contoso.onmicrosoft.com"] {
                assert_eq!(trusted(taken(shared, &claimed)).issuer.issuer, claimed);
            }
        }
    }

    #[test]
    fn keycloak_is_where_the_project_says() {
        let realm = "https://sso.example/realms/a";
        let with = settings(&[(Builtin::Keycloak, Some(realm))]);
        for body in [body("keycloak", ""), body("", realm), body("keycloak", "https://evil.example")] {
            let trust = trusted(select(&body, Some("https://evil.example"), &with));
            assert_eq!((trust.provider.as_str(), trust.issuer.issuer.as_str()), ("keycloak", realm));
        }
        let disabled = Err(ProviderRefusal::IdTokenProviderDisabled(String::new()));
        assert_eq!(select(&body("keycloak", realm), None, &settings(&[])), disabled);
        assert_eq!(select(&body("keycloak", ""), None, &settings(&[(Builtin::Keycloak, None)])), disabled);
        let off = OauthSettings { keycloak_realm: Some(realm.to_owned()), ..settings(&[]) };
        let named = select(&body("keycloak", ""), None, &off);
        assert_eq!(named, Err(ProviderRefusal::IdTokenProviderDisabled(realm.to_owned())));
        let unknown = select(&body("", realm), None, &off);
        assert_eq!(unknown, Err(ProviderRefusal::IdTokenProviderUnknown(String::new())));
    }

    #[test]
    fn further_issuers_are_taken_for_the_audience_they_are_bound_to() {
        let issuer = "https://issuer.example";
        let with = |entries: &[&str]| OauthSettings {
            id_token_issuers: entries.iter().map(|entry| (*entry).to_owned()).collect(),
            ..settings(&[])
        };
        let open = trusted(select(&body("any", issuer), None, &with(&["https://other.example", issuer])));
        assert_eq!((open.provider.as_str(), open.issuer.issuer.as_str()), (issuer, issuer));
        assert_eq!(open.audiences, ["mine"]);
        let bound = with(&["https://issuer.example=app", issuer, "https://issuer.example = native"]);
        assert_eq!(trusted(select(&body("", issuer), None, &bound)).audiences, ["app", "native"]);
        for settings in [with(&[]), with(&["https://issuer.example/"]), with(&["=app"])] {
            let refused = select(&body("", issuer), Some(issuer), &settings);
            assert_eq!(refused, Err(ProviderRefusal::IdTokenProviderUnknown(String::new())));
        }
        let nameless = select(&body("x", ""), None, &with(&["=app", ""]));
        assert_eq!(nameless, Err(ProviderRefusal::IdTokenProviderUnknown("x".to_owned())));
        // The rows of the providers come first: one that is off stays off.
        let google = select(&body("", "https://accounts.google.com"), None, &with(&["https://accounts.google.com"]));
        assert_eq!(google, Err(ProviderRefusal::IdTokenProviderDisabled("https://accounts.google.com".to_owned())));
    }

    #[test]
    fn who_speaks_for_an_issuer_already_is_known() {
        let mut settings = settings(&[(Builtin::Keycloak, Some("https://sso.example/realms/a"))]);
        settings.id_token_issuers = vec!["https://further.example".to_owned(), "https://bound.example/=app".to_owned()];
        for (issuer, taken) in [
            ("https://further.example", true),
            ("https://further.example/", true),
            ("https://bound.example", true),
            ("https://sso.example/realms/a", true),
            ("https://accounts.google.com/", true),
            ("https://account.apple.com", true),
            ("https://login.microsoftonline.com/8f2b3c4d-1111-4222-8333-444455556666/v2.0", true),
            ("https://sso.example/realms/b", false),
            ("https://further.example.evil.example", false),
            ("https://bound.example/=app", false),
            ("", false),
        ] {
            assert_eq!(is_taken(issuer, &settings), taken, "{issuer}");
        }
    }

    fn custom(protocol: Protocol, enabled: bool) -> CustomProvider {
        CustomProvider {
            id: Uuid::nil(),
            identifier: "custom:acme".to_owned(),
            name: "Acme".to_owned(),
            protocol,
            client_id: "acme-client".to_owned(),
            client_secret: Secret::default(),
            acceptable_client_ids: vec!["acme-native".to_owned()],
            scopes: Vec::new(),
            pkce_enabled: false,
            attribute_mapping: serde_json::Map::new(),
            custom_claims_allowlist: Vec::new(),
            authorization_params: std::collections::BTreeMap::new(),
            enabled,
            email_optional: true,
            skip_nonce_check: false,
            created_at: at(0),
            updated_at: at(0),
        }
    }

    #[test]
    fn custom_providers_are_asked_for_when_they_are_on() {
        let on = OauthSettings { custom_providers_enabled: true, ..settings(&[]) };
        assert_eq!(select(&body("custom:acme", ""), None, &on), Ok(Choice::Custom("custom:acme".to_owned())));
        let off = select(&body("custom:acme", ""), None, &settings(&[]));
        assert_eq!(off, Err(ProviderRefusal::CustomProvidersDisabled));
    }

    #[test]
    fn a_custom_provider_is_trusted_as_it_is_set_up() {
        let oidc = Protocol::Oidc {
            issuer: "https://acme.example".to_owned(),
            discovery_url: Some("https://meta.acme.example/oidc".to_owned()),
            discovery_document: None,
        };
        let oauth2 = Protocol::Oauth2 {
            authorization_url: String::new(),
            token_url: String::new(),
            userinfo_url: String::new(),
            jwks_uri: None,
        };
        let name = "custom:acme";
        let trust = Trust::custom(name, Some(&custom(oidc.clone(), true))).unwrap();
        let issuer = Issuer {
            issuer: "https://acme.example".to_owned(),
            discovery_url: Some("https://meta.acme.example/oidc".to_owned()),
            foreign: true,
        };
        let audiences = vec!["acme-client".to_owned(), "acme-native".to_owned()];
        let expected =
            Trust { provider: name.to_owned(), issuer, audiences, nonces: Nonces::Hashed, email_optional: true };
        assert_eq!(trust, expected);
        let lenient = CustomProvider { skip_nonce_check: true, ..custom(oidc.clone(), true) };
        assert_eq!(Trust::custom(name, Some(&lenient)), Ok(Trust { nonces: Nonces::Skipped, ..expected }));
        let said = || name.to_owned();
        assert_eq!(Trust::custom(name, None), Err(ProviderRefusal::CustomProviderUnknown(said())));
        // What it speaks comes before whether it is on.
        let refused = Trust::custom(name, Some(&custom(oauth2, false)));
        assert_eq!(refused, Err(ProviderRefusal::CustomProviderNotOidc(said())));
        let refused = Trust::custom(name, Some(&custom(oidc, false)));
        assert_eq!(refused, Err(ProviderRefusal::CustomProviderDisabled(said())));
    }
}
