//! Signatures of OAuth 1.0a, as a provider checks them (RFC 5849 §3.2).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use url::form_urlencoded;

use super::idp::{CLIENT, NOW, SECRET};
use crate::stand_in::Request;

/// The parameters of the `Authorization` header, when its signature holds for this token.
pub(crate) fn check(request: &Request, token: &str, token_secret: &str) -> Result<BTreeMap<String, String>, String> {
    let header = request.header("authorization").and_then(|header| header.strip_prefix("OAuth ")).ok_or("no header")?;
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for parameter in header.split(", ") {
        let (name, value) = parameter.split_once('=').ok_or("no parameter")?;
        given.insert(name.to_owned(), decode(value.trim_matches('"')));
    }
    let signature = given.remove("oauth_signature").ok_or("no signature")?;
    let is = |name: &str, value: &str| given.get(name).map_or("", String::as_str) == value;
    let fresh = is("oauth_timestamp", &NOW.to_string()) && !is("oauth_nonce", "");
    if !is("oauth_consumer_key", CLIENT) || !is("oauth_token", token) || !fresh {
        return Err("consumer, token, time or nonce".to_owned());
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut all: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .chain(given.clone())
        .map(|(name, value)| format!("{}={}", encode(&name), encode(&value)))
        .collect();
    all.sort();
    let address = format!("https://{}", path.trim_start_matches('/'));
    let base = format!("{}&{}&{}", request.method, encode(&address), encode(&all.join("&")));
    let key = format!("{}&{}", encode(SECRET), encode(token_secret));
    let mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap().chain_update(base).finalize();
    if STANDARD.encode(mac.into_bytes()) == signature { Ok(given) } else { Err("signature".to_owned()) }
}

fn encode(text: &str) -> String {
    let spared = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| if spared(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

fn decode(text: &str) -> String {
    let kept = text.replace('+', "%2B");
    form_urlencoded::parse(format!("v={kept}").as_bytes()).map(|(_, value)| value.into_owned()).collect()
}
