//! Refresh tokens: the vectors of the contract, and that nothing else passes.

use crypto::refresh_token::{Bound, Malformed, RefreshToken, decode_hmac_key, issue, new_stored};
use domain::ids::SessionId;
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::Repeatable;

const VECTORS: [(i64, &str); 5] = [
    (0, "ABEREREiIkMzhERVVVVVVVUAI-IcsaseXEKS7q68JAgmU-80L2M"),
    (1, "ABEREREiIkMzhERVVVVVVVUBpozOYVM-sPhnYYTBWpQpN52uNiY"),
    (127, "ABEREREiIkMzhERVVVVVVVV_DoKMAtgL2BLkGnCN7zt03TRKutc"),
    (128, "ABEREREiIkMzhERVVVVVVVWAAe7PGNiO7NAJ0pIX0qyR-ysJW7oj"),
    (300, "ABEREREiIkMzhERVVVVVVVWsAg7ZC0vLuQzqLzMCy_Bbh8fZrB2g"),
];

fn key() -> [u8; 32] {
    std::array::from_fn(|index| index as u8)
}

fn session() -> SessionId {
    SessionId("11111111-2222-4333-8444-555555555555".parse().unwrap())
}

fn bound(text: &str) -> Bound {
    match RefreshToken::parse(text) {
        Ok(RefreshToken::Bound(bound)) => bound,
        Ok(RefreshToken::Stored(_)) => panic!("{text} read as stored"),
        Err(Malformed) => panic!("{text} refused"),
    }
}

fn is_malformed(text: &str) -> bool {
    RefreshToken::parse(text).is_err()
}

#[test]
fn vectors_are_issued_and_read() {
    for (counter, text) in VECTORS {
        assert_eq!(issue(session(), counter, &key()).expose(), text);
        let token = bound(text);
        assert_eq!((token.session(), token.counter()), (session(), counter));
        assert!(token.verify(&key()));
    }
}

#[test]
fn another_key_does_not_verify() {
    let mut other = key();
    other[31] ^= 1;
    assert!(!bound(VECTORS[0].1).verify(&other));
}

#[test]
fn spare_bits_of_the_last_character_are_not_looked_at() {
    // 38 bytes take 51 characters, of which the last has two bits to spare.
    let (first, last) = VECTORS[0].1.split_at(50);
    assert_eq!(last, "M");
    for alias in ["N", "O", "P"] {
        assert!(bound(&format!("{first}{alias}")).verify(&key()));
    }
    assert!(is_malformed(&format!("{first}Q")));
}

#[test]
fn padding_is_refused() {
    assert!(is_malformed(&format!("{}=", VECTORS[0].1)));
}

#[test]
fn stored_tokens_are_twelve_lower_case_letters_and_digits() {
    for text in ["abcdefghijkl", "234567234567", "a1b8c9d0e1f2"] {
        assert!(matches!(RefreshToken::parse(text), Ok(RefreshToken::Stored(found)) if found == text));
    }
    for text in ["", "abcdefghijk", "abcdefghijkL", "abcdefghijk-", "abcdefghijkla", "ééé ééé", "abcdefghij\0a"] {
        assert!(is_malformed(text), "{text:?}");
    }
}

#[test]
fn new_stored_tokens_are_base32_and_unlike_each_other() {
    let entropy = Repeatable::seeded(1);
    let tokens: std::collections::HashSet<String> = (0..1000).map(|_| new_stored(&entropy).into_inner()).collect();
    assert_eq!(tokens.len(), 1000);
    let mut seen = std::collections::BTreeSet::new();
    for token in &tokens {
        assert!(matches!(RefreshToken::parse(token), Ok(RefreshToken::Stored(_))), "{token}");
        seen.extend(token.chars());
    }
    assert_eq!(seen.into_iter().collect::<String>(), "234567abcdefghijklmnopqrstuvwxyz");
}

#[test]
fn keys_of_adopted_sessions_are_read() {
    let text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    assert_eq!(decode_hmac_key(text), Some(key()));
    assert_eq!(decode_hmac_key(&format!("{text}=")), Some(key()));
    for text in ["", "AAEC", "{\"key_id\":\"1\"}", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ"] {
        assert_eq!(decode_hmac_key(text), None, "{text}");
    }
}

/// A token with a right checksum and a right signature over whatever stands before them.
fn forge(signed: &[u8]) -> String {
    use base64::Engine;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};
    let mut bytes = signed.to_vec();
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key()).unwrap().chain_update(signed).finalize().into_bytes();
    bytes.extend_from_slice(&mac[..16]);
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum[..4]);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn counters_are_one_to_nine_bytes_and_fill_their_place() {
    let head = [&[0], session().0.as_bytes().as_slice()].concat();
    let with = |counter: &[u8]| forge(&[head.as_slice(), counter].concat());
    assert_eq!(bound(&with(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])).counter(), i64::MAX);
    assert_eq!(bound(&with(&[0x80, 0x00])).counter(), 0);
    assert!(is_malformed(&with(&[])), "no counter");
    assert!(is_malformed(&with(&[0x80])), "unfinished counter");
    assert!(is_malformed(&with(&[0x00, 0x00])), "something after the counter");
    assert!(is_malformed(&with(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])), "ten bytes");
}

#[test]
fn other_versions_are_refused() {
    let signed = [&[1], session().0.as_bytes().as_slice(), &[0]].concat();
    assert!(is_malformed(&forge(&signed)));
}

proptest! {
    #[test]
    fn what_is_issued_is_read(session: u128, counter in 0..=i64::MAX, key: [u8; 32]) {
        let session = SessionId(Uuid::from_u128(session));
        let token = issue(session, counter, &key).into_inner();
        prop_assert!((51..=62).contains(&token.len()));
        let token = bound(&token);
        prop_assert_eq!((token.session(), token.counter()), (session, counter));
        prop_assert!(token.verify(&key));
    }

    #[test]
    fn a_changed_character_is_noticed(counter in 0..1_000_000_i64, position in 0..50_usize, to in "[A-Za-z0-9_-]") {
        let issued = issue(session(), counter, &key()).into_inner();
        let mut changed = issued.clone();
        changed.replace_range(position..=position, &to);
        prop_assume!(changed != issued);
        prop_assert!(is_malformed(&changed));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}", token in "[A-Za-z0-9_-]{40,70}", bytes: Vec<u8>) {
        for text in [text, token, forge(&bytes)] {
            if let Ok(RefreshToken::Bound(bound)) = RefreshToken::parse(&text) {
                prop_assert!(bound.counter() >= 0);
                bound.verify(&key());
            }
        }
    }
}
