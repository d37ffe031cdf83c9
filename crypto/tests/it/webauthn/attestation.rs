//! Statements about where a credential comes from.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use ciborium::Value as Cbor;
use crypto::webauthn::{CeremonyError, Registration};
use domain::config::UserVerification;
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, PKCS_ECDSA_P256_SHA256};
use sha2::{Digest, Sha256};

use super::authenticator::{Authenticator, Script, bytes, map};
use super::{party, registering};

const MODEL: [u8; 16] = [0x5a; 16];
const MODEL_EXTENSION: [u64; 9] = [1, 3, 6, 1, 4, 1, 45724, 1, 1];

/// A maker of authenticators with one certificate.
pub(super) struct Maker {
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
}

impl Maker {
    pub(super) fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        params.is_ca = IsCa::ExplicitNoCa;
        params.custom_extensions.push(model_extension(MODEL));
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der()).unwrap();
        Self { key, certificate }
    }

    fn sign(&self, message: &[u8]) -> Cbor {
        bytes(self.key.sign(&SystemRandom::new(), message).unwrap())
    }

    fn chain(&self) -> Cbor {
        Cbor::Array(vec![bytes(&self.certificate)])
    }
}

fn model_extension(model: [u8; 16]) -> CustomExtension {
    let oid: Vec<u64> = MODEL_EXTENSION.into_iter().chain([4]).collect();
    CustomExtension::from_oid_content(&oid, [&[0x04, 16], model.as_slice()].concat())
}

fn verdict(authenticator: &Authenticator, change: impl FnOnce(&mut Script)) -> Result<String, CeremonyError> {
    let started = registering(UserVerification::Preferred);
    let posted = authenticator.create(&started, change);
    let credential = Registration::parse(&posted).unwrap().verify(&party(), &started.session)?;
    Ok(credential.attestation_format)
}

fn stated(format: &str, statement: impl Fn(&[u8], &[u8]) -> Cbor + 'static) -> impl FnOnce(&mut Script) {
    let format = format.to_owned();
    move |script| {
        script.format = format;
        script.statement = Box::new(statement);
    }
}

/// A statement by the maker's certificate.
pub(super) fn packed(maker: Maker) -> impl FnOnce(&mut Script) {
    stated("packed", move |data, hash| {
        map([("alg", (-7).into()), ("sig", maker.sign(&[data, hash].concat())), ("x5c", maker.chain())])
    })
}

pub(super) fn modelled(algorithm: i64) -> Authenticator {
    let mut authenticator = Authenticator::new(algorithm);
    authenticator.aaguid = MODEL;
    authenticator
}

#[test]
fn no_attestation_states_nothing() {
    let statement = stated("none", |_, _| map([("alg", (-7).into())]));
    assert_eq!(verdict(&Authenticator::new(-7), statement), Err(CeremonyError::Attestation));
}

#[test]
fn a_credential_may_sign_for_itself() {
    for algorithm in [-7, -8, -257] {
        let signer = std::rc::Rc::new(Authenticator::new(algorithm));
        let own = signer.clone();
        let statement = stated("packed", move |data, hash| {
            map([("alg", algorithm.into()), ("sig", bytes(own.sign(&[data, hash].concat())))])
        });
        assert_eq!(verdict(&signer, statement).as_deref(), Ok("packed"), "{algorithm}");
    }
}

#[test]
fn a_wrong_self_attestation_is_refused() {
    let authenticator = Authenticator::new(-7);
    type Statement = fn(&[u8], &[u8]) -> Cbor;
    let wrong: [Statement; 4] = [
        |data, hash| map([("alg", (-7).into()), ("sig", bytes(Authenticator::new(-7).sign(&[data, hash].concat())))]),
        |_, _| map([("alg", (-7).into()), ("sig", bytes([]))]),
        |_, _| map([("alg", (-65535).into()), ("sig", bytes([1]))]),
        |_, _| Cbor::Map(Vec::new()),
    ];
    for statement in wrong {
        assert_eq!(verdict(&authenticator, stated("packed", statement)), Err(CeremonyError::Attestation));
    }
}

#[test]
fn a_self_attestation_is_of_the_key_s_own_algorithm() {
    let signer = std::rc::Rc::new(Authenticator::new(-257));
    let own = signer.clone();
    let statement = stated("packed", move |data, hash| {
        map([("alg", (-258).into()), ("sig", bytes(own.sign(&[data, hash].concat())))])
    });
    assert_eq!(verdict(&signer, statement), Err(CeremonyError::Attestation));
}

#[test]
fn a_retired_statement_with_an_ecdaa_key_is_refused() {
    let signer = std::rc::Rc::new(Authenticator::new(-7));
    let own = signer.clone();
    let statement = stated("packed", move |data, hash| {
        let signature = bytes(own.sign(&[data, hash].concat()));
        map([("alg", (-7).into()), ("sig", signature), ("ecdaaKeyId", bytes([1]))])
    });
    assert_eq!(verdict(&signer, statement), Err(CeremonyError::Attestation));
}

#[test]
fn a_certificate_may_sign() {
    assert_eq!(verdict(&modelled(-7), packed(Maker::new(|_| {}))).as_deref(), Ok("packed"));
    let of_no_model = Maker::new(|params| params.custom_extensions.clear());
    assert_eq!(verdict(&modelled(-8), packed(of_no_model)).as_deref(), Ok("packed"));
}

#[test]
fn a_certificate_that_is_none_of_authenticators_is_refused() {
    let nameless = Maker::new(|params| {
        params.distinguished_name.remove(DnType::OrganizationalUnitName);
    });
    let authority = Maker::new(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let other_model = Maker::new(|params| params.custom_extensions = vec![model_extension([0x5b; 16])]);
    let mut broken = Maker::new(|_| {});
    broken.certificate.truncate(100);
    let mut longer = Maker::new(|_| {});
    longer.certificate.push(0);
    let mut foreign = Maker::new(|_| {});
    foreign.certificate = Maker::new(|_| {}).certificate;
    for (name, maker) in [
        ("nameless", nameless),
        ("authority", authority),
        ("other model", other_model),
        ("broken", broken),
        ("longer", longer),
        ("foreign key", foreign),
    ] {
        assert_eq!(verdict(&modelled(-7), packed(maker)), Err(CeremonyError::Attestation), "{name}");
    }
}

/// What a first security key signs: the point stands in the COSE key at two fixed places.
fn u2f(authenticator: &Authenticator, maker: Maker) -> impl FnOnce(&mut Script) + use<> {
    let parameters = authenticator.parameters();
    let coordinate = |label: i64| {
        parameters.iter().find(|(key, _)| *key == label).and_then(|(_, value)| value.as_bytes()).cloned().unwrap()
    };
    let point = [&[0x04], coordinate(-2).as_slice(), &coordinate(-3)].concat();
    let id = authenticator.id.clone();
    stated("fido-u2f", move |_, hash| {
        let rp_id_hash = Sha256::digest("example.com");
        let message = [&[0x00], rp_id_hash.as_slice(), hash, &id, &point].concat();
        map([("sig", maker.sign(&message)), ("x5c", maker.chain())])
    })
}

#[test]
fn a_first_security_key_is_believed_to_be_one() {
    let authenticator = Authenticator::new(-7);
    assert_eq!(verdict(&authenticator, u2f(&authenticator, Maker::new(|_| {}))).as_deref(), Ok("fido-u2f"));
    let modern = modelled(-7);
    assert_eq!(verdict(&modern, u2f(&modern, Maker::new(|_| {}))), Err(CeremonyError::Attestation));
    let mut foreign = Maker::new(|_| {});
    foreign.certificate = Maker::new(|_| {}).certificate;
    assert_eq!(verdict(&authenticator, u2f(&authenticator, foreign)), Err(CeremonyError::Attestation));
    let chain = stated("fido-u2f", |_, _| map([("sig", bytes([1])), ("x5c", Cbor::Array(Vec::new()))]));
    assert_eq!(verdict(&authenticator, chain), Err(CeremonyError::Attestation));
}

#[test]
fn other_formats_are_kept_and_not_looked_into() {
    for format in ["tpm", "android-key", "apple", "future"] {
        let statement = stated(format, |_, _| map([("anything", bytes([0]))]));
        assert_eq!(verdict(&Authenticator::new(-7), statement).as_deref(), Ok(format));
    }
}
