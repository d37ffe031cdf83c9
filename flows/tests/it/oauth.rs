//! Sign-ins at providers that say what a test had them say.

use std::collections::BTreeMap;

use domain::provider::{Profile, ProviderEmail, ProviderTokens, SignedIn};
use domain::secret::Secret;
use serde_json::{Value, json};
use testkit::{Answer, Ask, TestApp, TestProject};

use crate::mails;

/// Where a browser goes that may go nowhere else.
pub(crate) const SITE: &str = "https://site.example.com/home";

/// An allowed target.
pub(crate) const APP: &str = "https://app.example.com/cb";

/// The verifier of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The challenge in a query, compared by S256.
pub(crate) const CHALLENGE: &str =
    "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=s256";

/// Settings of a project with GitLab, Keycloak and Apple, that confirms by mail, with `others` over them.
pub(crate) fn config(others: Value) -> Value {
    let mut config = mails::confirming(json!({
        "site_url": SITE,
        "uri_allow_list": "https://app.example.com/**,com.example.app://*",
        "security_manual_linking_enabled": true,
        "external_anonymous_users_enabled": true,
        "external_keycloak_url": "https://id.example.com/realms/shop",
    }));
    for provider in ["gitlab", "keycloak", "apple"] {
        config[format!("external_{provider}_enabled")] = json!(true);
        config[format!("external_{provider}_client_id")] = json!(format!("{provider}-client"));
        config[format!("external_{provider}_secret")] = json!(format!("{provider}-secret"));
    }
    config.as_object_mut().unwrap().extend(others.as_object().cloned().unwrap());
    config
}

/// A project with these settings.
pub(crate) async fn project(app: &TestApp, others: Value) -> TestProject {
    app.project("oauth", config(others)).await
}

/// Somebody whose address the provider has verified.
pub(crate) fn person(subject: &str, email: &str) -> SignedIn {
    with_addresses(subject, &[(email, true)])
}

/// Somebody with these addresses, verified or not; the first is the primary one.
pub(crate) fn with_addresses(subject: &str, addresses: &[(&str, bool)]) -> SignedIn {
    let claims = json!({
        "iss": "https://gitlab.com", "sub": subject, "provider_id": subject, "name": "Ada Example", "full_name": "Ada Example",
    });
    let email = |(index, (email, verified)): (usize, &(&str, bool))| ProviderEmail {
        email: (*email).to_owned(),
        verified: *verified,
        primary: index == 0,
    };
    SignedIn {
        profile: Profile {
            subject: subject.to_owned(),
            emails: addresses.iter().enumerate().map(email).collect(),
            claims: claims.as_object().cloned().unwrap().into_iter().collect(),
        },
        tokens: ProviderTokens {
            access_token: Secret::new(format!("at-{subject}")),
            refresh_token: Secret::new(format!("rt-{subject}")),
        },
    }
}

/// Begins a sign-in at GitLab; `query` is what else stands in the address. Gives the state.
pub(crate) async fn begin(project: &TestProject, query: &str) -> String {
    begin_at(project, "gitlab", query).await
}

/// The same at another provider.
pub(crate) async fn begin_at(project: &TestProject, provider: &str, query: &str) -> String {
    state(&project.get(&format!("/authorize?provider={provider}{query}")).send().await.expect(302))
}

/// The state that a browser is sent away with.
pub(crate) fn state(answer: &Answer) -> String {
    Landed::at(answer.header("location")).query["state"].clone()
}

/// The way back from the provider.
pub(crate) fn back(project: &TestProject, state: &str, code: &str) -> Ask {
    project.get(&format!("/callback?state={state}&code={code}"))
}

/// Comes back with `code`. Gives where the browser is sent.
pub(crate) async fn land(project: &TestProject, state: &str, code: &str) -> Landed {
    Landed::of(&back(project, state, code).send().await.expect(302))
}

/// Signs in at GitLab as whoever `signed_in` is, from beginning to end. Gives where the browser is sent.
pub(crate) async fn sign_in(app: &TestApp, project: &TestProject, signed_in: SignedIn) -> Landed {
    let code = format!("code-{}", signed_in.profile.subject);
    app.providers.grant(&code, Ok(signed_in));
    let state = begin(project, "").await;
    land(project, &state, &code).await
}

/// Trades the code of a flow that began with [`CHALLENGE`].
pub(crate) async fn exchange(project: &TestProject, code: &str, verifier: &str) -> Answer {
    let body = json!({ "auth_code": code, "code_verifier": verifier });
    project.post("/token?grant_type=pkce", body).send().await
}

/// The user behind an access token.
pub(crate) async fn user(project: &TestProject, access_token: &str) -> Value {
    project.get("/user").bearer(access_token).send().await.expect(200).json()
}

/// A redirect, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Landed {
    /// Without query and fragment.
    pub(crate) target: String,
    /// Of the query.
    pub(crate) query: BTreeMap<String, String>,
    /// Of the fragment.
    pub(crate) fragment: BTreeMap<String, String>,
}

impl Landed {
    /// Where an answer leads.
    pub(crate) fn of(answer: &Answer) -> Self {
        Self::at(answer.header("location"))
    }

    fn at(location: &str) -> Self {
        let (rest, fragment) = location.split_once('#').unwrap_or((location, ""));
        let (target, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self { target: target.to_owned(), query: pairs(query), fragment: pairs(fragment) }
    }

    /// The access token in the fragment.
    #[track_caller]
    pub(crate) fn access_token(&self) -> &str {
        assert!(self.fragment.contains_key("access_token"), "no session: {self:?}");
        &self.fragment["access_token"]
    }

    /// The code in the query.
    #[track_caller]
    pub(crate) fn code(&self) -> &str {
        assert!(self.query.contains_key("code"), "no code: {self:?}");
        &self.query["code"]
    }

    /// `error`, `error_code` and `error_description` of the query, empty where there are none.
    pub(crate) fn error(&self) -> [&str; 3] {
        ["error", "error_code", "error_description"].map(|name| self.query.get(name).map_or("", String::as_str))
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

/// A form-encoded text as it is read.
pub(crate) fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
