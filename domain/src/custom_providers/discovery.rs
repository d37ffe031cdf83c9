//! The metadata of an issuer (OpenID Connect Discovery 1.0 §3, §4), and what is kept of them beside a custom provider, for show
//! (`contract/mfa-passkeys-oauth.md` §6.2).

use serde_json::{Map, Value};

use crate::refusal::{ProviderRefusal, Refusal};

/// Without these nobody can sign in.
const REQUIRED: [&str; 4] = ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"];

/// What is kept.
const KEPT: [&str; 9] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "scopes_supported",
    "response_types_supported",
    "grant_types_supported",
    "subject_types_supported",
];

/// The longest address or name that counts.
const LONGEST: usize = 2048;
/// The most entries of a list that are kept.
const MOST: usize = 64;

/// Where the metadata of an issuer is.
pub fn metadata_url(issuer: &str, discovery_url: Option<&str>) -> String {
    let standard = || format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
    discovery_url.filter(|url| !url.is_empty()).map_or_else(standard, str::to_owned)
}

/// A field of metadata that is a text; none where it is empty, or longer than any that is meant well.
pub fn metadata_text<'a>(metadata: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    metadata.get(name).and_then(short)
}

/// What of that which a sign-in needs is missing in `metadata`, in the contract's words (§6.2); `None` where nothing is.
pub fn metadata_missing(metadata: &Map<String, Value>) -> Option<String> {
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|name| metadata_text(metadata, name).is_none()).collect();
    (!missing.is_empty()).then(|| format!("OIDC discovery document is missing required fields: {}", missing.join(", ")))
}

/// What is kept of the metadata that was `found` for `issuer` at `url`.
///
/// # Errors
/// No object, fields are missing, or it is another issuer's.
pub fn document(issuer: &str, url: &str, found: &Value) -> Result<Value, Refusal> {
    let invalid = |why: String| Refusal::from(ProviderRefusal::CustomProviderInvalid(why));
    let failed = |detail: &str| invalid(format!("OIDC discovery from \"{url}\" failed: {detail}"));
    let found = found.as_object().ok_or_else(|| failed("no JSON object"))?;
    if let Some(missing) = metadata_missing(found) {
        return Err(invalid(missing));
    }
    if metadata_text(found, "issuer") != Some(issuer) {
        return Err(failed("the document is of another issuer"));
    }
    let kept = |name: &str| match found.get(name)? {
        text @ Value::String(_) => short(text).map(Value::from),
        Value::Array(items) => Some(items.iter().filter_map(short).take(MOST).collect()),
        _ => None,
    };
    Ok(KEPT.into_iter().filter_map(|name| Some((name.to_owned(), kept(name)?))).collect::<Map<_, _>>().into())
}

fn short(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty() && text.len() <= LONGEST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://idp.example.com/a/";

    fn full() -> Value {
        json!({
            "issuer": ISSUER, "authorization_endpoint": "https://idp.example.com/authorize",
            "token_endpoint": "https://idp.example.com/token", "jwks_uri": "https://idp.example.com/jwks",
            "scopes_supported": ["openid"], "userinfo_endpoint": null, "registration_endpoint": "https://x.example/",
        })
    }

    fn refused(found: &Value) -> String {
        document(ISSUER, "https://u.example/", found).unwrap_err().wire().message.into_owned()
    }

    #[test]
    fn the_metadata_lies_below_the_issuer_unless_somebody_says_where() {
        assert_eq!(metadata_url(ISSUER, None), "https://idp.example.com/a/.well-known/openid-configuration");
        assert_eq!(metadata_url("https://i.example", None), "https://i.example/.well-known/openid-configuration");
        assert_eq!(metadata_url("https://i.example", Some("")), "https://i.example/.well-known/openid-configuration");
        assert_eq!(metadata_url(ISSUER, Some("https://u.example/m")), "https://u.example/m");
    }

    #[test]
    fn known_fields_are_kept_and_others_are_not() {
        let kept = document(ISSUER, "", &full()).unwrap();
        let mut names: Vec<&str> = kept.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization_endpoint", "issuer", "jwks_uri", "scopes_supported", "token_endpoint"]);
    }

    #[test]
    fn what_is_kept_is_of_sensible_size() {
        let mut found = full();
        found["userinfo_endpoint"] = json!("x".repeat(3000));
        found["scopes_supported"] = json!(vec!["s"; 100]);
        found["response_types_supported"] = json!(["code", 7, "x".repeat(3000)]);
        found["grant_types_supported"] = json!({ "a": 1 });
        let kept = document(ISSUER, "", &found).unwrap();
        assert_eq!(kept["scopes_supported"].as_array().unwrap().len(), MOST);
        assert_eq!(kept["response_types_supported"], json!(["code"]));
        assert_eq!((kept.get("userinfo_endpoint"), kept.get("grant_types_supported")), (None, None));
        found["jwks_uri"] = json!("x".repeat(3000));
        assert_eq!(refused(&found), "OIDC discovery document is missing required fields: jwks_uri");
    }

    #[test]
    fn incomplete_metadata_and_that_of_others_are_refused() {
        let with = |name: &str, value: Value| {
            let mut found = full();
            found[name] = value;
            found
        };
        assert_eq!(
            refused(&with("token_endpoint", json!(""))),
            "OIDC discovery document is missing required fields: token_endpoint"
        );
        assert_eq!(
            refused(&json!({})),
            "OIDC discovery document is missing required fields: issuer, authorization_endpoint, token_endpoint, jwks_uri"
        );
        assert_eq!(
            refused(&with("issuer", json!("https://idp.example.com/a"))),
            "OIDC discovery from \"https://u.example/\" failed: the document is of another issuer"
        );
        assert_eq!(refused(&json!([])), "OIDC discovery from \"https://u.example/\" failed: no JSON object");
    }
}
