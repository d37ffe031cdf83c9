//! What signatures, token codecs, hashes and sealing cost. `cargo bench -p crypto --bench crypto`
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::sync::atomic::{AtomicU64, Ordering};

use crypto::jwt::{Algorithm, KeySet, KeyUse, SigningKey};
use crypto::password::{self, Scratch};
use crypto::project_key::ProjectKey;
use crypto::refresh_token::{self, RefreshToken};
use crypto::{api_key, otp, pkce};
use divan::{Bencher, black_box};
use domain::access_token::Claims;
use domain::entropy::Entropy;
use domain::ids::SessionId;
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::json;
use uuid::Uuid;

fn main() {
    divan::main();
}

/// The same bytes in every run.
#[derive(Default)]
struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            chunk.iter_mut().zip(next).for_each(|(byte, drawn)| *byte = drawn);
        }
    }
}

const NOW: i64 = 1_800_000_000;
const SESSION: SessionId = SessionId(Uuid::from_u128(0x2222));
const PASSWORD: &str = "correct horse battery staple";

/// The claims of somebody who signed in with a password.
fn claims() -> Claims {
    let metadata = |value: serde_json::Value| value.as_object().cloned().unwrap();
    Claims {
        iss: "https://project.example.com/auth/v1".to_owned(),
        sub: Uuid::from_u128(0x1111).to_string(),
        aud: "authenticated".to_owned(),
        exp: NOW + 3600,
        iat: NOW,
        email: "somebody@example.com".to_owned(),
        phone: String::new(),
        app_metadata: metadata(json!({ "provider": "email", "providers": ["email"] })),
        user_metadata: metadata(json!({ "email": "somebody@example.com", "email_verified": true })),
        role: "authenticated".to_owned(),
        aal: "aal1",
        amr: vec![domain::access_token::Amr { method: "password".to_owned(), timestamp: NOW, provider: None }],
        session_id: SESSION.0.to_string(),
        is_anonymous: false,
    }
}

fn keys(algorithm: Algorithm) -> KeySet {
    let key = SigningKey::generate(algorithm, "key", &Counted::default()).unwrap();
    KeySet::new(Secret::default(), vec![(key, KeyUse::InUse)])
}

const ALGORITHMS: [Algorithm; 4] = Algorithm::ALL;

#[divan::bench(args = ALGORITHMS)]
fn jwt_sign(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let (keys, claims) = (keys(algorithm), claims());
    bencher.bench(|| keys.sign(black_box(&claims)).unwrap());
}

#[divan::bench(args = ALGORITHMS)]
fn jwt_verify(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let keys = keys(algorithm);
    let (token, now) = (keys.sign(&claims()).unwrap(), Timestamp::from_unix(NOW));
    bencher.bench(|| keys.verify(black_box(token.expose()), now).unwrap());
}

#[divan::bench]
fn refresh_token_issue(bencher: Bencher<'_, '_>) {
    bencher.bench(|| refresh_token::issue(black_box(SESSION), black_box(1000), &[7; 32]));
}

#[divan::bench]
fn refresh_token_read_and_verify(bencher: Bencher<'_, '_>) {
    let token = refresh_token::issue(SESSION, 1000, &[7; 32]);
    bencher.bench(|| match RefreshToken::parse(black_box(token.expose())) {
        Ok(RefreshToken::Bound(bound)) => bound.verify(&[7; 32]),
        _ => false,
    });
}

#[divan::bench]
fn session_key(bencher: Bencher<'_, '_>) {
    let key = ProjectKey::new([7; 32]);
    bencher.bench(|| key.session_key(black_box(SESSION)));
}

/// The token of a link as it travels, and as it is stored.
#[divan::bench]
fn link_token(bencher: Bencher<'_, '_>) {
    let key = ProjectKey::new([7; 32]);
    bencher.bench(|| key.one_time_hash(&otp::link_token(black_box("somebody@example.com"), black_box("123456"))));
}

#[divan::bench]
fn api_key_hash(bencher: Bencher<'_, '_>) {
    let key = api_key::generate(api_key::Kind::Secret, &Counted::default());
    bencher.bench(|| api_key::hash(black_box(key.expose())));
}

#[divan::bench]
fn pkce_verify() -> bool {
    let (challenge, verifier) =
        ("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    pkce::verify(black_box("s256"), black_box(challenge), black_box(verifier))
}

#[divan::bench]
fn unseal(bencher: Bencher<'_, '_>) {
    let key = ProjectKey::new([7; 32]);
    let sealed = key.seal("factor", &[1; 32], &Counted::default());
    bencher.bench(|| key.open("factor", black_box(&sealed)).unwrap());
}

/// One at a time, and as many as two cores compute side by side.
#[divan::bench(threads = [1, 2], sample_count = 24, sample_size = 1)]
fn password_hash(bencher: Bencher<'_, '_>) {
    let hash = |scratch: &mut Scratch| password::hash(black_box(PASSWORD), &Counted::default(), scratch).unwrap();
    bencher.with_inputs(|| used(hash)).bench_refs(hash);
}

#[divan::bench(threads = [1, 2], sample_count = 24, sample_size = 1)]
fn password_verify(bencher: Bencher<'_, '_>) {
    let stored = password::hash(PASSWORD, &Counted::default(), &mut Scratch::default()).unwrap();
    let verify = |scratch: &mut Scratch| password::verify(black_box(PASSWORD), black_box(&stored), scratch).unwrap();
    bencher.with_inputs(|| used(verify)).bench_refs(verify);
}

/// The memory of a worker that has hashed before.
fn used<T>(job: impl Fn(&mut Scratch) -> T) -> Scratch {
    let mut scratch = Scratch::default();
    job(&mut scratch);
    scratch
}
