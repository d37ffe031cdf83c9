//! How one provider is spoken to for one connection: a description and a project's settings, resolved. No I/O.

use domain::custom_providers::{CustomProvider, Protocol};
use domain::provider::{Builtin, Connection, Issuer, Kind, Profile};
use domain::secret::Secret;
use domain::user::Metadata;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::catalogue::{self, Base, Description, Document, Header, Keys, Place, Route};
use super::profile::{self, Facts, Root};
use super::{ProviderError, custom};

/// Everything that is fixed before the first call.
pub(super) struct Plan {
    /// Where browsers go and codes are traded.
    pub(super) flow: Flow,
    /// How we tell the provider who we are.
    pub(super) credentials: Credentials,
    /// The client secret stands in a form field `secret`, too.
    pub(super) secret_again: bool,
    /// A challenge is sent with the browser and its verifier with the code (RFC 7636).
    pub(super) pkce: bool,
    /// A nonce is sent; an ID token that comes back must repeat it.
    pub(super) nonce: bool,
    /// For whom ID tokens may be.
    pub(super) audiences: Vec<String>,
    /// What an ID token means in this flow.
    pub(super) id_token: IdTokenUse,
    /// Whose page it is.
    pub(super) provider: Provider,
    client_id: String,
    secret: Secret<String>,
}

/// Where browsers go and codes are traded.
pub(super) enum Flow {
    /// There.
    Oauth2 {
        /// Where browsers go.
        authorize: String,
        /// Where codes are traded.
        token: String,
    },
    /// The issuer's metadata says so.
    Discovered(Issuer),
    /// OAuth 1.0a below this address.
    Oauth1 {
        /// Without a slash at its end.
        base: String,
    },
}

/// How we tell the provider who we are when a code is traded (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// HTTP Basic; where that is refused, in the form. What works is remembered.
    Probe,
    /// In the form.
    Body,
}

/// What an ID token means when a code is traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdTokenUse {
    /// Nobody looks at it.
    Ignored,
    /// One that comes must hold.
    IfPresent,
    /// One must come, and hold.
    Required,
}

/// Whose page it is.
pub(super) enum Provider {
    /// One of the catalogue.
    Builtin {
        /// What is known of it.
        description: &'static Description,
        /// Its base for browsers and codes.
        auth: String,
        /// Its base for profiles.
        api: String,
    },
    /// One of the project's own.
    Custom(Box<CustomProvider>),
}

/// What a code was traded for.
pub(super) struct TokenAnswer {
    /// The access token. Not empty.
    pub(super) access_token: Secret<String>,
    /// The refresh token, empty when none.
    pub(super) refresh_token: Secret<String>,
    /// The ID token.
    pub(super) id_token: Option<Secret<String>>,
    /// The whole answer as a JSON object.
    pub(super) json: Value,
}

/// A `GET` with the access token as bearer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProfileRequest {
    /// Where.
    pub(super) url: String,
    /// Further headers.
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What a provider said of the one who signed in.
pub(super) struct Sources<'a> {
    /// The whole token answer.
    pub(super) token: &'a Value,
    /// The answers to [`Plan::requests`], in order.
    pub(super) documents: &'a [Value],
    /// All claims of the ID token, if one came and holds.
    pub(super) id_token: Option<&'a Metadata>,
    /// Apple's form field `user`, empty when absent.
    pub(super) user: &'a str,
}

impl Plan {
    /// How `connection` is used.
    pub(super) fn of(connection: &Connection) -> Self {
        match &connection.kind {
            Kind::Builtin(builtin) => Self::builtin(*builtin, connection),
            Kind::Custom(provider) => Self::custom(provider, connection),
        }
    }

    fn builtin(builtin: Builtin, connection: &Connection) -> Self {
        let description = catalogue::describe(builtin);
        let (auth, api) = catalogue::bases(description, connection.settings.url.as_deref());
        let at = |place: Place| address(place, &auth, &api);
        let flow = match description.route {
            Route::Oauth2 { authorize, token } => Flow::Oauth2 { authorize: at(authorize), token: at(token) },
            Route::Discovered => Flow::Discovered(known(&auth)),
            Route::Oauth1 => Flow::Oauth1 { base: auth.clone() },
        };
        let settings = &connection.settings;
        Self {
            flow,
            credentials: description.credentials,
            secret_again: description.secret_again,
            pkce: description.pkce.applies(connection.strict),
            nonce: description.nonce.applies(connection.strict),
            audiences: settings.client_ids.iter().take(1).cloned().collect(),
            id_token: if connection.strict { description.id_token_strict } else { description.id_token },
            provider: Provider::Builtin { description, auth, api },
            client_id: settings.client_ids.first().cloned().unwrap_or_default(),
            secret: settings.secret.clone(),
        }
    }

    fn custom(provider: &CustomProvider, connection: &Connection) -> Self {
        let (flow, oidc) = match &provider.protocol {
            Protocol::Oauth2 { authorization_url, token_url, .. } => {
                (Flow::Oauth2 { authorize: authorization_url.clone(), token: token_url.clone() }, false)
            }
            Protocol::Oidc { issuer, discovery_url, .. } => (Flow::Discovered(foreign(issuer, discovery_url)), true),
        };
        Self {
            flow,
            credentials: Credentials::Probe,
            secret_again: false,
            pkce: provider.pkce_enabled,
            nonce: oidc,
            audiences: [&provider.client_id].into_iter().chain(&provider.acceptable_client_ids).cloned().collect(),
            id_token: match (oidc, connection.strict) {
                (false, _) => IdTokenUse::Ignored,
                (true, false) => IdTokenUse::IfPresent,
                (true, true) => IdTokenUse::Required,
            },
            provider: Provider::Custom(Box::new(provider.clone())),
            client_id: provider.client_id.clone(),
            secret: connection.settings.secret.clone(),
        }
    }

    /// Who must have issued an ID token that says it is from `claimed`; `None` = no one we know.
    pub(super) fn issuer_for(&self, claimed: &str) -> Option<Issuer> {
        match &self.provider {
            Provider::Builtin { description, auth, .. } => match description.keys {
                Keys::None => None,
                Keys::Of(issuer) => Some(known(issuer)),
                Keys::Base => Some(known(auth)),
                Keys::Microsoft if is_shared(auth) => profile::is_microsoft(claimed).then(|| known(claimed)),
                Keys::Microsoft => Some(known(&format!("{auth}/v2.0"))),
            },
            Provider::Custom(provider) => match &provider.protocol {
                Protocol::Oauth2 { .. } => None,
                Protocol::Oidc { issuer, discovery_url, .. } => Some(foreign(issuer, discovery_url)),
            },
        }
    }

    /// What has to be asked to learn who has signed in.
    pub(super) fn requests(
        &self,
        token: &TokenAnswer,
        userinfo_endpoint: Option<&str>,
        has_id_token: bool,
    ) -> Vec<ProfileRequest> {
        match &self.provider {
            Provider::Builtin { description, .. } if has_id_token && description.id_token_tells => Vec::new(),
            Provider::Builtin { description, auth, api } => {
                let request = |document: &Document| ProfileRequest {
                    url: self.document(document, auth, api, &token.access_token),
                    headers: document.headers.iter().map(|(name, value)| (*name, self.header(*value))).collect(),
                };
                description.documents.iter().map(request).collect()
            }
            Provider::Custom(_) if has_id_token => Vec::new(),
            Provider::Custom(provider) => {
                let url = match &provider.protocol {
                    Protocol::Oauth2 { userinfo_url, .. } => Some(userinfo_url.as_str()),
                    Protocol::Oidc { .. } => userinfo_endpoint,
                };
                url.map(|url| ProfileRequest { url: url.to_owned(), headers: Vec::new() }).into_iter().collect()
            }
        }
    }

    /// Who has signed in. The subject is not empty, and an ID token agrees with it.
    ///
    /// # Errors
    /// [`ProviderError::Profile`]: the provider does not say who, or not in the form it should.
    pub(super) fn profile(&self, sources: &Sources<'_>) -> Result<Profile, ProviderError> {
        let profile = match &self.provider {
            Provider::Builtin { description, auth, api } => match sources.id_token {
                Some(claims) if description.id_token_tells => {
                    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
                    profile::with_user(issuer, claims, sources.user)?
                }
                told => {
                    let profile = person(description, auth, api, sources)?;
                    let told = told.map(|claims| claims.get("sub").and_then(Value::as_str));
                    if told.is_some_and(|told| told != Some(profile.subject.as_str())) {
                        return Err(ProviderError::Profile);
                    }
                    profile
                }
            },
            Provider::Custom(provider) => custom::profile(provider, sources)?,
        };
        if profile.subject.is_empty() { Err(ProviderError::Profile) } else { Ok(profile) }
    }

    /// The address of a document.
    fn document(&self, document: &Document, auth: &str, api: &str, access_token: &Secret<String>) -> String {
        let url = address(document.at, auth, api);
        if !document.signed {
            return url;
        }
        let proof = Hmac::<Sha256>::new_from_slice(self.secret.expose().as_bytes())
            .map(|mac| mac.chain_update(access_token.expose()).finalize().into_bytes());
        let hex: String = proof.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
        format!("{url}&appsecret_proof={hex}")
    }

    fn header(&self, value: Header) -> String {
        match value {
            Header::Text(text) => text.to_owned(),
            Header::ClientId => self.client_id.clone(),
        }
    }
}

/// The person that the answers of a built-in provider tell of.
fn person(description: &Description, auth: &str, api: &str, sources: &Sources<'_>) -> Result<Profile, ProviderError> {
    let root = match description.person.root {
        Root::Document(at) => sources.documents.first().and_then(|document| document.pointer(at)),
        Root::TokenAnswer(at) => sources.token.pointer(at),
    };
    let document = description.documents.first().map(|document| address(document.at, auth, api)).unwrap_or_default();
    profile::read(
        &description.person,
        &Facts {
            root: root.filter(|root| root.is_object()).ok_or(ProviderError::Profile)?,
            documents: sources.documents,
            auth,
            api,
            document: &document,
            user: sources.user,
        },
    )
}

fn address(place: Place, auth: &str, api: &str) -> String {
    let Place(base, path) = place;
    format!("{}{path}", if base == Base::Auth { auth } else { api })
}

/// An issuer that the operator vouches for.
fn known(issuer: &str) -> Issuer {
    Issuer { issuer: issuer.to_owned(), discovery_url: None, foreign: false }
}

/// An issuer that a project chose.
fn foreign(issuer: &str, discovery_url: &Option<String>) -> Issuer {
    Issuer { issuer: issuer.to_owned(), discovery_url: discovery_url.clone(), foreign: true }
}

/// Whether tokens of this base of Microsoft's are of any tenant.
fn is_shared(auth: &str) -> bool {
    let tenant = auth.strip_prefix("https://login.microsoftonline.com/");
    tenant.is_some_and(|tenant| matches!(tenant, "common" | "organizations" | "consumers"))
}

#[cfg(test)]
mod tests {
    use domain::provider::ProviderSettings;
    use proptest::prelude::*;

    use super::*;

    /// Names that providers use.
    const NAMES: &[&str] = &[
        "id",
        "sub",
        "iss",
        "email",
        "email_verified",
        "verified",
        "confirmed_at",
        "name",
        "data",
        "me",
        "bot",
        "owner",
        "user",
        "person",
        "profile",
        "picture",
        "images",
        "url",
        "width",
        "height",
        "avatar",
        "username",
        "discriminator",
        "elements",
        "handle~",
        "emailAddress",
        "firstName",
        "localized",
        "preferredLocale",
        "country",
        "language",
        "values",
        "kakao_account",
        "externalId",
        "id_str",
        "user_id",
        "uuid",
        "https://slack.com/user_id",
        "tid",
        "login_type",
        "login_types",
        "organizations",
        "application",
        "scope",
        "created_at",
        "xms_edov",
        "global_user_id",
        "aud",
        "exp",
        "updated_at",
        "is_private_email",
        "custom_claims",
    ];
    const ISSUERS: &[&str] = &[
        "https://appleid.apple.com",
        "https://accounts.google.com",
        "https://login.microsoftonline.com/t/v2.0",
        "https://www.linkedin.com/oauth",
        "https://marketplace.vercel.com",
        "https://kauth.kakao.com",
        "https://www.facebook.com",
        "https://accounts.snapchat.com/accounts/oauth2/token",
        "https://idp.test",
    ];

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z0-9_]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            let members = prop::collection::vec((prop::sample::select(NAMES), inner.clone()), 0..8);
            prop_oneof![
                prop::collection::vec(inner, 0..3).prop_map(Value::Array),
                members.prop_map(|all| all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            ]
        })
    }

    fn connection(builtin: Builtin) -> Connection {
        Connection {
            name: builtin.name().to_owned(),
            kind: Kind::Builtin(builtin),
            settings: ProviderSettings { url: Some("https://own.test".to_owned()), ..ProviderSettings::default() },
            redirect_uri: String::new(),
            strict: false,
        }
    }

    proptest! {
        #[test]
        fn whatever_a_provider_says_nobody_without_a_subject_signs_in(
            documents in prop::collection::vec(json(), 0..3),
            token in json(),
            claims in json(),
            issuer in prop::sample::select(ISSUERS),
            user in "[{}a-z:\"]{0,12}",
        ) {
            let mut claims = claims.as_object().cloned();
            if let Some(claims) = &mut claims {
                claims.insert("iss".to_owned(), issuer.into());
            }
            let sources = Sources { token: &token, documents: &documents, id_token: claims.as_ref(), user: &user };
            for builtin in Builtin::ALL {
                if let Ok(profile) = Plan::of(&connection(*builtin)).profile(&sources) {
                    prop_assert!(!profile.subject.is_empty());
                    prop_assert_eq!(profile.claims.get("sub").and_then(Value::as_str), Some(profile.subject.as_str()));
                    prop_assert!(profile.emails.iter().all(|email| !email.email.is_empty()));
                    prop_assert!(!profile.claims.contains_key("email"));
                }
            }
        }
    }
}
