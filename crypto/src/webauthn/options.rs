//! What a browser is asked for.

use domain::config::UserVerification;
use domain::entropy::Entropy;
use domain::ids::UserId;
use domain::time::Timestamp;
use domain::webauthn::{Purpose, RelyingParty, UserEntity};
use serde_json::{Value, json};

use crate::bytes::base64url;
use crate::webauthn::cose::Algorithm;
use crate::webauthn::session::{Bytes, CredentialParameter, SessionData};

/// Milliseconds that a browser waits for the authenticator.
const TIMEOUT: u32 = 300_000;

/// A ceremony that has begun.
#[derive(Clone, Debug)]
pub struct Started {
    /// `PublicKeyCredentialCreationOptions` or `PublicKeyCredentialRequestOptions` as JSON, without `publicKey` around
    /// them.
    pub options: Value,
    /// What is kept with the challenge.
    pub session: SessionData,
}

/// A credential that is named in options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its id.
    pub id: Vec<u8>,
    /// How it can be reached, as it told when it was made.
    pub transports: Vec<String>,
}

/// How credentials name a user: the bytes of the id as text.
pub fn user_handle(user: UserId) -> Vec<u8> {
    user.to_string().into_bytes()
}

/// The user whom a handle names.
pub fn user_of_handle(handle: &[u8]) -> Option<UserId> {
    let id: UserId = std::str::from_utf8(handle).ok()?.parse::<uuid::Uuid>().ok()?.into();
    (user_handle(id) == handle).then_some(id)
}

/// A credential is to be made for `user`, on an authenticator that holds none of the `existing` ones. A passkey is
/// discoverable and comes without attestation. A second factor asks for user verification only where it is required.
pub fn start_registration(
    purpose: Purpose,
    party: &RelyingParty,
    user: &UserEntity,
    existing: &[Descriptor],
    verification: UserVerification,
    expires: Timestamp,
    entropy: &dyn Entropy,
) -> Started {
    let handle = user_handle(user.id);
    let mut session = session(purpose, party, handle.clone(), verification, expires, entropy);
    session.cred_params = Algorithm::ALL
        .map(|algorithm| CredentialParameter { kind: "public-key".to_owned(), alg: algorithm.identifier() })
        .to_vec();
    let mut options = json!({
        "rp": { "name": party.name, "id": party.id },
        "user": { "name": user.name, "displayName": user.display_name, "id": base64url(handle) },
        "challenge": session.challenge,
        "pubKeyCredParams": session.cred_params,
        "timeout": TIMEOUT,
        "authenticatorSelection": {},
    });
    let excluded: Vec<Value> = existing.iter().map(|credential| excluded(purpose, credential)).collect();
    if !excluded.is_empty() {
        set(&mut options, "excludeCredentials", excluded.into());
    }
    let selection = options.get_mut("authenticatorSelection");
    if let Some(selection) = selection {
        if purpose == Purpose::Passkey {
            set(selection, "residentKey", "required".into());
        }
        if !session.user_verification.is_empty() {
            set(selection, "userVerification", session.user_verification.clone().into());
        }
    }
    if purpose == Purpose::Passkey {
        set(&mut options, "attestation", "none".into());
    }
    Started { options, session }
}

/// A credential is to prove itself: one of the `allowed` ones, or any when there are none. Without a `user` the answer
/// names one.
pub fn start_authentication(
    purpose: Purpose,
    party: &RelyingParty,
    user: Option<UserId>,
    allowed: &[Descriptor],
    verification: UserVerification,
    expires: Timestamp,
    entropy: &dyn Entropy,
) -> Started {
    let handle = user.map(user_handle).unwrap_or_default();
    let mut session = session(purpose, party, handle, verification, expires, entropy);
    session.allowed_credentials = allowed.iter().map(|credential| Bytes(credential.id.clone())).collect();
    let mut options = json!({ "challenge": session.challenge, "timeout": TIMEOUT, "rpId": party.id });
    if !allowed.is_empty() {
        let allowed: Vec<Value> = allowed.iter().map(|credential| shown(credential, &credential.transports)).collect();
        set(&mut options, "allowCredentials", allowed.into());
    }
    if !session.user_verification.is_empty() {
        set(&mut options, "userVerification", session.user_verification.clone().into());
    }
    Started { options, session }
}

fn session(
    purpose: Purpose,
    party: &RelyingParty,
    handle: Vec<u8>,
    verification: UserVerification,
    expires: Timestamp,
    entropy: &dyn Entropy,
) -> SessionData {
    let said = purpose == Purpose::Passkey || verification == UserVerification::Required;
    SessionData {
        challenge: base64url(entropy.bytes::<32>()),
        rp_id: party.id.clone(),
        user_id: Bytes(handle),
        allowed_credentials: Vec::new(),
        expires,
        user_verification: if said { verification.as_str().to_owned() } else { String::new() },
        extensions: Value::Null,
        cred_params: Vec::new(),
        mediation: String::new(),
    }
}

/// Second factors are excluded as security keys, wherever they are (as recorded); passkeys by their id alone.
fn excluded(purpose: Purpose, credential: &Descriptor) -> Value {
    match purpose {
        Purpose::SecondFactor => shown(credential, &["usb".to_owned(), "nfc".to_owned()]),
        Purpose::Passkey => shown(credential, &[]),
    }
}

fn shown(credential: &Descriptor, transports: &[String]) -> Value {
    let mut shown = json!({ "type": "public-key", "id": base64url(&credential.id) });
    if !transports.is_empty() {
        set(&mut shown, "transports", transports.into());
    }
    shown
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
