//! ID tokens: signature, issuer, times, `at_hash` (OpenID Connect Core 1.0 §3.1.3.7).
//!
//! `openidconnect` brings algorithms and keys. Its verifier wants the standard claims with their types before anything else,
//! and `iat` always; what providers really put into tokens is for each provider's own mapping to judge, so claims are read
//! here as they are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::provider::Issuer;
use domain::secret::Secret;
use domain::time::Timestamp;
use domain::user::Metadata as Claims;
use openidconnect::core::CoreJwsSigningAlgorithm as Algorithm;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::super::fault::Fault;
use super::issuers::Issuers;
use super::metadata::{algorithm, is_of};

/// Longer ones are not looked at.
const LONGEST: usize = 32 * 1024;
/// How far ahead of ours an issuer's clock may be when it says "not before".
const LEEWAY: i64 = 300;
/// Where the tenants of Microsoft have their issuers, the first segment of the path.
const MICROSOFT: [&str; 4] =
    ["login.microsoftonline.com", "sts.windows.net", "login.microsoftonline.us", "login.partner.microsoftonline.cn"];

/// Why a token is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Something about it does not hold.
    Bad(&'static str),
    /// The issuer cannot be asked.
    Issuer(Fault),
}

#[derive(Deserialize)]
struct Header {
    alg: Value,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A token in its parts; nothing of it is proven.
struct Token<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

/// All claims of a token that `issuer` has signed and that is good at `now`.
pub(super) async fn verify(
    issuers: &Issuers,
    now: Timestamp,
    issuer: &Issuer,
    token: &Secret<String>,
    access_token: Option<&Secret<String>>,
) -> Result<Claims, Doubt> {
    let token = parse(token.expose()).ok_or(Doubt::Bad("not a token"))?;
    // Before anybody is asked; signature and keys prove it.
    if !text(&token.claims, "iss").is_some_and(|claimed| is_of(&issuer.issuer, claimed)) {
        return Err(Doubt::Bad("another issuer"));
    }
    in_time(&token.claims, now)?;
    let metadata = issuers.metadata(issuer).await.map_err(Doubt::Issuer)?;
    if !metadata.algorithms.contains(&token.algorithm) {
        return Err(Doubt::Bad("an algorithm that the issuer does not use"));
    }
    for renew in [false, true] {
        let keys = issuers.keys(&metadata, issuer.foreign, renew).await.map_err(Doubt::Issuer)?;
        let signed = token.signed.as_bytes();
        if let Some(key) = keys.verify(token.kid.as_deref(), &token.algorithm, signed, &token.signature) {
            let hash = access_token.and_then(|access| key.access_token_hash(&token.algorithm, access.expose()));
            return is_bound(&token.claims, access_token.is_some(), hash).map(|()| token.claims);
        }
    }
    Err(Doubt::Bad("no key of the issuer has signed it"))
}

/// For whom a token is.
pub(super) fn audiences(claims: &Claims) -> Vec<String> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A claim that is a text.
pub(super) fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str()
}

/// The issuer that a token claims to be of.
pub(super) fn claimed_issuer(token: &Secret<String>) -> Option<String> {
    text(&parse(token.expose())?.claims, "iss").map(str::to_owned)
}

fn parse(token: &str) -> Option<Token<'_>> {
    if token.len() > LONGEST {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Header = serde_json::from_slice(&decoded(header)?).ok()?;
    // A token of another kind is no ID token, whoever signed it (RFC 8725 §3.11).
    let is_other = header.typ.is_some_and(|typ| typ.to_ascii_lowercase().ends_with("+jwt"));
    if is_other || header.crit.is_some() {
        return None;
    }
    Some(Token {
        algorithm: algorithm(&header.alg)?,
        kid: header.kid.filter(|kid| !kid.is_empty()),
        claims: serde_json::from_slice(&decoded(payload)?).ok()?,
        signed,
        signature: decoded(signature)?,
    })
}

fn in_time(claims: &Claims, now: Timestamp) -> Result<(), Doubt> {
    let now = now.unix();
    let seconds = |name: &str| claims.get(name).map(|value| value.as_f64().map(|seconds| seconds as i64));
    if seconds("exp").flatten().is_none_or(|exp| now >= exp) {
        return Err(Doubt::Bad("expired"));
    }
    match seconds("nbf") {
        None => Ok(()),
        Some(Some(nbf)) if nbf <= now.saturating_add(LEEWAY) => Ok(()),
        Some(_) => Err(Doubt::Bad("not good yet")),
    }
}

/// Whether the token belongs to the access token that came with it, and to the tenant that its issuer names: all tenants of
/// Microsoft sign with the same keys.
fn is_bound(claims: &Claims, access_token: bool, hash: Option<String>) -> Result<(), Doubt> {
    let claimed = claims.get("at_hash").filter(|claimed| access_token && !claimed.is_null());
    if claimed.is_some_and(|claimed| hash.is_none() || claimed.as_str() != hash.as_deref()) {
        return Err(Doubt::Bad("of another access token"));
    }
    let tenant = text(claims, "iss").and_then(microsoft_tenant);
    if tenant.is_some_and(|tenant| text(claims, "tid") != Some(&tenant)) {
        return Err(Doubt::Bad("of another tenant"));
    }
    Ok(())
}

/// The tenant that an issuer of Microsoft's names.
fn microsoft_tenant(issuer: &str) -> Option<String> {
    let url = Url::parse(issuer).ok()?;
    let host = url.host_str()?;
    MICROSOFT.contains(&host).then(|| url.path_segments().and_then(|mut all| all.next()).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_token_needs_an_end_and_may_begin_a_little_ahead() {
        let now = Timestamp::from_unix(1_000);
        for (claimed, good) in [
            (json!({"exp": 1001}), true),
            (json!({"exp": 1001.5}), true),
            (json!({"exp": 1000}), false),
            (json!({"exp": "2000"}), false),
            (json!({}), false),
            (json!({"exp": 2000, "nbf": 1300}), true),
            (json!({"exp": 2000, "nbf": 1301}), false),
            (json!({"exp": 2000, "nbf": "x"}), false),
        ] {
            assert_eq!(in_time(&claims(claimed.clone()), now).is_ok(), good, "{claimed}");
        }
    }

    #[test]
    fn a_hash_of_another_access_token_is_refused() {
        let mine = || Some("hash".to_owned());
        assert!(is_bound(&claims(json!({"at_hash": "hash"})), true, mine()).is_ok());
        assert!(is_bound(&claims(json!({})), true, mine()).is_ok());
        assert!(is_bound(&claims(json!({"at_hash": "other"})), false, None).is_ok());
        assert!(is_bound(&claims(json!({"at_hash": "other"})), true, mine()).is_err());
        assert!(is_bound(&claims(json!({"at_hash": null})), true, mine()).is_ok());
        for claimed in [json!(7), json!(""), json!(["hash"])] {
            assert!(is_bound(&claims(json!({"at_hash": claimed})), true, mine()).is_err(), "{claimed}");
        }
        assert!(is_bound(&claims(json!({"at_hash": "hash"})), true, None).is_err());
    }

    #[test]
    fn a_tenant_of_microsoft_speaks_for_itself_only() {
        for (iss, tid, good) in [
            ("https://login.microsoftonline.com/t1/v2.0", json!("t1"), true),
            ("https://login.microsoftonline.com/t1/v2.0", json!("t2"), false),
            ("https://login.microsoftonline.com/t1/v2.0", json!(null), false),
            ("https://sts.windows.net/t1/", json!("t1"), true),
            ("https://sts.windows.net/t1/", json!("t2"), false),
            ("https://idp.example/t1/", json!("t2"), true),
        ] {
            assert_eq!(is_bound(&claims(json!({"iss": iss, "tid": tid})), false, None).is_ok(), good, "{iss} {tid}");
        }
        assert!(is_bound(&claims(json!({"iss": "https://login.microsoftonline.com/t1/v2.0"})), false, None).is_err());
    }

    #[test]
    fn audiences_are_one_or_many() {
        let of = |aud: Value| audiences(&claims(json!({"aud": aud})));
        assert_eq!(of(json!("a")), ["a"]);
        assert_eq!(of(json!(["a", 7, "b"])), ["a", "b"]);
        assert_eq!(of(json!(null)), [""; 0]);
    }

    #[test]
    fn what_is_no_id_token_is_not_looked_at_further() {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = |header: Value| format!("{}.{}.c2ln", part(header), part(json!({"iss": "i"})));
        assert!(parse(&token(json!({"alg": "RS256"}))).is_some());
        assert!(parse(&token(json!({"alg": "RS256", "typ": "JWT"}))).is_some());
        for header in [
            json!({}),
            json!({"alg": "XY256"}),
            json!({"alg": "RS256", "typ": "at+jwt"}),
            json!({"alg": "RS256", "typ": "Logout+JWT"}),
            json!({"alg": "RS256", "crit": ["b64"]}),
        ] {
            assert!(parse(&token(header.clone())).is_none(), "{header}");
        }
        assert!(parse("a.b").is_none() && parse("").is_none());
        assert!(parse(&format!("{}{}", token(json!({"alg": "RS256"})), "A".repeat(LONGEST))).is_none());
    }
}
