//! Apple, Azure, Google, Keycloak, LinkedIn, Vercel: those with ID tokens.

use domain::provider::Builtin;
use serde_json::json;

use super::super::idp::Takes;
use super::{Case, When};

pub(super) fn cases() -> Vec<Case> {
    vec![apple(), azure(), google(), keycloak(), linkedin_oidc(), vercel()]
}

fn apple() -> Case {
    Case {
        home: ["appleid.apple.com/auth/authorize", "appleid.apple.com/auth/token"],
        scope: "email name",
        takes: Takes::FormAndSecret,
        nonce: When::Always,
        issuer: "https://appleid.apple.com",
        id_token: json!({
            "sub": "001.ada", "email": "Ada@Example.test", "email_verified": "true", "is_private_email": "false",
            "auth_time": 1_799_999_999, "nonce_supported": true,
        }),
        subject: "001.ada",
        iss: ["https://appleid.apple.com", ""],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example",
            "custom_claims": { "is_private_email": false, "auth_time": 1_799_999_999 },
        }),
        ..Case::of(Builtin::Apple)
    }
}

const TENANT: &str = "9b1f3d5c-0000-4000-8000-1a2b3c4d5e6f";

fn azure() -> Case {
    Case {
        home: [
            "login.microsoftonline.com/common/oauth2/v2.0/authorize",
            "login.microsoftonline.com/common/oauth2/v2.0/token",
        ],
        own: Some(["own.test/x/oauth2/v2.0/authorize", "own.test/x/oauth2/v2.0/token"]),
        scope: "openid",
        takes: Takes::Form,
        challenge: When::Strict,
        nonce: When::Strict,
        issuer: "https://login.microsoftonline.com/9b1f3d5c-0000-4000-8000-1a2b3c4d5e6f/v2.0",
        own_issuer: Some("https://own.test/x/v2.0"),
        id_token: json!({
            "sub": "az-1", "oid": "oid-1", "tid": TENANT, "name": "Ada Example", "preferred_username": "ada@example.test",
            "email": "Ada@Example.test", "email_verified": true, "xms_edov": "1", "ver": "2.0", "rh": "x", "uti": "y",
        }),
        subject: "az-1",
        iss: ["https://login.microsoftonline.com/9b1f3d5c-0000-4000-8000-1a2b3c4d5e6f/v2.0", "https://own.test/x/v2.0"],
        claims: json!({
            "full_name": "Ada Example", "preferred_username": "ada@example.test",
            "custom_claims": {
                "oid": "oid-1", "tid": TENANT, "email": "Ada@Example.test", "email_verified": true, "xms_edov": "1",
            },
        }),
        ..Case::of(Builtin::Azure)
    }
}

fn google() -> Case {
    Case {
        home: ["accounts.google.com/o/oauth2/v2/auth", "oauth2.googleapis.com/token"],
        scope: "openid email profile",
        challenge: When::Strict,
        nonce: When::Always,
        issuer: "https://accounts.google.com",
        id_token: json!({
            "sub": "g-1", "email": "Ada@Example.test", "email_verified": true, "name": "Ada Example",
            "picture": "https://img.test/a.png", "given_name": "Ada", "hd": "example.test",
        }),
        subject: "g-1",
        iss: ["https://accounts.google.com", ""],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example", "picture": "https://img.test/a.png",
            "avatar_url": "https://img.test/a.png", "custom_claims": { "hd": "example.test" },
        }),
        ..Case::of(Builtin::Google)
    }
}

/// Keycloak is nowhere at home: every project has an address of its own.
fn keycloak() -> Case {
    Case {
        home: ["own.test/x/protocol/openid-connect/auth", "own.test/x/protocol/openid-connect/token"],
        own: Some(["own.test/x/protocol/openid-connect/auth", "own.test/x/protocol/openid-connect/token"]),
        documents: vec![(
            "own.test/x/protocol/openid-connect/userinfo",
            "own.test/x/protocol/openid-connect/userinfo",
            json!({
                "sub": "kc-1", "email": "Ada@Example.test", "email_verified": true, "name": "Ada Example",
                "preferred_username": "ada", "groups": ["/staff"], "level": 3,
            }),
        )],
        scope: "profile email",
        strict_scope: Some("profile email openid"),
        challenge: When::Strict,
        nonce: When::Strict,
        issuer: "https://own.test/x",
        own_issuer: Some("https://own.test/x"),
        id_token_beside: json!({ "sub": "kc-1" }),
        subject: "kc-1",
        iss: ["https://own.test/x", "https://own.test/x"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example",
            "custom_claims": { "preferred_username": "ada", "groups": ["/staff"], "level": 3 },
        }),
        ..Case::of(Builtin::Keycloak)
    }
}

fn linkedin_oidc() -> Case {
    Case {
        home: ["api.linkedin.com/oauth/v2/authorization", "api.linkedin.com/oauth/v2/accessToken"],
        own: Some(["own.test/x/oauth/v2/authorization", "own.test/x/oauth/v2/accessToken"]),
        scope: "openid email profile",
        takes: Takes::Form,
        issuer: "https://www.linkedin.com/oauth",
        id_token: json!({
            "sub": "li-1", "email": "Ada@Example.test", "email_verified": "true", "given_name": "Ada",
            "family_name": "Example", "name": "A. E.", "locale": "en_US", "picture": "https://img.test/a.png",
        }),
        subject: "li-1",
        iss: ["https://www.linkedin.com/oauth"; 2],
        claims: json!({
            "name": "Ada Example", "given_name": "Ada", "family_name": "Example", "locale": "en_US",
            "picture": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::LinkedinOidc)
    }
}

fn vercel() -> Case {
    Case {
        home: ["api.vercel.com/oauth/v2/authorization", "api.vercel.com/oauth/v2/accessToken"],
        own: Some(["own.test/x/oauth/v2/authorization", "own.test/x/oauth/v2/accessToken"]),
        issuer: "https://marketplace.vercel.com",
        id_token: json!({
            "sub": "account:a:user:u", "global_user_id": "u-1", "user_email": "Ada@Example.test", "user_name": "Ada Example",
            "user_avatar_url": "https://img.test/a.png", "user_role": "ADMIN",
        }),
        subject: "global_user_id:u-1",
        iss: ["https://marketplace.vercel.com"; 2],
        claims: json!({ "name": "Ada Example", "picture": "https://img.test/a.png" }),
        ..Case::of(Builtin::VercelMarketplace)
    }
}
