//! The numbers of an RSA private key (RFC 8017 §A.1.2), which the cryptographic library hands out as PKCS #8 alone.

use zeroize::Zeroizing;

/// `n`, `e`, `d`, `p`, `q`, `dp`, `dq`, `qi`, big-endian without leading zeros.
pub(super) type RsaNumbers = [Zeroizing<Vec<u8>>; 8];

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// Reads a PKCS #8 document (RFC 5208) in DER.
pub(super) fn from_pkcs8(document: &[u8]) -> Option<RsaNumbers> {
    let (mut info, _) = element(document, SEQUENCE)?;
    for tag in [INTEGER, SEQUENCE] {
        (_, info) = element(info, tag)?;
    }
    let (key, _) = element(info, OCTETS)?;
    let (key, _) = element(key, SEQUENCE)?;
    let (_, mut rest) = element(key, INTEGER)?;
    let mut numbers = RsaNumbers::default();
    for number in &mut numbers {
        let (bytes, after) = element(rest, INTEGER)?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        *number = Zeroizing::new(bytes.get(zeros..)?.to_vec());
        rest = after;
    }
    Some(numbers)
}

/// Splits the element with this tag off the front: its content, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk()?;
    if found != tag {
        return None;
    }
    if length < 0x80 {
        return rest.split_at_checked(length.into());
    }
    let (length, rest) = rest.split_at_checked((length & 0x7f).into())?;
    if length.len() > 4 {
        return None;
    }
    let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_documents_are_refused() {
        for document in [&[][..], &[0x30], &[0x30, 0x03, 0x02, 0x01], &[0x30, 0x85, 1, 1, 1, 1, 1], &[0x02, 0x00]] {
            assert!(from_pkcs8(document).is_none(), "{document:?}");
        }
    }
}
