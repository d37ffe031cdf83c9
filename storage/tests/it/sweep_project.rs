use domain::ids::UserId;
use storage::{Earliest, NewOneTimeToken, NewOutbox, ProjectSweep, Swept, TenantStore, TokenKind};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    each_kind_goes_by_its_own_instant
    nothing_goes_unasked
    idle_sessions_go_and_used_ones_stay
    other_projects_stay_whole
    a_little_goes_at_a_time
    sweepers_do_not_wait_for_each_other
    the_oldest_of_each_kind_is_found
    accounts_are_counted_as_far_as_it_matters
}

/// An account; anonymous ones have no address.
async fn account(f: &Fixture, store: &TenantStore, hour: i64, anonymous: bool) -> UserId {
    let mut user = f.new_user("ada@example.com");
    user.email = (!anonymous).then(|| format!("{}@example.com", user.id));
    user.is_anonymous = anonymous;
    let mut tx = store.begin().await.unwrap();
    tx.users().insert(&user, t(hour)).await.unwrap();
    tx.commit().await.unwrap();
    user.id
}

async fn token(f: &Fixture, store: &TenantStore, user: UserId, kind: TokenKind, hour: i64) {
    let id = f.id();
    let (hash, code_hash) = (id.to_string(), format!("code {id}"));
    let token = NewOneTimeToken { id, user_id: user, kind, hash, code_hash, relates_to: "x".to_owned() };
    let mut tx = store.begin().await.unwrap();
    tx.one_time_tokens().put(token, t(hour)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn factor(f: &Fixture, store: &TenantStore, user: UserId, status: &str, hour: i64) {
    let at = t(hour).utc().format("%Y-%m-%dT%H:%M:%S%.6fZ");
    f.write(&format!(
        "insert into auth.mfa_factors (instance_id, id, user_id, factor_type, status, created_at, updated_at)
         values ({}, {}, {}, 'totp', '{status}', '{at}', '{at}')",
        f.literal(store.instance().0),
        f.literal(f.id()),
        f.literal(user.0),
    ))
    .await;
}

async fn letter(f: &Fixture, store: &TenantStore, hour: i64, dead: bool) {
    let id = f.id();
    let mut tx = store.begin().await.unwrap();
    tx.outbox().put(NewOutbox { id, kind: "mail", payload: "sealed".to_owned(), now: t(hour) }).await.unwrap();
    tx.commit().await.unwrap();
    if dead {
        f.database.bury_outbox(id, "no").await.unwrap();
    }
}

async fn entry(f: &Fixture, store: &TenantStore, hour: i64) {
    let mut tx = store.begin().await.unwrap();
    tx.audit().insert(storage::AuditEntry { created_at: t(hour), ..f.audit("login") }).await.unwrap();
    tx.commit().await.unwrap();
}

/// Two rows of each kind at hours 9 and 10, one of them over at hour 10, and what never goes.
async fn plant(f: &Fixture, store: &TenantStore) -> UserId {
    let user = account(f, store, 1, false).await;
    for (hour, kind) in [(9, TokenKind::Recovery), (10, TokenKind::Confirmation)] {
        token(f, store, user, kind, hour).await;
        factor(f, store, user, "unverified", hour).await;
        account(f, store, hour, true).await;
        f.open(store, user, t(hour)).await;
        letter(f, store, hour, true).await;
        entry(f, store, hour).await;
    }
    factor(f, store, user, "verified", 1).await;
    letter(f, store, 1, false).await;
    user
}

const TABLES: [&str; 6] = ["one_time_tokens", "mfa_factors", "users", "sessions", "audit_log_entries", "outbox"];

async fn counts(f: &Fixture) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in TABLES {
        counts.push(f.count(&format!("auth.{table}")).await);
    }
    counts
}

async fn each_kind_goes_by_its_own_instant(f: Fixture) {
    let store = f.tenant();
    plant(&f, &store).await;
    assert_eq!(counts(&f).await, [2, 3, 3, 2, 2, 3]);
    let none = ProjectSweep { limit: 9, ..ProjectSweep::default() };
    let over = Some(t(10));
    let steps = [
        (ProjectSweep { one_time_tokens: over, ..none }, [1, 3, 3, 2, 2, 3]),
        (ProjectSweep { unverified_factors: over, ..none }, [1, 2, 3, 2, 2, 3]),
        (ProjectSweep { anonymous_users: over, ..none }, [1, 2, 2, 2, 2, 3]),
        (ProjectSweep { sessions_begun: over, ..none }, [1, 2, 2, 1, 2, 3]),
        (ProjectSweep { audit: over, ..none }, [1, 2, 2, 1, 1, 3]),
        (ProjectSweep { dead_letters: over, ..none }, [1, 2, 2, 1, 1, 2]),
    ];
    for (sweep, left) in steps {
        assert_eq!(store.sweep(sweep).await.unwrap().total(), 1, "{sweep:?}");
        assert_eq!(counts(&f).await, left, "{sweep:?}");
        assert_eq!(store.sweep(sweep).await.unwrap(), Swept::default(), "{sweep:?}");
    }
}

async fn nothing_goes_unasked(f: Fixture) {
    let store = f.tenant();
    plant(&f, &store).await;
    let before = counts(&f).await;
    assert_eq!(store.sweep(ProjectSweep { limit: 9, ..ProjectSweep::default() }).await.unwrap(), Swept::default());
    assert_eq!(counts(&f).await, before);
}

async fn idle_sessions_go_and_used_ones_stay(f: Fixture) {
    let store = f.tenant();
    let user = account(&f, &store, 1, false).await;
    let idle = f.open(&store, user, t(1)).await;
    let used = f.open(&store, user, t(1)).await;
    let young = f.open(&store, user, t(10)).await;
    let refreshed_long_ago = f.open(&store, user, t(1)).await;
    let with_live_token = f.open(&store, user, t(1)).await;
    let with_used_token = f.open(&store, user, t(1)).await;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.sessions().touch_refreshed(used, None, None, t(10)).await.unwrap());
    assert!(tx.sessions().touch_refreshed(refreshed_long_ago, None, None, t(9)).await.unwrap());
    for (session, revoked) in [(with_live_token, false), (with_used_token, true)] {
        let secret = domain::secret::Secret::new(session.to_string());
        let token = tx.refresh_tokens().insert(&secret, user, session, None, t(10)).await.unwrap();
        if revoked {
            assert!(tx.refresh_tokens().revoke(token.id, t(10)).await.unwrap());
        }
    }
    tx.commit().await.unwrap();
    let sweep = ProjectSweep { sessions_idle: Some(t(10)), limit: 9, ..ProjectSweep::default() };
    let gone = store.sweep(sweep).await.unwrap();
    assert_eq!(gone, Swept { sessions: 3, ..Swept::default() });
    let mut left = f.sessions(&store, user).await;
    left.sort();
    let mut expected = [used, young, with_live_token];
    expected.sort();
    assert_eq!(left, expected);
    assert!(!left.contains(&idle));
}

async fn other_projects_stay_whole(f: Fixture) {
    let store = f.tenant();
    plant(&f, &store).await;
    let before = counts(&f).await;
    assert_eq!(f.tenant().sweep(all(9)).await.unwrap(), Swept::default());
    assert_eq!(counts(&f).await, before);
}

fn all(limit: u32) -> ProjectSweep {
    let over = Some(t(100));
    ProjectSweep {
        one_time_tokens: over,
        unverified_factors: over,
        anonymous_users: over,
        sessions_begun: over,
        sessions_idle: over,
        audit: over,
        dead_letters: over,
        revocations: over,
        known_devices: over,
        limit,
    }
}

async fn a_little_goes_at_a_time(f: Fixture) {
    let store = f.tenant();
    for hour in [3, 1, 2] {
        entry(&f, &store, hour).await;
    }
    assert_eq!(store.sweep(all(2)).await.unwrap().audit, 2);
    let left = store.list_audit(storage::ListAudit { search: None, limit: 9, offset: 0 }).await.unwrap().0;
    assert_eq!(left.iter().map(|entry| entry.created_at).collect::<Vec<_>>(), [t(3)], "the oldest go first");
    assert_eq!(store.sweep(all(2)).await.unwrap().audit, 1);
}

async fn sweepers_do_not_wait_for_each_other(f: Fixture) {
    let store = f.tenant();
    for _ in 0..40 {
        entry(&f, &store, 1).await;
    }
    let mut sweepers = JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        sweepers.spawn(async move {
            let mut gone = 0;
            loop {
                let swept = store.sweep(all(3)).await.unwrap().audit;
                if swept == 0 {
                    return gone;
                }
                gone += swept;
            }
        });
    }
    let gone: u64 = sweepers.join_all().await.into_iter().sum();
    assert_eq!((gone, f.count("auth.audit_log_entries").await), (40, 0));
}

async fn the_oldest_of_each_kind_is_found(f: Fixture) {
    let (here, there) = (f.tenant(), f.tenant());
    assert_eq!(here.earliest().await.unwrap(), Earliest::default());
    plant(&f, &there).await;
    assert_eq!(here.earliest().await.unwrap(), Earliest::default(), "those of another project are not looked at");
    let user = plant(&f, &here).await;
    let found = here.earliest().await.unwrap();
    let nine = Some(t(9));
    assert_eq!(
        (found.one_time_tokens, found.unverified_factors, found.anonymous_users, found.sessions_begun),
        (nine, nine, nine, nine)
    );
    assert_eq!((found.audit, found.dead_letters, found.revocations), (nine, nine, None));
    here.sweep(ProjectSweep { sessions_begun: Some(t(20)), limit: 9, ..ProjectSweep::default() }).await.unwrap();
    // They end when the database says so; the last of the two ends stays for ever.
    let revocations = here.read_revocations(Some(0), 9).await.unwrap();
    assert_eq!(here.earliest().await.unwrap().revocations, Some(revocations.rows[0].1.at));
    f.open(&here, user, t(11)).await;
    assert_eq!(here.earliest().await.unwrap().sessions_begun, Some(t(11)));
}

async fn accounts_are_counted_as_far_as_it_matters(f: Fixture) {
    let (here, there) = (f.tenant(), f.tenant());
    for hour in 1..=3 {
        account(&f, &here, hour, false).await;
    }
    account(&f, &there, 1, true).await;
    let counted = [here.count_users(10).await, here.count_users(2).await, there.count_users(10).await];
    assert_eq!(counted.map(Result::unwrap), [3, 2, 1]);
}
