//! The operator token that the first run makes, from one start to the next.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use crypto::api_key;
use crypto::seal::MasterKey;
use domain::entropy::Entropy;
use domain::operator::{Reach, Role, TokenView};
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::Value;
use storage::{ControlStore, Placement};
use tempfile::TempDir;
use uuid::Uuid;

/// A gateway on a folder. It ends with the value.
struct Running {
    process: Child,
    /// What it said when it was ready.
    banner: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).unwrap();
    }
}

fn command(folder: &TempDir, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    command.current_dir(folder).env_clear().env("PATH", "").envs(environment.iter().copied());
    command
}

fn serve(folder: &TempDir, environment: &[(&str, &str)]) -> Running {
    let mut serving = command(folder, environment);
    serving.args(["serve", "--listen", "127.0.0.1:0", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = serving.spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    Running { process, banner: serde_json::from_str(&ready).unwrap() }
}

fn run(folder: &TempDir, token: Option<&str>, words: &[&str]) -> Output {
    let environment: Vec<_> = token.map(|token| ("TENANTRY_TOKEN", token)).into_iter().collect();
    command(folder, &environment).args(words).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn token_file(folder: &TempDir) -> PathBuf {
    folder.path().join("tenantry-data/operator-token")
}

/// What the doctor found of the gateway: its state and what it says.
fn found(folder: &TempDir, token: Option<&str>) -> (String, String) {
    let findings = json(&run(folder, token, &["doctor", "--json"]));
    let finding = findings.as_array().unwrap().iter().find(|finding| finding["check"] == "gateway").unwrap();
    (finding["state"].as_str().unwrap().to_owned(), finding["detail"].as_str().unwrap().to_owned())
}

#[test]
fn a_token_that_was_revoked_is_neither_written_nor_named() {
    let folder = tempfile::tempdir().unwrap();
    let running = serve(&folder, &[]);
    assert!(running.banner["token_file"].is_string());
    let mine = json(&run(&folder, None, &["tokens", "create", "me", "--role", "owner", "--json"]));
    let mine = mine["token"].as_str().unwrap();
    let tokens = json(&run(&folder, None, &["tokens", "list", "--json"]));
    let first = tokens.as_array().unwrap().iter().find(|token| token["name"] == "first run").unwrap();
    json(&run(&folder, Some(mine), &["tokens", "revoke", first["id"].as_str().unwrap(), "--yes", "--json"]));

    let (state, detail) = found(&folder, None);
    assert!(state == "warning" && detail.contains("answers, but the operator token opens nothing"), "{detail}");
    assert!(found(&folder, Some(mine)).1.contains("serves 1 projects"));
    drop(running);
    assert!(found(&folder, Some(mine)).1.contains("none answers"));

    let again = serve(&folder, &[]);
    assert_eq!(again.banner["token_file"], Value::Null);
    assert!(!token_file(&folder).exists(), "what opens nothing is not left for the command line");
    let refused = run(&folder, None, &["tokens", "list"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("TENANTRY_TOKEN"), "{}", text(&refused.stderr));
    assert!(found(&folder, None).1.contains("no operator token is known"));
    json(&run(&folder, Some(mine), &["tokens", "list", "--json"]));
    drop(again);

    // What somebody puts there himself stays.
    std::fs::write(token_file(&folder), mine).unwrap();
    let third = serve(&folder, &[]);
    assert!(third.banner["token_file"].is_string());
    assert_eq!(std::fs::read_to_string(token_file(&folder)).unwrap(), mine);
}

/// Bytes of no worth.
struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

/// A control store whose first token is an owner's that has ended, and the only one.
async fn without_owner(folder: &TempDir, key: &MasterKey) -> String {
    let token = format!("sbp_{}", "0".repeat(40));
    let file = folder.path().join("tenantry-data/control.db");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let control = ControlStore::connect(&Placement::Sqlite { file }).await.unwrap();
    control.migrate().await.unwrap();
    let at = Timestamp::from_unix(1_000_000_000);
    let sealed = key.seal("operator_token", token.as_bytes(), &Sevens);
    control.settings().put("operator_token", &sealed, at).await.unwrap();
    let ended = TokenView {
        id: Uuid::from_u128(7),
        name: "first run".to_owned(),
        prefix: "sbp_00000000".to_owned(),
        role: Role::Owner,
        reach: Reach::Everything,
        created_at: at,
        expires_at: Some(at.plus_seconds(1)),
        last_used_at: None,
        revoked_at: None,
    };
    let hash = api_key::hash(Secret::new(token.clone()).expose());
    assert!(control.operator_tokens().insert(&ended, &hash).await.unwrap());
    control.close().await;
    token
}

#[test]
fn where_no_owner_is_left_a_start_makes_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let key = MasterKey::generate(&Sevens);
    let dead = tokio::runtime::Runtime::new().unwrap().block_on(without_owner(&folder, &key));
    let key = key.to_text();
    let environment = [("TENANTRY_MASTER_KEY", key.expose().as_str())];
    let running = serve(&folder, &environment);
    let made = std::fs::read_to_string(token_file(&folder)).unwrap();
    assert_ne!(made.trim(), dead);
    let tokens = json(&run(&folder, None, &["tokens", "list", "--json"]));
    assert_eq!(tokens.as_array().unwrap().len(), 2, "{tokens}");
    let log = json(&run(&folder, None, &["audit", "--json"])).to_string();
    assert!(log.contains("token.created"), "{log}");
    drop(running);

    let _again = serve(&folder, &environment);
    assert_eq!(std::fs::read_to_string(token_file(&folder)).unwrap(), made, "the next start finds it");
}
