//! OAuth 1.0a (RFC 5849) as Twitter speaks it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::provider::{Connection, Departure, ProviderTokens, Return, SignedIn};
use domain::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha1::Sha1;
use url::{Url, form_urlencoded};

use super::ProviderError;
use super::call::body;
use super::endpoints::Endpoints;
use super::fault::Fault;
use super::plan::{Plan, Sources, TokenAnswer};
use crate::http::HttpClient;

/// What makes each signature another one.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    /// Seconds since the epoch.
    pub(super) now: i64,
    /// Random text of letters and digits.
    pub(super) nonce: &'a str,
}

/// Asks for a request token and says where the browser goes with it. The state travels in the address it comes back to.
pub(super) async fn depart(
    client: &HttpClient,
    endpoints: &Endpoints,
    connection: &Connection,
    departure: &Departure,
    base: &str,
    moment: Moment<'_>,
) -> Result<String, Fault> {
    let mut back = Url::parse(&connection.redirect_uri).map_err(|_| Fault::answer(ProviderError::Unavailable))?;
    back.query_pairs_mut().append_pair("state", &departure.state);
    let url = format!("{base}/oauth/request_token");
    let signed = Signer { connection, token: "", token_secret: "", moment };
    let header = signed.header("POST", &url, &[("oauth_callback", back.as_str())]);
    let answer =
        body(client.post(&endpoints.at(&url)).authorization("OAuth", &header), ProviderError::Unavailable).await?;
    let answer = Form::read(&answer);
    let token = answer.get("oauth_token");
    if token.is_empty() || answer.get("oauth_callback_confirmed") != "true" {
        return Err(Fault::answer(ProviderError::Unavailable));
    }
    Ok(format!("{base}/oauth/authenticate?oauth_token={}", encoded(token)))
}

/// An access token, which requests are signed with.
pub(super) struct Granted {
    token: String,
    secret: Secret<String>,
}

/// Trades the verifier for an access token. The secret of the request token is not kept anywhere, and Twitter does not ask for
/// it: the verifier is the proof.
pub(super) async fn trade(
    client: &HttpClient,
    endpoints: &Endpoints,
    connection: &Connection,
    back: &Return,
    base: &str,
    moment: Moment<'_>,
) -> Result<Granted, Fault> {
    let code = || Fault::answer(ProviderError::Code);
    if back.oauth_token.is_empty() || back.code.expose().is_empty() {
        return Err(code());
    }
    let url = format!("{base}/oauth/access_token");
    let signed = Signer { connection, token: &back.oauth_token, token_secret: "", moment };
    let header = signed.header("POST", &url, &[("oauth_verifier", back.code.expose())]);
    let answer = body(client.post(&endpoints.at(&url)).authorization("OAuth", &header), ProviderError::Code).await?;
    let answer = Form::read(&answer);
    let (token, secret) = (answer.get("oauth_token"), answer.get("oauth_token_secret"));
    if token.is_empty() {
        return Err(code());
    }
    Ok(Granted { token: token.to_owned(), secret: Secret::new(secret.to_owned()) })
}

/// Asks who has signed in.
pub(super) async fn arrive(
    client: &HttpClient,
    endpoints: &Endpoints,
    connection: &Connection,
    granted: &Granted,
    moment: Moment<'_>,
) -> Result<SignedIn, Fault> {
    let signed = Signer { connection, token: &granted.token, token_secret: granted.secret.expose(), moment };
    let answer = TokenAnswer {
        access_token: Secret::new(granted.token.clone()),
        refresh_token: Secret::default(),
        id_token: None,
        json: Value::Null,
    };
    let plan = Plan::of(connection);
    let mut documents = Vec::new();
    for request in plan.requests(&answer, None, false) {
        let header = signed.header("GET", &request.url, &[]);
        let call = client.get(&endpoints.at(&request.url)).authorization("OAuth", &header);
        let document = body(call, ProviderError::Profile).await?;
        documents.push(serde_json::from_slice(&document).map_err(|_| Fault::answer(ProviderError::Profile))?);
    }
    let sources = Sources { token: &answer.json, documents: &documents, id_token: None, user: "" };
    let profile = plan.profile(&sources).map_err(Fault::answer)?;
    let tokens = ProviderTokens { access_token: answer.access_token, refresh_token: answer.refresh_token };
    Ok(SignedIn { profile, tokens })
}

/// The fields of an answer. Those that occur twice count once.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }
}

/// Who signs with what.
struct Signer<'a> {
    connection: &'a Connection,
    token: &'a str,
    token_secret: &'a str,
    moment: Moment<'a>,
}

impl Signer<'_> {
    /// What follows `OAuth` in the header (RFC 5849 §3.5.1).
    fn header(&self, method: &str, url: &str, further: &[(&str, &str)]) -> Secret<String> {
        let settings = &self.connection.settings;
        let now = self.moment.now.to_string();
        let mut protocol = vec![
            ("oauth_consumer_key", settings.client_ids.first().map_or("", String::as_str)),
            ("oauth_nonce", self.moment.nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", now.as_str()),
            ("oauth_version", "1.0"),
        ];
        if !self.token.is_empty() {
            protocol.push(("oauth_token", self.token));
        }
        protocol.extend(further);
        let base = signature_base(method, url, &protocol);
        let signature = signature(&base, settings.secret.expose(), self.token_secret);
        protocol.push(("oauth_signature", &signature));
        let all: Vec<String> = protocol.iter().map(|(name, value)| format!("{name}=\"{}\"", encoded(value))).collect();
        Secret::new(all.join(", "))
    }
}

/// The text that is signed (RFC 5849 §3.4.1): method, address, and all parameters in order.
fn signature_base(method: &str, url: &str, protocol: &[(&str, &str)]) -> String {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let mut all: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .chain(protocol.iter().map(|(name, value)| (encoded(name), encoded(value))))
        .collect();
    all.sort();
    let all: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{method}&{}&{}", encoded(address), encoded(&all.join("&")))
}

/// HMAC-SHA1 (RFC 5849 §3.4.2).
fn signature(base: &str, client_secret: &str, token_secret: &str) -> String {
    let key = format!("{}&{}", encoded(client_secret), encoded(token_secret));
    let signed = Hmac::<Sha1>::new_from_slice(key.as_bytes()).map(|mac| mac.chain_update(base).finalize().into_bytes());
    signed.map(|bytes| STANDARD.encode(bytes)).unwrap_or_default()
}

/// Percent-encoding (RFC 5849 §3.6): everything but letters, digits, `-`, `.`, `_` and `~`.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 5849 §1.2, requesting a protected resource.
    #[test]
    fn signs_as_the_rfc_does() {
        let base = signature_base(
            "GET",
            "http://photos.example.net/photos?file=vacation.jpg&size=original",
            &[
                ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
                ("oauth_token", "nnch734d00sl2jdk"),
                ("oauth_signature_method", "HMAC-SHA1"),
                ("oauth_timestamp", "137131202"),
                ("oauth_nonce", "chapoH"),
            ],
        );
        assert_eq!(signature(&base, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00"), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    }

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(encoded("Ladies + Gentlemen-._~ä"), "Ladies%20%2B%20Gentlemen-._~%C3%A4");
    }
}
