//! Sealing and the uses of a project's key.

use crypto::project_key::ProjectKey;
use crypto::seal::{InvalidMasterKey, MasterKey, OpenError, is_sealed};
use domain::ids::SessionId;
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::Repeatable;

fn master() -> MasterKey {
    MasterKey::generate(&Repeatable::seeded(7))
}

#[test]
fn what_is_sealed_opens_for_its_purpose_and_key_alone() {
    let sealed = master().seal("jwt secret of a", b"plain", &Repeatable::seeded(1));
    assert_eq!(master().open("jwt secret of a", &sealed), Ok(b"plain".to_vec()));
    assert_eq!(master().open("jwt secret of b", &sealed), Err(OpenError));
    assert_eq!(MasterKey::generate(&Repeatable::seeded(8)).open("jwt secret of a", &sealed), Err(OpenError));
}

#[test]
fn sealed_texts_are_told_from_others() {
    let sealed = master().seal("p", b"", &Repeatable::seeded(1));
    assert!(is_sealed(&sealed));
    let cut = sealed.get(..sealed.len() - 4).unwrap();
    for text in ["", "v1.", "v1.c2VjcmV0", "plain", &format!("{sealed} "), cut] {
        assert!(!is_sealed(text), "{text}");
    }
}

#[test]
fn equal_texts_are_sealed_differently() {
    let entropy = Repeatable::seeded(1);
    assert_ne!(master().seal("p", b"plain", &entropy), master().seal("p", b"plain", &entropy));
}

#[test]
fn a_master_key_survives_its_text() {
    let text = master().to_text().into_inner();
    assert_eq!(text.len(), 43);
    let sealed = master().seal("p", b"plain", &Repeatable::seeded(1));
    let read = MasterKey::from_text(&format!(" {text}\n")).ok().unwrap();
    assert_eq!(read.open("p", &sealed), Ok(b"plain".to_vec()));
    for bad in ["", "abc", &text[1..], &format!("{text}A"), &"!".repeat(43)] {
        assert_eq!(MasterKey::from_text(bad).err(), Some(InvalidMasterKey));
    }
}

#[test]
fn a_projects_seal_is_its_own() {
    let (key, other) = (ProjectKey::new([1; 32]), ProjectKey::new([2; 32]));
    let sealed = key.seal("outbox", b"mail", &Repeatable::seeded(1));
    assert_eq!(key.open("outbox", &sealed), Ok(b"mail".to_vec()));
    assert_eq!(other.open("outbox", &sealed), Err(OpenError));
    let with_the_same_bytes = MasterKey::from_text("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE").ok().unwrap();
    assert_eq!(with_the_same_bytes.open("outbox", &sealed), Err(OpenError));
}

#[test]
fn a_project_key_is_restored_from_its_bytes() {
    let key = ProjectKey::generate(&Repeatable::seeded(3));
    let restored = ProjectKey::new(*key.expose());
    assert_eq!(key.one_time_hash("token"), restored.one_time_hash("token"));
    assert_ne!(key.one_time_hash("token"), ProjectKey::generate(&Repeatable::seeded(4)).one_time_hash("token"));
}

#[test]
fn stored_one_time_tokens_never_change_their_form() {
    let key = ProjectKey::new([1; 32]);
    assert_eq!(
        key.one_time_hash("a3f3debf8d4c206eac18c518ad464512d0033123760f8a2c42a1110c"),
        "8a9f85c9a5f16be1de33483c2858b674c2ed53b4b0a5a4aa1e86ea488e98a949"
    );
}

#[test]
fn the_mark_of_a_pkce_flow_stays_readable() {
    let key = ProjectKey::new([1; 32]);
    let plain = key.one_time_hash("abc");
    assert_eq!(key.one_time_hash("pkce_abc"), format!("pkce_{plain}"));
    assert!(crypto::otp::same(&key.one_time_hash("pkce_abc"), &plain));
    assert_eq!(plain.len(), 64);
    assert!(plain.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
}

#[test]
fn every_session_has_its_own_key() {
    let key = ProjectKey::new([1; 32]);
    let (a, b) = (SessionId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
    assert_eq!(key.session_key(a), key.session_key(a));
    assert_ne!(key.session_key(a), key.session_key(b));
    assert_ne!(key.session_key(a), ProjectKey::new([2; 32]).session_key(a));
    let hex: String = key.session_key(a).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "0e268e530da7eeeb30bf33904f3d616e600db7144b99b8d7fd9295b43bdf9df5");
}

#[test]
fn what_belongs_to_a_state_is_known_to_the_project_alone() {
    let (key, other) = (ProjectKey::new([1; 32]), ProjectKey::new([2; 32]));
    let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
    assert_eq!(key.state_secret("row", &a), key.state_secret("row", &a));
    for differs in [key.state_secret("row", &b), key.state_secret("nonce", &a), other.state_secret("row", &a)] {
        assert_ne!(key.state_secret("row", &a), differs);
    }
    let hex: String = key.state_secret("row", &a).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "6bda75eef14fa79df7cca3e61f3cd8663320200195d303146218c48c1a9acc36");
}

proptest! {
    #[test]
    fn any_bytes_survive_sealing(plain: Vec<u8>, purpose: String, seed: u64) {
        let sealed = master().seal(&purpose, &plain, &Repeatable::seeded(seed));
        prop_assert!(sealed.starts_with("v1."));
        prop_assert_eq!(master().open(&purpose, &sealed), Ok(plain));
    }

    #[test]
    fn a_changed_character_is_noticed(position in 0..60_usize, to in "[A-Za-z0-9_.-]") {
        let sealed = master().seal("p", b"some plain text", &Repeatable::seeded(1));
        let mut changed = sealed.clone();
        changed.replace_range(position..=position, &to);
        prop_assume!(changed != sealed);
        prop_assert_eq!(master().open("p", &changed), Err(OpenError));
    }

    #[test]
    fn any_text_is_opened_or_refused(text in "(v1\\.)?[A-Za-z0-9_.-]{0,80}") {
        prop_assert_eq!(master().open("p", &text), Err(OpenError));
    }
}

#[test]
fn a_mark_is_the_same_each_time_and_differs_by_key_kind_and_value() {
    let (key, other) = (master(), MasterKey::generate(&Repeatable::seeded(8)));
    let mark = key.mark("hs256", b"secret");
    assert_eq!(mark, key.mark("hs256", b"secret"));
    for different in [key.mark("jwk", b"secret"), key.mark("hs256", b"secreT"), other.mark("hs256", b"secret")] {
        assert_ne!(mark, different);
    }
    assert_eq!(mark.len(), 43, "a digest of 256 bits");
}
