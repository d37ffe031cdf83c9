//! What providers say that does not fit, is not there, or is peculiar to one of them.

use domain::provider::{Builtin, Profile};
use outbound::ProviderError;
use serde_json::{Value, json};

use super::cases::{self, Case, OWN};
use super::each::{Place, registered};
use super::idp::{Idp, Misbehaviour};
use super::{connection, sign_in};

/// The profile of a provider whose case was changed.
async fn told(provider: Builtin, change: impl FnOnce(&mut Case)) -> Result<Profile, ProviderError> {
    let mut case = cases::of(provider);
    change(&mut case);
    let idp = Idp::start(registered(&case, Place::Home, false)).await;
    let url = (provider == Builtin::Keycloak).then_some(OWN);
    sign_in(&idp, &connection(provider, url)).await.map(|signed_in| signed_in.profile)
}

/// The profile where the first answer, or the ID token, says these things instead; null: does not say them.
async fn saying(provider: Builtin, changes: Value) -> Result<Profile, ProviderError> {
    told(provider, |case| {
        let answer = match case.documents.first_mut() {
            Some((_, _, answer)) => answer,
            None => &mut case.id_token,
        };
        for (at, value) in changes.as_object().unwrap() {
            let (parent, name) = at.rsplit_once('/').unwrap();
            let parent = answer.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            if value.is_null() {
                parent.remove(name)
            } else {
                parent.insert(name.to_owned(), value.clone())
            };
        }
    })
    .await
}

/// Whether the first address is verified.
async fn verified(provider: Builtin, changes: Value) -> Option<bool> {
    saying(provider, changes).await.unwrap().emails.first().map(|email| email.verified)
}

#[tokio::test]
async fn an_answer_that_says_nobody_is_no_sign_in() {
    for case in cases::all().into_iter().filter(|case| !case.documents.is_empty()) {
        for answer in [json!({}), json!([]), json!(null), json!("x"), json!({ "data": [] }), json!({ "data": null })] {
            let told = told(case.provider, |case| case.documents[0].2 = answer.clone()).await;
            assert_eq!(told.err(), Some(ProviderError::Profile), "{:?} {answer}", case.provider);
        }
    }
}

#[tokio::test]
async fn a_subject_of_another_type_or_an_empty_one_is_no_sign_in() {
    for (provider, at, wrong) in [
        (Builtin::Github, "/id", json!("583231")),
        (Builtin::Github, "/id", json!(1.5)),
        (Builtin::Github, "/id", json!(null)),
        (Builtin::Gitlab, "/id", json!("42")),
        (Builtin::Kakao, "/id", json!("1")),
        (Builtin::Discord, "/id", json!(80)),
        (Builtin::Discord, "/id", json!("")),
        (Builtin::Keycloak, "/sub", json!("")),
        (Builtin::Google, "/sub", json!("")),
        (Builtin::Apple, "/sub", json!(null)),
        (Builtin::Azure, "/sub", json!(7)),
        (Builtin::LinkedinOidc, "/sub", json!("")),
    ] {
        assert_eq!(
            saying(provider, json!({ at: wrong })).await.err(),
            Some(ProviderError::Profile),
            "{provider:?} {at} {wrong}"
        );
    }
}

#[tokio::test]
async fn an_address_is_as_verified_as_the_provider_says() {
    for (provider, changes, is) in [
        (Builtin::Gitlab, json!({ "/confirmed_at": null }), Some(false)),
        (Builtin::Discord, json!({ "/verified": false }), Some(false)),
        (Builtin::Discord, json!({ "/verified": null }), Some(false)),
        (Builtin::Discord, json!({ "/email": null }), None),
        (Builtin::Keycloak, json!({ "/email_verified": false }), Some(false)),
        (Builtin::Keycloak, json!({ "/email": "" }), None),
        (Builtin::Kakao, json!({ "/kakao_account/is_email_valid": false }), Some(false)),
        (Builtin::Kakao, json!({ "/kakao_account/is_email_verified": false }), Some(false)),
        (Builtin::SlackOidc, json!({ "/email_verified": false }), Some(false)),
        (Builtin::Slack, json!({ "/email_verified": null }), Some(true)),
        (Builtin::Zoom, json!({ "/verified": 0 }), Some(false)),
        (Builtin::Zoom, json!({ "/verified": null }), Some(false)),
        (Builtin::Zoom, json!({ "/verified": null, "/login_types": null }), Some(false)),
        (Builtin::Zoom, json!({ "/verified": 0, "/login_types": [100, 101] }), Some(false)),
        (Builtin::Zoom, json!({ "/verified": 0, "/login_types": [101] }), Some(true)),
        (Builtin::Zoom, json!({ "/verified": 0, "/login_types": null, "/login_type": "1" }), Some(true)),
        (Builtin::Zoom, json!({ "/verified": 0, "/login_types": null, "/login_type": 100 }), Some(false)),
        (Builtin::Zoom, json!({ "/verified": 0, "/login_type": "100" }), Some(false)),
        (Builtin::Google, json!({ "/email_verified": false }), Some(false)),
        (Builtin::Google, json!({ "/email_verified": null, "/verified_email": true }), Some(true)),
        (Builtin::Apple, json!({ "/email_verified": "false" }), Some(false)),
        (Builtin::Apple, json!({ "/email_verified": null }), Some(true)),
        (Builtin::Apple, json!({ "/email": "" }), None),
        (Builtin::LinkedinOidc, json!({ "/email_verified": "false" }), Some(false)),
        (Builtin::LinkedinOidc, json!({ "/email_verified": null }), Some(false)),
        (Builtin::VercelMarketplace, json!({ "/user_email": "" }), None),
        (Builtin::Azure, json!({ "/xms_edov": null }), Some(true)),
        (Builtin::Azure, json!({ "/xms_edov": true }), Some(true)),
        (Builtin::Azure, json!({ "/xms_edov": "true" }), Some(true)),
        (Builtin::Azure, json!({ "/xms_edov": false }), Some(false)),
        (Builtin::Azure, json!({ "/xms_edov": 1 }), Some(false)),
        (Builtin::Azure, json!({ "/xms_edov": "0" }), Some(false)),
        (Builtin::Azure, json!({ "/email": null }), None),
    ] {
        let told = if provider == Builtin::Gitlab {
            let profile = saying(provider, changes.clone()).await.unwrap();
            profile.emails.iter().find(|email| email.primary).map(|email| email.verified)
        } else {
            verified(provider, changes.clone()).await
        };
        assert_eq!(told, is, "{provider:?} {changes}");
    }
}

#[tokio::test]
async fn a_flag_of_another_type_proves_nothing() {
    for (provider, changes) in [
        (Builtin::Discord, json!({ "/verified": "true" })),
        (Builtin::Keycloak, json!({ "/email_verified": "true" })),
        (Builtin::SlackOidc, json!({ "/email_verified": 1 })),
        (Builtin::Google, json!({ "/email_verified": "true" })),
        (Builtin::LinkedinOidc, json!({ "/email_verified": "yes" })),
        (Builtin::LinkedinOidc, json!({ "/email_verified": 1 })),
        (Builtin::Apple, json!({ "/email_verified": "no" })),
        (Builtin::Gitlab, json!({ "/email": ["ada@example.test"] })),
    ] {
        assert_eq!(
            saying(provider, changes.clone()).await.err(),
            Some(ProviderError::Profile),
            "{provider:?} {changes}"
        );
    }
}

#[tokio::test]
async fn a_picture_of_discord() {
    let picture = async |changes| {
        let profile = saying(Builtin::Discord, changes).await;
        profile.map(|profile| profile.claims["picture"].as_str().unwrap().replace("https://cdn.discordapp.com/", ""))
    };
    let id = "80351110224678912";
    assert_eq!(picture(json!({ "/avatar": "83427" })).await, Ok(format!("avatars/{id}/83427.png")));
    assert_eq!(picture(json!({ "/avatar": null })).await, Ok("embed/avatars/2.png".to_owned()));
    assert_eq!(picture(json!({ "/avatar": null, "/discriminator": "0" })).await, Ok("embed/avatars/0.png".to_owned()));
    assert_eq!(picture(json!({ "/avatar": null, "/discriminator": "x" })).await, Err(ProviderError::Profile));
}

#[tokio::test]
async fn linkedin_without_an_address_is_a_profile_error() {
    for answer in [json!({ "elements": [] }), json!({})] {
        let told = told(Builtin::Linkedin, |case| case.documents[1].2 = answer.clone()).await;
        assert_eq!(told.err(), Some(ProviderError::Profile), "{answer}");
    }
    let told = told(Builtin::Linkedin, |case| case.documents[1].2 = json!({ "elements": [{}] })).await.unwrap();
    assert_eq!(told.emails, []);
}

#[tokio::test]
async fn lists_of_addresses_must_be_lists() {
    for provider in [Builtin::Github, Builtin::Gitlab, Builtin::Bitbucket] {
        for answer in [json!({}), json!({ "values": {} }), json!("x"), json!([{ "email": 7 }])] {
            let told = told(provider, |case| case.documents[1].2 = answer.clone()).await;
            assert_eq!(told.err(), Some(ProviderError::Profile), "{provider:?} {answer}");
        }
    }
    let told = told(Builtin::Github, |case| case.documents[1].2 = json!([])).await.unwrap();
    assert_eq!(told.emails, [], "the address of the profile is for show");
}

#[tokio::test]
async fn claims_of_a_providers_own_are_always_there_for_fly_and_keycloak() {
    let empty = json!({
        "/resource_owner_id": null, "/organizations": null, "/application": null, "/scope": null, "/created_at": null,
    });
    let fly = saying(Builtin::Fly, empty).await.unwrap();
    let none = json!({
        "resource_owner_id": "", "organizations": [], "application": {}, "scope": [], "created_at": 0,
    });
    assert_eq!(fly.claims["custom_claims"], none);
    for wrong in [json!({ "/scope": [1] }), json!({ "/application": { "a": 1 } }), json!({ "/organizations": {} })] {
        assert_eq!(saying(Builtin::Fly, wrong.clone()).await.err(), Some(ProviderError::Profile), "{wrong}");
    }
    let rest = json!({ "/preferred_username": null, "/groups": null, "/level": null });
    assert_eq!(saying(Builtin::Keycloak, rest).await.unwrap().claims["custom_claims"], json!({}));
}

#[tokio::test]
async fn google_without_an_id_token_is_asked() {
    let told = told(Builtin::Google, |case| {
        case.id_token = Value::Null;
        case.documents = vec![(
            "www.googleapis.com/userinfo/v2/me",
            "",
            json!({ "id": "g-1", "email": "Ada@Example.test", "verified_email": true, "name": "Ada", "hd": "example.test" }),
        )];
    })
    .await
    .unwrap();
    assert_eq!((told.subject.as_str(), told.emails[0].verified), ("g-1", true));
    let iss = "https://www.googleapis.com/userinfo/v2/me";
    let claims = json!({ "iss": iss, "sub": "g-1", "provider_id": "g-1", "name": "Ada", "full_name": "Ada" });
    assert_eq!(Value::Object(told.claims), claims);
}

#[tokio::test]
async fn an_id_token_that_must_come_must_come() {
    for provider in [Builtin::Apple, Builtin::Azure, Builtin::LinkedinOidc, Builtin::VercelMarketplace] {
        let told = told(provider, |case| case.id_token = Value::Null).await;
        assert_eq!(told.err(), Some(ProviderError::Profile), "{provider:?}");
    }
}

#[tokio::test]
async fn vercel_without_a_shared_account() {
    let told = saying(Builtin::VercelMarketplace, json!({ "/global_user_id": null })).await.unwrap();
    assert_eq!((told.subject.as_str(), &told.claims["provider_id"]), ("account:a:user:u", &json!("account:a:user:u")));
}

/// Whether a sign-in at Azure goes through, with these settings, when the token is of this issuer and tenant.
async fn azure(url: Option<&str>, issuer: &'static str, claims: Value) -> Result<Profile, ProviderError> {
    let mut case = cases::of(Builtin::Azure);
    case.issuer = issuer;
    for (name, value) in claims.as_object().unwrap() {
        case.id_token[name] = value.clone();
    }
    let mut registered = registered(&case, Place::Home, false);
    if let Some(url) = url {
        let base = url.trim_start_matches("https://").trim_end_matches('/');
        registered.authorize = format!("{base}/oauth2/v2.0/authorize");
        registered.token = format!("{base}/oauth2/v2.0/token");
    }
    let idp = Idp::start(registered).await;
    sign_in(&idp, &connection(Builtin::Azure, url)).await.map(|signed_in| signed_in.profile)
}

#[tokio::test]
async fn azure_takes_tokens_of_the_right_tenants_only() {
    const HOME: &str = "https://login.microsoftonline.com";
    let refused = Some(ProviderError::Profile);
    let tid = |tid: &str| json!({ "tid": tid });
    // Any tenant may sign in at the shared addresses, but for itself only, and nobody else's issuer counts.
    for url in [
        None,
        Some("https://login.microsoftonline.com/organizations"),
        Some("https://login.microsoftonline.com/common/"),
    ] {
        assert!(azure(url, "https://login.microsoftonline.com/t1/v2.0", tid("t1")).await.is_ok(), "{url:?}");
        assert_eq!(azure(url, "https://login.microsoftonline.com/t1/v2.0", tid("t2")).await.err(), refused, "{url:?}");
        assert_eq!(azure(url, "https://evil.test/t1/v2.0", tid("t1")).await.err(), refused, "{url:?}");
        assert_eq!(azure(url, "https://login.microsoftonline.com.evil.test/t1/v2.0", tid("t1")).await.err(), refused);
        assert_eq!(azure(url, "https://login.microsoftonline.com/t1/x/v2.0", tid("t1")).await.err(), refused);
    }
    // One tenant's address takes that tenant only.
    let one = format!("{HOME}/t1");
    assert!(azure(Some(&one), "https://login.microsoftonline.com/t1/v2.0", tid("t1")).await.is_ok());
    assert_eq!(azure(Some(&one), "https://login.microsoftonline.com/t2/v2.0", tid("t2")).await.err(), refused);
    // A tenant for customers speaks as the standard has it.
    let customers = "https://corp.ciamlogin.com/t3";
    let changes = json!({ "tid": "t3", "name": "Ada Example" });
    let profile = azure(Some(customers), "https://corp.ciamlogin.com/t3/v2.0", changes).await.unwrap();
    assert_eq!((&profile.claims["name"], profile.emails[0].verified), (&json!("Ada Example"), true));
    assert_eq!(profile.claims.get("custom_claims"), None);
}

#[tokio::test]
async fn apple_tells_the_name_once() {
    use super::{browse, departure, project, providers};
    use outbound::ProviderTransport;

    let connection = connection(Builtin::Apple, None);
    for (user, name) in [
        ("", Ok(None)),
        (r#"{"email":"other@example.test"}"#, Ok(None)),
        (r#"{"name":{"firstName":" Ada","lastName":""}}"#, Ok(Some(json!("Ada")))),
        (r#"{"name":{"firstName":7}}"#, Err(ProviderError::Profile)),
        ("{", Err(ProviderError::Profile)),
    ] {
        let idp = Idp::start(registered(&cases::of(Builtin::Apple), Place::Home, false)).await;
        let providers = providers(&idp);
        let url = providers.depart(project(), &connection, &departure()).await.unwrap();
        let mut back = browse(&idp, &url).await;
        back.user = user.to_owned();
        let arrived = providers.arrive(project(), &connection, &back).await.map(|signed_in| signed_in.profile);
        assert_eq!(arrived.map(|profile| profile.claims.get("full_name").cloned()), name, "{user}");
    }
}

/// An ID token that nobody needs is not looked at, unless every check is wanted.
#[tokio::test]
async fn an_id_token_beside_a_profile_agrees_with_it_where_every_check_is_wanted() {
    for provider in [Builtin::Keycloak, Builtin::SlackOidc, Builtin::Kakao] {
        let mut case = cases::of(provider);
        case.id_token_beside["sub"] = "somebody-else".into();
        let url = (provider == Builtin::Keycloak).then_some(OWN);
        for (strict, misbehaviour, taken) in [
            (true, Misbehaviour::None, false),
            (true, Misbehaviour::NoIdToken, provider == Builtin::Kakao),
            (false, Misbehaviour::None, true),
        ] {
            let mut registered = registered(&case, Place::Home, strict);
            registered.id_token = case.id_token_beside.clone();
            registered.misbehaviour = misbehaviour.clone();
            let idp = Idp::start(registered).await;
            let mut connection = connection(provider, url);
            connection.strict = strict;
            assert_eq!(sign_in(&idp, &connection).await.is_ok(), taken, "{provider:?} {strict} {misbehaviour:?}");
        }
    }
}
