//! Discord, Facebook, Kakao, Snapchat, Spotify, Twitch, Twitter, X.

use domain::provider::Builtin;
use serde_json::json;

use super::super::idp::{CLIENT, Takes};
use super::{Case, When};

pub(super) fn cases() -> Vec<Case> {
    vec![discord(), facebook(), kakao(), snapchat(), spotify(), twitch(), twitter(), x()]
}

fn discord() -> Case {
    Case {
        home: ["discord.com/api/oauth2/authorize", "discord.com/api/oauth2/token"],
        own: Some(["own.test/x/api/oauth2/authorize", "own.test/x/api/oauth2/token"]),
        documents: vec![(
            "discord.com/api/users/@me",
            "own.test/x/api/users/@me",
            json!({
                "id": "80351110224678912", "username": "ada", "discriminator": "1337", "global_name": "Ada Example",
                "avatar": "a_8342729096ea", "email": "Ada@Example.test", "verified": true, "flags": 64,
            }),
        )],
        scope: "email identify",
        challenge: When::Strict,
        subject: "80351110224678912",
        iss: ["https://discord.com/api", "https://own.test/x/api"],
        claims: json!({
            "name": "ada#1337", "full_name": "ada",
            "picture": "https://cdn.discordapp.com/avatars/80351110224678912/a_8342729096ea.gif",
            "avatar_url": "https://cdn.discordapp.com/avatars/80351110224678912/a_8342729096ea.gif",
            "custom_claims": { "global_name": "Ada Example" },
        }),
        ..Case::of(Builtin::Discord)
    }
}

fn facebook() -> Case {
    Case {
        home: ["www.facebook.com/dialog/oauth", "graph.facebook.com/oauth/access_token"],
        own: Some(["own.test/x/dialog/oauth", "own.test/x/oauth/access_token"]),
        documents: vec![(
            "graph.facebook.com/me?fields=email,first_name,last_name,name,picture",
            "own.test/x/me?fields=email,first_name,last_name,name,picture",
            json!({
                "id": "fb-1", "email": "Ada@Example.test", "first_name": "Ada", "last_name": "Example", "name": "Ada E.",
                "picture": { "data": { "url": "https://img.test/a.png", "width": 50 } },
            }),
        )],
        proof: true,
        scope: "email",
        takes: Takes::Form,
        subject: "fb-1",
        iss: [
            "https://graph.facebook.com/me?fields=email,first_name,last_name,name,picture",
            "https://own.test/x/me?fields=email,first_name,last_name,name,picture",
        ],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example", "nickname": "Ada E.", "slug": "Ada E.",
            "picture": "https://img.test/a.png", "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Facebook)
    }
}

fn kakao() -> Case {
    Case {
        home: ["kauth.kakao.com/oauth/authorize", "kauth.kakao.com/oauth/token"],
        own: Some(["own.test/x/oauth/authorize", "own.test/x/oauth/token"]),
        documents: vec![(
            "kapi.kakao.com/v2/user/me",
            "own.test/x/v2/user/me",
            json!({ "id": 123_456_789, "kakao_account": {
                "email": "Ada@Example.test", "is_email_valid": true, "is_email_verified": true,
                "profile": { "nickname": "Ada", "profile_image_url": "https://img.test/a.png" },
            } }),
        )],
        scope: "account_email profile_image profile_nickname",
        takes: Takes::Form,
        challenge: When::Strict,
        nonce: When::Strict,
        issuer: "https://kauth.kakao.com",
        own_issuer: Some("https://own.test/x"),
        id_token_beside: json!({ "sub": "123456789" }),
        subject: "123456789",
        iss: ["https://kapi.kakao.com", "https://own.test/x"],
        claims: json!({
            "name": "Ada", "full_name": "Ada", "preferred_username": "Ada", "user_name": "Ada",
            "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Kakao)
    }
}

fn snapchat() -> Case {
    const QUERY: &str =
        "kit.snapchat.com/v1/me?query=%7Bme+%7B+externalId+displayName+bitmoji+%7B+avatar+id+%7D+email+%7D+%7D";
    const OWN_QUERY: &str =
        "own.test/x/v1/me?query=%7Bme+%7B+externalId+displayName+bitmoji+%7B+avatar+id+%7D+email+%7D+%7D";
    Case {
        home: ["accounts.snapchat.com/accounts/oauth2/auth", "accounts.snapchat.com/accounts/oauth2/token"],
        own: Some(["own.test/x/accounts/oauth2/auth", "own.test/x/accounts/oauth2/token"]),
        documents: vec![(
            QUERY,
            OWN_QUERY,
            json!({ "data": { "me": {
                "externalId": "sc/1", "displayName": "Ada", "bitmoji": { "avatar": "https://img.test/a.png", "id": "b" },
            } }, "errors": [] }),
        )],
        scope: "https://auth.snapchat.com/oauth2/api/user.external_id \
                https://auth.snapchat.com/oauth2/api/user.display_name \
                https://auth.snapchat.com/oauth2/api/user.bitmoji.avatar",
        challenge: When::Strict,
        subject: "sc/1",
        emails: vec![],
        iss: ["https://accounts.snapchat.com/accounts/oauth2/token"; 2],
        claims: json!({
            "name": "Ada", "full_name": "Ada", "slug": "Ada", "picture": "https://img.test/a.png",
            "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Snapchat)
    }
}

fn spotify() -> Case {
    Case {
        home: ["accounts.spotify.com/authorize", "accounts.spotify.com/api/token"],
        own: Some(["own.test/x/authorize", "own.test/x/api/token"]),
        documents: vec![(
            "api.spotify.com/v1/me",
            "own.test/x/me",
            json!({
                "id": "sp1", "display_name": "Ada Example", "email": "Ada@Example.test", "images": [
                    { "url": "https://img.test/small.png", "width": 64, "height": 64 },
                    { "url": "https://img.test/large.png", "width": 300, "height": 300 },
                    { "url": "https://img.test/unknown.png", "width": null, "height": null },
                ],
            }),
        )],
        scope: "user-read-email",
        challenge: When::Strict,
        subject: "sp1",
        emails: vec![("Ada@Example.test", false, true)],
        iss: ["https://api.spotify.com/v1", "https://own.test/x"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example", "picture": "https://img.test/large.png",
            "avatar_url": "https://img.test/large.png",
        }),
        ..Case::of(Builtin::Spotify)
    }
}

fn twitch() -> Case {
    Case {
        home: ["id.twitch.tv/oauth2/authorize", "id.twitch.tv/oauth2/token"],
        own: Some(["own.test/x/oauth2/authorize", "own.test/x/oauth2/token"]),
        documents: vec![(
            "api.twitch.tv/helix/users",
            "own.test/x/helix/users",
            json!({ "data": [{
                "id": "tw1", "login": "ada", "display_name": "Ada", "email": "Ada@Example.test", "type": "",
                "broadcaster_type": "partner", "description": "Hello", "offline_image_url": "https://img.test/o.png",
                "profile_image_url": "https://img.test/a.png", "view_count": 9,
            }] }),
        )],
        headers: vec![("client-id", CLIENT)],
        scope: "user:read:email",
        takes: Takes::Form,
        token_fields: json!({ "scope": ["user:read:email"] }),
        subject: "tw1",
        iss: ["https://api.twitch.tv", "https://own.test/x"],
        claims: json!({
            "name": "ada", "full_name": "ada", "nickname": "Ada", "slug": "Ada", "picture": "https://img.test/a.png",
            "avatar_url": "https://img.test/a.png", "custom_claims": {
                "broadcaster_type": "partner", "description": "Hello", "offline_image_url": "https://img.test/o.png",
                "type": "", "view_count": 9,
            },
        }),
        ..Case::of(Builtin::Twitch)
    }
}

/// OAuth 1.0a. Its stand-in is at home only.
fn twitter() -> Case {
    const PROFILE: &str = "api.twitter.com/1.1/account/verify_credentials.json\
                           ?include_entities=false&skip_status=true&include_email=true";
    Case {
        home: ["api.twitter.com/oauth/authenticate", "api.twitter.com/oauth/access_token"],
        documents: vec![(
            PROFILE,
            "",
            json!({
                "id": 7, "id_str": "7", "name": "Ada Example", "screen_name": "ada", "email": "Ada@Example.test",
                "profile_image_url_https": "https://img.test/a.png",
            }),
        )],
        subject: "7",
        iss: [
            "https://api.twitter.com/1.1/account/verify_credentials.json\
             ?include_entities=false&skip_status=true&include_email=true",
            "",
        ],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example", "preferred_username": "ada", "user_name": "ada",
            "picture": "https://img.test/a.png", "avatar_url": "https://img.test/a.png",
        }),
        ..Case::of(Builtin::Twitter)
    }
}

fn x() -> Case {
    Case {
        home: ["x.com/i/oauth2/authorize", "api.x.com/2/oauth2/token"],
        own: Some(["own.test/x/i/oauth2/authorize", "own.test/x/2/oauth2/token"]),
        documents: vec![(
            "api.x.com/2/users/me?user.fields=id,name,username,confirmed_email,profile_image_url,url,created_at",
            "own.test/x/2/users/me?user.fields=id,name,username,confirmed_email,profile_image_url,url,created_at",
            json!({ "data": {
                "id": "x1", "name": "Ada Example", "username": "ada", "confirmed_email": "Ada@Example.test",
                "profile_image_url": "https://img.test/a.png", "url": "https://ada.test",
                "created_at": "2020-01-02T03:04:05.000Z",
            } }),
        )],
        scope: "users.email tweet.read users.read offline.access",
        challenge: When::Always,
        subject: "x1",
        iss: ["https://api.x.com", "https://own.test/x"],
        claims: json!({
            "name": "Ada Example", "full_name": "Ada Example", "preferred_username": "ada", "user_name": "ada",
            "picture": "https://img.test/a.png", "avatar_url": "https://img.test/a.png", "profile": "https://x.com/ada",
            "website": "https://ada.test", "custom_claims": { "created_at": "2020-01-02T03:04:05.000Z" },
        }),
        ..Case::of(Builtin::X)
    }
}
