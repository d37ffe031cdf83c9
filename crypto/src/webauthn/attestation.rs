//! Attestation statements (W3C Web Authentication Level 3 §8).
//!
//! Nothing is ever concluded from one: no root of trust is configured, and a credential with a valid statement is worth
//! as much as one without. Statements of the common formats must hold all the same, as a wrong one is a sign of
//! tampering; other formats are not looked into.

use aws_lc_rs::signature::UnparsedPublicKey;
use ciborium::Value;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use crate::webauthn::authenticator_data::{Attested, AuthenticatorData};
use crate::webauthn::cbor;
use crate::webauthn::cose::{Algorithm, PublicKey};

/// The extension that names the model of an authenticator: 1.3.6.1.4.1.45724.1.1.4.
const AAGUID_EXTENSION: &str = "1.3.6.1.4.1.45724.1.1.4";

/// What a statement is about.
pub(super) struct Subject<'a> {
    pub(super) data: &'a AuthenticatorData,
    pub(super) attested: &'a Attested,
    pub(super) key: &'a PublicKey,
    pub(super) client_data_hash: [u8; 32],
}

/// Whether a statement of `format` holds. Formats that we do not know hold.
pub(super) fn holds(format: &str, statement: &Value, subject: &Subject<'_>) -> bool {
    match format {
        "none" => statement.as_map().is_some_and(Vec::is_empty),
        "packed" => packed(statement, subject).is_some(),
        "fido-u2f" => fido_u2f(statement, subject).is_some(),
        _ => true,
    }
}

/// §8.2: signed by the credential itself or by a certificate of the maker.
fn packed(statement: &Value, subject: &Subject<'_>) -> Option<()> {
    let algorithm = i64::try_from(cbor::get(statement, "alg")?.as_integer()?).ok().and_then(Algorithm::of)?;
    let signature = cbor::get(statement, "sig")?.as_bytes()?;
    let message = [subject.data.raw.as_slice(), &subject.client_data_hash].concat();
    let Some(chain) = cbor::get(statement, "x5c") else {
        // A second key `x5c`, and the retired form with an ECDAA key, are no self attestations.
        let only = statement.as_map()?.len() == 2;
        let own = only && algorithm == subject.key.algorithm && subject.key.verifies(&message, signature);
        return own.then_some(());
    };
    let leaf = chain.as_array()?.first()?.as_bytes()?;
    let certificate = certificate(leaf)?;
    is_attestation_certificate(&certificate, subject.attested).then_some(())?;
    verified(&certificate, algorithm, &message, signature)
}

/// §8.6: the form of the first security keys.
fn fido_u2f(statement: &Value, subject: &Subject<'_>) -> Option<()> {
    let signature = cbor::get(statement, "sig")?.as_bytes()?;
    let [leaf] = cbor::get(statement, "x5c")?.as_array()?.as_slice() else { return None };
    let certificate = certificate(leaf.as_bytes()?)?;
    let usable = subject.key.algorithm == Algorithm::Es256 && subject.attested.aaguid.is_nil();
    usable.then_some(())?;
    let message = [
        &[0x00],
        subject.data.rp_id_hash.as_slice(),
        &subject.client_data_hash,
        &subject.attested.credential_id,
        &subject.key.point,
    ]
    .concat();
    verified(&certificate, Algorithm::Es256, &message, signature)
}

fn certificate(der: &[u8]) -> Option<X509Certificate<'_>> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(certificate)
}

fn verified(certificate: &X509Certificate<'_>, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<()> {
    let key = certificate.public_key().subject_public_key.data.as_ref();
    UnparsedPublicKey::new(algorithm.verification(), key).verify(message, signature).ok()
}

/// §8.2.1, as much of it as can be told without a root of trust.
fn is_attestation_certificate(certificate: &X509Certificate<'_>, attested: &Attested) -> bool {
    let units = certificate.subject().iter_organizational_unit();
    let named = units.filter_map(|unit| unit.as_str().ok()).any(|unit| unit == "Authenticator Attestation");
    let authority = certificate.basic_constraints().map_or(true, |found| found.is_some_and(|found| found.value.ca));
    let model = certificate.extensions().iter().find(|extension| extension.oid.to_id_string() == AAGUID_EXTENSION);
    // The value is an octet string of 16 bytes: a tag, a length, the model.
    let same_model = model.is_none_or(|model| {
        !model.critical && model.value.strip_prefix(&[0x04, 16]) == Some(attested.aaguid.as_bytes().as_slice())
    });
    certificate.version() == X509Version::V3 && named && !authority && same_model
}
