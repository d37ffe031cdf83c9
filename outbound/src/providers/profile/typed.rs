//! Claims that have a type of their own in an identity (`contract/mfa-passkeys-oauth.md` §3.6), as OpenID Connect Core 1.0
//! §5.1 has them.

use domain::provider::{Profile, ProviderEmail};
use domain::time::Timestamp;
use domain::user::Metadata;
use serde_json::Value;

use crate::providers::ProviderError;

/// What a claim must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Flag,
    Number,
    /// A text stands for a list of one.
    Texts,
    Object,
    /// Seconds since the epoch, or RFC 3339.
    Instant,
}

const TYPES: &[(&str, Type)] = &[
    ("iss", Type::Text),
    ("sub", Type::Text),
    ("aud", Type::Texts),
    ("iat", Type::Number),
    ("exp", Type::Number),
    ("name", Type::Text),
    ("family_name", Type::Text),
    ("given_name", Type::Text),
    ("middle_name", Type::Text),
    ("nickname", Type::Text),
    ("preferred_username", Type::Text),
    ("profile", Type::Text),
    ("picture", Type::Text),
    ("website", Type::Text),
    ("gender", Type::Text),
    ("birthdate", Type::Text),
    ("zoneinfo", Type::Text),
    ("locale", Type::Text),
    ("updated_at", Type::Instant),
    ("email", Type::Text),
    ("email_verified", Type::Flag),
    ("phone", Type::Text),
    ("phone_verified", Type::Flag),
    ("custom_claims", Type::Object),
    ("full_name", Type::Text),
    ("avatar_url", Type::Text),
    ("slug", Type::Text),
    ("provider_id", Type::Text),
    ("user_name", Type::Text),
];

/// Those of `claims` that have a type, without empty ones.
///
/// # Errors
/// A claim has another type than its own.
pub(crate) fn typed(claims: &Metadata) -> Result<Metadata, ProviderError> {
    let mut kept = Metadata::new();
    for (claim, kind) in TYPES {
        if let Some(value) = claims.get(*claim).filter(|value| !value.is_null())
            && let Some(value) = read(*kind, value)?
        {
            kept.insert((*claim).to_owned(), value);
        }
    }
    Ok(kept)
}

/// `value` as it is kept; `None` when empty.
fn read(kind: Type, value: &Value) -> Result<Option<Value>, ProviderError> {
    let kept = match (kind, value) {
        (Type::Text, Value::String(text)) => (!text.is_empty()).then(|| value.clone()),
        (Type::Flag, Value::Bool(flag)) => flag.then(|| value.clone()),
        (Type::Number, Value::Number(number)) => (number.as_f64() != Some(0.0)).then(|| value.clone()),
        (Type::Texts, Value::String(text)) => (!text.is_empty()).then(|| Value::Array(vec![value.clone()])),
        (Type::Texts, Value::Array(texts)) if texts.iter().all(Value::is_string) => {
            (!texts.is_empty()).then(|| value.clone())
        }
        (Type::Object, Value::Object(object)) => (!object.is_empty()).then(|| value.clone()),
        (Type::Instant, Value::Number(seconds)) => {
            let seconds = seconds.as_f64().ok_or(ProviderError::Profile)?;
            (seconds != 0.0).then(|| Value::String(Timestamp::from_unix(seconds as i64).to_wire()))
        }
        (Type::Instant, Value::String(text)) if text.is_empty() => None,
        (Type::Instant, Value::String(_)) => {
            serde_json::from_value::<Timestamp>(value.clone()).map_err(|_| ProviderError::Profile)?;
            Some(value.clone())
        }
        _ => return Err(ProviderError::Profile),
    };
    Ok(kept)
}

/// The profile that typed claims make. The address is as proven as `email_verified` says.
pub(crate) fn profile(mut claims: Metadata) -> Profile {
    let email = match claims.remove("email") {
        Some(Value::String(email)) => email,
        _ => String::new(),
    };
    let verified = claims.remove("email_verified") == Some(Value::Bool(true));
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    let emails = (!email.is_empty()).then_some(ProviderEmail { email, verified, primary: true });
    Profile { subject, emails: emails.into_iter().collect(), claims }
}
