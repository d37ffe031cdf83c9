//! Access tokens of other issuers that a project accepts (`contract/management.md` §2.7).

use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::address;
use crate::bearer::Claims;
use crate::provider::{Profile, ProviderEmail};
use crate::time::Timestamp;
use crate::user::{Metadata, User};

/// How many issuers a project may have: a token that names none of them is tried with the keys of several.
pub const MOST: usize = 20;

/// The most characters of a subject.
const LONGEST_SUBJECT: usize = 255;

/// The most characters of a URL.
const LONGEST_URL: usize = 2048;

/// The most characters of a claim that is kept.
const LONGEST_CLAIM: usize = 2048;

/// Issuers whose tokens are for everybody's apps. Tokens are not asked for whom they are, so that a token that somebody got in
/// any app would open this project.
const SHARED_ISSUERS: [&str; 7] = [
    "accounts.google.com",
    "appleid.apple.com",
    "account.apple.com",
    "facebook.com",
    "limited.facebook.com",
    "kauth.kakao.com",
    "slack.com",
];

/// Claims of people that are kept with the identity where they are texts.
const KEPT: [&str; 12] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "zoneinfo",
    "locale",
    "gender",
];

/// An issuer whose access tokens a project accepts on its own routes.
#[derive(Clone, Debug, PartialEq)]
pub struct ThirdParty {
    /// The row.
    pub id: Uuid,
    /// Where its keys come from.
    pub source: Source,
    /// The keys as they were last found: a JWK set (RFC 7517 §5).
    pub resolved_jwks: Option<Value>,
    /// When the row was made.
    pub inserted_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
    /// When the keys were last found.
    pub resolved_at: Option<Timestamp>,
}

/// Where the keys of an issuer come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Its metadata names them.
    OidcIssuer(String),
    /// They are there.
    JwksUrl(String),
    /// They were given.
    CustomJwks(Value),
}

/// Whom a verified token names.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The `provider` of the identity: a URL, to the letter.
    pub provider: String,
    /// Who, with the address that the issuer has verified.
    pub profile: Profile,
}

impl Subject {
    /// Whether a URL is what the identity is called by.
    pub fn is_of(&self, url: &str) -> bool {
        canonical(url) == canonical(&self.provider)
    }
}

impl ThirdParty {
    /// The kind of issuer, for people: by the host of its URL.
    pub fn kind(&self) -> &'static str {
        self.source.kind()
    }
}

impl Source {
    /// The one source of three.
    ///
    /// # Errors
    /// None, or several; for the operator.
    pub fn one_of(issuer: Option<String>, jwks_url: Option<String>, jwks: Option<Value>) -> Result<Self, String> {
        match (issuer, jwks_url, jwks) {
            (Some(issuer), None, None) => Ok(Self::OidcIssuer(issuer)),
            (None, Some(url), None) => Ok(Self::JwksUrl(url)),
            (None, None, Some(jwks)) => Ok(Self::CustomJwks(jwks)),
            _ => Err("exactly one of oidc_issuer_url, jwks_url and custom_jwks is wanted".to_owned()),
        }
    }

    /// Whether the other one is the same: a slash at the end of an issuer makes no other issuer.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::OidcIssuer(own), Self::OidcIssuer(other)) => canonical(own) == canonical(other),
            _ => self == other,
        }
    }

    /// The URL that is asked for the keys, with the name of its field; `None` where the keys were given.
    pub fn url(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::OidcIssuer(url) => Some(("oidc_issuer_url", url)),
            Self::JwksUrl(url) => Some(("jwks_url", url)),
            Self::CustomJwks(_) => None,
        }
    }

    fn host(&self) -> Option<String> {
        Some(Url::parse(self.url()?.1).ok()?.host_str()?.to_owned())
    }

    fn kind(&self) -> &'static str {
        let host = self.host().unwrap_or_default();
        let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        match self {
            Self::CustomJwks(_) => "custom_jwks",
            _ if host == "securetoken.google.com" => "firebase",
            Self::JwksUrl(url) if url.contains("/jwk/securetoken@system.gserviceaccount.com") => "firebase",
            _ if below("auth0.com") => "auth0",
            _ if below("clerk.accounts.dev") || host.starts_with("clerk.") => "clerk",
            _ if host.starts_with("cognito-idp.") && below("amazonaws.com") => "cognito",
            _ if below("workos.com") => "workos",
            Self::OidcIssuer(_) => "oidc",
            Self::JwksUrl(_) => "jwks",
        }
    }

    /// Where the keys are, to be resolved and judged before it is asked; `None` where they were given. `own` is the gateway.
    ///
    /// # Errors
    /// The URL leads to no public place, to the gateway itself, or to an issuer that serves everybody's apps; for the operator.
    pub fn place(&self, own: &str) -> Result<Option<address::Place>, String> {
        let Some((field, url)) = self.url() else { return Ok(None) };
        if url.len() > LONGEST_URL {
            return Err(format!("{field} must have at most {LONGEST_URL} characters"));
        }
        let place = address::place(url).map_err(|why| format!("{field}: {why}"))?;
        let host = self.host().unwrap_or_default();
        if Url::parse(own).ok().and_then(|own| Some(own.host_str()? == host)) == Some(true) {
            return Err(format!("{field} must not be of this gateway: projects do not trust each other's tokens"));
        }
        let shared = SHARED_ISSUERS.contains(&host.strip_prefix("www.").unwrap_or(&host));
        if matches!(self, Self::OidcIssuer(_)) && (shared || is_of_every_tenant(url)) {
            return Err(format!("{field} must not be an issuer whose tokens are for everybody's apps"));
        }
        Ok(Some(place))
    }

    /// Whether a token that says it is of `issuer` can be of this source; `None` where the source does not tell its issuer, and
    /// only its keys can say.
    pub fn is_issuer(&self, issuer: &str) -> Option<bool> {
        match self {
            Self::OidcIssuer(own) => Some(canonical(own) == canonical(issuer)),
            Self::JwksUrl(_) | Self::CustomJwks(_) => None,
        }
    }

    /// Whom a token names that the keys of this source have verified, its times too.
    ///
    /// # Errors
    /// A token that is no access token of a person; in the words that follow `invalid JWT: ...`.
    pub fn subject(&self, claims: &Claims) -> Result<Subject, &'static str> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if !claims.get("exp").is_some_and(Value::is_number) {
            return Err("token has invalid claims: token never expires");
        }
        // A logout token (OpenID Connect Back-Channel Logout 1.0 §2.4) names a person too.
        if claims.contains_key("events") {
            return Err("token has invalid claims: token is no access token");
        }
        if !matches!(claims.get("role"), None | Some(Value::Null)) && text("role") != "authenticated" {
            return Err("token has invalid claims: role is not authenticated");
        }
        let (issuer, subject) = (text("iss"), text("sub"));
        let provider = match self {
            Self::OidcIssuer(own) if canonical(own) == canonical(issuer) => canonical(own),
            Self::OidcIssuer(_) => return Err("token has invalid claims: token is of another issuer"),
            Self::JwksUrl(url) => url.as_str(),
            // A name of its own kind: never that of a provider.
            Self::CustomJwks(_) if issuer.starts_with("https://") && !issuer.chars().any(char::is_control) => {
                canonical(issuer)
            }
            Self::CustomJwks(_) => return Err("token has invalid claims: issuer is no https URL"),
        };
        let length = subject.chars().count();
        if !(1..=LONGEST_SUBJECT).contains(&length) || subject.chars().any(char::is_control) {
            return Err("token has invalid claims: subject cannot be used");
        }
        let short = |value: &Value| value.as_str().is_some_and(|text| (1..=LONGEST_CLAIM).contains(&text.len()));
        let kept = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), claims.get(*name)?.clone())));
        let mut known: Metadata = kept.filter(|(_, value)| short(value)).collect();
        let issuer = if issuer.is_empty() { provider } else { issuer };
        known.extend(
            [("iss", issuer), ("sub", subject), ("provider_id", subject)].map(|(k, v)| (k.to_owned(), json!(v))),
        );
        let email = text("email");
        // What the issuer has not verified is not an address of the person's.
        let verified = claims.get("email_verified") == Some(&Value::Bool(true)) && !email.is_empty();
        let emails = verified.then(|| ProviderEmail { email: email.to_owned(), verified, primary: true });
        let profile = Profile { subject: subject.to_owned(), emails: emails.into_iter().collect(), claims: known };
        Ok(Subject { provider: provider.to_owned(), profile })
    }
}

/// An issuer with and without a slash at its end is the same one.
fn canonical(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

/// Issuers of Microsoft that are not of one tenant: its own consumers are a tenant too.
fn is_of_every_tenant(issuer: &str) -> bool {
    const EVERYBODY: [&str; 4] = ["common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"];
    let Ok(url) = Url::parse(issuer) else { return false };
    let tenant = url.path_segments().and_then(|mut segments| segments.next()).unwrap_or_default();
    matches!(url.host_str(), Some("login.microsoftonline.com" | "sts.windows.net")) && EVERYBODY.contains(&tenant)
}

/// What the token of another issuer says in a project: who its user is there, as long as the token lives. It has no session, and
/// nothing of it that could mean more.
pub fn claims(user: &User, token: &Claims) -> Claims {
    let mut claims: Claims = ["iss", "exp", "iat", "nbf"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), token.get(name)?.clone())))
        .collect();
    let own = json!({
        "sub": user.id, "aud": user.aud, "role": "authenticated", "email": user.email.as_deref().unwrap_or_default(),
        "phone": user.phone.as_deref().unwrap_or_default(), "app_metadata": user.app_metadata,
        "user_metadata": user.user_metadata, "is_anonymous": user.is_anonymous, "aal": "aal1",
    });
    if let Value::Object(own) = own {
        claims.extend(own);
    }
    claims
}

#[cfg(test)]
mod tests;
