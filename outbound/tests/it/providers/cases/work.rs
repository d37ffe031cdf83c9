//! LinkedIn of old, Notion, Slack in both ways, WorkOS, Zoom.

use domain::provider::Builtin;
use serde_json::{Value, json};

use super::super::idp::Takes;
use super::{Case, When};

pub(super) fn cases() -> Vec<Case> {
    vec![linkedin(), notion(), slack(), slack_oidc(), workos(), zoom()]
}

fn linkedin() -> Case {
    const EMAIL: &str = "api.linkedin.com/v2/emailAddress?q=members&projection=(elements*(handle~))";
    Case {
        home: ["api.linkedin.com/oauth/v2/authorization", "api.linkedin.com/oauth/v2/accessToken"],
        own: Some(["own.test/x/oauth/v2/authorization", "own.test/x/oauth/v2/accessToken"]),
        documents: vec![
            (
                "api.linkedin.com/v2/me?projection=(id,firstName,lastName,profilePicture(displayImage~:playableStreams))",
                "own.test/x/v2/me?projection=(id,firstName,lastName,profilePicture(displayImage~:playableStreams))",
                json!({
                    "id": "li1",
                    "firstName": {
                        "localized": { "de_DE": "Ada", "en_US": "Aida" },
                        "preferredLocale": { "country": "DE", "language": "de" },
                    },
                    "lastName": {
                        "localized": { "de_DE": "Beispiel", "en_US": "Example" },
                        "preferredLocale": { "country": "DE", "language": "de" },
                    },
                    "profilePicture": { "displayImage~": { "elements": [
                        { "identifiers": [{ "identifier": "https://img.test/a.png" }] },
                        { "identifiers": [{ "identifier": "https://img.test/b.png" }] },
                    ] } },
                }),
            ),
            (
                EMAIL,
                "own.test/x/v2/emailAddress?q=members&projection=(elements*(handle~))",
                json!({ "elements": [{ "handle": "urn:li:email:1", "handle~": { "emailAddress": "Ada@Example.test" } }] }),
            ),
        ],
        scope: "r_emailaddress r_liteprofile",
        takes: Takes::Form,
        subject: "li1",
        iss: ["https://api.linkedin.com", "https://own.test/x"],
        claims: json!({
            "name": "Ada Beispiel", "full_name": "Ada Beispiel", "picture": "https://img.test/a.png",
            "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Linkedin)
    }
}

fn notion() -> Case {
    Case {
        home: ["api.notion.com/v1/oauth/authorize", "api.notion.com/v1/oauth/token"],
        own: Some(["own.test/x/v1/oauth/authorize", "own.test/x/v1/oauth/token"]),
        documents: vec![(
            "api.notion.com/v1/users/me",
            "own.test/x/v1/users/me",
            json!({ "object": "user", "id": "bot-1", "type": "bot", "bot": { "owner": { "type": "user", "user": {
                "id": "n1", "name": "Ada Example", "avatar_url": "https://img.test/a.png",
                "person": { "email": "Ada@Example.test" },
            } } } }),
        )],
        headers: vec![("notion-version", "2021-08-16")],
        subject: "n1",
        iss: ["https://api.notion.com", "https://own.test/x"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example", "picture": "https://img.test/a.png",
            "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Notion)
    }
}

fn slack_member() -> Value {
    json!({
        "ok": true, "sub": "U1", "https://slack.com/user_id": "U1", "https://slack.com/team_id": "T1",
        "email": "Ada@Example.test", "email_verified": true, "name": "Ada Example", "picture": "https://img.test/a.png",
    })
}

fn slack() -> Case {
    Case {
        home: ["slack.com/oauth/authorize", "slack.com/api/oauth.access"],
        own: Some(["own.test/x/oauth/authorize", "own.test/x/api/oauth.access"]),
        documents: vec![(
            "slack.com/api/openid.connect.userInfo",
            "own.test/x/api/openid.connect.userInfo",
            slack_member(),
        )],
        scope: "profile email openid",
        token_fields: json!({ "ok": true }),
        subject: "U1",
        iss: ["https://slack.com/api", "https://own.test/x/api"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example", "picture": "https://img.test/a.png",
            "avatar_url": "https://img.test/a.png", "custom_claims": { "https://slack.com/team_id": "T1" },
        }),
        ..Case::of(Builtin::Slack)
    }
}

fn slack_oidc() -> Case {
    Case {
        provider: Builtin::SlackOidc,
        home: ["slack.com/openid/connect/authorize", "slack.com/api/openid.connect.token"],
        own: Some(["own.test/x/openid/connect/authorize", "own.test/x/api/openid.connect.token"]),
        nonce: When::Strict,
        issuer: "https://slack.com",
        own_issuer: Some("https://own.test/x"),
        id_token_beside: json!({ "sub": "U1" }),
        ..slack()
    }
}

fn workos() -> Case {
    Case {
        home: ["api.workos.com/sso/authorize", "api.workos.com/sso/token"],
        own: Some(["own.test/x/sso/authorize", "own.test/x/sso/token"]),
        takes: Takes::Form,
        token_fields: json!({ "profile": {
            "id": "prof_1", "email": "Ada@Example.test", "first_name": "Ada", "last_name": "Example",
            "connection_id": "conn_1", "organization_id": "org_1", "connection_type": "OktaSAML",
        } }),
        subject: "prof_1",
        iss: ["https://api.workos.com", "https://own.test/x"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example",
            "custom_claims": { "connection_id": "conn_1", "organization_id": "org_1" },
        }),
        ..Case::of(Builtin::Workos)
    }
}

fn zoom() -> Case {
    Case {
        home: ["zoom.us/oauth/authorize", "zoom.us/oauth/token"],
        own: Some(["own.test/x/oauth/authorize", "own.test/x/oauth/token"]),
        documents: vec![(
            "api.zoom.us/v2/users/me",
            "own.test/x/v2/users/me",
            json!({
                "id": "z1", "first_name": "Ada", "last_name": "Example", "email": "Ada@Example.test", "verified": 1,
                "login_types": [100], "pic_url": "https://img.test/a.png",
            }),
        )],
        challenge: When::Strict,
        subject: "z1",
        iss: ["https://api.zoom.us/v2", "https://own.test/x/v2"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example", "picture": "https://img.test/a.png",
            "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Zoom)
    }
}
