//! `GET` and `POST /callback`: a browser comes back from a provider (`contract/mfa-passkeys-oauth.md` §3.3, §3.4).

use crate::custom_providers::Protocol;
use crate::provider::{Builtin, Connection, Kind, ProviderTokens};
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::tokens::IssuedSession;

/// What the provider sent along. Texts are empty when absent. Answers a [`Landing`].
#[derive(Clone, Debug)]
pub struct Request {
    /// `state`.
    pub state: String,
    /// `code`.
    pub code: Secret<String>,
    /// `error`.
    pub error: String,
    /// `error_description`.
    pub error_description: String,
    /// `iss` (RFC 9207).
    pub iss: String,
    /// `user`, by Apple.
    pub user: String,
    /// `oauth_token`, by OAuth 1.0a.
    pub oauth_token: String,
    /// `oauth_verifier`, by OAuth 1.0a.
    pub oauth_verifier: Secret<String>,
    /// The state cookie.
    pub cookie: String,
}

/// Where the browser goes next.
#[derive(Clone, Debug)]
pub struct Landing {
    /// A validated target.
    pub target: String,
    /// What is added to it.
    pub outcome: Outcome,
}

/// How a sign-in at a provider ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Tokens, for the fragment.
    Session {
        /// Ours.
        session: Box<IssuedSession>,
        /// The provider's.
        tokens: ProviderTokens,
    },
    /// An authorization code, for the query.
    Code(Secret<String>),
    /// Nothing is known of the flow: the query of the site URL says why (303).
    NoFlow(Refusal),
    /// Refused, for query and fragment (302).
    Refused(Refusal),
    /// The provider refused, in its own words (302).
    ProviderRefused {
        /// `error`.
        error: String,
        /// `error_description`.
        description: String,
    },
}

/// Whether an answer that says it is from `issuer` can be the one of the provider that was asked (RFC 9207 §2.4). Where many
/// issuers share a host the identifier itself is compared, else its origin.
pub fn is_answered_by(connection: &Connection, issuer: &str) -> bool {
    let from = |place: &str| origin(place).is_some_and(|ours| origin(issuer).as_ref() == Some(&ours));
    match (&connection.kind, &connection.settings.url) {
        (Kind::Custom(provider), _) => match &provider.protocol {
            Protocol::Oidc { issuer: expected, .. } => issuer == expected,
            Protocol::Oauth2 { authorization_url, .. } => from(authorization_url),
        },
        (Kind::Builtin(Builtin::Keycloak), realm) => realm.as_deref() == Some(issuer),
        (Kind::Builtin(provider), Some(url)) if is_movable(*provider) => {
            from(url) || (*provider == Builtin::Azure && is_ciam(url) && is_ciam(issuer))
        }
        (Kind::Builtin(provider), _) => origins(*provider).iter().any(|place| from(place)),
    }
}

/// Whether a setting can put another place in the stead of the provider's own.
fn is_movable(provider: Builtin) -> bool {
    !matches!(provider, Builtin::Apple | Builtin::Google)
}

/// Microsoft Entra External ID: each tenant has two hosts, by name and by id.
fn is_ciam(url: &str) -> bool {
    origin(url).is_some_and(|origin| origin.starts_with("https://") && origin.ends_with(".ciamlogin.com"))
}

/// Scheme, host and port as they are written, in lower case; `None` where there is no host, or something else beside it.
fn origin(url: &str) -> Option<String> {
    let (scheme, after) = url.split_once("://")?;
    let (host, _) = after.split_at_checked(after.find(['/', '?', '#']).unwrap_or(after.len()))?;
    let sound = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    (!host.is_empty() && host.chars().all(sound)).then(|| format!("{scheme}://{host}").to_ascii_lowercase())
}

/// Where a provider's issuer identifiers are.
fn origins(provider: Builtin) -> &'static [&'static str] {
    match provider {
        Builtin::Apple => &["https://appleid.apple.com", "https://account.apple.com"],
        Builtin::Azure => &["https://login.microsoftonline.com"],
        Builtin::Bitbucket => &["https://bitbucket.org"],
        Builtin::Discord => &["https://discord.com"],
        Builtin::Facebook => &["https://www.facebook.com", "https://facebook.com"],
        Builtin::Figma => &["https://www.figma.com"],
        Builtin::Fly => &["https://api.fly.io"],
        Builtin::Github => &["https://github.com"],
        Builtin::Gitlab => &["https://gitlab.com"],
        Builtin::Google => &["https://accounts.google.com"],
        Builtin::Kakao => &["https://kauth.kakao.com"],
        Builtin::Keycloak => &[],
        Builtin::Linkedin | Builtin::LinkedinOidc => &["https://www.linkedin.com", "https://api.linkedin.com"],
        Builtin::Notion => &["https://api.notion.com"],
        Builtin::Slack | Builtin::SlackOidc => &["https://slack.com"],
        Builtin::Snapchat => &["https://accounts.snapchat.com"],
        Builtin::Spotify => &["https://accounts.spotify.com"],
        Builtin::Twitch => &["https://id.twitch.tv"],
        Builtin::Twitter => &["https://api.twitter.com"],
        Builtin::VercelMarketplace => {
            &["https://marketplace.vercel.com", "https://vercel.com", "https://api.vercel.com"]
        }
        Builtin::Workos => &["https://api.workos.com"],
        Builtin::X => &["https://x.com", "https://api.x.com"],
        Builtin::Zoom => &["https://zoom.us"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::ProviderSettings;

    fn to(provider: Builtin, url: Option<&str>) -> Connection {
        Connection {
            name: provider.name().to_owned(),
            kind: Kind::Builtin(provider),
            settings: ProviderSettings { url: url.map(str::to_owned), ..ProviderSettings::default() },
            redirect_uri: "https://project.example.com/auth/v1/callback".to_owned(),
            strict: false,
        }
    }

    #[test]
    fn an_answer_is_from_whom_was_asked() {
        let realm = "https://id.example.com/realms/shop";
        for (provider, url, own, foreign) in [
            (Builtin::Google, None, "https://accounts.google.com", "https://gitlab.com"),
            (Builtin::Google, Some("https://gitlab.com"), "https://accounts.google.com", "https://gitlab.com"),
            (Builtin::Gitlab, None, "https://gitlab.com", "https://gitlab.com.evil.example"),
            (Builtin::Gitlab, Some("https://git.example.com/x"), "https://git.example.com", "https://gitlab.com"),
            (
                Builtin::Gitlab,
                Some("http://127.0.0.1:18026/idp"),
                "http://127.0.0.1:18026/idp",
                "http://127.0.0.1:1/idp",
            ),
            (Builtin::Github, None, "https://github.com/login/oauth", "https://github.com@evil.example/login/oauth"),
            (Builtin::Github, None, "https://GitHub.com/login/oauth", "https://github.com\\@evil.example/"),
            (Builtin::LinkedinOidc, None, "https://www.linkedin.com/oauth", "https://linkedin.evil.example/oauth"),
            (Builtin::Keycloak, Some(realm), realm, "https://id.example.com/realms/other"),
            (Builtin::Keycloak, Some(realm), realm, "https://id.example.com/realms/shop/"),
            (
                Builtin::Azure,
                None,
                "https://login.microsoftonline.com/t/v2.0",
                "http://login.microsoftonline.com/t/v2.0",
            ),
            (
                Builtin::Azure,
                Some("https://shop.ciamlogin.com/t"),
                "https://t.ciamlogin.com/t/v2.0",
                "https://t.ciamlogin.com.evil.example/t/v2.0",
            ),
            (Builtin::Apple, None, "https://account.apple.com", "gitlab"),
        ] {
            assert!(is_answered_by(&to(provider, url), own), "{provider:?} {own}");
            assert!(!is_answered_by(&to(provider, url), foreign), "{provider:?} {foreign}");
        }
        for provider in Builtin::ALL {
            assert!(!is_answered_by(&to(*provider, None), "https://evil.example"), "{provider:?}");
        }
        assert!(!is_answered_by(&to(Builtin::Keycloak, None), ""));
    }
}
