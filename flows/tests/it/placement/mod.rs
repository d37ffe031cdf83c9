//! Projects that go elsewhere: as archives, and from one database to another.

mod archive;
mod imports;
mod leftovers;
mod moves;
mod moves_end;
mod refused_places;

use std::sync::Arc;

use domain::ids::{ProjectId, ProjectRef};
use domain::project::Placement;
use domain::secret::Secret;
use flows::management::{ImportView, StartImport};
use serde_json::{Value, json};
use storage::control::{Move, MovePhase};
use testkit::{Setup, TestApp, TestDatabase};

/// The key of every archive here: 32 bytes in base64.
pub(crate) fn key() -> Secret<String> {
    Secret::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned())
}

/// A gateway of somebody else's: other database, other master key, other address, the time of `app`.
pub(crate) async fn elsewhere(app: &TestApp, placement: TestDatabase) -> TestApp {
    let setup = Setup::new(Arc::new(placement));
    let external = "https://elsewhere.example".to_owned();
    TestApp::start(Setup { clock: Arc::clone(&app.clock), seed: 99, master_seed: 100, external, ..setup }).await
}

/// A move from `source` to `placement`, neither a PostgreSQL of the project's own, that has begun to copy.
pub(crate) fn move_between(app: &TestApp, project: ProjectId, source: Placement, placement: Placement) -> Move {
    let now = app.management.clock.now();
    Move {
        project,
        id: app.management.entropy.uuid(),
        placement,
        sealed_url: None,
        source,
        source_sealed_url: None,
        max_pause: 30,
        phase: MovePhase::Copying,
        rows: 0,
        error: None,
        started_at: now,
        updated_at: now,
    }
}

/// All lines of the project's archive, read in pages of `limit` lines.
pub(crate) async fn exported(app: &TestApp, project: &ProjectRef, limit: u32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = app.management.export(project, &key(), cursor.as_deref(), Some(limit)).await.unwrap();
        assert!(page.lines.lines().count() <= limit as usize + 1);
        lines.extend(page.lines.lines().map(str::to_owned));
        cursor = page.next;
        if cursor.is_none() {
            return lines;
        }
    }
}

/// The request that begins an import of `lines`.
pub(crate) fn start(lines: &[String]) -> StartImport {
    StartImport {
        header: serde_json::from_str(&lines[0]).unwrap(),
        archive_key: key(),
        project_ref: None,
        placement: None,
        database_url: None,
    }
}

/// Sends the rest of an archive, `size` lines at a time.
pub(crate) async fn send(app: &TestApp, import: &ImportView, lines: &[String], size: usize) -> ImportView {
    let mut view = import.clone();
    for chunk in lines[1..].chunks(size) {
        view = app.management.import_rows(view.id, view.next_line, &chunk.join("\n")).await.unwrap();
    }
    view
}

/// Makes a project of an archive, as it is asked for.
pub(crate) async fn imported(app: &TestApp, lines: &[String], request: StartImport) -> ImportView {
    let begun = app.management.start_import(request).await.unwrap();
    let view = send(app, &begun, lines, 5).await;
    app.management.finish_import(view.id).await.unwrap();
    view
}

/// What the lines of an archive say, without what is different each time: what is sealed, and when the export was.
pub(crate) fn said(lines: &[String]) -> Vec<Value> {
    let mut said: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &mut said {
        mask(line);
    }
    said
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("v1.") => *value = json!("sealed"),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(members) => {
            for name in ["exported_at", "digest", "token_ids"] {
                members.remove(name);
            }
            members.values_mut().for_each(mask);
        }
        _ => {}
    }
}

/// Lines without the first, and without the numbers of stored tokens: they are each database's own.
pub(crate) fn without_token_ids(mut lines: Vec<Value>) -> Vec<Value> {
    for line in &mut lines {
        for (table, column) in [("refresh_tokens", "id"), ("sessions", "raised_from")] {
            if line["table"] == table {
                line["row"].as_object_mut().unwrap().remove(column);
            }
        }
    }
    lines.remove(0);
    lines
}
