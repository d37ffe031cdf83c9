//! Commands about projects, tokens, users and gateways against a gateway that answers as it is told to.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::stand_in::{StandIn, ok};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_list_of_projects_is_read_page_by_page() {
    let gateway = StandIn::start(|asked| {
        if asked.line.contains("after=b") {
            return ok(&json!([{ "ref": "c", "name": "C", "status": "INACTIVE" }]));
        }
        let link = "link: </v1/projects?after=b>; rel=\"next\"\r\n";
        (200, link, json!([{ "ref": "a" }, { "ref": "b" }]).to_string())
    });
    let folder = tempfile::tempdir().unwrap();
    let output = gateway.run(&folder, &["project", "list", "--json", "--search", "a&b", "--status", "paused"]);
    let refs: Vec<Value> = serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap();
    assert_eq!(refs.iter().map(|project| project["ref"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let expected = [
        "GET /v1/projects?limit=1000&search=a%26b&statuses=INACTIVE",
        "GET /v1/projects?limit=998&after=b&search=a%26b&statuses=INACTIVE",
    ];
    assert_eq!(gateway.lines()[0], expected[0]);
    assert!(gateway.lines()[1].contains("after=b"));
    let output = gateway.run(&folder, &["project", "list", "--json", "--limit", "2"]);
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap().len(), 2);
    assert_eq!(gateway.lines().len(), 3, "no more is asked than is wanted");
}

#[test]
fn a_deleted_project_can_be_brought_back_unless_that_was_not_wanted() {
    let gateway = StandIn::start(|_| ok(&json!({ "ref": "acme", "purge_at": "2026-02-01T00:00:00Z" })));
    let folder = tempfile::tempdir().unwrap();
    let said = text(&gateway.run(&folder, &["project", "delete", "acme", "--yes"]).stdout);
    assert!(said.contains("until 2026-02-01T00:00:00Z") && said.contains("project restore acme"), "{said}");
    let said = text(&gateway.run(&folder, &["project", "delete", "acme", "--yes", "--grace", "0"]).stdout);
    assert!(!said.contains("restore"), "{said}");
    gateway.run(&folder, &["project", "delete", "acme", "--yes", "--grace", "2d"]);
    gateway.run(&folder, &["project", "restore", "acme"]);
    let expected = [
        "DELETE /v1/projects/acme",
        "GET /v1/projects/acme?deleted=true",
        "DELETE /v1/projects/acme?grace=0",
        "DELETE /v1/projects/acme?grace=172800",
        "GET /v1/projects/acme?deleted=true",
        "POST /v1/projects/acme/restore",
    ];
    assert_eq!(gateway.lines(), expected);
}

#[test]
fn what_cannot_be_undone_is_asked_where_somebody_can_be_asked() {
    let gateway = StandIn::start(|_| ok(&json!({})));
    let folder = tempfile::tempdir().unwrap();
    let id = "9a8f4b5e-4f0a-4a55-9d2a-9c7d1c1f0b11";
    for words in
        [&["project", "delete", "acme"][..], &["project", "sessions", "acme", "--end-all"], &["tokens", "revoke", id]]
    {
        let output = gateway.run(&folder, words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output.stderr).contains("--yes"), "{words:?}");
    }
    assert!(gateway.lines().is_empty());
    assert_eq!(gateway.run(&folder, &["project", "sessions", "acme", "--end-all", "--yes"]).status.code(), Some(0));
    assert_eq!(gateway.run(&folder, &["tokens", "revoke", id, "--yes"]).status.code(), Some(0));
    assert_eq!(gateway.lines(), ["DELETE /v1/projects/acme/sessions".to_owned(), format!("DELETE /v1/tokens/{id}")]);
}

#[test]
fn quotas_are_shown_and_changed() {
    let gateway = StandIn::start(|_| {
        ok(&json!({ "quotas": { "users": 5 }, "defaults": { "in_flight": 64 }, "used": { "users": 3 } }))
    });
    let folder = tempfile::tempdir().unwrap();
    let output = gateway.run(&folder, &["project", "quotas", "acme", "in_flight=200", "users=default"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(gateway.asked("PATCH")[0].json(), json!({ "in_flight": 200, "users": null }));
    let shown = text(&output.stdout);
    assert!(shown.contains("in_flight") && shown.contains("64") && shown.contains("mails_per_hour"), "{shown}");
    assert_eq!(gateway.run(&folder, &["project", "quotas", "acme", "disk=1"]).status.code(), Some(2));
}

#[test]
fn a_move_is_waited_for_and_its_failure_is_told() {
    let moves = |end: &'static str| {
        let looks = std::sync::atomic::AtomicUsize::new(0);
        StandIn::start(move |asked| {
            let looked = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let phase = if looked == 0 { "copying" } else { end };
            let movement = json!({ "placement": "postgres", "phase": phase, "rows": 7, "error": "it is full" });
            assert!(looked > 0 || asked.line == "POST /v1/projects/acme/move");
            ok(&json!({ "placement": "postgres", "move": movement }))
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let words =
        ["project", "move", "acme", "--to", "postgres", "--database-url", "postgres://x/y", "--max-pause", "10s"];
    let gateway = moves("done");
    let output = gateway.run(&folder, &words);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let body = json!({ "placement": "postgres", "database_url": "postgres://x/y", "max_pause_seconds": 10 });
    assert_eq!(gateway.asked("POST")[0].json(), body);
    assert_eq!(gateway.asked("GET")[0].line, "GET /v1/projects/acme/placement");

    let output = moves("failed").run(&folder, &words);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("it is full"), "{}", text(&output.stderr));
    assert_eq!(moves("done").run(&folder, &["project", "move", "acme"]).status.code(), Some(2), "where to?");
}

#[test]
fn tokens_have_a_role_a_reach_and_an_end() {
    let token =
        json!({ "id": "1", "name": "agency", "role": "read_only", "projects": ["acme"], "token": "sbp_secret" });
    let gateway =
        StandIn::start(move |asked| ok(&if asked.line.starts_with("GET") { json!([token]) } else { token.clone() }));
    let folder = tempfile::tempdir().unwrap();
    let words = [
        "tokens",
        "create",
        "agency",
        "--role",
        "read_only",
        "--project",
        "acme",
        "--project",
        "b",
        "--expires-in",
        "90d",
    ];
    let output = gateway.run(&folder, &words);
    assert!(text(&output.stdout).contains("sbp_secret") && text(&output.stdout).contains("not shown again"));
    let body = json!({ "name": "agency", "role": "read_only", "projects": ["acme", "b"], "expires_in": 7_776_000 });
    assert_eq!(gateway.asked("POST")[0].json(), body);
    assert!(text(&gateway.run(&folder, &["tokens", "list"]).stdout).contains("acme"));
    assert_eq!(gateway.run(&folder, &["tokens", "create", "x", "--role", "king"]).status.code(), Some(2));
}

#[test]
fn the_operator_log_is_read_until_there_is_enough() {
    let gateway = StandIn::start(|asked| {
        let from = if asked.line.contains("before=101") { 100 } else { 200 };
        let count = if from == 200 { 100 } else { 20 };
        let entries: Vec<Value> = (0..count)
            .map(|n| {
                json!({ "seq": from - n, "action": "config.changed", "token": { "name": "deploy" },
                "before": { "jwt_exp": 3600 }, "after": { "jwt_exp": 900 } })
            })
            .collect();
        ok(&json!({ "entries": entries, "next": from - count + 1 }))
    });
    let folder = tempfile::tempdir().unwrap();
    let output = gateway.run(&folder, &["audit", "--json", "--limit", "120", "--project", "acme"]);
    let page: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["next"]), (120, &json!(81)));
    let expected = ["GET /v1/projects/acme/audit?limit=100", "GET /v1/projects/acme/audit?limit=20&before=101"];
    assert_eq!(gateway.lines(), expected);
    let said = text(&gateway.run(&folder, &["audit", "--changes", "--limit", "1"]).stdout);
    assert!(said.contains("deploy") && said.contains("jwt_exp: 3600 -> 900"), "{said}");
}

#[test]
fn keys_are_rotated_by_one_command() {
    let gateway = StandIn::start(|asked| {
        let later = asked.body.contains("standby_seconds");
        ok(
            &json!({ "id": "k", "status": if later { "standby" } else { "in_use" }, "promote_at": "2026-01-01T00:20:00Z" }),
        )
    });
    let folder = tempfile::tempdir().unwrap();
    let said = text(&gateway.run(&folder, &["keys", "rotate", "acme"]).stdout);
    assert!(said.contains("signs now"), "{said}");
    let said = text(&gateway.run(&folder, &["keys", "rotate", "acme", "--alg", "EdDSA", "--standby", "20m"]).stdout);
    assert!(said.contains("from 2026-01-01T00:20:00Z on"), "{said}");
    let asked = gateway.asked("POST /v1/projects/acme/config/auth/signing-keys/rotate");
    let bodies: Vec<Value> = asked.iter().map(crate::stand_in::Asked::json).collect();
    assert_eq!(bodies, [json!({}), json!({ "algorithm": "EdDSA", "standby_seconds": 1200 })]);
}

#[test]
fn a_user_is_found_by_address_and_banned_or_deleted() {
    let id = "9a8f4b5e-4f0a-4a55-9d2a-9c7d1c1f0b11";
    let url = Arc::new(Mutex::new(String::new()));
    let own = Arc::clone(&url);
    let gateway = StandIn::start(move |asked| match asked.line.as_str() {
        "GET /v1/projects/acme" => ok(&json!({ "url": *own.lock().unwrap() })),
        line if line.starts_with("GET /v1/projects/acme/api-keys") => {
            ok(&json!([{ "name": "service_role", "type": "legacy", "api_key": "key" }]))
        }
        line if line.starts_with("GET /auth/v1/admin/users?cursor=&") => ok(&json!({
            "users": [{ "id": "x", "email": "bada@example.com" }],
            "pagination": { "next_cursor": "more", "has_more": true },
        })),
        line if line.starts_with("GET /auth/v1/admin/users?cursor=more") => {
            ok(&json!({ "users": [{ "id": id, "email": "Ada@example.com" }], "pagination": { "next_cursor": null } }))
        }
        _ => ok(&json!({ "id": id, "banned_until": "2026-02-01T00:00:00Z" })),
    });
    url.lock().unwrap().push_str(gateway.url());
    let folder = tempfile::tempdir().unwrap();
    let output = gateway.run(&folder, &["users", "ban", "acme", "ada@example.com", "--for", "30d"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let asked = gateway.asked(&format!("PUT /auth/v1/admin/users/{id}"));
    assert_eq!(asked[0].json(), json!({ "ban_duration": "2592000s" }));
    assert!(asked[0].head.contains("authorization: bearer key"));
    gateway.run(&folder, &["users", "ban", "acme", id, "--lift"]);
    assert_eq!(gateway.asked("PUT")[1].json(), json!({ "ban_duration": "none" }));
    gateway.run(&folder, &["users", "delete", "acme", id, "--soft", "--yes"]);
    assert_eq!(gateway.asked("DELETE")[0].json(), json!({ "should_soft_delete": true }));
    assert_eq!(gateway.run(&folder, &["users", "delete", "acme", id]).status.code(), Some(2), "nobody said yes");
    assert_eq!(gateway.run(&folder, &["users", "show", "acme", "nobody"]).status.code(), Some(2));
}
#[test]
fn gateways_and_usage_are_tables() {
    let gateway = StandIn::start(|asked| {
        ok(&if asked.line.contains("gateways") {
            json!([{ "id": "g1", "name": "eu-1", "version": "0.1.0", "events_behind": 0 }])
        } else {
            json!({ "users": 3, "refused": { "users": 9 } })
        })
    });
    let folder = tempfile::tempdir().unwrap();
    assert!(text(&gateway.run(&folder, &["gateways"]).stdout).contains("eu-1"));
    let usage = text(&gateway.run(&folder, &["project", "usage", "acme"]).stdout);
    assert!(usage.contains("refused users  9"), "{usage}");
}
