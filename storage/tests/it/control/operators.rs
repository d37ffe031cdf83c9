//! Operator tokens and the operator log.

use std::collections::BTreeSet;

use domain::ids::ProjectId;
use domain::operator::{Reach, Role, TokenView};
use serde_json::json;
use storage::StoreError;
use storage::control::{ListLog, LogEntry, LogRecord};
use tokio::task::JoinSet;

use super::{bundle, made, object};
use crate::fixture::{Fixture, t};

on_both! {
    tokens_are_found_by_hash_and_revoked
    owners_who_revoke_each_other_leave_one
    a_change_and_its_entry_go_together
    entries_are_listed_newest_first
    old_entries_go
}

fn token(f: &Fixture, role: Role, reach: Reach, hour: i64) -> TokenView {
    TokenView {
        id: f.id(),
        name: "deploy".to_owned(),
        prefix: "sbp_1234".to_owned(),
        role,
        reach,
        created_at: t(hour),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

fn entry(action: &str, project: Option<ProjectId>, hour: i64) -> LogEntry {
    LogEntry {
        at: t(hour),
        token: None,
        token_name: "gateway".to_owned(),
        address: Some("192.0.2.1".to_owned()),
        action: action.to_owned(),
        project,
        project_ref: project.map(|_| "first".to_owned()),
        before: Some(json!({ "name": "a", "gone": null })),
        after: None,
    }
}

async fn tokens_are_found_by_hash_and_revoked(f: Fixture) {
    let control = f.control().await;
    let tokens = control.operator_tokens();
    let all = token(&f, Role::Owner, Reach::Everything, 1);
    // A project that a token is for may be gone: the token is for nothing more than the others.
    let few = BTreeSet::from([ProjectId(f.id()), ProjectId(f.id())]);
    let some = TokenView { expires_at: Some(t(9)), ..token(&f, Role::ReadOnly, Reach::Projects(few), 2) };
    let none = token(&f, Role::Operator, Reach::Projects(BTreeSet::new()), 3);
    for (token, hash) in [(&all, "hash-all"), (&some, "hash-some"), (&none, "hash-none")] {
        assert!(tokens.insert(token, hash).await.unwrap());
    }
    assert!(!tokens.insert(&token(&f, Role::Owner, Reach::Everything, 4), "hash-some").await.unwrap());
    assert_eq!(tokens.by_hash("hash-all").await.unwrap(), Some(all.clone()));
    assert_eq!(tokens.by_hash("hash-some").await.unwrap(), Some(some.clone()));
    assert_eq!(tokens.by_hash("hash").await.unwrap(), None);
    assert_eq!(tokens.list().await.unwrap(), [none, some.clone(), all.clone()]);

    tokens.touch(all.id, t(6)).await.unwrap();
    tokens.touch(all.id, t(5)).await.unwrap();
    assert_eq!(tokens.get(all.id).await.unwrap().unwrap().last_used_at, Some(t(6)));
    assert!(tokens.revoke(some.id, t(7)).await.unwrap());
    assert!(!tokens.revoke(some.id, t(8)).await.unwrap());
    assert!(!tokens.revoke(f.id(), t(8)).await.unwrap());
    let revoked = tokens.by_hash("hash-some").await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(t(7)));
    assert!(!revoked.is_good(t(7)));
}

async fn owners_who_revoke_each_other_leave_one(f: Fixture) {
    let control = f.control().await;
    let tokens = control.operator_tokens();
    let passing = TokenView { expires_at: Some(t(9)), ..token(&f, Role::Owner, Reach::Everything, 1) };
    assert!(tokens.insert(&passing, "passing").await.unwrap());
    let owners: Vec<TokenView> = (0..8).map(|_| token(&f, Role::Owner, Reach::Everything, 1)).collect();
    for (number, owner) in owners.iter().enumerate() {
        assert!(tokens.insert(owner, &format!("hash-{number}")).await.unwrap());
    }
    let mut racing = JoinSet::new();
    for owner in &owners {
        let (control, id) = (control.clone(), owner.id);
        racing.spawn(async move { control.operator_tokens().revoke(id, t(2)).await.unwrap() });
    }
    let revoked = racing.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!(revoked, owners.len() - 1);
    let left =
        tokens.list().await.unwrap().into_iter().filter(|token| token.is_good(t(3)) && token.expires_at.is_none());
    let left: Vec<TokenView> = left.collect();
    assert_eq!(left.len(), 1);
    assert!(!tokens.revoke(left[0].id, t(4)).await.unwrap(), "nor is it revoked later");
    assert!(tokens.revoke(passing.id, t(4)).await.unwrap(), "one that ends anyway can be");
}

async fn log(control: &storage::ControlStore) -> Vec<LogEntry> {
    let list = ListLog { projects: None, project_ref: None, before: None, limit: 100 };
    let mut entries: Vec<_> =
        control.operator_log().list(&list).await.unwrap().into_iter().map(|record| record.entry).collect();
    entries.reverse();
    entries
}

async fn a_change_and_its_entry_go_together(f: Fixture) {
    let control = f.control().await;
    let new = bundle(&f, "first");
    let id = new.project.id;
    let made = entry("project.created", Some(id), 1);
    let noting = control.noting(made.clone());
    assert!(noting.projects().create(&new, &["mark".to_owned()], t(1)).await.unwrap());
    assert_eq!(log(&control).await, std::slice::from_ref(&made));
    assert!(noting.projects().rename(id, "again", t(2)).await.unwrap());
    assert_eq!(log(&control).await.len(), 1, "an entry is of one change");

    // What changes nothing is noted nowhere; what fails leaves the entry to the next try.
    let changed = entry("config.changed", Some(id), 2);
    let noting = control.noting(changed.clone());
    assert!(!noting.projects().rename(ProjectId(f.id()), "x", t(2)).await.unwrap());
    assert!(!noting.projects().create(&bundle(&f, "second"), &["mark".to_owned()], t(2)).await.unwrap());
    assert!(matches!(
        noting.configs().append(id, 7, &object(json!({})), None, None, t(2)).await,
        Err(StoreError::Conflict)
    ));
    assert!(matches!(noting.projects().create(&bundle(&f, "first"), &[], t(2)).await, Err(StoreError::Conflict)));
    assert_eq!(log(&control).await.len(), 1);
    noting.configs().append(id, 1, &object(json!({})), None, None, t(2)).await.unwrap();
    assert_eq!(log(&control).await, [made.clone(), changed.clone()]);

    let token = token(&f, Role::Operator, Reach::Everything, 3);
    let (added, revoked) = (entry("token.created", None, 3), entry("token.revoked", None, 4));
    let noting = control.noting(added.clone());
    assert!(noting.operator_tokens().insert(&token, "hash").await.unwrap());
    assert!(control.noting(revoked.clone()).operator_tokens().revoke(token.id, t(4)).await.unwrap());
    let removed = entry("project.purged", Some(id), 5);
    assert!(control.noting(removed.clone()).projects().remove(id, t(5)).await.unwrap());
    assert_eq!(log(&control).await, [made, changed, added, revoked, removed], "it outlives the project");
}

async fn entries_are_listed_newest_first(f: Fixture) {
    let control = f.control().await;
    let (one, two) = (made(&f, &control, "one").await, made(&f, &control, "two").await);
    for (number, project) in [Some(one), Some(two), None, Some(one), Some(two)].into_iter().enumerate() {
        control.operator_log().append(&entry(&format!("action-{number}"), project, 1)).await.unwrap();
    }
    let list = async |projects: Option<BTreeSet<ProjectId>>, before, limit| {
        control.operator_log().list(&ListLog { projects, project_ref: None, before, limit }).await.unwrap()
    };
    let actions = |records: &[LogRecord]| records.iter().map(|record| record.entry.action.clone()).collect::<Vec<_>>();
    let all = list(None, None, 10).await;
    assert_eq!(actions(&all), ["action-4", "action-3", "action-2", "action-1", "action-0"]);
    assert!(all.is_sorted_by(|left, right| left.seq > right.seq));
    assert_eq!(list(None, Some(all[1].seq), 2).await, all[2..4]);
    assert_eq!(actions(&list(Some(BTreeSet::from([one])), None, 10).await), ["action-3", "action-0"]);
    assert_eq!(actions(&list(Some(BTreeSet::from([one, two])), None, 3).await), ["action-4", "action-3", "action-1"]);
    assert_eq!(actions(&list(Some(BTreeSet::from([one, two])), Some(all[1].seq), 3).await), ["action-1", "action-0"]);
    assert_eq!(list(Some(BTreeSet::new()), None, 3).await, []);
    let named = async |name: &str, projects: Option<BTreeSet<ProjectId>>| {
        let list = ListLog { projects, project_ref: Some(super::named(name)), before: None, limit: 10 };
        actions(&control.operator_log().list(&list).await.unwrap())
    };
    assert_eq!(named("first", None).await, ["action-4", "action-3", "action-1", "action-0"], "whoever had the ref");
    assert_eq!(named("first", Some(BTreeSet::from([two]))).await, ["action-4", "action-1"]);
    assert_eq!(named("second", None).await, [""; 0]);
}

async fn old_entries_go(f: Fixture) {
    let control = f.control().await;
    for hour in 1..=4 {
        control.operator_log().append(&entry("action", None, hour)).await.unwrap();
    }
    assert_eq!(control.operator_log().trim(t(3)).await.unwrap(), 2);
    assert_eq!(log(&control).await.iter().map(|entry| entry.at).collect::<Vec<_>>(), [t(3), t(4)]);
}
