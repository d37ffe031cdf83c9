use domain::audit_log::Scope;
use serde_json::json;
use storage::{AuditEntry, ListAudit, TenantStore};

use crate::fixture::{Fixture, t};

on_both! {
    entries_come_newest_first_with_their_number
    a_search_looks_into_its_part_only
    payloads_come_back_to_the_letter
}

async fn put(f: &Fixture, store: &TenantStore, hour: i64, payload: serde_json::Value) {
    let entry = AuditEntry { id: f.id(), payload, ip_address: format!("192.0.2.{hour}"), created_at: t(hour) };
    let mut tx = store.begin().await.unwrap();
    tx.audit().insert(entry).await.unwrap();
    tx.commit().await.unwrap();
}

async fn list(store: &TenantStore, search: Option<(Scope, &str)>, limit: u64, offset: u64) -> (Vec<String>, u64) {
    let search = search.map(|(scope, text)| (scope, text.to_owned()));
    let (entries, total) = store.list_audit(ListAudit { search, limit, offset }).await.unwrap();
    (entries.into_iter().map(|entry| entry.ip_address).collect(), total)
}

fn hours(hours: &[i64]) -> Vec<String> {
    hours.iter().map(|hour| format!("192.0.2.{hour}")).collect()
}

async fn entries_come_newest_first_with_their_number(f: Fixture) {
    let store = f.tenant();
    for hour in [2, 4, 1, 3] {
        put(&f, &store, hour, json!({ "action": "login" })).await;
    }
    put(&f, &f.tenant(), 9, json!({ "action": "login" })).await;
    assert_eq!(list(&store, None, 9, 0).await, (hours(&[4, 3, 2, 1]), 4));
    assert_eq!(list(&store, None, 2, 1).await, (hours(&[3, 2]), 4));
    assert_eq!(list(&store, None, 2, 4).await, (vec![], 4));
    let page = store.list_audit(ListAudit { search: None, limit: 1, offset: 0 }).await.unwrap().0;
    assert_eq!(page[0].created_at, t(4));
    assert_eq!(page[0].payload.get(), r#"{"action":"login"}"#);
}

async fn a_search_looks_into_its_part_only(f: Fixture) {
    let store = f.tenant();
    let entry = |actor: &str, name: &str, action: &str, kind: &str| json!({ "actor_username": actor, "actor_name": name, "action": action, "log_type": kind, "traits": { "x": "team" } });
    put(&f, &store, 1, entry("ada@example.com", "Ada", "login", "account")).await;
    put(&f, &store, 2, entry("bob@example.com", "Robert A_a", "user_signedup", "team")).await;
    put(&f, &store, 3, entry("491512", "Ida", "logout", "account")).await;
    for (scope, text, found) in [
        (Scope::Author, "EXAMPLE", &[2, 1][..]),
        (Scope::Author, "da", &[3, 1]),
        (Scope::Author, "4915", &[3]),
        (Scope::Author, "login", &[]),
        (Scope::Action, "LOG", &[3, 1]),
        (Scope::Action, "l%in", &[1]),
        (Scope::Action, "team", &[]),
        (Scope::Type, "team", &[2]),
        (Scope::Type, "_ea_", &[2]),
        (Scope::Author, r"a\_a", &[2]),
        (Scope::Type, "'", &[]),
    ] {
        let expected = (hours(found), u64::try_from(found.len()).unwrap());
        assert_eq!(list(&store, Some((scope, text)), 9, 0).await, expected, "{scope:?} {text}");
    }
    assert_eq!(list(&store, Some((Scope::Type, "account")), 1, 1).await, (hours(&[1]), 2));
}

async fn payloads_come_back_to_the_letter(f: Fixture) {
    let store = f.tenant();
    let text = r#"{"zeta": 1, "a": {"y":2,"x":3}, "middle": 1.50}"#;
    put(&f, &store, 1, json!({ "long_key": 1, "b": 2, "a": 3 })).await;
    f.write(&format!(
        "insert into auth.audit_log_entries (instance_id, id, payload, created_at)
         values ({}, {}, '{text}', '2020-01-01T00:00:00.000000Z')",
        f.literal(store.instance().0),
        f.literal(f.id()),
    ))
    .await;
    let entries = store.list_audit(ListAudit { search: None, limit: 9, offset: 0 }).await.unwrap().0;
    assert_eq!(entries[0].payload.get(), r#"{"a":3,"b":2,"long_key":1}"#);
    assert_eq!(entries[1].payload.get(), text);
}
