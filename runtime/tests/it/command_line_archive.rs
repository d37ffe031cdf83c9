//! `tenantry project export` and `import`: what breaks off goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::stand_in::{StandIn, ok};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn an_export_goes_on_where_it_broke_off() {
    let away = Arc::new(AtomicBool::new(true));
    let is_away = Arc::clone(&away);
    let gateway = StandIn::start(move |asked| match asked.line.as_str() {
        line if !line.contains("cursor=") => (200, "x-tenantry-next: two\r\n", "{\"v\":1}\n{\"a\":1}\n".to_owned()),
        _ if is_away.load(Ordering::Relaxed) => (503, "", json!({ "message": "the database is away" }).to_string()),
        _ => (200, "", "{\"b\":2}\n{\"end\":{}}\n".to_owned()),
    });
    let folder = tempfile::tempdir().unwrap();
    let words = ["project", "export", "acme", "acme.ndjson", "--json"];
    let output = gateway.run(&folder, &words);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("it goes on where this ended"), "{}", text(&output.stderr));
    assert!(!folder.path().join("acme.ndjson").exists(), "half an archive is none");

    // A page of which half was written is written again.
    let part = folder.path().join("acme.ndjson.part");
    let kept = std::fs::read_to_string(&part).unwrap();
    std::fs::write(&part, format!("{kept}{{\"b\":")).unwrap();
    away.store(false, Ordering::Relaxed);
    let output = gateway.run(&folder, &words);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let archive = std::fs::read_to_string(folder.path().join("acme.ndjson")).unwrap();
    assert_eq!(archive, "{\"v\":1}\n{\"a\":1}\n{\"b\":2}\n{\"end\":{}}\n");
    assert_eq!(gateway.asked("GET /v1/projects/acme/export?limit=").len(), 1, "the first page was read once");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the archive and its key, nothing else: {left:?}");

    let key = std::fs::read_to_string(folder.path().join("acme.ndjson.key")).unwrap();
    let sent = format!("x-tenantry-archive-key: {}", key.trim().to_lowercase());
    assert!(gateway.asked("GET").iter().all(|asked| asked.head.contains(&sent)), "one key for all of it");
    assert_eq!(gateway.run(&folder, &words).status.code(), Some(2), "an archive is not written over");
}

#[cfg(unix)]
#[test]
fn archive_and_key_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = StandIn::start(|_| (200, "", "{\"v\":1}\n{\"end\":{}}\n".to_owned()));
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(gateway.run(&folder, &["project", "export", "acme", "a"]).status.code(), Some(0));
    for name in ["a", "a.key"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

#[test]
fn an_import_sends_every_line_once_and_goes_on_where_it_broke_off() {
    let id = "9a8f4b5e-4f0a-4a55-9d2a-9c7d1c1f0b11";
    let away = Arc::new(AtomicBool::new(true));
    let taken = Arc::new(Mutex::new(Vec::<String>::new()));
    let (is_away, store) = (Arc::clone(&away), Arc::clone(&taken));
    let gateway = StandIn::start(move |asked| {
        let mut store = store.lock().unwrap();
        match asked.line.as_str() {
            "POST /v1/imports" => (201, "", json!({ "id": id, "ref": "b", "next_line": 2 }).to_string()),
            line if line.ends_with("/finish") => ok(&json!({ "ref": "b", "name": "B" })),
            line if line.starts_with("POST") => {
                assert!(line.ends_with(&format!("from={}", store.len() + 2)), "{line}");
                // The first bite is taken, and then the gateway is gone for a while.
                if !store.is_empty() && is_away.load(Ordering::Relaxed) {
                    return (503, "", json!({ "message": "away" }).to_string());
                }
                store.extend(asked.body.lines().map(str::to_owned));
                ok(&json!({ "id": id, "next_line": store.len() + 2 }))
            }
            _ => ok(&json!({ "id": id, "next_line": store.len() + 2 })),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..40).map(|n| json!({ "n": n, "pad": "x".repeat(60_000) }).to_string()).collect();
    let archive = format!("{}\n{}\n{{\"end\":{{}}}}\n", json!({ "v": 1 }), rows.join("\n"));
    std::fs::write(folder.path().join("a"), archive).unwrap();
    let words = ["project", "import", "a", "--ref", "b", "--json"];

    assert_eq!(gateway.run(&folder, &words).status.code(), Some(2), "the key is missing");
    std::fs::write(folder.path().join("a.key"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let output = gateway.run(&folder, &words);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("next"), "{}", text(&output.stderr));
    away.store(false, Ordering::Relaxed);
    let output = gateway.run(&folder, &words);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["ref"], "b");

    let started = gateway.asked("POST /v1/imports");
    assert_eq!(started[0].json(), json!({ "header": { "v": 1 }, "ref": "b" }));
    assert!(started[0].head.contains("x-tenantry-archive-key: aaaa"));
    assert_eq!(gateway.lines().iter().filter(|line| *line == "POST /v1/imports").count(), 1, "it was started once");
    let taken = taken.lock().unwrap();
    assert_eq!((taken.len(), taken[..40] == rows[..], taken[40].as_str()), (41, true, "{\"end\":{}}"));
    assert!(gateway.asked("POST").iter().all(|asked| asked.body.len() < 1024 * 1024));
    assert!(!folder.path().join("a.import").exists());
}

#[test]
fn an_import_can_be_given_up() {
    let gateway = StandIn::start(|_| ok(&json!({})));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "{}\n").unwrap();
    assert_eq!(
        gateway.run(&folder, &["project", "import", "a", "--cancel"]).status.code(),
        Some(2),
        "none is under way"
    );
    let id = "9a8f4b5e-4f0a-4a55-9d2a-9c7d1c1f0b11";
    std::fs::write(folder.path().join("a.import"), id).unwrap();
    assert_eq!(gateway.run(&folder, &["project", "import", "a", "--cancel"]).status.code(), Some(0));
    assert_eq!(gateway.lines(), [format!("DELETE /v1/imports/{id}")]);
    assert!(!folder.path().join("a.import").exists());
}
