use super::*;
use crate::fixtures::user;

const ISSUER: &str = "https://tenant.auth0.com/";

fn oidc() -> Source {
    Source::OidcIssuer(ISSUER.to_owned())
}

fn with(name: &str, value: Value) -> Claims {
    let mut claims = json!({
        "iss": ISSUER, "sub": "auth0|1", "exp": 2_000_000_000, "role": "authenticated", "email": "a@example.com",
        "email_verified": true, "name": "A", "session_id": "3f0f5d4e-0000-4000-8000-000000000000",
        "app_metadata": { "role": "admin" },
    });
    claims[name] = value;
    claims.as_object().cloned().unwrap()
}

#[test]
fn exactly_one_source() {
    let (issuer, url, jwks) = (Some("i".to_owned()), Some("u".to_owned()), Some(json!({})));
    assert_eq!(Source::one_of(issuer.clone(), None, None), Ok(Source::OidcIssuer("i".to_owned())));
    assert_eq!(Source::one_of(None, url.clone(), None), Ok(Source::JwksUrl("u".to_owned())));
    assert_eq!(Source::one_of(None, None, jwks.clone()), Ok(Source::CustomJwks(json!({}))));
    assert!(Source::one_of(None, None, None).is_err());
    assert!(Source::one_of(issuer.clone(), url.clone(), None).is_err());
    assert!(Source::one_of(issuer, None, jwks.clone()).is_err());
    assert!(Source::one_of(None, url, jwks).is_err());
}

#[test]
fn a_slash_makes_no_other_issuer() {
    let without = Source::OidcIssuer("https://tenant.auth0.com".to_owned());
    assert!(oidc().is_same(&without) && !oidc().is_same(&Source::JwksUrl(ISSUER.to_owned())));
    assert!(!oidc().is_same(&Source::OidcIssuer("https://tenant.auth0.com/a".to_owned())));
}

#[test]
fn kinds_are_told_by_the_host() {
    for (url, kind) in [
        ("https://securetoken.google.com/my-app", "firebase"),
        ("https://tenant.eu.auth0.com/", "auth0"),
        ("https://notauth0.com/", "oidc"),
        ("https://calm-cat-1.clerk.accounts.dev", "clerk"),
        ("https://clerk.example.com", "clerk"),
        ("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", "cognito"),
        ("https://api.workos.com/user_management/client_1", "workos"),
        ("https://idp.example.com", "oidc"),
    ] {
        assert_eq!(Source::OidcIssuer(url.to_owned()).kind(), kind, "{url}");
    }
    assert_eq!(Source::JwksUrl("https://idp.example.com/keys".to_owned()).kind(), "jwks");
    assert_eq!(Source::CustomJwks(json!({})).kind(), "custom_jwks");
}

#[test]
fn issuers_that_cannot_be_trusted_are_told() {
    let place = |url: &str| Source::OidcIssuer(url.to_owned()).place("https://auth.example.org");
    assert_eq!(place(ISSUER), Ok(Some(address::Place::Name("tenant.auth0.com".to_owned()))));
    for (url, part) in [
        (format!("https://{}", "a".repeat(2048)).as_str(), "at most 2048"),
        ("http://tenant.auth0.com", "oidc_issuer_url: URL must use HTTPS"),
        ("https://10.0.0.1/", "oidc_issuer_url: URL cannot resolve to private network addresses"),
        ("https://auth.example.org/p/other/auth/v1", "must not be of this gateway"),
        ("https://accounts.google.com", "everybody's apps"),
        ("https://www.facebook.com", "everybody's apps"),
        ("https://appleid.apple.com", "everybody's apps"),
        ("https://login.microsoftonline.com/common/v2.0", "everybody's apps"),
    ] {
        assert!(place(url).unwrap_err().contains(part), "{url}");
    }
    assert!(place("https://login.microsoftonline.com/0f0f0f0f-0000-4000-8000-000000000000/v2.0").is_ok());
}

#[test]
fn a_token_names_a_person_of_its_issuer() {
    let subject = oidc().subject(&with("iss", json!("https://tenant.auth0.com"))).unwrap();
    assert_eq!(subject.provider, "https://tenant.auth0.com");
    assert_eq!(subject.profile.subject, "auth0|1");
    assert_eq!(subject.profile.claims.get("name"), Some(&json!("A")));
    assert!(!subject.profile.claims.contains_key("app_metadata"));
    let email = ProviderEmail { email: "a@example.com".to_owned(), verified: true, primary: true };
    assert_eq!(subject.profile.emails, [email]);
    let keys = Source::JwksUrl("https://idp.example.com/keys".to_owned());
    assert_eq!(keys.subject(&with("iss", json!("google"))).unwrap().provider, "https://idp.example.com/keys");
    let given = Source::CustomJwks(json!({}));
    assert_eq!(given.subject(&with("role", Value::Null)).unwrap().provider, "https://tenant.auth0.com");
}

#[test]
fn what_is_no_access_token_of_a_person_is_refused() {
    for (name, value) in [
        ("exp", Value::Null),
        ("exp", json!("2000000000")),
        ("events", json!({})),
        ("role", json!("service_role")),
        ("role", json!("anon")),
        ("role", json!("")),
        ("role", json!(["authenticated"])),
        ("iss", json!("https://other.auth0.com/")),
        ("iss", json!("https://tenant.auth0.com.evil.example/")),
        ("iss", Value::Null),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("a\u{0}b")),
        ("sub", json!("a".repeat(256))),
    ] {
        assert!(oidc().subject(&with(name, value.clone())).is_err(), "{name} {value}");
    }
    // Keys that were given must not speak for a built-in provider.
    for issuer in [json!("google"), json!(""), json!("http://a.example"), json!("https://a.example/\u{0}"), Value::Null]
    {
        assert!(Source::CustomJwks(json!({})).subject(&with("iss", issuer)).is_err());
    }
}

#[test]
fn an_address_that_the_issuer_has_not_verified_is_nobodys() {
    for verified in [json!(false), json!("true"), json!(1), Value::Null] {
        assert!(oidc().subject(&with("email_verified", verified)).unwrap().profile.emails.is_empty());
    }
    assert!(oidc().subject(&with("email", json!(""))).unwrap().profile.emails.is_empty());
}

#[test]
fn nothing_of_the_token_means_more_than_who_it_is() {
    let own = claims(&user(), &with("aud", json!("other")));
    assert_eq!(own.get("sub"), Some(&json!(user().id)));
    assert_eq!(own.get("role"), Some(&json!("authenticated")));
    assert_eq!(own.get("aud"), Some(&json!(user().aud)));
    assert_eq!(own.get("exp"), Some(&json!(2_000_000_000)));
    assert_eq!(own.get("app_metadata"), Some(&Value::Object(user().app_metadata)));
    assert!(!own.contains_key("session_id") && !own.contains_key("amr") && !own.contains_key("name"));
}
