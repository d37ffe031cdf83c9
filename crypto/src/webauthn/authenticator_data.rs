//! What an authenticator says of itself (W3C Web Authentication Level 3 §6.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::webauthn::RelyingParty;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::digest::constant_time_eq;
use crate::webauthn::cbor;
use crate::webauthn::credential::Flags;
use crate::webauthn::error::{CeremonyError, Malformed};
use crate::webauthn::session::SessionData;

/// Bytes of a credential's id, at most (§5.8.3).
pub(super) const MAX_ID: usize = 1023;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKUP_STATE: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

/// The authenticator data, and the very bytes of them that are signed.
#[derive(Clone, Debug)]
pub(super) struct AuthenticatorData {
    pub(super) raw: Vec<u8>,
    pub(super) rp_id_hash: [u8; 32],
    bits: u8,
    pub(super) sign_count: u32,
    pub(super) attested: Option<Attested>,
    extensions: Option<Vec<u8>>,
}

/// A credential as its authenticator describes it.
#[derive(Clone, Debug)]
pub(super) struct Attested {
    pub(super) aaguid: Uuid,
    pub(super) credential_id: Vec<u8>,
    /// The COSE key, as it was sent.
    pub(super) public_key: Vec<u8>,
}

impl AuthenticatorData {
    pub(super) fn parse(raw: Vec<u8>) -> Result<Self, Malformed> {
        const SHORT: Malformed = Malformed("authenticator data are too short");
        let (rp_id_hash, rest) = raw.split_first_chunk::<32>().ok_or(SHORT)?;
        let (&bits, rest) = rest.split_first().ok_or(SHORT)?;
        let (sign_count, mut rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        let attested = if bits & ATTESTED == 0 { None } else { Some(Attested::take(&mut rest)?) };
        let extensions = if bits & EXTENSIONS == 0 { None } else { Some(take_map(&mut rest)?) };
        if !rest.is_empty() {
            return Err(Malformed("authenticator data go on after their end"));
        }
        let (rp_id_hash, sign_count) = (*rp_id_hash, u32::from_be_bytes(*sign_count));
        Ok(Self { rp_id_hash, bits, sign_count, attested, extensions, raw })
    }

    pub(super) fn flags(&self) -> Flags {
        let is_set = |bit| self.bits & bit != 0;
        Flags {
            user_present: is_set(USER_PRESENT),
            user_verified: is_set(USER_VERIFIED),
            backup_eligible: is_set(BACKUP_ELIGIBLE),
            backup_state: is_set(BACKUP_STATE),
        }
    }

    /// Whether the authenticator answered for `party` in the way that `session` asks for.
    pub(super) fn check(&self, party: &RelyingParty, session: &SessionData) -> Result<(), CeremonyError> {
        if !constant_time_eq(&self.rp_id_hash, &Sha256::digest(&party.id)) {
            return Err(CeremonyError::RelyingParty);
        }
        let flags = self.flags();
        if !flags.user_present {
            return Err(CeremonyError::UserPresence);
        }
        if session.requires_user_verification() && !flags.user_verified {
            return Err(CeremonyError::UserVerification);
        }
        if flags.backup_state && !flags.backup_eligible {
            return Err(CeremonyError::Backup);
        }
        Ok(())
    }

    pub(super) fn shown(&self) -> Value {
        let attested = self.attested.as_ref();
        json!({
            "rpid": STANDARD.encode(self.rp_id_hash),
            "flags": self.bits,
            "sign_count": self.sign_count,
            "att_data": {
                "aaguid": attested.map(|attested| STANDARD.encode(attested.aaguid.as_bytes())),
                "credential_id": attested.map(|attested| STANDARD.encode(&attested.credential_id)),
                "public_key": attested.map(|attested| STANDARD.encode(&attested.public_key)),
            },
            "ext_data": self.extensions.as_ref().map(|bytes| STANDARD.encode(bytes)),
        })
    }
}

impl Attested {
    fn take(rest: &mut &[u8]) -> Result<Self, Malformed> {
        const SHORT: Malformed = Malformed("attested credential data are too short");
        let (aaguid, after) = rest.split_first_chunk::<16>().ok_or(SHORT)?;
        let (length, after) = after.split_first_chunk::<2>().ok_or(SHORT)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > MAX_ID {
            return Err(Malformed("credential id is empty or too long"));
        }
        let (credential_id, after) = after.split_at_checked(length).ok_or(SHORT)?;
        *rest = after;
        let public_key = take_map(rest)?;
        Ok(Self { aaguid: Uuid::from_bytes(*aaguid), credential_id: credential_id.to_vec(), public_key })
    }
}

/// The bytes of the CBOR map at the start of `rest`, which moves on to what follows.
fn take_map(rest: &mut &[u8]) -> Result<Vec<u8>, Malformed> {
    const BROKEN: Malformed = Malformed("authenticator data hold no cbor map where one must be");
    let start = *rest;
    let item = cbor::take(rest).filter(ciborium::Value::is_map);
    item.ok_or(BROKEN)?;
    start.get(..start.len() - rest.len()).map(<[u8]>::to_vec).ok_or(BROKEN)
}
