//! Where people meet, play and listen.

use super::{Description, Document, Header, Keys, PLAIN, Route, When, api, auth, document, oauth2};
use crate::providers::plan::{Credentials, IdTokenUse};
use crate::providers::profile::{Emails, Person, Root, Source, Verified, quirks};

pub(super) const DISCORD: Description = Description {
    auth: "https://discord.com",
    route: oauth2(auth("/api/oauth2/authorize"), auth("/api/oauth2/token")),
    scopes: &["email", "identify"],
    pkce: When::Strict,
    documents: &[document(auth("/api/users/@me"))],
    person: Person {
        emails: &[Emails::One { at: "/email", verified: Verified::Flag("/verified") }],
        claims: &[
            ("iss", Source::Below(auth("/api"))),
            ("sub", Source::Text("/id")),
            ("full_name", Source::Text("/username")),
        ],
        custom: &[("global_name", "/global_name")],
        quirk: Some(quirks::discord),
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const FACEBOOK: Description = Description {
    auth: "https://www.facebook.com",
    api: "https://graph.facebook.com",
    route: oauth2(auth("/dialog/oauth"), api("/oauth/access_token")),
    scopes: &["email"],
    documents: &[Document {
        at: api("/me?fields=email,first_name,last_name,name,picture"),
        headers: &[],
        signed: true,
    }],
    person: Person {
        emails: &[Emails::One { at: "/email", verified: Verified::Always }],
        claims: &[
            ("iss", Source::Document),
            ("sub", Source::Text("/id")),
            ("name", Source::Joined(&["/first_name", "/last_name"])),
            ("full_name", Source::Joined(&["/first_name", "/last_name"])),
            ("nickname", Source::Text("/name")),
            ("slug", Source::Text("/name")),
            ("picture", Source::Text("/picture/data/url")),
            ("avatar_url", Source::Text("/picture/data/url")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

/// ID tokens come only where the application has them switched on, so `openid` is the client's to ask for.
pub(super) const KAKAO: Description = Description {
    auth: "https://kauth.kakao.com",
    api: "https://kapi.kakao.com",
    route: oauth2(auth("/oauth/authorize"), auth("/oauth/token")),
    keys: Keys::Base,
    id_token_strict: IdTokenUse::IfPresent,
    scopes: &["account_email", "profile_image", "profile_nickname"],
    credentials: Credentials::Body,
    pkce: When::Strict,
    nonce: When::Strict,
    documents: &[document(api("/v2/user/me"))],
    person: Person {
        emails: &[Emails::One {
            at: "/kakao_account/email",
            verified: Verified::All(&["/kakao_account/is_email_valid", "/kakao_account/is_email_verified"]),
        }],
        claims: &[
            ("iss", Source::Below(api(""))),
            ("sub", Source::Number("/id")),
            ("name", Source::Text("/kakao_account/profile/nickname")),
            ("full_name", Source::Text("/kakao_account/profile/nickname")),
            ("preferred_username", Source::Text("/kakao_account/profile/nickname")),
            ("user_name", Source::Text("/kakao_account/profile/nickname")),
            ("avatar_url", Source::Text("/kakao_account/profile/profile_image_url")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const SNAPCHAT: Description = Description {
    auth: "https://accounts.snapchat.com",
    api: "https://kit.snapchat.com",
    route: oauth2(auth("/accounts/oauth2/auth"), auth("/accounts/oauth2/token")),
    scopes: &[
        "https://auth.snapchat.com/oauth2/api/user.external_id",
        "https://auth.snapchat.com/oauth2/api/user.display_name",
        "https://auth.snapchat.com/oauth2/api/user.bitmoji.avatar",
    ],
    pkce: When::Strict,
    documents: &[document(api(
        "/v1/me?query=%7Bme+%7B+externalId+displayName+bitmoji+%7B+avatar+id+%7D+email+%7D+%7D",
    ))],
    person: Person {
        root: Root::Document("/data/me"),
        emails: &[Emails::One { at: "/email", verified: Verified::Always }],
        claims: &[
            ("iss", Source::Fixed("https://accounts.snapchat.com/accounts/oauth2/token")),
            ("sub", Source::Text("/externalId")),
            ("name", Source::Text("/displayName")),
            ("full_name", Source::Text("/displayName")),
            ("slug", Source::Text("/displayName")),
            ("picture", Source::Text("/bitmoji/avatar")),
            ("avatar_url", Source::Text("/bitmoji/avatar")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const SPOTIFY: Description = Description {
    auth: "https://accounts.spotify.com",
    api: "https://api.spotify.com/v1",
    route: oauth2(auth("/authorize"), auth("/api/token")),
    scopes: &["user-read-email"],
    pkce: When::Strict,
    documents: &[document(api("/me"))],
    person: Person {
        // Spotify says itself that it does not verify the address.
        emails: &[Emails::One { at: "/email", verified: Verified::Never }],
        claims: &[
            ("iss", Source::Below(api(""))),
            ("sub", Source::Text("/id")),
            ("name", Source::Text("/display_name")),
            ("full_name", Source::Text("/display_name")),
        ],
        quirk: Some(quirks::spotify),
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const TWITCH: Description = Description {
    auth: "https://id.twitch.tv",
    api: "https://api.twitch.tv",
    route: oauth2(auth("/oauth2/authorize"), auth("/oauth2/token")),
    scopes: &["user:read:email"],
    documents: &[Document { at: api("/helix/users"), headers: &[("Client-Id", Header::ClientId)], signed: false }],
    person: Person {
        root: Root::Document("/data/0"),
        emails: &[Emails::One { at: "/email", verified: Verified::Always }],
        claims: &[
            ("iss", Source::Below(api(""))),
            ("sub", Source::Text("/id")),
            ("name", Source::Text("/login")),
            ("full_name", Source::Text("/login")),
            ("nickname", Source::Text("/display_name")),
            ("slug", Source::Text("/display_name")),
            ("picture", Source::Text("/profile_image_url")),
            ("avatar_url", Source::Text("/profile_image_url")),
        ],
        custom: &[
            ("broadcaster_type", "/broadcaster_type"),
            ("description", "/description"),
            ("type", "/type"),
            ("offline_image_url", "/offline_image_url"),
            ("view_count", "/view_count"),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const TWITTER: Description = Description {
    auth: "https://api.twitter.com",
    route: Route::Oauth1,
    client_scopes: false,
    passthrough: false,
    documents: &[document(auth(
        "/1.1/account/verify_credentials.json?include_entities=false&skip_status=true&include_email=true",
    ))],
    person: Person {
        emails: &[Emails::One { at: "/email", verified: Verified::Always }],
        claims: &[
            ("iss", Source::Document),
            ("sub", Source::Text("/id_str")),
            ("name", Source::Text("/name")),
            ("full_name", Source::Text("/name")),
            ("preferred_username", Source::Text("/screen_name")),
            ("user_name", Source::Text("/screen_name")),
            ("picture", Source::Text("/profile_image_url_https")),
            ("avatar_url", Source::Text("/profile_image_url_https")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const X: Description = Description {
    auth: "https://x.com",
    api: "https://api.x.com",
    route: oauth2(auth("/i/oauth2/authorize"), api("/2/oauth2/token")),
    scopes: &["users.email", "tweet.read", "users.read", "offline.access"],
    pkce: When::Always,
    documents: &[document(api(
        "/2/users/me?user.fields=id,name,username,confirmed_email,profile_image_url,url,created_at",
    ))],
    person: Person {
        root: Root::Document("/data"),
        emails: &[Emails::One { at: "/confirmed_email", verified: Verified::Always }],
        claims: &[
            ("iss", Source::Below(api(""))),
            ("sub", Source::Text("/id")),
            ("name", Source::Text("/name")),
            ("full_name", Source::Text("/name")),
            ("preferred_username", Source::Text("/username")),
            ("user_name", Source::Text("/username")),
            ("picture", Source::Text("/profile_image_url")),
            ("avatar_url", Source::Text("/profile_image_url")),
            ("profile", Source::After("https://x.com/", "/username")),
            ("website", Source::Text("/url")),
        ],
        custom: &[("created_at", "/created_at")],
        ..Person::NOBODY
    },
    ..PLAIN
};
