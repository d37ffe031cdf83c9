//! Bitbucket, Figma, Fly, GitHub, GitLab.

use domain::provider::Builtin;
use serde_json::json;

use super::{Case, When};

pub(super) fn cases() -> Vec<Case> {
    vec![bitbucket(), figma(), fly(), github(), gitlab()]
}

fn bitbucket() -> Case {
    Case {
        home: ["bitbucket.org/site/oauth2/authorize", "bitbucket.org/site/oauth2/access_token"],
        own: Some(["own.test/x/site/oauth2/authorize", "own.test/x/site/oauth2/access_token"]),
        documents: vec![
            (
                "api.bitbucket.org/2.0/user",
                "own.test/x/2.0/user",
                json!({
                    "uuid": "{a1}", "display_name": "Ada Example", "username": "ada",
                    "links": { "avatar": { "href": "https://img.test/a.png" } },
                }),
            ),
            (
                "api.bitbucket.org/2.0/user/emails",
                "own.test/x/2.0/user/emails",
                json!({ "values": [
                    { "email": "Ada@Example.test", "is_primary": true, "is_confirmed": true },
                    { "email": "old@example.test", "is_primary": false, "is_confirmed": false },
                ] }),
            ),
        ],
        scope: "account email",
        subject: "{a1}",
        emails: vec![("Ada@Example.test", true, true), ("old@example.test", false, false)],
        iss: ["https://api.bitbucket.org/2.0", "https://own.test/x/2.0"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example",
            "picture": "https://img.test/a.png", "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Bitbucket)
    }
}

fn figma() -> Case {
    Case {
        home: ["www.figma.com/oauth", "api.figma.com/v1/oauth/token"],
        own: Some(["own.test/x/oauth", "own.test/x/v1/oauth/token"]),
        documents: vec![(
            "api.figma.com/v1/me",
            "own.test/x/v1/me",
            json!({ "id": "f1", "email": "Ada@Example.test", "handle": "Ada Example", "img_url": "https://img.test/a.png" }),
        )],
        scope: "current_user:read",
        challenge: When::Strict,
        subject: "f1",
        iss: ["https://api.figma.com", "https://own.test/x"],
        claims: json!({ "name": "Ada Example", "full_name": "Ada Example", "avatar_url": "https://img.test/a.png" }),
        ..Case::of(Builtin::Figma)
    }
}

fn fly() -> Case {
    Case {
        home: ["api.fly.io/oauth/authorize", "api.fly.io/oauth/token"],
        own: Some(["own.test/x/oauth/authorize", "own.test/x/oauth/token"]),
        documents: vec![(
            "api.fly.io/oauth/token/info",
            "own.test/x/oauth/token/info",
            json!({
                "user_id": "u1", "user_name": "Ada Example", "email": "Ada@Example.test", "resource_owner_id": "o1",
                "organizations": [{ "id": "org1", "role": "member", "slug": "x" }], "application": { "uid": "app" },
                "scope": ["read"], "created_at": 1_700_000_000, "expires_in": 100,
            }),
        )],
        scope: "read",
        subject: "u1",
        iss: ["https://api.fly.io", "https://own.test/x"],
        claims: json!({
            "full_name": "Ada Example",
            "custom_claims": {
                "resource_owner_id": "o1", "organizations": [{ "id": "org1", "role": "member" }],
                "application": { "uid": "app" }, "scope": ["read"], "created_at": 1_700_000_000,
            },
        }),
        ..Case::of(Builtin::Fly)
    }
}

fn github() -> Case {
    Case {
        home: ["github.com/login/oauth/authorize", "github.com/login/oauth/access_token"],
        own: Some(["own.test/x/login/oauth/authorize", "own.test/x/login/oauth/access_token"]),
        documents: vec![
            (
                "api.github.com/user",
                "own.test/x/api/v3/user",
                json!({
                    "id": 583_231, "login": "ada", "name": "Ada Example", "email": "public@example.test",
                    "avatar_url": "https://img.test/a.png", "blog": null,
                }),
            ),
            (
                "api.github.com/user/emails",
                "own.test/x/api/v3/user/emails",
                json!([
                    { "email": "old@example.test", "primary": false, "verified": false, "visibility": null },
                    { "email": "Ada@Example.test", "primary": true, "verified": true, "visibility": "private" },
                ]),
            ),
        ],
        scope: "user:email",
        challenge: When::Strict,
        subject: "583231",
        emails: vec![("old@example.test", false, false), ("Ada@Example.test", true, true)],
        iss: ["https://api.github.com", "https://own.test/x/api/v3"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example", "preferred_username": "ada", "user_name": "ada",
            "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Github)
    }
}

fn gitlab() -> Case {
    Case {
        home: ["gitlab.com/oauth/authorize", "gitlab.com/oauth/token"],
        own: Some(["own.test/x/oauth/authorize", "own.test/x/oauth/token"]),
        documents: vec![
            (
                "gitlab.com/api/v4/user",
                "own.test/x/api/v4/user",
                json!({
                    "id": 42, "username": "ada", "name": "Ada Example", "email": "Ada@Example.test",
                    "avatar_url": "https://img.test/a.png", "confirmed_at": "2026-01-02T03:04:05Z",
                }),
            ),
            (
                "gitlab.com/api/v4/user/emails",
                "own.test/x/api/v4/user/emails",
                json!([{ "id": 1, "email": "second@example.test" }]),
            ),
        ],
        scope: "read_user",
        challenge: When::Strict,
        subject: "42",
        emails: vec![("second@example.test", false, false), ("Ada@Example.test", true, true)],
        iss: ["https://gitlab.com", "https://own.test/x"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example",
            "picture": "https://img.test/a.png", "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Gitlab)
    }
}
