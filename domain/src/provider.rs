//! Providers that people sign in with: what a project has set for one, and what one tells of a person
//! (`contract/mfa-passkeys-oauth.md` §3, §4).

use serde_json::Value;

use crate::custom_providers::CustomProvider;
use crate::secret::Secret;
use crate::user::Metadata;

/// The longest subject, in bytes: it is part of an index.
const LONGEST_SUBJECT: usize = 1024;

macro_rules! builtins {
    ($( $(#[$doc:meta])* $variant:ident $name:literal, )+) => {
        /// A provider that every project knows by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Builtin {
            $( $(#[$doc])* $variant, )+
        }

        impl Builtin {
            /// All of them, by name.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name in settings, in requests and in identities.
            pub fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $name, )+
                }
            }
        }
    };
}

builtins! {
    /// Sign in with Apple.
    Apple "apple",
    /// Microsoft Entra ID.
    Azure "azure",
    /// Bitbucket.
    Bitbucket "bitbucket",
    /// Discord.
    Discord "discord",
    /// Facebook.
    Facebook "facebook",
    /// Figma.
    Figma "figma",
    /// Fly.io.
    Fly "fly",
    /// GitHub.
    Github "github",
    /// GitLab.
    Gitlab "gitlab",
    /// Google.
    Google "google",
    /// Kakao.
    Kakao "kakao",
    /// Keycloak.
    Keycloak "keycloak",
    /// LinkedIn before OpenID Connect.
    Linkedin "linkedin",
    /// LinkedIn.
    LinkedinOidc "linkedin_oidc",
    /// Notion.
    Notion "notion",
    /// Slack before OpenID Connect.
    Slack "slack",
    /// Slack.
    SlackOidc "slack_oidc",
    /// Snapchat.
    Snapchat "snapchat",
    /// Spotify.
    Spotify "spotify",
    /// Twitch.
    Twitch "twitch",
    /// Twitter by OAuth 1.0a.
    Twitter "twitter",
    /// The Vercel marketplace.
    VercelMarketplace "vercel_marketplace",
    /// WorkOS.
    Workos "workos",
    /// X.
    X "x",
    /// Zoom.
    Zoom "zoom",
}

impl Builtin {
    /// Reads a name as it is written in lower case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|provider| provider.name() == name)
    }
}

/// What a project has set for a built-in provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderSettings {
    /// The client ids: the first is ours at the provider, ID tokens may be for any.
    pub client_ids: Vec<String>,
    /// The client secret, empty when none.
    pub secret: Secret<String>,
    /// What client secrets are made with instead.
    pub client_key: Option<ClientKey>,
    /// Takes the place of the provider's own address.
    pub url: Option<String>,
    /// Who has no address may come in.
    pub email_optional: bool,
    /// The nonce of ID tokens is not compared.
    pub skip_nonce_check: bool,
}

/// A key that a provider takes signed assertions of, as client secrets: Apple's `.p8` file.
#[derive(Clone, Debug)]
pub struct ClientKey {
    /// Whose key: the team.
    pub team_id: String,
    /// Which key.
    pub key_id: String,
    /// PKCS#8 in PEM form.
    pub private_key: Secret<String>,
}

/// One provider as one project uses it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The name that identities have: `gitlab`, `custom:acme`.
    pub name: String,
    /// Which provider.
    pub kind: Kind,
    /// What was set for it. For a custom provider made of its row.
    pub settings: ProviderSettings,
    /// Where the provider sends the browser back to.
    pub redirect_uri: String,
    /// Challenges and nonces are sent wherever the provider takes them, not only where it demands them.
    pub strict: bool,
}

/// Which provider a connection is to.
#[derive(Clone, Debug)]
pub enum Kind {
    /// One that every project knows.
    Builtin(Builtin),
    /// One of the project's own.
    Custom(Box<CustomProvider>),
}

/// A browser is about to be sent to a provider.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The `state`.
    pub state: String,
    /// The scopes that the client asks for: as given, each provider splits them by its own rule.
    pub scopes: String,
    /// Further parameters of the client, already without those that are ours.
    pub parameters: Vec<(String, String)>,
    /// The verifier of a challenge, for providers that take one (RFC 7636).
    pub code_verifier: Secret<String>,
    /// What the ID token must repeat.
    pub nonce: String,
}

/// A browser has come back from a provider.
#[derive(Clone, Debug)]
pub struct Return {
    /// The authorization code; the verifier of OAuth 1.0a.
    pub code: Secret<String>,
    /// The request token of OAuth 1.0a, empty otherwise.
    pub oauth_token: String,
    /// The form field `user` of Apple, empty otherwise.
    pub user: String,
    /// As at the departure.
    pub code_verifier: Secret<String>,
    /// As at the departure.
    pub nonce: String,
}

/// Who a provider says has signed in.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The provider's stable subject. Never empty.
    pub subject: String,
    /// Addresses, in the provider's order.
    pub emails: Vec<ProviderEmail>,
    /// The claims of the identity (§3.6) without `email` and `email_verified`, which follow from `emails`.
    pub claims: Metadata,
}

impl Profile {
    /// Whether the subject can name somebody.
    pub fn is_of_somebody(&self) -> bool {
        !self.subject.is_empty() && self.subject.len() <= LONGEST_SUBJECT && !has_nul(&self.subject)
    }

    /// The profile as every storage can hold it: texts lose U+0000, and names and addresses that have it are left out, so that
    /// none becomes another one.
    pub fn without_nul(&self) -> Self {
        Self {
            subject: self.subject.clone(),
            emails: self.emails.iter().filter(|told| !has_nul(&told.email)).cloned().collect(),
            claims: members_without_nul(&self.claims),
        }
    }
}

fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

fn members_without_nul(members: &Metadata) -> Metadata {
    let kept = members.iter().filter(|(name, _)| !has_nul(name));
    kept.map(|(name, value)| (name.clone(), value_without_nul(value))).collect()
}

fn value_without_nul(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        Value::Array(items) => items.iter().map(value_without_nul).collect(),
        Value::Object(members) => Value::Object(members_without_nul(members)),
        other => other.clone(),
    }
}

/// An address that a provider tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEmail {
    /// As the provider writes it.
    pub email: String,
    /// The provider has verified it.
    pub verified: bool,
    /// The one people mean.
    pub primary: bool,
}

/// The provider's own tokens, handed to the client and not used here. Empty when absent.
#[derive(Clone, Debug, Default)]
pub struct ProviderTokens {
    /// The access token.
    pub access_token: Secret<String>,
    /// The refresh token.
    pub refresh_token: Secret<String>,
}

/// A finished sign-in at a provider.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub profile: Profile,
    /// With what.
    pub tokens: ProviderTokens,
}

/// An ID token whose signature, issuer and times hold (OpenID Connect Core 1.0 §3.1.3.7, steps 2, 6, 9).
#[derive(Clone, Debug)]
pub struct IdToken {
    /// The issuer.
    pub issuer: String,
    /// For whom it is.
    pub audiences: Vec<String>,
    /// What the client had it repeat.
    pub nonce: Option<String>,
    /// Who; the subject may be empty.
    pub profile: Profile,
}

/// Where the keys of an issuer are found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Issuer {
    /// The issuer identifier, compared with `iss`.
    pub issuer: String,
    /// Where its metadata is, if not at the standard place below it.
    pub discovery_url: Option<String>,
    /// A project chose the address: it is only reached on the public internet.
    pub foreign: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(subject: &str, email: &str, claims: Value) -> Profile {
        let emails = vec![ProviderEmail { email: email.to_owned(), verified: true, primary: true }];
        Profile { subject: subject.to_owned(), emails, claims: claims.as_object().cloned().unwrap_or_default() }
    }

    #[test]
    fn a_subject_names_somebody_where_it_can_be_kept() {
        for (subject, is_somebody) in [
            ("1".to_owned(), true),
            ("é".repeat(512), true),
            (String::new(), false),
            ("é".repeat(513), false),
            ("1\0".to_owned(), false),
        ] {
            assert_eq!(of(&subject, "", json!({})).is_of_somebody(), is_somebody, "{subject:?}");
        }
    }

    #[test]
    fn nul_goes_from_texts_and_takes_names_and_addresses_with_it() {
        let claims = json!({
            "name": "A\0da\0", "na\0me": "Eve", "aud": ["a\0", 7, null], "custom_claims": { "a": { "b\0": 1, "c": ["\0"] } },
        });
        let kept = of("1", "ada@example.com\0", claims).without_nul();
        let expected = json!({ "name": "Ada", "aud": ["a", 7, null], "custom_claims": { "a": { "c": [""] } } });
        assert_eq!((json!(kept.claims), kept.emails, kept.subject.as_str()), (expected, Vec::new(), "1"));
        let plain = of("1", "ada@example.com", json!({ "name": "Ada" }));
        assert_eq!((plain.without_nul().claims, plain.without_nul().emails), (plain.claims, plain.emails));
    }
}
