//! Where people work together.

use super::{Description, Document, Header, Keys, PLAIN, When, api, auth, document, oauth2};
use crate::providers::plan::IdTokenUse;
use crate::providers::profile::{Emails, Person, Root, Source, Verified, quirks};

pub(super) const LINKEDIN: Description = Description {
    auth: "https://api.linkedin.com",
    route: oauth2(auth("/oauth/v2/authorization"), auth("/oauth/v2/accessToken")),
    scopes: &["r_emailaddress", "r_liteprofile"],
    documents: &[
        document(auth("/v2/me?projection=(id,firstName,lastName,profilePicture(displayImage~:playableStreams))")),
        document(auth("/v2/emailAddress?q=members&projection=(elements*(handle~))")),
    ],
    person: Person {
        claims: &[
            ("iss", Source::Below(auth(""))),
            ("sub", Source::Text("/id")),
            ("picture", Source::Text("/profilePicture/displayImage~0/elements/0/identifiers/0/identifier")),
            ("avatar_url", Source::Text("/profilePicture/displayImage~0/elements/0/identifiers/0/identifier")),
        ],
        quirk: Some(quirks::linkedin),
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const NOTION: Description = Description {
    auth: "https://api.notion.com",
    route: oauth2(auth("/v1/oauth/authorize"), auth("/v1/oauth/token")),
    client_scopes: false,
    documents: &[Document {
        at: auth("/v1/users/me"),
        headers: &[("Notion-Version", Header::Text("2021-08-16"))],
        signed: false,
    }],
    person: Person {
        root: Root::Document("/bot/owner/user"),
        emails: &[Emails::One { at: "/person/email", verified: Verified::Always }],
        claims: &[
            ("iss", Source::Below(auth(""))),
            ("sub", Source::Text("/id")),
            ("name", Source::Text("/name")),
            ("full_name", Source::Text("/name")),
            ("picture", Source::Text("/avatar_url")),
            ("avatar_url", Source::Text("/avatar_url")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};

/// What Slack tells of a person, in both of its ways.
const SLACK_MEMBER: Person = Person {
    emails: &[Emails::One { at: "/email", verified: Verified::Flag("/email_verified") }],
    claims: &[
        ("iss", Source::Below(auth("/api"))),
        ("sub", Source::Text("/https:~1~1slack.com~1user_id")),
        ("name", Source::Text("/name")),
        ("full_name", Source::Text("/name")),
        ("picture", Source::Text("/picture")),
        ("avatar_url", Source::Text("/picture")),
    ],
    custom: &[("https://slack.com/team_id", "/https:~1~1slack.com~1team_id")],
    ..Person::NOBODY
};

pub(super) const SLACK: Description = Description {
    auth: "https://slack.com",
    route: oauth2(auth("/oauth/authorize"), auth("/api/oauth.access")),
    scopes: &["profile", "email", "openid"],
    documents: &[document(auth("/api/openid.connect.userInfo"))],
    person: Person { emails: &[Emails::One { at: "/email", verified: Verified::Always }], ..SLACK_MEMBER },
    ..PLAIN
};

pub(super) const SLACK_OIDC: Description = Description {
    auth: "https://slack.com",
    route: oauth2(auth("/openid/connect/authorize"), auth("/api/openid.connect.token")),
    keys: Keys::Base,
    id_token_strict: IdTokenUse::Required,
    scopes: &["profile", "email", "openid"],
    nonce: When::Strict,
    documents: &[document(auth("/api/openid.connect.userInfo"))],
    person: SLACK_MEMBER,
    ..PLAIN
};

pub(super) const WORKOS: Description = Description {
    auth: "https://api.workos.com",
    route: oauth2(auth("/sso/authorize"), auth("/sso/token")),
    client_scopes: false,
    person: Person {
        root: Root::TokenAnswer("/profile"),
        emails: &[Emails::One { at: "/email", verified: Verified::Always }],
        claims: &[
            ("iss", Source::Below(auth(""))),
            ("sub", Source::Text("/id")),
            ("name", Source::Joined(&["/first_name", "/last_name"])),
            ("full_name", Source::Joined(&["/first_name", "/last_name"])),
        ],
        custom: &[("connection_id", "/connection_id"), ("organization_id", "/organization_id")],
        ..Person::NOBODY
    },
    ..PLAIN
};

pub(super) const ZOOM: Description = Description {
    auth: "https://zoom.us",
    api: "https://api.zoom.us",
    route: oauth2(auth("/oauth/authorize"), auth("/oauth/token")),
    client_scopes: false,
    pkce: When::Strict,
    documents: &[document(api("/v2/users/me"))],
    person: Person {
        emails: &[Emails::One { at: "/email", verified: Verified::By(quirks::zoom) }],
        claims: &[
            ("iss", Source::Below(api("/v2"))),
            ("sub", Source::Text("/id")),
            ("name", Source::Joined(&["/first_name", "/last_name"])),
            ("full_name", Source::Joined(&["/first_name", "/last_name"])),
            ("picture", Source::Text("/pic_url")),
            ("avatar_url", Source::Text("/pic_url")),
        ],
        ..Person::NOBODY
    },
    ..PLAIN
};
