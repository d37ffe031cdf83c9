//! One server that plays any provider: it looks at everything a provider may look at, and misbehaves as it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::form_urlencoded;

use super::keys::Keys;
use super::oauth1;
use crate::stand_in::{self, Reply, Request, StandIn, reply};

pub(crate) const CLIENT: &str = "client-1";
pub(crate) const SECRET: &str = "s3cr=t/+";
pub(crate) const BACK: &str = "https://auth.tenant.test/callback";
pub(crate) const ACCESS: &str = "access-1";
pub(crate) const REFRESH: &str = "refresh-1";
/// When all tokens are made, seconds since the epoch.
pub(crate) const NOW: i64 = 1_800_000_000;

/// How the client must say who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Takes {
    #[default]
    Basic,
    Form,
    /// In the form, and the secret a second time.
    FormAndSecret,
}

/// What goes wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Misbehaviour {
    #[default]
    None,
    /// The endpoint for codes, or the first document, says this.
    Codes(Trouble),
    Documents(Trouble),
    /// ID tokens have these claims instead; null takes one away.
    Claims(Value),
    /// ID tokens are signed with a key of somebody else's.
    ForeignKey,
    /// No ID token comes.
    NoIdToken,
}

/// A bad answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    Status(u16),
    /// 200, with this body of this type.
    Body(&'static str, &'static str),
    Silence,
    /// A byte a second.
    Drip,
    Huge,
    /// To another place, with this status.
    Redirect(u16, String),
}

impl Trouble {
    fn reply(&self) -> Reply {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"access_token\":\"";
        match self {
            Self::Status(status) => reply(*status, &[("content-type", "application/json")], b"{}"),
            Self::Body(kind, body) => reply(200, &[("content-type", kind)], body.as_bytes()),
            Self::Silence => Reply::Silence,
            Self::Drip => Reply::Drip(head.to_vec()),
            Self::Huge => Reply::Flood(head.to_vec()),
            Self::Redirect(status, to) => stand_in::redirect(*status, to),
        }
    }
}

/// What the provider knows of its client, and what it says of the person. Addresses are without `https://`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registered {
    pub(crate) authorize: String,
    pub(crate) token: String,
    /// Addresses and answers.
    pub(crate) documents: Vec<(String, Value)>,
    /// Headers that documents are asked for with.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// Documents are asked for with a proof of the client secret.
    pub(crate) proof: bool,
    pub(crate) scope: String,
    pub(crate) takes: Takes,
    /// A challenge must come; otherwise none may.
    pub(crate) challenge: bool,
    /// A nonce must come; otherwise none may.
    pub(crate) nonce: bool,
    /// Further fields of the answer to a code.
    pub(crate) token_fields: Value,
    /// Claims of the ID token besides those of the protocol; null for none.
    pub(crate) id_token: Value,
    /// The issuer whose metadata and keys are there.
    pub(crate) issuer: String,
    /// Answers to codes are forms.
    pub(crate) form_answers: bool,
    pub(crate) oauth1: bool,
    pub(crate) misbehaviour: Misbehaviour,
}

#[derive(Default)]
struct State {
    codes: BTreeMap<String, Code>,
    /// What did not please the provider.
    complaints: Vec<String>,
}

struct Code {
    challenge: Option<String>,
    nonce: Option<String>,
}

/// The server.
pub(crate) struct Idp {
    server: StandIn,
    state: Arc<Mutex<State>>,
    keys: Arc<Keys>,
}

impl Idp {
    pub(crate) async fn start(registered: Registered) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let keys = Arc::new(Keys::new());
        let (kept, signing) = (Arc::clone(&state), Arc::clone(&keys));
        let server = StandIn::at("127.0.0.1", move |_, request| {
            let mut state = kept.lock().unwrap();
            let answered = Asked { registered: &registered, state: &mut state, keys: &signing, request }.answer();
            answered.unwrap_or_else(|complaint| {
                let body = json!({ "error": "invalid_request", "error_description": complaint });
                state.complaints.push(complaint);
                reply(400, &[("content-type", "application/json")], body.to_string().as_bytes())
            })
        })
        .await;
        Self { server, state, keys }
    }

    /// Where `https://` is.
    pub(crate) fn base(&self) -> String {
        self.server.url("/")
    }

    /// A token of the issuer's with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.keys.sign(claims)
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.state.lock().unwrap().complaints.clone()
    }

    /// Addresses that were called, without queries.
    pub(crate) fn called(&self) -> Vec<String> {
        let path = |request: Request| request.target.split('?').next().unwrap().trim_start_matches('/').to_owned();
        self.server.requests().into_iter().map(path).collect()
    }

    /// What a browser does with the address that it is sent to: the person agrees at once. The parameters it comes back with.
    pub(crate) async fn browse(&self, url: &str) -> BTreeMap<String, String> {
        let target = url.strip_prefix("https://").unwrap();
        let mut stream = TcpStream::connect(self.server.address).await.unwrap();
        stream.write_all(format!("GET /{target} HTTP/1.1\r\nhost: idp\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let query = match head.split_once("location: ") {
            Some((_, location)) => location.lines().next().unwrap().strip_prefix(&format!("{BACK}?")).unwrap(),
            None if head.starts_with("HTTP/1.1 200") => body,
            None => panic!("{body}"),
        };
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

/// One request.
struct Asked<'a> {
    registered: &'a Registered,
    state: &'a mut State,
    keys: &'a Keys,
    request: &'a Request,
}

type Outcome = Result<Reply, String>;

fn must(holds: bool, complaint: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(complaint.into()) }
}

impl Asked<'_> {
    fn answer(&mut self) -> Outcome {
        let target = self.request.target.trim_start_matches('/').to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let known = self.registered;
        let issuer = known.issuer.trim_start_matches("https://").trim_end_matches('/');
        let get = self.request.method == "GET";
        match path {
            _ if path == known.authorize && get => self.page(&query),
            _ if path == known.token && !get => self.trade(),
            _ if known.oauth1 && path == "api.twitter.com/oauth/request_token" => self.request_token(),
            _ if path == format!("{issuer}/.well-known/openid-configuration") => Ok(self.metadata()),
            _ if path == format!("{issuer}/keys") => Ok(json_reply(&self.keys.set())),
            _ => self.document(&target, &query),
        }
    }

    /// The page that the browser is sent to (RFC 6749 §4.1.1).
    fn page(&mut self, query: &BTreeMap<String, String>) -> Outcome {
        let known = self.registered;
        let given = |name: &str| query.get(name).map_or("", String::as_str);
        if known.oauth1 {
            must(given("oauth_token") == "request-1", "unknown request token")?;
            let state = self.state.codes.keys().next().cloned().ok_or("no request token was given out")?;
            let back = format!("{BACK}?state={state}&oauth_token=request-1&oauth_verifier=verifier-1");
            return Ok(stand_in::redirect(302, &back));
        }
        must(given("client_id") == CLIENT, "unknown client")?;
        must(given("redirect_uri") == BACK, "unregistered redirect URI")?;
        must(given("response_type") == "code", "response type")?;
        must(given("scope") == known.scope, format!("scope: {}", given("scope")))?;
        must(!given("state").is_empty(), "no state")?;
        must(query.contains_key("code_challenge") == known.challenge, "challenge")?;
        must(!known.challenge || given("code_challenge_method") == "S256", "challenge method")?;
        must(query.contains_key("nonce") == known.nonce, "nonce")?;
        let code = format!("code-{}", self.state.codes.len());
        let kept = Code { challenge: query.get("code_challenge").cloned(), nonce: query.get("nonce").cloned() };
        self.state.codes.insert(code.clone(), kept);
        let mut back = form_urlencoded::Serializer::new(String::new());
        back.append_pair("code", &code).append_pair("state", given("state"));
        if given("response_mode") == "form_post" {
            let user = json!({ "name": { "firstName": "Ada", "lastName": "Example" }, "email": "not@this.test" });
            back.append_pair("user", &user.to_string());
            return Ok(reply(200, &[], back.finish().as_bytes()));
        }
        Ok(stand_in::redirect(302, &format!("{BACK}?{}", back.finish())))
    }

    /// A code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.6).
    fn trade(&mut self) -> Outcome {
        let known = self.registered;
        if let Misbehaviour::Codes(trouble) = &known.misbehaviour {
            return Ok(trouble.reply());
        }
        if known.oauth1 {
            return self.trade_verifier();
        }
        let form: BTreeMap<String, String> = form_urlencoded::parse(&self.request.body).into_owned().collect();
        let given = |name: &str| form.get(name).map_or("", String::as_str);
        // The two halves are form-encoded before they are joined (RFC 6749 §2.3.1).
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET))));
        let in_head = self.request.header("authorization") == Some(&basic);
        let in_form = given("client_id") == CLIENT && given("client_secret") == SECRET;
        let known_client = match known.takes {
            Takes::Basic => in_head && !form.contains_key("client_secret"),
            Takes::Form => in_form && self.request.header("authorization").is_none(),
            Takes::FormAndSecret => in_form && given("secret") == SECRET,
        };
        if !known_client {
            return Ok(reply(401, &[("content-type", "application/json")], br#"{"error":"invalid_client"}"#));
        }
        must(given("grant_type") == "authorization_code", "grant type")?;
        must(given("redirect_uri") == BACK, "another redirect URI")?;
        let code = self.state.codes.remove(given("code")).ok_or("unknown code")?;
        let digest = form.get("code_verifier").map(|verifier| hash(verifier));
        must(digest == code.challenge, "the verifier does not fit the challenge")?;
        let mut answer = json!({ "access_token": ACCESS, "refresh_token": REFRESH, "token_type": "bearer" });
        merge(&mut answer, &known.token_fields);
        if known.misbehaviour != Misbehaviour::NoIdToken && known.id_token.is_object() {
            answer["id_token"] = Value::String(self.id_token(&code));
        }
        if known.form_answers {
            let fields = answer.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap()));
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            return Ok(reply(200, &[("content-type", "application/x-www-form-urlencoded")], body.as_bytes()));
        }
        Ok(json_reply(&answer))
    }

    fn id_token(&self, code: &Code) -> String {
        let known = self.registered;
        let mut claims = json!({
            "iss": known.issuer, "aud": CLIENT, "iat": NOW, "exp": NOW + 600, "at_hash": access_token_hash(),
        });
        if let Some(nonce) = &code.nonce {
            claims["nonce"] = Value::String(nonce.clone());
        }
        merge(&mut claims, &known.id_token);
        if let Misbehaviour::Claims(changes) = &known.misbehaviour {
            merge(&mut claims, changes);
        }
        let foreign = Keys::new();
        let keys = if known.misbehaviour == Misbehaviour::ForeignKey { &foreign } else { self.keys };
        keys.sign(&claims)
    }

    fn metadata(&self) -> Reply {
        let known = self.registered;
        let below = known.issuer.trim_end_matches('/');
        let mut metadata = json!({
            "issuer": known.issuer,
            "authorization_endpoint": format!("{below}/authorize"),
            "userinfo_endpoint": format!("{below}/userinfo"),
            "jwks_uri": format!("{below}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        // Facebook has no such endpoint.
        if !known.token.is_empty() {
            metadata["authorization_endpoint"] = format!("https://{}", known.authorize).into();
            metadata["token_endpoint"] = format!("https://{}", known.token).into();
        }
        json_reply(&metadata)
    }

    /// What the provider tells of the person.
    fn document(&mut self, target: &str, query: &BTreeMap<String, String>) -> Outcome {
        let known = self.registered;
        let proof = query.get("appsecret_proof");
        let target = proof.map_or(target, |_| target.split("&appsecret_proof=").next().unwrap());
        let (_, document) =
            known.documents.iter().find(|(at, _)| at == target).ok_or_else(|| format!("nothing at {target}"))?;
        if let Misbehaviour::Documents(trouble) = &known.misbehaviour {
            return Ok(trouble.reply());
        }
        if known.oauth1 {
            oauth1::check(self.request, "access-1", "access-secret")?;
        } else {
            let bearer = self.request.header("authorization") == Some(&format!("Bearer {ACCESS}"));
            must(bearer, "no access token")?;
        }
        for (name, value) in &known.headers {
            must(self.request.header(name) == Some(*value), format!("header {name}"))?;
        }
        must(proof.map(String::as_str) == known.proof.then_some(PROOF), "proof")?;
        Ok(json_reply(document))
    }

    fn request_token(&mut self) -> Outcome {
        let signed = oauth1::check(self.request, "", "")?;
        let back = signed.get("oauth_callback").ok_or("no callback")?;
        let state = back.strip_prefix(&format!("{BACK}?state=")).ok_or("unregistered callback")?;
        self.state.codes.insert(state.to_owned(), Code { challenge: None, nonce: None });
        Ok(reply(200, &[], b"oauth_token=request-1&oauth_token_secret=request-secret&oauth_callback_confirmed=true"))
    }

    fn trade_verifier(&mut self) -> Outcome {
        let signed = oauth1::check(self.request, "request-1", "")?;
        must(signed.get("oauth_verifier").is_some_and(|verifier| verifier == "verifier-1"), "unknown verifier")?;
        Ok(reply(200, &[], b"oauth_token=access-1&oauth_token_secret=access-secret&user_id=7"))
    }
}

/// HMAC-SHA256 of the access token under the client secret, as hex.
const PROOF: &str = "b431041351e2b385c4c1e874c57454fc7dbf6bd636e139045a23bf142314cbd6";

/// The left half of the access token's hash (OpenID Connect Core 1.0 §3.1.3.6).
pub(crate) fn access_token_hash() -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(ACCESS)[..16])
}

fn json_reply(value: &Value) -> Reply {
    stand_in::json(&value.to_string())
}

/// The S256 challenge of a verifier.
fn hash(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Sets the members of `changes` in `object`; null takes one away.
fn merge(object: &mut Value, changes: &Value) {
    let empty = Map::new();
    let object = object.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap_or(&empty) {
        match value {
            Value::Null => object.remove(name),
            value => object.insert(name.clone(), value.clone()),
        };
    }
}
