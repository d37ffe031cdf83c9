//! Where code and designs are kept.

use super::{Description, Moved, PLAIN, When, api, auth, document, oauth2};
use crate::providers::profile::{Emails, Person, Source, Verified, quirks};

pub(super) const BITBUCKET: Description = Description {
    auth: "https://bitbucket.org",
    api: "https://api.bitbucket.org",
    route: oauth2(auth("/site/oauth2/authorize"), auth("/site/oauth2/access_token")),
    scopes: &["account", "email"],
    client_scopes: false,
    documents: &[document(api("/2.0/user")), document(api("/2.0/user/emails"))],
    person: Person {
        emails: &[Emails::Listed {
            document: 1,
            list: "/values",
            email: "/email",
            primary: Some("/is_primary"),
            verified: Some("/is_confirmed"),
        }],
        claims: &[
            ("iss", Source::Below(api("/2.0"))),
            ("sub", Source::Text("/uuid")),
            ("name", Source::Text("/display_name")),
            ("full_name", Source::Text("/display_name")),
            ("picture", Source::Text("/links/avatar/href")),
            ("avatar_url", Source::Text("/links/avatar/href")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const FIGMA: Description = Description {
    auth: "https://www.figma.com",
    api: "https://api.figma.com",
    route: oauth2(auth("/oauth"), api("/v1/oauth/token")),
    scopes: &["current_user:read"],
    pkce: When::Strict,
    documents: &[document(api("/v1/me"))],
    person: Person {
        emails: &[Emails::One { at: "/email", verified: Verified::Always }],
        claims: &[
            ("iss", Source::Below(api(""))),
            ("sub", Source::Text("/id")),
            ("name", Source::Text("/handle")),
            ("full_name", Source::Text("/handle")),
            ("avatar_url", Source::Text("/img_url")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const FLY: Description = Description {
    auth: "https://api.fly.io",
    route: oauth2(auth("/oauth/authorize"), auth("/oauth/token")),
    scopes: &["read"],
    documents: &[document(auth("/oauth/token/info"))],
    person: Person {
        emails: &[Emails::One { at: "/email", verified: Verified::Always }],
        claims: &[
            ("iss", Source::Below(auth(""))),
            ("sub", Source::Text("/user_id")),
            ("full_name", Source::Text("/user_name")),
        ],
        quirk: Some(quirks::fly),
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const GITHUB: Description = Description {
    auth: "https://github.com",
    api: "https://api.github.com",
    moved: Moved::Both("/api/v3"),
    route: oauth2(auth("/login/oauth/authorize"), auth("/login/oauth/access_token")),
    scopes: &["user:email"],
    pkce: When::Strict,
    documents: &[document(api("/user")), document(api("/user/emails"))],
    person: Person {
        emails: &[Emails::Listed {
            document: 1,
            list: "",
            email: "/email",
            primary: Some("/primary"),
            verified: Some("/verified"),
        }],
        claims: &[
            ("iss", Source::Below(api(""))),
            ("sub", Source::Number("/id")),
            ("name", Source::Text("/name")),
            ("full_name", Source::Text("/name")),
            ("preferred_username", Source::Text("/login")),
            ("user_name", Source::Text("/login")),
            ("avatar_url", Source::Text("/avatar_url")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const GITLAB: Description = Description {
    auth: "https://gitlab.com",
    route: oauth2(auth("/oauth/authorize"), auth("/oauth/token")),
    scopes: &["read_user"],
    pkce: When::Strict,
    documents: &[document(auth("/api/v4/user")), document(auth("/api/v4/user/emails"))],
    person: Person {
        emails: &[
            Emails::Listed { document: 1, list: "", email: "/email", primary: None, verified: None },
            Emails::One { at: "/email", verified: Verified::Present("/confirmed_at") },
        ],
        claims: &[
            ("iss", Source::Below(auth(""))),
            ("sub", Source::Number("/id")),
            ("name", Source::Text("/name")),
            ("full_name", Source::Text("/name")),
            ("picture", Source::Text("/avatar_url")),
            ("avatar_url", Source::Text("/avatar_url")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};
