//! The providers that every project knows (`contract/mfa-passkeys-oauth.md` §4): a description of each as data.

mod code;
mod identity;
mod social;
mod work;

use domain::provider::Builtin;

use super::plan::{Credentials, IdTokenUse};
use super::profile::Person;

/// All that sets one provider apart from others.
pub(super) struct Description {
    /// Its base for browsers and codes, "A" of the contract.
    pub(super) auth: &'static str,
    /// Its base for profiles, "P" of the contract.
    pub(super) api: &'static str,
    /// What an address of the project's own changes.
    pub(super) moved: Moved,
    /// Where browsers go and codes are traded.
    pub(super) route: Route,
    /// Who signs its ID tokens.
    pub(super) keys: Keys,
    /// What an ID token means.
    pub(super) id_token: IdTokenUse,
    /// What an ID token means where a project wants every check there is.
    pub(super) id_token_strict: IdTokenUse,
    /// The ID token says who has signed in; otherwise it only has to agree.
    pub(super) id_token_tells: bool,
    /// What is asked for.
    pub(super) scopes: &'static [&'static str],
    /// What is asked for besides where a project wants every check there is.
    pub(super) scopes_strict: &'static [&'static str],
    /// Clients may ask for more.
    pub(super) client_scopes: bool,
    /// Further parameters of its page.
    pub(super) parameters: &'static [(&'static str, &'static str)],
    /// Clients may add parameters to its page.
    pub(super) passthrough: bool,
    /// How it is told who we are.
    pub(super) credentials: Credentials,
    /// It is told the secret in a form field `secret`, too.
    pub(super) secret_again: bool,
    /// When it is sent a challenge.
    pub(super) pkce: When,
    /// When it is sent a nonce.
    pub(super) nonce: When,
    /// What is asked of it to learn who has signed in.
    pub(super) documents: &'static [Document],
    /// Who that is, by these answers.
    pub(super) person: Person,
}

/// One of the two bases of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// For browsers and codes.
    Auth,
    /// For profiles.
    Api,
}

/// A path, and further text, below a base.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(pub(super) Base, pub(super) &'static str);

/// What an address of the project's own changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moved {
    /// Nothing.
    Never,
    /// It is both bases; the one for profiles gets this appended, unless it names the provider's own host for profiles.
    Both(&'static str),
}

/// Where browsers go and codes are traded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Route {
    /// To fixed places.
    Oauth2 {
        /// Where browsers go.
        authorize: Place,
        /// Where codes are traded.
        token: Place,
    },
    /// To where the metadata of the issuer says, which is the base for browsers.
    Discovered,
    /// As OAuth 1.0a has it.
    Oauth1,
}

/// Who signs the ID tokens of a provider.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keys {
    /// Nobody: there are none.
    None,
    /// Always this issuer.
    Of(&'static str),
    /// The base for browsers is the issuer.
    Base,
    /// The tenant that the token names.
    Microsoft,
}

/// When something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Never.
    Never,
    /// Where a project wants every check there is.
    Strict,
    /// Always.
    Always,
}

impl When {
    /// Whether it is sent.
    pub(super) fn applies(self, strict: bool) -> bool {
        self == Self::Always || (self == Self::Strict && strict)
    }
}

/// One thing that is asked of a provider.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document {
    /// Where.
    pub(super) at: Place,
    /// With which headers besides the access token.
    pub(super) headers: &'static [(&'static str, Header)],
    /// The access token is signed with the client secret, as Facebook wants it.
    pub(super) signed: bool,
}

/// The value of a header.
#[derive(Clone, Copy, Debug)]
pub(super) enum Header {
    /// This.
    Text(&'static str),
    /// The client id.
    ClientId,
}

/// OAuth 2.0 without any peculiarity; what a description does not say it takes from here.
const PLAIN: Description = Description {
    auth: "",
    api: "",
    moved: Moved::Both(""),
    route: Route::Discovered,
    keys: Keys::None,
    id_token: IdTokenUse::Ignored,
    id_token_strict: IdTokenUse::Ignored,
    id_token_tells: false,
    scopes: &[],
    scopes_strict: &[],
    client_scopes: true,
    parameters: &[],
    passthrough: true,
    credentials: Credentials::Probe,
    secret_again: false,
    pkce: When::Never,
    nonce: When::Never,
    documents: &[],
    person: Person::NOBODY,
};

/// A place below the base for browsers.
const fn auth(path: &'static str) -> Place {
    Place(Base::Auth, path)
}

/// A place below the base for profiles.
const fn api(path: &'static str) -> Place {
    Place(Base::Api, path)
}

/// Fixed places for browsers and codes.
const fn oauth2(authorize: Place, token: Place) -> Route {
    Route::Oauth2 { authorize, token }
}

/// A document without peculiarity.
const fn document(at: Place) -> Document {
    Document { at, headers: &[], signed: false }
}

/// The description of a provider.
pub(super) fn describe(provider: Builtin) -> &'static Description {
    match provider {
        Builtin::Apple => &identity::APPLE,
        Builtin::Azure => &identity::AZURE,
        Builtin::Bitbucket => &code::BITBUCKET,
        Builtin::Discord => &social::DISCORD,
        Builtin::Facebook => &social::FACEBOOK,
        Builtin::Figma => &code::FIGMA,
        Builtin::Fly => &code::FLY,
        Builtin::Github => &code::GITHUB,
        Builtin::Gitlab => &code::GITLAB,
        Builtin::Google => &identity::GOOGLE,
        Builtin::Kakao => &social::KAKAO,
        Builtin::Keycloak => &identity::KEYCLOAK,
        Builtin::Linkedin => &work::LINKEDIN,
        Builtin::LinkedinOidc => &identity::LINKEDIN_OIDC,
        Builtin::Notion => &work::NOTION,
        Builtin::Slack => &work::SLACK,
        Builtin::SlackOidc => &work::SLACK_OIDC,
        Builtin::Snapchat => &social::SNAPCHAT,
        Builtin::Spotify => &social::SPOTIFY,
        Builtin::Twitch => &social::TWITCH,
        Builtin::Twitter => &social::TWITTER,
        Builtin::VercelMarketplace => &identity::VERCEL,
        Builtin::Workos => &work::WORKOS,
        Builtin::X => &social::X,
        Builtin::Zoom => &work::ZOOM,
    }
}

/// The two bases of a provider, where a project may have an address of its own for it.
pub(super) fn bases(description: &Description, own: Option<&str>) -> (String, String) {
    let own = own.map(|url| url.trim_end_matches('/')).filter(|url| !url.is_empty());
    let home = (description.auth.to_owned(), description.api.to_owned());
    match (description.moved, own) {
        (Moved::Never, _) | (_, None) => home,
        (Moved::Both(below), Some(url)) => {
            let host = description.api.split_once("://").map_or("", |(_, host)| host);
            let below = if !below.is_empty() && url.ends_with(host) { "" } else { below };
            (url.to_owned(), format!("{url}{below}"))
        }
    }
}
