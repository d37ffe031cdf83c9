//! What decisions and the JSON of a user cost. `cargo bench -p domain --bench domain`
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use divan::{Bencher, black_box};
use domain::access_token::Claims;
use domain::account::{self, Addresses, Arriving, HeldBy, Holding};
use domain::config::{Defaults, Explicit, Policy};
use domain::ids::{IdentityId, SessionId, UserId};
use domain::provider::{Profile, ProviderEmail};
use domain::session::{Aal, AmrEntry, Session};
use domain::time::Timestamp;
use domain::user::{Identity, Metadata, User};
use domain::{redirect, refresh, user_json};
use serde_json::json;
use uuid::Uuid;

fn main() {
    divan::main();
}

const ADDRESS: &str = "somebody@example.com";
const USER: UserId = UserId(Uuid::from_u128(0x1111));

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_800_000_000 + seconds)
}

fn policy() -> Policy {
    let allowed = "https://app.example.com/**,https://*.preview.example.com/welcome,myapp://callback";
    let mut explicit = Explicit::default();
    explicit.set("uri_allow_list", json!(allowed));
    let site_url = "https://example.com".to_owned();
    Policy::from_explicit(&explicit, &Defaults { jwt_exp: 3600, site_url, mailer_autoconfirm: false })
}

fn metadata(value: serde_json::Value) -> Metadata {
    value.as_object().cloned().unwrap()
}

/// Somebody who signed up with an address.
fn user() -> User {
    let identity = Identity {
        id: IdentityId(Uuid::from_u128(0x4444)),
        user_id: USER,
        provider: "email".to_owned(),
        provider_id: USER.to_string(),
        data: metadata(json!({
            "sub": USER.to_string(), "email": ADDRESS, "email_verified": true, "phone_verified": false,
        })),
        last_sign_in_at: Some(at(0)),
        created_at: at(0),
        updated_at: at(0),
    };
    User {
        email: Some(ADDRESS.to_owned()),
        email_confirmed_at: Some(at(0)),
        confirmed_at: Some(at(0)),
        last_sign_in_at: Some(at(0)),
        app_metadata: metadata(json!({ "provider": "email", "providers": ["email"] })),
        user_metadata: metadata(json!({ "name": "Some Body" })),
        identities: vec![identity],
        ..User::new(USER, "authenticated", "authenticated", at(0))
    }
}

/// A session of [`user`] that has been refreshed a few times.
fn session() -> Session {
    Session {
        id: SessionId(Uuid::from_u128(0x2222)),
        user_id: USER,
        created_at: at(0),
        updated_at: at(3000),
        refreshed_at: Some(at(3000)),
        not_after: None,
        aal: Aal::Aal1,
        factor_id: None,
        user_agent: Some("browser".to_owned()),
        ip: Some("192.0.2.1".to_owned()),
        tag: None,
        refresh_token_counter: Some(5),
        raised_from: None,
        refresh_token_hmac_key: None,
        amr: vec![AmrEntry { method: "password".to_owned(), at: at(0) }],
    }
}

#[divan::bench]
fn user_as_json(bencher: Bencher<'_, '_>) {
    let user = user();
    bencher.bench(|| serde_json::to_vec(&user_json::User::of(black_box(&user))).unwrap());
}

#[divan::bench]
fn claims_as_json(bencher: Bencher<'_, '_>) {
    let (user, session) = (user(), session());
    let issuer = "https://project.example.com/auth/v1";
    let claims = || Claims::new(black_box(&user), black_box(&session), issuer, at(0).unix(), at(3600).unix());
    bencher.bench(|| serde_json::to_vec(&claims()).unwrap());
}

/// The newest token of a session.
#[divan::bench]
fn decide_refresh(bencher: Bencher<'_, '_>) {
    let (user, session, policy) = (user(), session(), policy());
    bencher.bench(|| {
        let (session, now) = (black_box(&session), at(3600));
        refresh::check_account(black_box(&user), now)
            .and_then(|()| refresh::still_valid(session, session.last_refresh(), &user, &policy, now))
            .and_then(|()| refresh::decide(session, 5, &policy, now))
            .unwrap()
    });
}

/// A token that was used before: one of the lost answers and the thieves.
#[divan::bench]
fn decide_refresh_with_an_old_token(bencher: Bencher<'_, '_>) {
    let (session, policy) = (session(), policy());
    bencher.bench(|| refresh::decide(black_box(&session), 3, &policy, at(3005)).unwrap());
}

/// Somebody comes from a provider for the first time, and has an account.
#[divan::bench]
fn decide_whose_account(bencher: Bencher<'_, '_>) {
    let policy = policy();
    let told = ProviderEmail { email: ADDRESS.to_owned(), verified: true, primary: true };
    let addresses = Addresses::of(&Profile { emails: vec![told], ..Profile::default() });
    let by = HeldBy::Account { confirmed: true };
    let holdings = [Holding { user: USER, is_sso: false, address: ADDRESS.to_owned(), by }];
    let arriving =
        Arriving { provider: "github", addresses: &addresses, owner: None, holdings: &holdings, claims: false };
    bencher.bench(|| account::decide(black_box(&arriving), &policy));
}

/// The last entry of the allow list is the one that allows.
#[divan::bench]
fn choose_redirect(bencher: Bencher<'_, '_>) {
    let policy = policy();
    let candidates = ["myapp://callback".to_owned()];
    bencher.bench(|| redirect::choose(black_box(&candidates), &policy));
}

/// What a project coming into memory pays.
#[divan::bench]
fn policy_of_a_project(bencher: Bencher<'_, '_>) {
    bencher.bench(policy);
}
