//! Providers of identities in the first place: those with ID tokens.

use super::{Description, Keys, Moved, PLAIN, Route, When, api, auth, document, oauth2};
use crate::providers::plan::IdTokenUse;
use crate::providers::profile::{Emails, Person, Source, Verified, quirks};

pub(super) const APPLE: Description = Description {
    auth: "https://appleid.apple.com",
    moved: Moved::Never,
    route: Route::Discovered,
    keys: Keys::Of("https://appleid.apple.com"),
    id_token: IdTokenUse::Required,
    id_token_strict: IdTokenUse::Required,
    id_token_tells: true,
    scopes: &["email", "name"],
    client_scopes: false,
    parameters: &[("response_mode", "form_post")],
    passthrough: false,
    secret_again: true,
    nonce: When::Always,
    ..PLAIN
};

pub(super) const AZURE: Description = Description {
    auth: "https://login.microsoftonline.com/common",
    route: oauth2(auth("/oauth2/v2.0/authorize"), auth("/oauth2/v2.0/token")),
    keys: Keys::Microsoft,
    id_token: IdTokenUse::Required,
    id_token_strict: IdTokenUse::Required,
    id_token_tells: true,
    scopes: &["openid"],
    pkce: When::Strict,
    nonce: When::Strict,
    ..PLAIN
};

/// `openid` is not among the reference's scopes; OpenID Connect promises an ID token with our nonce only where it is asked for.
pub(super) const GOOGLE: Description = Description {
    auth: "https://accounts.google.com",
    api: "https://www.googleapis.com",
    moved: Moved::Never,
    route: Route::Discovered,
    keys: Keys::Of("https://accounts.google.com"),
    id_token: IdTokenUse::IfPresent,
    id_token_strict: IdTokenUse::Required,
    id_token_tells: true,
    scopes: &["openid", "email", "profile"],
    pkce: When::Strict,
    nonce: When::Always,
    documents: &[document(api("/userinfo/v2/me"))],
    person: Person {
        emails: &[Emails::One { at: "/email", verified: Verified::Any(&["/email_verified", "/verified_email"]) }],
        claims: &[
            ("iss", Source::Document),
            ("sub", Source::Text("/id")),
            ("name", Source::Text("/name")),
            ("full_name", Source::Text("/name")),
            ("picture", Source::Text("/picture")),
            ("avatar_url", Source::Text("/picture")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const KEYCLOAK: Description = Description {
    route: oauth2(auth("/protocol/openid-connect/auth"), auth("/protocol/openid-connect/token")),
    keys: Keys::Base,
    id_token_strict: IdTokenUse::Required,
    scopes: &["profile", "email"],
    scopes_strict: &["openid"],
    pkce: When::Strict,
    nonce: When::Strict,
    documents: &[document(auth("/protocol/openid-connect/userinfo"))],
    person: Person {
        emails: &[Emails::One { at: "/email", verified: Verified::Flag("/email_verified") }],
        claims: &[
            ("iss", Source::Below(auth(""))),
            ("sub", Source::Text("/sub")),
            ("name", Source::Text("/name")),
            ("full_name", Source::Text("/name")),
        ],
        quirk: Some(quirks::keycloak),
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const LINKEDIN_OIDC: Description = Description {
    auth: "https://api.linkedin.com",
    route: oauth2(auth("/oauth/v2/authorization"), auth("/oauth/v2/accessToken")),
    keys: Keys::Of("https://www.linkedin.com/oauth"),
    id_token: IdTokenUse::Required,
    id_token_strict: IdTokenUse::Required,
    id_token_tells: true,
    scopes: &["openid", "email", "profile"],
    ..PLAIN
};

pub(super) const VERCEL: Description = Description {
    auth: "https://api.vercel.com",
    route: oauth2(auth("/oauth/v2/authorization"), auth("/oauth/v2/accessToken")),
    keys: Keys::Of("https://marketplace.vercel.com"),
    id_token: IdTokenUse::Required,
    id_token_strict: IdTokenUse::Required,
    id_token_tells: true,
    ..PLAIN
};
