//! Public keys of credentials (RFC 9052, RFC 9053).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents, VerificationAlgorithm,
};
use coset::iana::{EllipticCurve, EnumI64, KeyType};
use coset::{CborSerializable, CoseKey, Label, RegisteredLabel, RegisteredLabelWithPrivate};

/// Labels of key parameters; their meaning depends on the type of the key.
const CURVE: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const MODULUS: i64 = -1;
const EXPONENT: i64 = -2;

/// The signature algorithms that are offered, the dearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Es256,
    Es384,
    Es512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    EdDsa,
}

impl Algorithm {
    /// All of them, as they are offered.
    pub(super) const ALL: [Self; 10] = [
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::EdDsa,
    ];

    /// The number in the COSE registry.
    pub(super) fn identifier(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::Es512 => -36,
            Self::Rs256 => -257,
            Self::Rs384 => -258,
            Self::Rs512 => -259,
            Self::Ps256 => -37,
            Self::Ps384 => -38,
            Self::Ps512 => -39,
            Self::EdDsa => -8,
        }
    }

    /// Reads the number.
    pub(super) fn of(identifier: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.identifier() == identifier)
    }

    pub(super) fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Es256 => &ECDSA_P256_SHA256_ASN1,
            Self::Es384 => &ECDSA_P384_SHA384_ASN1,
            Self::Es512 => &ECDSA_P521_SHA512_ASN1,
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::EdDsa => &ED25519,
        }
    }

    /// The curve of its keys and the bytes of a coordinate; `None` for RSA.
    fn curve(self) -> Option<(EllipticCurve, usize)> {
        match self {
            Self::Es256 => Some((EllipticCurve::P_256, 32)),
            Self::Es384 => Some((EllipticCurve::P_384, 48)),
            Self::Es512 => Some((EllipticCurve::P_521, 66)),
            Self::EdDsa => Some((EllipticCurve::Ed25519, 32)),
            _ => None,
        }
    }

    fn key_type(self) -> KeyType {
        match self {
            Self::Es256 | Self::Es384 | Self::Es512 => KeyType::EC2,
            Self::EdDsa => KeyType::OKP,
            _ => KeyType::RSA,
        }
    }
}

/// The public key of a credential, good for one algorithm.
pub(super) struct PublicKey {
    pub(super) algorithm: Algorithm,
    key: ParsedPublicKey,
    /// The point of an elliptic-curve key, uncompressed; empty for RSA.
    pub(super) point: Vec<u8>,
}

impl PublicKey {
    /// Reads a COSE key. Its type, its curve and its algorithm must belong together, a point must lie on its curve and
    /// come uncompressed, and an RSA modulus has 2048 to 8192 bits.
    pub(super) fn parse(cose: &[u8]) -> Option<Self> {
        let key = CoseKey::from_slice(cose).ok()?;
        let Some(RegisteredLabelWithPrivate::Assigned(algorithm)) = key.alg else { return None };
        let algorithm = Algorithm::of(algorithm.to_i64())?;
        if key.kty != RegisteredLabel::Assigned(algorithm.key_type()) {
            return None;
        }
        let (encoded, point) = match algorithm.curve() {
            Some((curve, length)) => {
                let point = point(&key, algorithm, curve, length)?;
                (point.clone(), point)
            }
            None => (rsa(&key)?, Vec::new()),
        };
        let key = ParsedPublicKey::new(algorithm.verification(), encoded).ok()?;
        Some(Self { algorithm, key, point })
    }

    /// Whether `signature` is one of `message` by this key.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

fn point(key: &CoseKey, algorithm: Algorithm, curve: EllipticCurve, length: usize) -> Option<Vec<u8>> {
    let named = i64::try_from(parameter(key, CURVE)?.as_integer()?).ok()?;
    if named != curve.to_i64() {
        return None;
    }
    let coordinate = |label| parameter(key, label)?.as_bytes().filter(|bytes| bytes.len() == length);
    if algorithm == Algorithm::EdDsa {
        return coordinate(X).cloned();
    }
    Some([&[0x04], coordinate(X)?.as_slice(), coordinate(Y)?.as_slice()].concat())
}

fn rsa(key: &CoseKey) -> Option<Vec<u8>> {
    let number = |label| parameter(key, label)?.as_bytes().map(|bytes| significant(bytes));
    let (n, e) = (number(MODULUS)?, number(EXPONENT)?);
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    if !(2048..=8192).contains(&bits) || e.len() > 8 {
        return None;
    }
    let der: PublicKeyX509Der<'_> = RsaPublicKeyComponents { n, e }.as_der().ok()?;
    Some(der.as_ref().to_vec())
}

/// The number without zeros at its front.
fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn parameter(key: &CoseKey, label: i64) -> Option<&ciborium::Value> {
    key.params.iter().find(|(candidate, _)| *candidate == Label::Int(label)).map(|(_, value)| value)
}
