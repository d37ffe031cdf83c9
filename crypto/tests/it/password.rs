//! Password hashes of this server and of others.

use crypto::password;
use crypto::password::{HashError, Scratch, check_import, dummy_hash, needs_upgrade};
use proptest::prelude::*;

use crate::support::Repeatable;

/// Of the test suite of the Argon2 reference implementation; the password is `password`.
const ARGON2ID: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const ARGON2I: &str = "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8";

/// Made with libxcrypt; the password is `Grüße, 世界`.
const BCRYPT_TAIL: &str = "$04$N9qo8uLOickgx2ZMRZoMye2ILkC1C87/qUAs1Mu6.w9t1rElstF8i";

/// Made with libxcrypt; the password is 72 times `x`.
const BCRYPT_OF_72: &str = "$2b$04$N9qo8uLOickgx2ZMRZoMyedlslr.Jty7xCSm4JGSxc8PDTmSzo582";

/// The example that Firebase publishes with its scrypt variant; the password is `user1password`.
const FIREBASE: &str = "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,\
    sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$\
    lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";

fn new_hash(password: &str) -> String {
    hash(password, &Repeatable::seeded(1)).unwrap()
}

fn hash(password: &str, entropy: &Repeatable) -> Result<String, HashError> {
    password::hash(password, entropy, &mut Scratch::default())
}

fn verify(password: &str, stored: &str) -> Result<bool, HashError> {
    password::verify(password, stored, &mut Scratch::default())
}

#[test]
fn a_new_hash_verifies_its_password_alone() {
    let stored = new_hash("correct horse battery staple");
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_eq!(verify("correct horse battery staple", &stored), Ok(true));
    assert_eq!(verify("correct horse battery staplf", &stored), Ok(false));
    assert_eq!(verify("", &stored), Ok(false));
}

#[test]
fn memory_that_was_used_before_changes_no_hash() {
    let mut scratch = Scratch::default();
    let larger = "$argon2id$v=19$m=32768,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for _ in 0..2 {
        let used = password::hash("password", &Repeatable::seeded(1), &mut scratch).unwrap();
        assert_eq!(used, new_hash("password"));
        assert_eq!(password::verify("password", larger, &mut scratch), Ok(false));
        assert_eq!(password::verify("password", &used, &mut scratch), Ok(true));
    }
}

/// Of this process, in kB (proc(5)).
#[cfg(target_os = "linux")]
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_have_hashed_give_the_memory_back() {
    const THREADS: u64 = 16;
    let all = std::sync::Barrier::new(THREADS as usize + 1);
    let before = memory();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut scratch = Scratch::default();
                for _ in 0..2 {
                    password::hash("password", &Repeatable::seeded(1), &mut scratch).unwrap();
                    scratch = Scratch::default();
                }
                drop(scratch);
                all.wait();
                all.wait();
            });
        }
        all.wait();
        let held = memory().saturating_sub(before);
        all.wait();
        // Tests beside this one may be hashing.
        assert!(held < THREADS * 19_456 / 2, "{held} kB");
    });
}

#[test]
fn equal_passwords_have_different_hashes() {
    let entropy = Repeatable::seeded(2);
    assert_ne!(hash("secret", &entropy), hash("secret", &entropy));
}

#[test]
fn a_new_hash_covers_passwords_of_any_length() {
    let long = "a".repeat(100_000);
    let stored = new_hash(&long);
    assert_eq!(verify(&long, &stored), Ok(true));
    assert_eq!(verify(&long[1..], &stored), Ok(false));
}

#[test]
fn argon2_hashes_of_others_verify() {
    for stored in [ARGON2ID, ARGON2I] {
        assert_eq!(verify("password", stored), Ok(true), "{stored}");
        assert_eq!(verify("sassword", stored), Ok(false), "{stored}");
        assert_eq!(check_import(stored), Ok(()));
    }
}

#[test]
fn every_bcrypt_prefix_verifies() {
    for prefix in ["$2a", "$2b", "$2y"] {
        let stored = format!("{prefix}{BCRYPT_TAIL}");
        assert_eq!(verify("Grüße, 世界", &stored), Ok(true), "{stored}");
        assert_eq!(verify("Grüße, 世", &stored), Ok(false), "{stored}");
        assert_eq!(check_import(&stored), Ok(()));
    }
}

#[test]
fn bcrypt_matches_nothing_longer_than_it_reads() {
    assert_eq!(verify(&"x".repeat(72), BCRYPT_OF_72), Ok(true));
    assert_eq!(verify(&"x".repeat(73), BCRYPT_OF_72), Ok(false));
    assert_eq!(verify(&format!("{}tail", "x".repeat(72)), BCRYPT_OF_72), Ok(false));
}

#[test]
fn firebase_hashes_verify() {
    assert_eq!(verify("user1password", FIREBASE), Ok(true));
    assert_eq!(verify("user2password", FIREBASE), Ok(false));
    assert_eq!(check_import(FIREBASE), Ok(()));
}

#[test]
fn firebase_settings_must_be_present_once_and_in_order() {
    for (from, to) in [
        ("v=1", "v=2"),
        ("v=1,", ""),
        ("n=14", "n=0"),
        ("r=8", "r=0"),
        ("p=1", "p=0"),
        ("r=8,p=1", "p=1,r=8"),
        ("p=1,", "p=1,x=1,"),
        ("n=14", "n=20,n=14"),
        ("n=14,r=8", "n=20,r=9"),
        ("p=1", "p=17"),
        ("n=14", "n=64"),
        ("ss=Bw==", "ss=Bw"),
    ] {
        let stored = FIREBASE.replacen(from, to, 1);
        assert_ne!(stored, FIREBASE);
        assert!(check_import(&stored).is_err(), "{stored}");
    }
}

#[test]
fn nul_bytes_match_nothing() {
    let entropy = Repeatable::seeded(3);
    assert!(hash("pass\0word", &entropy).is_err());
    let stored = new_hash("pass");
    let bcrypt_of_empty = "$2b$04$N9qo8uLOickgx2ZMRZoMyexhJu7XyhFyrko6QMKtD6uvGcfCxpYoK";
    for stored in [stored.as_str(), ARGON2ID, BCRYPT_OF_72, bcrypt_of_empty, FIREBASE] {
        assert_eq!(verify("pass\0", stored), Ok(false));
        assert_eq!(verify("\0", stored), Ok(false));
    }
}

#[test]
fn an_account_without_a_password_is_matched_by_nothing() {
    assert_eq!(verify("", ""), Ok(false));
    assert_eq!(verify("password", ""), Ok(false));
    assert!(check_import("").is_err());
}

#[test]
fn unreadable_hashes_are_errors() {
    for stored in [
        "not a hash",
        "$argon2id$v=19$m=1,t=1$x$y",
        "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1,keyid=8PDw8A$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=1048577,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=21,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=17$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=+256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ=$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$2x$04$N9qo8uLOickgx2ZMRZoMye2ILkC1C87/qUAs1Mu6.w9t1rElstF8i",
        "$2a$03$N9qo8uLOickgx2ZMRZoMye2ILkC1C87/qUAs1Mu6.w9t1rElstF8i",
        "$2a$31$N9qo8uLOickgx2ZMRZoMye2ILkC1C87/qUAs1Mu6.w9t1rElstF8i",
        "$2a$ 4$N9qo8uLOickgx2ZMRZoMye2ILkC1C87/qUAs1Mu6.w9t1rElstF8i",
        "$2a$04$N9qo8uLOickgx2ZMRZoMye2ILkC1C87/qUAs1Mu6.w9t1rElstF8",
        "$fbscrypt$",
    ] {
        assert!(check_import(stored).is_err(), "{stored}");
        assert!(verify("password", stored).is_err(), "{stored}");
    }
}

#[test]
fn errors_hold_nothing_of_the_hash() {
    let error = check_import("$2a$31$N9qo8uLOickgx2ZMRZoMye").unwrap_err().to_string();
    assert_eq!(error, "password hash is no bcrypt hash this server reads");
}

#[test]
fn what_is_weaker_than_a_new_hash_is_upgraded() {
    assert!(!needs_upgrade(&new_hash("password")));
    assert!(!needs_upgrade(&new_hash("password").replace("m=19456", "m=65536")));
    for stored in [ARGON2ID, ARGON2I, BCRYPT_OF_72, FIREBASE, "not a hash"] {
        assert!(needs_upgrade(stored), "{stored}");
    }
}

#[test]
fn the_dummy_costs_what_a_new_hash_costs() {
    let costs = |stored: &str| stored.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(costs(dummy_hash()), costs(&new_hash("password")));
    assert_eq!(dummy_hash().len(), new_hash("password").len());
    assert_eq!(verify("password", dummy_hash()), Ok(false));
}

proptest! {
    #[test]
    fn reading_a_hash_never_panics(
        prefix in prop::sample::select(vec!["", "$argon2id$v=19$", "$argon2", "$2a$", "$fbscrypt$v=1,", "$fbscrypt$v=1,n=14,r="]),
        rest in "[a-zA-Z0-9$=,+/.é]{0,80}",
    ) {
        let stored = format!("{prefix}{rest}");
        let _ = check_import(&stored);
        let _ = needs_upgrade(&stored);
    }
}
