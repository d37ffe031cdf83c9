//! The commands about sign-ins elsewhere, against a gateway that runs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A gateway with one project, `acme`. It ends with the test.
struct Gateway {
    folder: TempDir,
    process: Child,
}

impl Gateway {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = command(&folder)
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The line comes when the gateway is ready.
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let gateway = Self { folder, process };
        assert!(ready.contains("admin_url"), "{ready}");
        gateway.good(&["project", "create", "--ref", "acme"]);
        gateway
    }

    fn run(&self, arguments: &[&str]) -> Output {
        command(&self.folder).args(arguments).output().unwrap()
    }

    /// What a command that succeeds prints, on stdout and on stderr.
    fn good(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let (said, warned) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said} {warned}");
        (said, warned)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.good(&[arguments, &["--json"]].concat()).0).unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).unwrap();
    }
}

fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    command.current_dir(folder).env_clear().env("PATH", "");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn providers_are_listed_and_one_that_cannot_work_fails_its_test() {
    let gateway = Gateway::start();
    assert_eq!(gateway.json(&["providers", "list", "acme"]), serde_json::json!([]));
    gateway.good(&["providers", "test", "acme"]);
    let set = ["external_github_enabled=true", "external_github_client_id=c", "external_github_secret=the-secret"];
    gateway.good(&[&["config", "set", "acme"][..], &set].concat());
    let (listed, _) = gateway.good(&["providers", "list", "acme"]);
    assert!(listed.contains("github") && !listed.contains("the-secret"), "{listed}");

    let tested = gateway.run(&["providers", "test", "acme", "google", "--json"]);
    assert_eq!(tested.status.code(), Some(1));
    let findings: Value = serde_json::from_slice(&tested.stdout).unwrap();
    assert_eq!((&findings[0]["provider"], &findings[0]["healthy"]), (&"google".into(), &false.into()));
    let failure: Value = serde_json::from_slice(&tested.stderr).unwrap();
    assert_eq!(failure["error"]["why"], "google");
    assert_eq!(gateway.run(&["providers", "test", "acme", "nosuch"]).status.code(), Some(1));
}

#[test]
fn unsafe_redirect_entries_are_told_when_they_are_set_and_by_the_doctor() {
    let gateway = Gateway::start();
    let set = |list: &str| ["config", "set", "acme", "site_url=https://a.co", list].map(str::to_owned);
    let harmless = set("uri_allow_list=https://a.co/in");
    let harmless: Vec<&str> = harmless.iter().map(String::as_str).collect();
    assert!(!gateway.good(&harmless).0.contains("unsafe"));
    let safe = gateway.good(&["doctor", "--project", "acme"]).0;
    assert!(safe.contains("safe places only"), "{safe}");

    let open = set("uri_allow_list=https://a.co/in,http://b.co/**");
    let open: Vec<&str> = open.iter().map(String::as_str).collect();
    let (said, _) = gateway.good(&open);
    let warning = said.split_once("unsafe redirect entries:").unwrap().1;
    assert!(warning.contains("http://b.co/**: ") && !warning.contains("https://a.co/in"), "{said}");
    // The answer stays what programs expect, the warning stands beside it.
    let (said, warned) = gateway.good(&[&open[..], &["--json"]].concat());
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["site_url"], "https://a.co");
    let warned: Value = serde_json::from_str(&warned).unwrap();
    assert_eq!(warned["warning"]["entries"][0]["entry"], "http://b.co/**");
    assert!(!gateway.good(&["config", "set", "acme", "jwt_exp=900"]).0.contains("unsafe"));

    // All entries, each with its verdict.
    let shown = gateway.good(&["config", "redirects", "acme"]).0;
    let line = |entry: &str| {
        let line = shown.lines().find(|line| line.split_whitespace().any(|word| word == entry));
        line.unwrap_or_else(|| panic!("{entry}: {shown}")).split_whitespace().collect::<Vec<_>>()
    };
    assert!(line("https://a.co/in").contains(&"safe"), "{shown}");
    assert!(line("http://b.co/**").contains(&"unsafe") && shown.contains("in clear"), "{shown}");
    let listed = gateway.json(&["config", "redirects", "acme"]);
    let verdicts: Vec<_> = listed.as_array().unwrap().iter().map(|entry| (&entry["entry"], &entry["safe"])).collect();
    let safe = [("https://a.co", true), ("https://a.co/in", true), ("http://b.co/**", false)];
    assert_eq!(
        verdicts,
        safe.map(|(entry, safe)| (Value::from(entry), Value::from(safe))).each_ref().map(|(e, s)| (e, s))
    );
    assert_eq!(gateway.run(&["config", "redirects", "nobody"]).status.code(), Some(1));

    let found = gateway.json(&["doctor", "--project", "acme"]);
    let redirects = found.as_array().unwrap().iter().find(|finding| finding["check"] == "redirects").unwrap();
    assert_eq!(redirects["state"], "warning");
    let nobody = gateway.run(&["doctor", "--project", "nobody"]);
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody.stdout));
}

#[test]
fn the_way_back_says_that_the_security_profile_stays() {
    let gateway = Gateway::start();
    gateway.good(&["config", "set", "acme", "site_url=https://a.co", "jwt_exp=900"]);
    gateway.good(&["config", "set", "acme", "security_profile=shield", "jwt_exp=600"]);
    let (said, _) = gateway.good(&["config", "rollback", "acme", "2"]);
    assert!(said.contains("the security profile stays as it is"), "{said}");
    let config = gateway.json(&["config", "show", "acme"]);
    assert_eq!((&config["security_profile"], &config["jwt_exp"]), (&"shield".into(), &900.into()));
}

#[test]
fn an_issuer_comes_and_goes() {
    let gateway = Gateway::start();
    let keys = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"one",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    std::fs::write(gateway.folder.path().join("keys.json"), keys).unwrap();
    let (said, _) = gateway.good(&["third-party", "add", "acme", "--jwks", "keys.json"]);
    let listed = gateway.json(&["third-party", "list", "acme"]);
    let id = listed[0]["id"].as_str().unwrap();
    assert!(said.contains(id), "{said}");
    assert!(gateway.good(&["third-party", "list", "acme"]).0.contains("given keys"));
    gateway.good(&["third-party", "remove", "acme", id]);
    assert_eq!(gateway.json(&["third-party", "list", "acme"]), serde_json::json!([]));
    assert_eq!(gateway.run(&["third-party", "remove", "acme", id]).status.code(), Some(1));
}
