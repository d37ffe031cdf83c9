//! Archives that come in pieces, again, late, broken, or not at all.

use std::sync::Arc;
use std::time::Duration;

use domain::secret::Secret;
use domain::time::Clock;
use flows::management::{Error, ImportView, MoveProject, RotateSigningKey};
use serde_json::{Value, json};
use testkit::{Limits, MockClock, Setup, TestApp, TestDatabase, TestProject};

use super::{elsewhere, exported, imported, send, start};
use crate::both::on_both;
use crate::eventually::eventually;
use crate::letters::{confirmed, project};

/// A project with some users, its archive, and a gateway that has nothing of it.
async fn prepared(to: TestDatabase) -> (TestApp, TestProject, Vec<String>, TestApp) {
    let app = TestApp::sqlite().await;
    let here = project(&app, json!({})).await;
    for number in 0..4 {
        confirmed(&here, &format!("user{number}@example.com")).await;
        here.sign_in(&format!("user{number}@example.com")).await;
    }
    let lines = exported(&app, &here.project_ref, 1000).await;
    let to = elsewhere(&app, to).await;
    (app, here, lines, to)
}

fn invalid(outcome: Result<ImportView, Error>) -> String {
    let refused = outcome.expect_err("it is refused");
    assert!(matches!(refused, Error::Invalid(_)), "{refused:?}");
    refused.to_string()
}

fn conflict(outcome: Result<ImportView, Error>) -> String {
    let refused = outcome.expect_err("it is refused");
    assert!(matches!(refused, Error::Conflict(_)), "{refused:?}");
    refused.to_string()
}

async fn users(app: &TestApp, project: &TestProject) -> u64 {
    let bundle = app.management.control.projects().bundle(&project.project_ref).await.unwrap().unwrap();
    let store = storage(app, &bundle.project);
    store.census().await.unwrap()[0].1
}

fn storage(app: &TestApp, project: &domain::project::Project) -> storage::TenantStore {
    let database = app.management.databases.of(project.placement, None, project.id).unwrap();
    storage::TenantStore::new(database, project.instance)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_served_before_the_end() {
    let (_, here, lines, to) = prepared(TestDatabase::sqlite()).await;
    let there = to.through(&here);
    there.get("/settings").send().await.expect(404);
    let begun = to.management.start_import(start(&lines)).await.unwrap();
    assert_eq!(begun.next_line, 2);
    let sign_in = || {
        there.post("/token?grant_type=password", json!({ "email": "user1@example.com", "password": "correct horse" }))
    };
    let held = sign_in().send().await.expect(503);
    assert_eq!(held.header("retry-after"), "1");
    let all = send(&to, &begun, &lines[..lines.len() - 1], 3).await;
    assert!(
        conflict_of(to.management.finish_import(begun.id).await)
            .contains(&format!("line {} comes next", all.next_line))
    );
    sign_in().send().await.expect(503);
    to.management.import_rows(begun.id, all.next_line, &lines[lines.len() - 1]).await.unwrap();
    sign_in().send().await.expect(503);
    to.management.finish_import(begun.id).await.unwrap();
    sign_in().send().await.expect(200);
    assert!(matches!(to.management.import(begun.id).await, Err(Error::NotFound)));
    assert!(matches!(to.management.finish_import(begun.id).await, Err(Error::NotFound)));
}

fn conflict_of<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    let refused = outcome.expect_err("it is refused");
    assert!(matches!(refused, Error::Conflict(_)), "{refused:?}");
    refused.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_came_before_are_passed_over() {
    let (_, here, lines, to) = prepared(TestDatabase::sqlite()).await;
    let begun = to.management.start_import(start(&lines)).await.unwrap();
    let import = |from: i64, lines: &[String]| {
        let (management, lines) = (&to.management, lines.join("\n"));
        async move { management.import_rows(begun.id, from, &lines).await }
    };
    let first = import(2, &lines[1..6]).await.unwrap();
    assert_eq!(first.next_line, 7);
    assert_eq!(import(2, &lines[1..6]).await.unwrap(), first, "all of it came before");
    let second = import(4, &lines[3..9]).await.unwrap();
    assert_eq!((second.next_line, second.rows.values().sum::<i64>()), (10, 8));
    assert_eq!(to.management.import(begun.id).await.unwrap(), second);
    assert!(conflict_of(import(11, &lines[10..]).await).contains("line 10 comes next"));
    assert!(conflict_of(import(1, &lines).await).contains("line 10 comes next"));
    // What was written and not noted is written again.
    storage(&to, &to.management.control.projects().by_ref(&here.project_ref).await.unwrap().unwrap())
        .archive_write(&rows(&lines[9..12]), 0)
        .await
        .unwrap();
    import(10, &lines[9..]).await.unwrap();
    to.management.finish_import(begun.id).await.unwrap();
    assert_eq!(users(&to, &here).await, 4);
    to.through(&here).sign_in("user3@example.com").await;
}

fn rows(lines: &[String]) -> Vec<(&'static storage::archive::Table, storage::archive::Row)> {
    let read = |line: &String| {
        let line: Value = serde_json::from_str(line).unwrap();
        let table = storage::archive::table(line["table"].as_str().unwrap()).unwrap();
        (table, storage::archive::Row::from_json(table, &line["row"].to_string()).unwrap())
    };
    lines.iter().map(read).collect()
}

on_both!(a_broken_line_is_named_and_nothing_of_its_chunk_is_written, a_broken_line_is_named_on_postgres, broken);
async fn broken(to: TestApp) {
    let app = TestApp::sqlite().await;
    let here = project(&app, json!({})).await;
    confirmed(&here, "a@example.com").await;
    confirmed(&here, "b@example.com").await;
    let lines = exported(&app, &here.project_ref, 1000).await;
    let begun = to.management.start_import(start(&lines)).await.unwrap();
    let id = begun.id;
    let table = |line: &str| format!("{{\"table\":\"{line}\",\"row\":{{}}}}");
    let status = "\"email_change_confirm_status\":";
    let impossible = lines[2].replace(&format!("{status}0"), &format!("{status}9"));
    assert_ne!(impossible, lines[2]);
    let cases = [
        ("nonsense".to_owned(), "line 3: neither a row nor the end"),
        (table("shoes"), "line 3: there is no table \"shoes\""),
        (table("users"), "line 3: users.id is missing"),
        ("{\"table\":\"users\",\"row\":{},\"end\":{}}".to_owned(), "line 3: neither a row nor the end"),
        (lines[2].replace("\"aud\"", "\"size\""), "line 3: users has no column \"size\""),
        (impossible, "line 3: the database refuses the row"),
    ];
    for (line, why) in cases {
        let chunk = format!("{}\n{line}\n", lines[1]);
        let said = invalid(to.management.import_rows(id, 2, &chunk).await);
        assert!(said.starts_with(why), "{said}");
        assert_eq!(to.management.import(id).await.unwrap(), begun);
        assert_eq!(users(&to, &here).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_was_changed_or_cut_does_not_end() {
    let (_, _, lines, to) = prepared(TestDatabase::sqlite()).await;
    let begun = to.management.start_import(start(&lines)).await.unwrap();
    let end = lines.last().unwrap();
    let all = send(&to, &begun, &lines[..lines.len() - 2], 100).await;
    let why = invalid(to.management.import_rows(begun.id, all.next_line, end).await);
    assert!(why.contains("lines are missing"), "{why}");
    let at = lines.len() - 2;
    let why = invalid(to.management.import_rows(begun.id, all.next_line, &lines[1]).await);
    assert!(why.contains("rows of users come earlier"), "{why}");
    to.management.import_rows(begun.id, all.next_line, &lines[at]).await.unwrap();
    to.management.import_rows(begun.id, all.next_line + 1, end).await.unwrap();
    let why = invalid(to.management.import_rows(begun.id, all.next_line + 2, &lines[at]).await);
    assert!(why.contains("nothing comes after the end"), "{why}");
    to.management.cancel_import(begun.id).await.unwrap();

    let begun = to.management.start_import(start(&lines)).await.unwrap();
    let mut changed = lines.clone();
    changed[1] = changed[1].replace("\"aud\":\"authenticated\"", "\"aud\":\"admin\"");
    assert_ne!(changed[1], lines[1]);
    let all = send(&to, &begun, &changed[..changed.len() - 1], 100).await;
    let why = invalid(to.management.import_rows(begun.id, all.next_line, end).await);
    assert!(why.contains("their digest differs"), "{why}");
    assert!(conflict_of(to.management.finish_import(begun.id).await).contains("has not ended"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_was_changed_without_the_key_is_noticed() {
    let (_, _, mut lines, to) = prepared(TestDatabase::sqlite()).await;
    let at = lines.len() - 1;
    lines[1] = lines[1].replace("\"aud\":\"authenticated\"", "\"aud\":\"admin\"");
    // What the format tells everybody how to compute.
    let chain = |before: String, line: &String| crypto::digest::sha256_hex(&format!("{before}{line}"));
    let chained = lines[..at].iter().fold(String::new(), chain);
    let mut end: Value = serde_json::from_str(&lines[at]).unwrap();
    for key in [None, Some("AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")] {
        let key = key.map(|text| crypto::seal::MasterKey::from_text(text).unwrap());
        end["end"]["digest"] = key.map_or(chained.clone(), |key| key.mark("archive_end", chained.as_bytes())).into();
        lines[at] = end.to_string();
        let begun = to.management.start_import(start(&lines)).await.unwrap();
        let all = send(&to, &begun, &lines[..at], 100).await;
        let why = invalid(to.management.import_rows(begun.id, all.next_line, &lines[at]).await);
        assert!(why.contains("their digest differs"), "{why}");
        to.management.cancel_import(begun.id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_is_judged_like_any_configuration() {
    let (_, _, lines, to) = prepared(TestDatabase::sqlite()).await;
    let shield = json!({ "security_profile": "shield", "security_profile_mode": "enforce", "jwt_exp": 604_800 });
    let cases = [
        ("/config", json!({ "jwt_exp": -1 }), "jwt_exp must be a whole number"),
        ("/config", json!({ "jwt_exp": "x" }), "jwt_exp must be a whole number"),
        ("/config", json!({ "site_url": "no address" }), "site_url must be one absolute URL"),
        ("/config", json!({ "shoe_size": 1 }), "config has no field \"shoe_size\""),
        ("/config", json!({ "security_captcha_enabled": true }), "needs security_captcha_secret"),
        ("/config", shield, "security profile shield: jwt_exp"),
        ("/project/quotas", json!({ "users": 0 }), "quota users must be at least 1"),
    ];
    for (at, value, why) in cases {
        let mut request = start(&lines);
        *request.header.pointer_mut(at).unwrap() = value.clone();
        let said = invalid(to.management.start_import(request).await);
        assert!(said.starts_with("line 1: ") && said.contains(why), "{value}: {said}");
    }
    imported(&to, &lines, start(&lines)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_ids_that_no_database_counts_to_are_refused() {
    let (_, _, lines, to) = prepared(TestDatabase::sqlite()).await;
    for ids in [(i64::MIN, i64::MAX), (0, i64::MAX), (1, 1 << 60), (i64::MAX, i64::MAX), (-1, 1), (2, 1)] {
        let mut request = start(&lines);
        request.header["token_ids"] = json!(ids);
        let said = invalid(to.management.start_import(request).await);
        assert!(said.starts_with("line 1: token_ids"), "{ids:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_being_imported_is_not_exported() {
    let (_, here, lines, to) = prepared(TestDatabase::sqlite()).await;
    let begun = to.management.start_import(start(&lines)).await.unwrap();
    let key = super::key();
    let export = || to.management.export(&here.project_ref, &key, None, None);
    assert!(conflict_of(export().await).contains("still being imported"));
    send(&to, &begun, &lines, 100).await;
    assert!(conflict_of(export().await).contains("still being imported"));
    to.management.finish_import(begun.id).await.unwrap();
    export().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_already_is_not_made_again() {
    let (app, here, lines, to) = prepared(TestDatabase::sqlite()).await;
    assert!(conflict(app.management.start_import(start(&lines)).await).contains("on this gateway already"));
    imported(&to, &lines, start(&lines)).await;
    assert!(conflict(to.management.start_import(start(&lines)).await).contains("on this gateway already"));
    let mut other = start(&lines);
    other.archive_key = Secret::new("AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned());
    let fresh = elsewhere(&app, TestDatabase::sqlite()).await;
    assert!(invalid(fresh.management.start_import(other).await).contains("cannot be opened with this key"));
    let mut newer = start(&lines);
    newer.header["tenantry_archive"] = json!(2);
    assert!(invalid(fresh.management.start_import(newer).await).contains("format 2"));
    let mut taken = start(&lines);
    fresh.project("taken", json!({})).await;
    taken.project_ref = Some("taken".to_owned());
    assert!(conflict(fresh.management.start_import(taken).await).contains("exists already"));
    assert!(invalid(fresh.management.start_import(start(&[json!({}).to_string()])).await).contains("line 1"));
    // A held project goes nowhere.
    let begun = fresh.management.start_import(start(&lines)).await.unwrap();
    let to_file =
        MoveProject { placement: domain::project::Placement::Sqlite, database_url: None, max_pause_seconds: None };
    assert!(fresh.management.start_move(&here.project_ref, to_file).await.is_err());
    fresh.management.cancel_import(begun.id).await.unwrap();
    fresh.through(&here).get("/settings").send().await.expect(404);
    imported(&fresh, &lines, start(&lines)).await;
    fresh.through(&here).sign_in("user0@example.com").await;
}

on_both!(
    an_import_given_up_while_lines_are_written_leaves_nothing,
    an_import_given_up_while_lines_are_written_leaves_nothing_on_postgres,
    given_up
);
async fn given_up(to: TestApp) {
    let app = TestApp::sqlite().await;
    let here = project(&app, json!({})).await;
    for number in 0..4 {
        confirmed(&here, &format!("user{number}@example.com")).await;
    }
    let lines = exported(&app, &here.project_ref, 1000).await;
    let rest = lines[1..].join("\n");
    for round in 0..6 {
        let begun = to.management.start_import(start(&lines)).await.unwrap();
        let cancelled = async {
            for _ in 0..round * 20 {
                tokio::task::yield_now().await;
            }
            to.management.cancel_import(begun.id).await
        };
        let (sent, cancelled) = tokio::join!(to.management.import_rows(begun.id, 2, &rest), cancelled);
        cancelled.unwrap();
        if let Err(error) = sent {
            assert!(matches!(error, Error::NotFound), "{error:?}");
        }
        let stored = to.stored_text().await;
        assert!(!stored.contains("user0@example.com"), "round {round}");
    }
    imported(&to, &lines, start(&lines)).await;
    to.through(&here).sign_in("user3@example.com").await;
}

on_both!(
    who_still_writes_lines_is_waited_for_before_they_are_removed,
    who_still_writes_lines_is_waited_for_before_they_are_removed_on_postgres,
    waited_for
);
async fn waited_for(to: TestApp) {
    let app = TestApp::sqlite().await;
    let here = project(&app, json!({})).await;
    confirmed(&here, "a@example.com").await;
    let lines = exported(&app, &here.project_ref, 1000).await;
    let begun = to.management.start_import(start(&lines)).await.unwrap();
    let control = &to.management.control;
    let import = control.imports().read(begun.id).await.unwrap().unwrap();
    let (writer, now) = (uuid::Uuid::from_u128(5), to.management.clock.now());
    assert!(control.imports().begin_writing(&import, writer, now.plus_seconds(60), now).await.unwrap());
    assert!(conflict(to.management.import_rows(begun.id, 2, &lines[1..].join("\n")).await).contains("somebody else"));
    let held = control.projects().by_id(begun.project).await.unwrap().unwrap();
    let store = storage(&to, &held);
    let writes = async {
        while control.projects().by_id(begun.project).await.unwrap().unwrap().status
            != domain::project::Status::Deleting
        {
            tokio::task::yield_now().await;
        }
        store.archive_write(&rows(&lines[1..2]), 0).await.unwrap();
        control.imports().advance(begun.id, writer, 3, &import.header, now).await.unwrap()
    };
    let (cancelled, _) = tokio::join!(to.management.cancel_import(begun.id), writes);
    cancelled.unwrap();
    assert!(control.projects().by_id(begun.project).await.unwrap().is_none());
    assert!(!to.stored_text().await.contains("a@example.com"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_lines_sent_again_change_nothing_of_a_project_that_serves() {
    let (_, here, lines, to) = prepared(TestDatabase::sqlite()).await;
    let begun = to.management.start_import(start(&lines)).await.unwrap();
    // A slow request with all lines has read how far the import is; another one brings them, and the project serves.
    let slow = to.management.control.imports().read(begun.id).await.unwrap().unwrap();
    to.management.import_rows(begun.id, 2, &lines[1..].join("\n")).await.unwrap();
    let (writer, now) = (uuid::Uuid::from_u128(5), to.management.clock.now());
    let imports = to.management.control.imports();
    assert!(!imports.begin_writing(&slow, writer, now.plus_seconds(60), now).await.unwrap());
    to.management.finish_import(begun.id).await.unwrap();
    assert!(!imports.begin_writing(&slow, writer, now.plus_seconds(60), now).await.unwrap());
    assert!(matches!(to.management.import_rows(begun.id, 2, &lines[1..].join("\n")).await, Err(Error::NotFound)));
    to.through(&here).sign_in("user0@example.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_being_imported_is_not_changed() {
    let (_, _, lines, to) = prepared(TestDatabase::sqlite()).await;
    let begun = to.management.start_import(start(&lines)).await.unwrap();
    let (manage, project) = (&to.management, &begun.project_ref);
    let patch = json!({ "jwt_exp": 60 });
    conflict_of(manage.patch_config(project, patch.as_object().unwrap()).await);
    conflict_of(manage.rollback_config(project, 1, None).await);
    conflict_of(manage.set_paused(project, true).await);
    conflict_of(manage.restore_project(project).await);
    conflict_of(manage.rotate_signing_key(project, RotateSigningKey::default()).await);
    conflict_of(manage.import_legacy_signing_key(project).await);
    let key = manage.control.projects().bundle(project).await.unwrap().unwrap().api_keys[0].id;
    conflict_of(manage.rotate_api_key(project, key, None).await);
    conflict_of(manage.delete_api_key(project, key).await);
    conflict_of(manage.set_legacy_keys_enabled(project, false).await);
    assert_eq!(manage.config(project).await.unwrap()["jwt_exp"], json!(3600), "it can be looked at");
    let view = send(&to, &begun, &lines, 50).await;
    manage.finish_import(view.id).await.unwrap();
    manage.patch_config(project, patch.as_object().unwrap()).await.unwrap();
    manage.set_paused(project, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_janitor_passes_over_a_project_that_is_being_imported() {
    let anonymous = json!({ "external_anonymous_users_enabled": true });
    let app = TestApp::sqlite().await;
    let here = app.project("one", anonymous.clone()).await;
    here.post("/signup", json!({})).send().await.expect(200);
    let lines = exported(&app, &here.project_ref, 1000).await;
    let to = elsewhere(&app, TestDatabase::sqlite()).await;
    let plain = to.project("plain", anonymous).await;
    plain.post("/signup", json!({})).send().await.expect(200);
    let begun = to.management.start_import(start(&lines)).await.unwrap();
    let view = send(&to, &begun, &lines, 50).await;
    let ids = [begun.project, to.management.project_id(&plain.project_ref).await.unwrap()];
    to.management.control.projects().schedule_sweeps(&ids, to.clock.now()).await.unwrap();

    let clock = Arc::new(MockClock::default());
    clock.advance(40 * 24 * 3600);
    let often = Duration::from_millis(10);
    let limits = Limits { janitor_step: often, janitor_sweep: often, ..Limits::default() };
    let setup = Setup { clock, limits, seed: 9, master_seed: 100, ..Setup::new(to.placement()) };
    let cleaner = TestApp::start(setup).await;
    eventually(async || users(&to, &plain).await == 0).await;
    eventually(async || cleaner.handle.stats().loads >= 2).await;
    let imported = to.through(&here);
    assert_eq!(users(&to, &imported).await, 1, "what came of the archive is whole");
    to.management.finish_import(view.id).await.unwrap();
    eventually(async || users(&to, &imported).await == 0).await;
}
