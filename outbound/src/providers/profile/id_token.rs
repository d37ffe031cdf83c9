//! Who an ID token is about, by its issuer.

use domain::provider::Profile;
use domain::user::Metadata;
use serde_json::Value;

use super::{Emails, Facts, Person, Source, Verified, quirks, read, typed};
use crate::providers::ProviderError;

const APPLE: Person = Person {
    emails: &[Emails::One { at: "/email", verified: Verified::By(quirks::apple_verified) }],
    claims: &[("iss", Source::Text("/iss")), ("sub", Source::Text("/sub"))],
    quirk: Some(quirks::apple),
    ..Person::NOBODY
};

const AZURE: Person = Person {
    emails: &[Emails::One { at: "/email", verified: Verified::By(quirks::azure_verified) }],
    claims: &[
        ("iss", Source::Text("/iss")),
        ("sub", Source::Text("/sub")),
        ("preferred_username", Source::Text("/preferred_username")),
        ("full_name", Source::Text("/name")),
    ],
    quirk: Some(quirks::azure),
    ..Person::NOBODY
};

const FACEBOOK: Person = Person {
    emails: &[Emails::One { at: "/email", verified: Verified::Always }],
    claims: &[
        ("iss", Source::Text("/iss")),
        ("sub", Source::Text("/sub")),
        ("name", Source::Text("/name")),
        ("picture", Source::Text("/picture")),
    ],
    provider_id: false,
    ..Person::NOBODY
};

const GOOGLE: Person = Person {
    emails: &[Emails::One { at: "/email", verified: Verified::Any(&["/email_verified", "/verified_email"]) }],
    claims: &[
        ("iss", Source::Text("/iss")),
        ("sub", Source::Text("/sub")),
        ("name", Source::Text("/name")),
        ("full_name", Source::Text("/name")),
        ("picture", Source::Text("/picture")),
        ("avatar_url", Source::Text("/picture")),
    ],
    custom: &[("hd", "/hd")],
    ..Person::NOBODY
};

const KAKAO: Person = Person {
    emails: &[Emails::One { at: "/email", verified: Verified::Always }],
    claims: &[
        ("iss", Source::Text("/iss")),
        ("sub", Source::Text("/sub")),
        ("name", Source::Text("/nickname")),
        ("preferred_username", Source::Text("/nickname")),
        ("picture", Source::Text("/picture")),
    ],
    ..Person::NOBODY
};

const LINKEDIN: Person = Person {
    emails: &[Emails::One { at: "/email", verified: Verified::By(quirks::linkedin_verified) }],
    claims: &[
        ("iss", Source::Text("/iss")),
        ("sub", Source::Text("/sub")),
        ("name", Source::Joined(&["/given_name", "/family_name"])),
        ("given_name", Source::Text("/given_name")),
        ("family_name", Source::Text("/family_name")),
        ("locale", Source::Text("/locale")),
        ("picture", Source::Text("/picture")),
    ],
    ..Person::NOBODY
};

const VERCEL: Person = Person {
    emails: &[Emails::One { at: "/user_email", verified: Verified::Always }],
    claims: &[
        ("iss", Source::Text("/iss")),
        ("sub", Source::Text("/sub")),
        ("name", Source::Text("/user_name")),
        ("picture", Source::Text("/user_avatar_url")),
    ],
    quirk: Some(quirks::vercel),
    ..Person::NOBODY
};

/// Who the verified `claims` of an ID token of `issuer` are about. The subject may be empty.
///
/// # Errors
/// A claim has another type than it should.
pub(in crate::providers) fn of_id_token(issuer: &str, claims: &Metadata) -> Result<Profile, ProviderError> {
    with_user(issuer, claims, "")
}

/// As [`of_id_token`], with Apple's form field `user`.
pub(in crate::providers) fn with_user(issuer: &str, claims: &Metadata, user: &str) -> Result<Profile, ProviderError> {
    let person = match issuer {
        "https://appleid.apple.com" | "https://account.apple.com" => &APPLE,
        "https://www.facebook.com" => &FACEBOOK,
        "https://accounts.google.com" | "accounts.google.com" => &GOOGLE,
        "https://kauth.kakao.com" => &KAKAO,
        "https://www.linkedin.com/oauth" => &LINKEDIN,
        "https://marketplace.vercel.com" => &VERCEL,
        _ if is_microsoft(issuer) => &AZURE,
        _ => return generic(issuer, claims),
    };
    let root = Value::Object(claims.clone());
    let facts = Facts { root: &root, documents: &[], auth: "", api: "", document: "", user };
    read(person, &facts)
}

/// Whether `issuer` is a tenant of Microsoft's for all tokens of version 2.0.
pub(in crate::providers) fn is_microsoft(issuer: &str) -> bool {
    let tenant = issuer
        .strip_prefix("https://login.microsoftonline.com/")
        .and_then(|rest| rest.strip_suffix('/').unwrap_or(rest).strip_suffix("/v2.0"));
    tenant.is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
}

fn generic(issuer: &str, claims: &Metadata) -> Result<Profile, ProviderError> {
    let mut profile = typed::profile(typed::typed(claims)?);
    // Snapchat tells of verified addresses only.
    if issuer == "https://accounts.snapchat.com/accounts/oauth2/token" {
        profile.emails.iter_mut().for_each(|email| email.verified = true);
    }
    Ok(profile)
}
