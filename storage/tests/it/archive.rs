//! All rows of a project: read, written, counted, and brought from one database to another.

use std::collections::BTreeMap;

use domain::ids::InstanceId;
use storage::archive::{Place, Row, Sync, Synced, WriteError, table, tables};
use storage::{Database, Placement, StoreError, TenantStore};
use uuid::Uuid;

use crate::archive_rows::{lines, rows};
use crate::fixture::{EmptyDatabase, Fixture, t};

on_both! {
    every_table_is_read_as_it_was_written
    a_page_goes_on_where_the_last_one_ended
    writing_again_changes_nothing
    a_row_that_the_database_refuses_is_named_and_nothing_is_written
    what_hangs_on_nothing_is_left_out_and_counted
    rows_of_another_project_are_never_taken_over
    blocks_of_token_numbers_do_not_overlap
    messages_are_taken_from_whoever_delivers
    rows_become_those_of_another_database
    rows_that_change_places_with_unique_values_are_brought
    removing_copies_announces_nothing
    a_database_is_told_from_itself
}

/// Every row of the project as JSON, table by table.
async fn all(store: &TenantStore, shift: i64) -> Vec<(&'static str, String)> {
    store.settle_archive().await.unwrap();
    let mut lines = Vec::new();
    for table in tables() {
        let rows = store.archive_page(table, None, 1000, shift).await.unwrap();
        lines.extend(rows.iter().map(|row| (table.name(), row.to_json(table).unwrap())));
    }
    lines
}

fn sorted(lines: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let mut lines = lines;
    lines.sort();
    lines
}

fn given(number: u32) -> Vec<(&'static str, String)> {
    sorted(lines(number).into_iter().map(|(table, line)| (table.name(), line)).collect())
}

fn later() -> tokio::time::Instant {
    tokio::time::Instant::now() + std::time::Duration::from_secs(60)
}

async fn sync(source: &TenantStore, target: &TenantStore, shift: i64) -> Synced {
    let mut sync = Sync::new(source.clone(), target.clone(), shift, true);
    while sync.step(later()).await.unwrap() {}
    sync.so_far()
}

/// The same kind of database as the fixture's, empty.
struct Second {
    store: TenantStore,
    empty: Option<EmptyDatabase>,
    _folder: Option<tempfile::TempDir>,
}

impl Second {
    async fn sqlite(instance: InstanceId) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let placement = Placement::Sqlite { file: folder.path().join("second.db") };
        let store = TenantStore::new(migrated(&placement).await, instance);
        Self { store, empty: None, _folder: Some(folder) }
    }

    async fn postgres(instance: InstanceId) -> Self {
        let empty = EmptyDatabase::new().await;
        let store = TenantStore::new(migrated(&empty.placement()).await, instance);
        Self { store, empty: Some(empty), _folder: None }
    }

    async fn beside(f: &Fixture, instance: InstanceId) -> Self {
        if f.is_postgres() { Self::postgres(instance).await } else { Self::sqlite(instance).await }
    }

    async fn remove(self) {
        self.store.database().close().await;
        if let Some(empty) = self.empty {
            empty.remove().await;
        }
    }
}

async fn migrated(placement: &Placement) -> Database {
    let database = Database::connect(placement).await.unwrap();
    database.migrate().await.unwrap();
    database
}

async fn every_table_is_read_as_it_was_written(f: Fixture) {
    let (store, neighbour) = (f.tenant(), f.tenant());
    assert_eq!(store.archive_write(&rows(1), 0).await.unwrap(), BTreeMap::new());
    neighbour.archive_write(&rows(2), 5000).await.unwrap();
    assert_eq!(sorted(all(&store, 0).await), given(1));
    assert_eq!(sorted(all(&neighbour, 5000).await), given(2));
    let counts = store.census().await.unwrap();
    assert_eq!(counts.len(), tables().len());
    for (name, count) in counts {
        let expected = given(1).iter().filter(|(table, _)| *table == name).count();
        assert!(expected > 0, "{name} is filled");
        assert_eq!(count, expected as u64, "{name}");
    }
    store.purge().await.unwrap();
    assert!(
        store.census().await.unwrap().iter().filter(|(name, _)| *name != "instances").all(|(_, count)| *count == 0)
    );
    assert_eq!(sorted(all(&neighbour, 5000).await), given(2));
}

async fn a_page_goes_on_where_the_last_one_ended(f: Fixture) {
    let store = f.tenant();
    store.archive_write(&rows(1), 300).await.unwrap();
    for table in tables() {
        let whole = store.archive_page(table, None, 1000, 300).await.unwrap();
        let mut after: Option<Place> = None;
        for expected in &whole {
            let page = store.archive_page(table, after.as_ref(), 1, 300).await.unwrap();
            assert_eq!(page[0].to_json(table).unwrap(), expected.to_json(table).unwrap());
            let place = Place::of(table, &page[0]);
            assert_eq!(Place::parse(table, place.as_str()), Some(place.clone()), "{}", table.name());
            after = Some(place);
        }
        assert!(store.archive_page(table, after.as_ref(), 1, 300).await.unwrap().is_empty(), "{}", table.name());
    }
    for nonsense in ["", "[]", "[1]", "[\"x\"]", "[\"1\",\"2\"]", "{}"] {
        assert_eq!(Place::parse(table("users").unwrap(), nonsense), None, "{nonsense}");
    }
}

async fn writing_again_changes_nothing(f: Fixture) {
    let store = f.tenant();
    store.archive_write(&rows(1), 0).await.unwrap();
    store.archive_write(&rows(1), 0).await.unwrap();
    for run in rows(1).chunks(7) {
        store.archive_write(run, 0).await.unwrap();
    }
    assert_eq!(sorted(all(&store, 0).await), given(1));
}

async fn a_row_that_the_database_refuses_is_named_and_nothing_is_written(f: Fixture) {
    let store = f.tenant();
    let id = "11111111-1111-1111-1111-111111111111";
    let users = table("users").unwrap();
    let user = |line: String| (users, Row::from_json(users, &line).unwrap());
    let good = user(format!(r#"{{"id":"{id}","is_sso_user":false,"is_anonymous":false}}"#));
    let other = id.replace('1', "2");
    let broken = [
        format!(r#"{{"id":"{other}","is_sso_user":false,"is_anonymous":false,"email_change_confirm_status":3}}"#),
        format!(r#"{{"id":"{other}","is_anonymous":false}}"#),
    ];
    for line in broken {
        let refused = store.archive_write(&[good.clone(), user(line)], 0).await.unwrap_err();
        let WriteError::Row { index: 1, reason } = refused else { panic!("{refused:?}") };
        assert!(!reason.contains(&other), "{reason}");
        assert_eq!(store.census().await.unwrap()[0], ("users", 0));
    }
    let sessions = table("sessions").unwrap();
    let line = format!(r#"{{"id":"{other}","user_id":"{id}","aal":"aal9"}}"#);
    let session = (sessions, Row::from_json(sessions, &line).unwrap());
    let refused = store.archive_write(&[good, session], 0).await.unwrap_err();
    assert!(matches!(refused, WriteError::Row { index: 1, .. }), "{refused:?}");
    assert_eq!(store.census().await.unwrap()[0], ("users", 0));
}

async fn what_hangs_on_nothing_is_left_out_and_counted(f: Fixture) {
    let store = f.tenant();
    let orphans: Vec<_> = rows(1).into_iter().filter(|(table, _)| table.name() != "users").collect();
    let left_out = store.archive_write(&orphans, 0).await.unwrap();
    let expected = [
        ("identities", 2),
        ("known_devices", 3),
        ("mfa_amr_claims", 1),
        ("mfa_challenges", 1),
        ("mfa_factors", 2),
        ("mfa_recovery_codes", 2),
        ("oauth_authorizations", 1),
        ("oauth_consents", 1),
        ("one_time_tokens", 2),
        ("refresh_tokens", 2),
        ("sessions", 2),
        ("webauthn_challenges", 1),
        ("webauthn_credentials", 1),
    ];
    assert_eq!(left_out, BTreeMap::from(expected));
}

async fn rows_of_another_project_are_never_taken_over(f: Fixture) {
    let (owner, thief) = (f.tenant(), f.tenant());
    owner.archive_write(&rows(1), 0).await.unwrap();
    for table in tables()
        .iter()
        .filter(|table| !["known_devices", "web3_signatures", "session_revocations"].contains(&table.name()))
    {
        let mut wanted = rows(1);
        wanted.retain(|(other, _)| other.name() == table.name());
        let refused = thief.archive_write(&wanted, 0).await;
        let taken = matches!(&refused, Err(WriteError::Row { .. }));
        let left_out = matches!(&refused, Ok(left) if left.values().sum::<u64>() == wanted.len() as u64);
        assert!(taken || left_out, "{}: {refused:?}", table.name());
    }
    let source = Second::beside(&f, thief.instance()).await;
    source.store.archive_write(&rows(1), 0).await.unwrap();
    let mut sync = Sync::new(source.store.clone(), thief.clone(), 9000, true);
    let outcome = loop {
        match sync.step(later()).await {
            Ok(true) => {}
            other => break other,
        }
    };
    assert!(matches!(outcome, Err(StoreError::Conflict)), "{outcome:?}");
    assert_eq!(sorted(all(&owner, 0).await), given(1));
    source.remove().await;
}

async fn blocks_of_token_numbers_do_not_overlap(f: Fixture) {
    let store = f.tenant();
    let (user, _) = f.signed_in(&store, "ada@example.com").await;
    let first = f.database.put_token_ids_aside(100).await.unwrap();
    let second = f.database.put_token_ids_aside(100).await.unwrap();
    assert!(second >= first + 100, "{first} {second}");
    let mut tx = store.begin().await.unwrap();
    let session = f.new_session_with_token(user, "abc");
    tx.sessions().insert(&session, t(1)).await.unwrap();
    tx.commit().await.unwrap();
    let (least, most) = store.token_ids().await.unwrap().unwrap();
    assert!(least == most && least >= second + 100, "{least}");
    assert_eq!(f.tenant().token_ids().await.unwrap(), None);
}

async fn messages_are_taken_from_whoever_delivers(f: Fixture) {
    let store = f.tenant();
    let put = |store: TenantStore, id: Uuid| async move {
        let mut tx = store.begin().await.unwrap();
        tx.outbox().put(storage::NewOutbox { id, kind: "mail", payload: String::new(), now: t(1) }).await.unwrap();
        tx.commit().await.unwrap();
    };
    put(store.clone(), f.id()).await;
    assert_eq!(f.database.claim_outbox(t(2), t(3), 10).await.unwrap().len(), 1);
    put(store.clone(), f.id()).await;
    assert_eq!(store.lease_outbox(t(9), t(2)).await.unwrap(), 1, "one is being delivered");
    assert!(f.database.claim_outbox(t(2), t(3), 10).await.unwrap().is_empty());
    assert_eq!(store.lease_outbox(t(9), t(4)).await.unwrap(), 0, "its deliverer was killed");
    store.return_outbox(t(9)).await.unwrap();
    assert_eq!(f.database.claim_outbox(t(4), t(5), 10).await.unwrap().len(), 2);
}

async fn rows_become_those_of_another_database(f: Fixture) {
    let source = f.tenant();
    source.archive_write(&rows(1), 0).await.unwrap();
    let second = Second::beside(&f, source.instance()).await;
    bring_and_change(&source, &second.store).await;
    second.remove().await;
}

/// Brings a filled project, changes it, and brings it again.
async fn bring_and_change(source: &TenantStore, target: &TenantStore) {
    let shift = target.database().put_token_ids_aside(2000).await.unwrap();
    let total = given(1).len() as u64;
    let done = sync(source, target, shift).await;
    assert_eq!(done, Synced { read: total, written: total, removed: 0, left_out: 0 });
    assert_eq!(all(target, shift).await, all(source, 0).await);
    let (least, most) = target.token_ids().await.unwrap().unwrap();
    assert_eq!((least, most), (40 + shift, 1000 + shift));
    assert_eq!(sync(source, target, shift).await, Synced { read: total, ..Synced::default() });

    // A user goes with all that hangs on her; a device is seen again; a message was delivered and another one is new.
    let mut tx = source.begin().await.unwrap();
    let gone = rows(1)[0].1.text(table("users").unwrap(), "id").unwrap().parse().unwrap();
    assert!(tx.users().delete(domain::ids::UserId(gone)).await.unwrap());
    tx.commit().await.unwrap();
    let fresh: Vec<_> = rows(3)
        .into_iter()
        .map(|(table, mut row)| {
            for column in ["email", "phone"] {
                if table.name() == "users" && row.text(table, column).is_some() {
                    row.set_text(table, column, format!("other {column}"));
                }
            }
            (table, row)
        })
        .filter(|(table, _)| ["users", "sessions", "mfa_factors", "outbox", "known_devices"].contains(&table.name()))
        .collect();
    source.archive_write(&fresh[2..], 0).await.unwrap_or_default();
    let done = sync(source, target, shift).await;
    assert!(done.removed > 0 && done.left_out == 0, "{done:?}");
    assert_eq!(all(target, shift).await, all(source, 0).await);
    assert_eq!(sync(source, target, shift).await.written, 0);
}

async fn rows_that_change_places_with_unique_values_are_brought(f: Fixture) {
    let source = f.tenant();
    let second = Second::beside(&f, source.instance()).await;
    let users = table("users").unwrap();
    let line = |id: u8, email: &str| {
        let line = format!(
            r#"{{"id":"{id:08x}-1111-1111-1111-111111111111","email":"{email}","is_sso_user":false,"is_anonymous":false}}"#
        );
        (users, Row::from_json(users, &line).unwrap())
    };
    source.archive_write(&[line(1, "one"), line(2, "two"), line(3, "three")], 0).await.unwrap();
    sync(&source, &second.store, 0).await;
    // The later account got the earlier one's address, the earlier one a new account's, and that one is surplus afterwards.
    source.archive_write(&[line(2, "somewhere")], 0).await.unwrap();
    source.archive_write(&[line(1, "two"), line(2, "one")], 0).await.unwrap();
    sync(&source, &second.store, 0).await;
    assert_eq!(all(&second.store, 0).await, all(&source, 0).await);
    source.archive_write(&[line(3, "moved away")], 0).await.unwrap();
    source.archive_write(&[line(0, "three")], 0).await.unwrap();
    sync(&source, &second.store, 0).await;
    assert_eq!(all(&second.store, 0).await, all(&source, 0).await);
    second.remove().await;
}

async fn removing_copies_announces_nothing(f: Fixture) {
    let source = f.tenant();
    let (user, session) = f.signed_in(&source, "ada@example.com").await;
    f.open(&source, user, t(2)).await;
    let second = Second::beside(&f, source.instance()).await;
    sync(&source, &second.store, 0).await;
    assert_eq!(second.store.read_revocations(Some(0), 10).await.unwrap().newest, 0);
    let mut tx = source.begin().await.unwrap();
    tx.sessions().delete(session).await.unwrap();
    tx.commit().await.unwrap();
    sync(&source, &second.store, 0).await;
    let (here, there) = (
        source.read_revocations(Some(0), 10).await.unwrap(),
        second.store.read_revocations(Some(0), 10).await.unwrap(),
    );
    assert_eq!(here, there);
    assert_eq!(there.newest, 1);
    // A sync that began anew finds copies of what is gone, and numbers go on after the source's.
    let mut tx = source.begin().await.unwrap();
    assert!(tx.users().delete(user).await.unwrap());
    tx.commit().await.unwrap();
    sync(&source, &second.store, 0).await;
    let there = second.store.read_revocations(Some(0), 10).await.unwrap();
    assert_eq!(source.read_revocations(Some(0), 10).await.unwrap(), there);
    assert_eq!((there.newest, there.rows.len()), (2, 2));
    second.remove().await;
}

async fn a_database_is_told_from_itself(f: Fixture) {
    let store = f.tenant();
    let again = TenantStore::new(Database::connect(&f.placement).await.unwrap(), store.instance());
    assert!(again.is_same_place(&store, f.id()).await.unwrap());
    let second = Second::beside(&f, store.instance()).await;
    assert!(!second.store.is_same_place(&store, f.id()).await.unwrap());
    for store in [&store, &second.store] {
        assert!(store.census().await.unwrap().iter().all(|(_, count)| *count == 0));
    }
    again.database().close().await;
    second.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn every_value_survives_the_way_between_sqlite_and_postgresql() {
    let instance = InstanceId(Uuid::from_u128(1));
    let (file, server) = (Second::sqlite(instance).await, Second::postgres(instance).await);
    file.store.archive_write(&rows(1), 0).await.unwrap();
    bring_and_change(&file.store, &server.store).await;
    let (before, ahead) = (all(&server.store, 0).await, 77);
    let back = Second::sqlite(instance).await;
    sync(&server.store, &back.store, ahead).await;
    assert_eq!(all(&back.store, ahead).await, before);
    server.store.purge().await.unwrap();
    server.store.archive_write(&rows(1), 0).await.unwrap();
    let there = Second::sqlite(instance).await;
    bring_and_change(&server.store, &there.store).await;
    for second in [file, server, back, there] {
        second.remove().await;
    }
}
