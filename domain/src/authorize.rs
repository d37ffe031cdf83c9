//! `GET /authorize`: sends a browser to a provider (`contract/mfa-passkeys-oauth.md` §3.2).

use crate::config::Policy;
use crate::config::policy::PkceRequired;
use crate::pkce::{Challenge, Method};
use crate::provider::{Builtin, Connection, Kind};
use crate::redirect;
use crate::refusal::{ProviderRefusal, Refusal};

/// Parameters that no link sets at a provider: who asks, where and how the answer comes back, what binds it to its question, and
/// what only we understand. A request in an object of its own would take the place of all others (RFC 9101).
const RESERVED: [&str; 17] = [
    "apikey",
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "invite_token",
    "provider",
    "redirect_to",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scopes",
    "skip_http_redirect",
    "state",
];

/// A sign-in at a provider begins. Texts are empty when absent. Answers a [`Redirect`].
#[derive(Clone, Debug)]
pub struct Request {
    /// `provider`, in any case.
    pub provider: String,
    /// `scopes`.
    pub scopes: String,
    /// `code_challenge`.
    pub code_challenge: String,
    /// `code_challenge_method`.
    pub code_challenge_method: String,
    /// `invite_token`.
    pub invite_token: crate::secret::Secret<String>,
    /// All other parameters, first values only.
    pub parameters: Vec<(String, String)>,
    /// The state cookie, if the browser has one.
    pub cookie: String,
}

/// Where the browser goes.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// The provider's page.
    pub url: String,
    /// What the browser must show again at the callback, where the project wants that.
    pub cookie: Option<StateCookie>,
}

/// A cookie that binds a state to the browser it was given to (`security/advisor.md` §1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateCookie {
    /// The value.
    pub value: String,
    /// The provider answers with a form of another site: the cookie must travel with it.
    pub cross_site: bool,
    /// How long it lives, seconds.
    pub max_age: i64,
}

impl Request {
    /// What the client must later prove; `None` for a flow that ends with tokens.
    ///
    /// # Errors
    /// What [`Challenge::parse`] refuses; where the project demands challenges, none and one that is its own verifier.
    pub fn challenge(&self, required: PkceRequired) -> Result<Option<Challenge>, Refusal> {
        let challenge = Challenge::parse(&self.code_challenge, &self.code_challenge_method)?;
        match (&challenge, required) {
            (_, PkceRequired::Off) => Ok(challenge),
            (None, _) => Err(Refusal::PkceIncomplete),
            (Some(plain), _) if plain.method() == Method::Plain => Err(Refusal::PkceMethod),
            (Some(_), _) => Ok(challenge),
        }
    }

    /// Judges the scopes that the client asks for, in `scopes` or in a parameter `scope` that is forwarded. What a custom
    /// provider asks for by itself may be named.
    ///
    /// # Errors
    /// The first scope that the project does not let clients ask for.
    pub fn check_scopes(&self, connection: &Connection, policy: &Policy) -> Result<(), ProviderRefusal> {
        let Some(allowed) = &policy.oauth.scopes_allowed else { return Ok(()) };
        let own: &[String] = match &connection.kind {
            Kind::Custom(provider) => &provider.scopes,
            Kind::Builtin(_) => &[],
        };
        let named = |name: &str| name.eq_ignore_ascii_case("scope");
        let forwarded = self.parameters.iter().filter(|(name, _)| named(name)).map(|(_, value)| value);
        let asked = std::iter::once(&self.scopes).chain(forwarded);
        // Some providers split at commas, some at blanks: a scope is what any of them could read.
        let mut scopes = asked.flat_map(|text| text.split(|letter: char| letter == ',' || letter.is_whitespace()));
        match scopes.find(|scope| !scope.is_empty() && !allowed.iter().chain(own).any(|other| other == scope)) {
            Some(scope) => Err(ProviderRefusal::ScopeNotAllowed(scope.to_owned())),
            None => Ok(()),
        }
    }

    /// The parameters that go on to the provider.
    pub fn forwarded(&self) -> Vec<(String, String)> {
        self.parameters.iter().filter(|(name, _)| !is_reserved(name)).cloned().collect()
    }
}

/// Whether a parameter of this name, in any case, stays here.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// Whether the state of a sign-in is bound to the browser by a cookie: where the project wants that, and browsers would keep
/// one that only travels encrypted.
pub fn binds_browser(policy: &Policy, base_url: &str) -> bool {
    let on_loopback = || {
        let host = redirect::host(base_url);
        let address = host.parse::<std::net::IpAddr>();
        address.map_or(host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback())
    };
    policy.oauth.state_cookie && !(base_url.starts_with("http://") && on_loopback())
}

/// Whether a provider answers with a form that its own page posts (OAuth 2.0 Form Post Response Mode §2).
pub fn answers_by_form(connection: &Connection) -> bool {
    match &connection.kind {
        Kind::Builtin(provider) => *provider == Builtin::Apple,
        Kind::Custom(provider) => {
            provider.authorization_params.get("response_mode").is_some_and(|mode| mode == "form_post")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::policy;
    use crate::provider::ProviderSettings;

    fn request() -> Request {
        Request {
            provider: "gitlab".to_owned(),
            scopes: String::new(),
            code_challenge: String::new(),
            code_challenge_method: String::new(),
            invite_token: String::new().into(),
            parameters: Vec::new(),
            cookie: String::new(),
        }
    }

    fn to(provider: Builtin) -> Connection {
        Connection {
            name: provider.name().to_owned(),
            kind: Kind::Builtin(provider),
            settings: ProviderSettings::default(),
            redirect_uri: "https://project.example.com/auth/v1/callback".to_owned(),
            strict: false,
        }
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_project_can_demand_challenges_that_are_no_verifiers() {
        let value = "a".repeat(43);
        let with = |challenge: &str, method: &str| Request {
            code_challenge: challenge.to_owned(),
            code_challenge_method: method.to_owned(),
            ..request()
        };
        for (challenge, method, off, demanded) in [
            ("", "", Ok(None), Err(Refusal::PkceIncomplete)),
            (&*value, "s256", Ok(Some(Method::S256)), Ok(Some(Method::S256))),
            (&*value, "S256", Ok(Some(Method::S256)), Ok(Some(Method::S256))),
            (&*value, "plain", Ok(Some(Method::Plain)), Err(Refusal::PkceMethod)),
            (&*value, "", Err(Refusal::PkceIncomplete), Err(Refusal::PkceIncomplete)),
            ("", "s256", Err(Refusal::PkceIncomplete), Err(Refusal::PkceIncomplete)),
            ("short", "s256", Err(Refusal::PkceChallengeLength), Err(Refusal::PkceChallengeLength)),
            (&*value, "s512", Err(Refusal::PkceMethod), Err(Refusal::PkceMethod)),
        ] {
            let method_of = |required| {
                let parsed = with(challenge, method).challenge(required);
                parsed.map(|challenge| challenge.map(|challenge| challenge.method()))
            };
            assert_eq!(method_of(PkceRequired::Off), off, "{challenge} {method}");
            assert_eq!(method_of(PkceRequired::Oauth), demanded, "{challenge} {method}");
            assert_eq!(method_of(PkceRequired::All), demanded, "{challenge} {method}");
        }
    }

    #[test]
    fn scopes_are_judged_however_they_are_written() {
        let mut policy = policy();
        let refused = |scopes: &str, parameters: &[(&str, &str)], policy: &Policy| {
            let request = Request { scopes: scopes.to_owned(), parameters: pairs(parameters), ..request() };
            match request.check_scopes(&to(Builtin::Gitlab), policy) {
                Err(ProviderRefusal::ScopeNotAllowed(scope)) => Some(scope),
                Err(other) => panic!("{other:?}"),
                Ok(()) => None,
            }
        };
        assert_eq!(refused("repo", &[("scope", "everything")], &policy), None);
        policy.oauth.scopes_allowed = Some(["openid", "email"].map(str::to_owned).to_vec());
        for scopes in ["", "openid", "openid,email", "email openid", " openid , email ", "openid\temail"] {
            assert_eq!(refused(scopes, &[], &policy), None, "{scopes:?}");
            assert_eq!(refused("", &[("scope", scopes)], &policy), None, "{scopes:?}");
        }
        for scopes in ["repo", "openid,repo", "openid repo", "openid,email repo", "email\nrepo"] {
            assert_eq!(refused(scopes, &[], &policy).as_deref(), Some("repo"), "{scopes:?}");
            assert_eq!(refused("openid", &[("Scope", scopes)], &policy).as_deref(), Some("repo"), "{scopes:?}");
        }
        assert_eq!(refused("OpenID", &[], &policy).as_deref(), Some("OpenID"));
        policy.oauth.scopes_allowed = Some(Vec::new());
        assert_eq!(refused("openid", &[], &policy).as_deref(), Some("openid"));
    }

    #[test]
    fn what_is_the_flows_own_stays_here() {
        let kept = pairs(&[("prompt", "consent"), ("nonce", "n"), ("scope", "s"), ("login_hint", "a@b.co")]);
        let mut parameters = kept.clone();
        for name in RESERVED {
            parameters.push((name.to_owned(), "x".to_owned()));
            parameters.push((name.to_ascii_uppercase(), "x".to_owned()));
        }
        assert_eq!(Request { parameters, ..request() }.forwarded(), kept);
    }

    #[test]
    fn browsers_keep_encrypted_cookies_only_where_there_is_encryption() {
        let mut policy = policy();
        for (base_url, binds) in [
            ("https://project.example.com/auth/v1", true),
            ("https://localhost:8000/auth/v1", true),
            ("http://project.example.com/auth/v1", true),
            ("http://localhost:8000/auth/v1", false),
            ("http://shop.localhost:8000/auth/v1", false),
            ("http://127.0.0.1:8000/shop/auth/v1", false),
            ("http://[::1]:8000/auth/v1", false),
            ("http://127.0.0.1.example.com/auth/v1", true),
        ] {
            policy.oauth.state_cookie = false;
            assert!(!binds_browser(&policy, base_url), "{base_url}");
            policy.oauth.state_cookie = true;
            assert_eq!(binds_browser(&policy, base_url), binds, "{base_url}");
        }
    }
}
