//! What the descriptions of providers cannot say as data (`contract/mfa-passkeys-oauth.md` §4.4).

use domain::provider::{Profile, ProviderEmail};
use domain::user::Metadata;
use serde_json::{Value, json};

use super::json::{flag_or_text, integer, present, text};
use super::{Facts, put, put_custom};
use crate::providers::ProviderError;

/// The name has the number of accounts that share it; the picture's address is made of its hash.
pub(crate) fn discord(facts: &Facts<'_>, profile: &mut Profile) -> Result<(), ProviderError> {
    let part = |at| text(facts.root, at);
    let (id, name, discriminator, hash) = (part("/id")?, part("/username")?, part("/discriminator")?, part("/avatar")?);
    if !name.is_empty() {
        let full = if discriminator.is_empty() { name.to_owned() } else { format!("{name}#{discriminator}") };
        put(&mut profile.claims, "name", full);
    }
    let picture = if hash.is_empty() {
        let number: u64 = match discriminator {
            "" => 0,
            digits => digits.parse().map_err(|_| ProviderError::Profile)?,
        };
        format!("https://cdn.discordapp.com/embed/avatars/{}.png", number % 5)
    } else {
        let kind = if hash.starts_with("a_") { "gif" } else { "png" };
        format!("https://cdn.discordapp.com/avatars/{id}/{hash}.{kind}")
    };
    put(&mut profile.claims, "picture", picture.clone());
    put(&mut profile.claims, "avatar_url", picture);
    Ok(())
}

/// Everything that has no place of its own is kept, and there is always a place for it.
pub(crate) fn keycloak(facts: &Facts<'_>, profile: &mut Profile) -> Result<(), ProviderError> {
    let all = facts.root.as_object().ok_or(ProviderError::Profile)?;
    let own = ["sub", "name", "email", "email_verified"];
    let rest: Metadata = all
        .iter()
        .filter(|(claim, _)| !own.contains(&claim.as_str()))
        .map(|(claim, value)| (claim.clone(), value.clone()))
        .collect();
    profile.claims.insert("custom_claims".to_owned(), Value::Object(rest));
    Ok(())
}

/// Five claims that are always there, whatever the token's owner is.
pub(crate) fn fly(facts: &Facts<'_>, profile: &mut Profile) -> Result<(), ProviderError> {
    let list = |at| match present(facts.root, at) {
        None => Ok(&[][..]),
        Some(value) => value.as_array().map(Vec::as_slice).ok_or(ProviderError::Profile),
    };
    let organizations = list("/organizations")?
        .iter()
        .map(|entry| Ok(json!({ "id": text(entry, "/id")?, "role": text(entry, "/role")? })))
        .collect::<Result<Vec<_>, ProviderError>>()?;
    let scopes = list("/scope")?;
    let application = present(facts.root, "/application").cloned().unwrap_or_else(|| json!({}));
    let members = application.as_object().ok_or(ProviderError::Profile)?;
    if !scopes.iter().chain(members.values()).all(Value::is_string) {
        return Err(ProviderError::Profile);
    }
    let created_at = integer(facts.root, "/created_at")?.cloned().unwrap_or_else(|| 0.into());
    for (claim, value) in [
        ("resource_owner_id", Value::from(text(facts.root, "/resource_owner_id")?)),
        ("organizations", Value::Array(organizations)),
        ("application", application.clone()),
        ("scope", Value::Array(scopes.to_vec())),
        ("created_at", Value::Number(created_at)),
    ] {
        put_custom(&mut profile.claims, claim, value);
    }
    Ok(())
}

/// The largest picture.
pub(crate) fn spotify(facts: &Facts<'_>, profile: &mut Profile) -> Result<(), ProviderError> {
    let size = |image: &Value, at| Ok(integer(image, at)?.and_then(serde_json::Number::as_u64).unwrap_or(0));
    let mut largest = (0, "");
    for image in present(facts.root, "/images").and_then(Value::as_array).into_iter().flatten() {
        let area = u64::saturating_mul(size(image, "/width")?, size(image, "/height")?);
        let url = text(image, "/url")?;
        if largest.1.is_empty() || area > largest.0 {
            largest = (area, url);
        }
    }
    put(&mut profile.claims, "picture", largest.1.to_owned());
    put(&mut profile.claims, "avatar_url", largest.1.to_owned());
    Ok(())
}

/// The name in the person's own language; the address is in an answer of its own, which must have one.
pub(crate) fn linkedin(facts: &Facts<'_>, profile: &mut Profile) -> Result<(), ProviderError> {
    let name = [localized(facts.root, "/firstName")?, localized(facts.root, "/lastName")?].join(" ").trim().to_owned();
    put(&mut profile.claims, "name", name.clone());
    put(&mut profile.claims, "full_name", name);
    let first =
        facts.documents.get(1).and_then(|answer| answer.pointer("/elements/0")).ok_or(ProviderError::Profile)?;
    let email = text(first, "/handle~0/emailAddress")?;
    if !email.is_empty() {
        profile.emails.push(ProviderEmail { email: email.to_owned(), verified: true, primary: true });
    }
    Ok(())
}

fn localized<'a>(root: &'a Value, at: &str) -> Result<&'a str, ProviderError> {
    let part = |path: &str| text(root, &format!("{at}{path}"));
    let locale = format!("{}_{}", part("/preferredLocale/language")?, part("/preferredLocale/country")?);
    part(&format!("/localized/{locale}"))
}

/// Zoom verifies the addresses of those who sign in there with a password (login type 100) and says whether it has;
/// all other types of login come with an address somebody else has verified. Without a type only the flag counts.
pub(crate) fn zoom(root: &Value) -> Result<bool, ProviderError> {
    let one = present(root, "/login_type").filter(|kind| **kind != "");
    let many = present(root, "/login_types").and_then(Value::as_array).into_iter().flatten();
    let logins: Vec<&Value> = one.into_iter().chain(many).collect();
    let elsewhere = !logins.is_empty() && logins.iter().all(|kind| **kind != 100 && **kind != "100");
    let verified = integer(root, "/verified")?.is_some_and(|number| number.as_i64() != Some(0));
    Ok(verified || elsewhere)
}

/// Apple sends the name once, beside the ID token, when a person signs in for the first time.
pub(crate) fn apple(facts: &Facts<'_>, profile: &mut Profile) -> Result<(), ProviderError> {
    let private = flag_or_text(facts.root, "/is_private_email")?;
    for (claim, value) in [
        ("is_private_email", private.map(Value::Bool)),
        ("auth_time", present(facts.root, "/auth_time").cloned()),
        ("transfer_sub", present(facts.root, "/transfer_sub").cloned()),
    ] {
        if let Some(value) = value {
            put_custom(&mut profile.claims, claim, value);
        }
    }
    if !facts.user.is_empty() {
        let user: Value = serde_json::from_str(facts.user).map_err(|_| ProviderError::Profile)?;
        let name = [text(&user, "/name/firstName")?, text(&user, "/name/lastName")?].join(" ").trim().to_owned();
        put(&mut profile.claims, "name", name.clone());
        put(&mut profile.claims, "full_name", name);
    }
    Ok(())
}

/// Apple verifies all addresses but those of schools and companies, of which it says so.
pub(crate) fn apple_verified(root: &Value) -> Result<bool, ProviderError> {
    Ok(flag_or_text(root, "/email_verified")? != Some(false))
}

/// LinkedIn writes the flag as a text.
pub(crate) fn linkedin_verified(root: &Value) -> Result<bool, ProviderError> {
    Ok(flag_or_text(root, "/email_verified")?.unwrap_or(false))
}

/// Whether the owner of the address's domain has been verified, where the tenant has that claim switched on.
pub(crate) fn azure_verified(root: &Value) -> Result<bool, ProviderError> {
    Ok(match present(root, "/xms_edov") {
        None => true,
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "1" || text == "true",
        Some(_) => false,
    })
}

/// Everything that neither the protocol nor the profile has a place for is kept.
pub(crate) fn azure(facts: &Facts<'_>, profile: &mut Profile) -> Result<(), ProviderError> {
    const OWN: [&str; 15] = [
        "aud", "iss", "iat", "nbf", "exp", "c_hash", "at_hash", "aio", "nonce", "rh", "uti", "jti", "ver", "sub",
        "name",
    ];
    for (claim, value) in facts.root.as_object().into_iter().flatten() {
        if !OWN.contains(&claim.as_str()) && claim != "preferred_username" {
            put_custom(&mut profile.claims, claim, value.clone());
        }
    }
    Ok(())
}

/// An account that several Vercel installations share has an id of its own.
pub(crate) fn vercel(facts: &Facts<'_>, profile: &mut Profile) -> Result<(), ProviderError> {
    let global = text(facts.root, "/global_user_id")?;
    if !global.is_empty() {
        profile.subject = format!("global_user_id:{global}");
        put(&mut profile.claims, "sub", profile.subject.clone());
    }
    Ok(())
}
