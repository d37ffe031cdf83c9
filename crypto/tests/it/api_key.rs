//! API keys.

use crypto::api_key::{Kind, generate, hash, is_well_formed, masked, prefix};
use crypto::jwt::mint_legacy_api_key;
use domain::secret::Secret;
use domain::time::Timestamp;

use crate::support::Repeatable;

#[test]
fn generated_keys_have_their_form_and_differ() {
    let entropy = Repeatable::seeded(1);
    for kind in [Kind::Publishable, Kind::Secret] {
        let key = generate(kind, &entropy).into_inner();
        let rest = key.strip_prefix(&format!("sb_{}_", kind.as_str())).unwrap();
        assert_eq!((rest.len(), &rest[22..23]), (31, "_"), "{key}");
        assert_eq!(is_well_formed(&key), Some(kind));
        assert_ne!(key, *generate(kind, &entropy).expose());
    }
}

#[test]
fn keys_of_other_issuers_are_well_formed() {
    let key = |kind: &str| format!("sb_{kind}_AbCdEfGhIjKlMnOpQrStUv_0123-_aZ");
    assert_eq!(is_well_formed(&key("publishable")), Some(Kind::Publishable));
    assert_eq!(is_well_formed(&key("secret")), Some(Kind::Secret));
}

#[test]
fn other_texts_are_not() {
    for text in [
        "",
        "sb_secret_",
        "sb_secret_AbCdEfGhIjKlMnOpQrStUv_0123-_a",
        "sb_secret_AbCdEfGhIjKlMnOpQrStUv_0123-_aZZ",
        "sb_secret_AbCdEfGhIjKlMnOpQrStUv.0123-_aZ",
        "sb_secret_AbCdEfGhIjKlMnOpQr tUv_0123-_aZ",
        "sb_secret_éééééééééé_0123-_aZ",
        "sb_other_AbCdEfGhIjKlMnOpQrStUv_0123-_aZ",
        "SB_SECRET_AbCdEfGhIjKlMnOpQrStUv_0123-_aZ",
    ] {
        assert_eq!(is_well_formed(text), None, "{text}");
    }
}

#[test]
fn a_hidden_key_shows_five_characters() {
    let key = "sb_secret_AbCdEfGhIjKlMnOpQrStUv_01234567";
    assert_eq!(prefix(key), "sb_secret_AbCdE");
    assert_eq!(masked(key), format!("sb_secret_AbCdE{}", "\u{b7}".repeat(26)));
    assert_eq!(prefix("header.claims.signature"), "signa");
    assert_eq!(prefix(""), "");
}

#[test]
fn a_hash_is_43_characters_of_sha_256() {
    assert_eq!(hash("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
}

#[test]
fn legacy_keys_carry_role_and_project() {
    let secret = Secret::new("a secret of the project, long enough".to_owned());
    let key = mint_legacy_api_key(&secret, "anon", "abcdefghijklmnopqrst", 1_700_000_000, 2_000_000_000).unwrap();
    let claims =
        crypto::jwt::KeySet::new(secret, vec![]).verify(key.expose(), Timestamp::from_unix(1_700_000_000)).unwrap();
    let expected = serde_json::json!({
        "iss": "supabase",
        "ref": "abcdefghijklmnopqrst",
        "role": "anon",
        "iat": 1_700_000_000,
        "exp": 2_000_000_000,
    });
    assert_eq!(serde_json::Value::Object(claims), expected);
}
