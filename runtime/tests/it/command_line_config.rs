//! `tenantry config ...` against a gateway that answers as it is told to.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stand_in::{Answer, Asked, StandIn, ok};

const CONFIG: &str = "/v1/projects/acme/config/auth";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A gateway with one project that has two versions, which says of every patch that it changes `jwt_exp`.
fn gateway() -> StandIn {
    StandIn::start(|asked| {
        let change = json!({ "from": 7, "to": 8, "changes": [{ "field": "jwt_exp", "from": 3600, "to": 900 }] });
        let current = json!({ "jwt_exp": 3600, "site_url": "https://a.co", "mailer_autoconfirm": false, "uri_allow_list": "",
            "mailer_templates_invite_content": null });
        answer(asked, change, current)
    })
}

fn answer(asked: &Asked, change: Value, current: Value) -> Answer {
    match asked.line.strip_prefix("GET ").unwrap_or(&asked.line) {
        CONFIG => ok(&current),
        line if line == format!("{CONFIG}/redirects") => ok(&json!([])),
        line if line.starts_with(&format!("{CONFIG}/history?")) && line.contains("before=7") => {
            ok(&json!([{ "version": 6, "created_at": "2026-01-01T00:00:00Z", "changed_by": "deploy", "note": "old" }]))
        }
        line if line.starts_with(&format!("{CONFIG}/history?")) => {
            ok(&json!([{ "version": 7, "created_at": "2026-01-02T00:00:00Z", "changed_by": "deploy", "note": null }]))
        }
        line if line.starts_with(&format!("{CONFIG}/history/")) => {
            ok(&json!({ "version": 7, "values": { "jwt_exp": 3600 } }))
        }
        line if line.contains("/diff") => ok(&change),
        line if line.starts_with("PATCH ") || line.contains("/rollback") => ok(&json!({ "jwt_exp": 900 })),
        _ => (404, "", json!({ "message": "unexpected" }).to_string()),
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn set_says_what_it_changes_and_does() {
    let (gateway, folder) = (gateway(), folder());
    let output = gateway.run(&folder, &["config", "set", "acme", "jwt_exp=900", "--note", "short tokens"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(gateway.asked("PATCH")[0].head.contains("x-tenantry-note: short tokens"));
    let said = text(&output.stdout);
    for part in ["jwt_exp: 3600 -> 900", "issued before keep their lifetime", "tenantry config rollback acme 7"] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    assert_eq!(gateway.asked("PATCH")[0].json(), json!({ "jwt_exp": 900 }));
    assert_eq!(gateway.asked("POST")[0].json(), json!({ "jwt_exp": 900 }));
}

#[test]
fn a_trial_changes_nothing() {
    let (gateway, folder) = (gateway(), folder());
    for words in [
        &["config", "set", "acme", "jwt_exp=900", "--dry-run"][..],
        &["config", "unset", "acme", "jwt_exp", "--dry-run", "--json"],
        &["config", "rollback", "acme", "6", "--dry-run"],
    ] {
        let output = gateway.run(&folder, words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("jwt_exp"), "{words:?}");
    }
    assert!(gateway.asked("PATCH").is_empty() && !gateway.lines().iter().any(|line| line.contains("rollback")));
}

#[test]
fn nothing_to_change_is_no_version() {
    let gateway =
        StandIn::start(|asked| answer(asked, json!({ "from": 7, "to": 7, "changes": [] }), json!({ "jwt_exp": 900 })));
    let output = gateway.run(&folder(), &["config", "set", "acme", "jwt_exp=900"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("nothing changes"));
    assert!(gateway.asked("PATCH").is_empty());
}

#[test]
fn a_program_gets_one_document() {
    let (gateway, folder) = (gateway(), folder());
    let output = gateway.run(&folder, &["config", "set", "acme", "jwt_exp=900", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer, json!({ "jwt_exp": 900 }));
}

#[test]
fn texts_are_set_from_files() {
    let (gateway, folder) = (gateway(), folder());
    std::fs::write(folder.path().join("invite.html"), "<p>Come\n</p>").unwrap();
    let words = ["config", "set", "acme", "--file", "mailer_templates_invite_content=invite.html"];
    assert_eq!(gateway.run(&folder, &words).status.code(), Some(0));
    assert_eq!(gateway.asked("PATCH")[0].json(), json!({ "mailer_templates_invite_content": "<p>Come\n</p>" }));
}

#[test]
fn apply_takes_the_environment_of_a_gotrue_server_and_tells_what_it_leaves_out() {
    let (gateway, folder) = (gateway(), folder());
    let env = "GOTRUE_SITE_URL=$FROM_ENVIRONMENT\nGOTRUE_JWT_EXP=900\nGOTRUE_JWT_SECRET=hunter2hunter2\nGOTRUE_NONSENSE=1\n\
               GOTRUE_MAILER_AUTOCONFIRM=\"true\"\n";
    std::fs::write(folder.path().join("auth.env"), env).unwrap();
    let output = gateway.run(&folder, &["config", "apply", "acme", "auth.env"]);
    let warned = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{warned}");
    let expected = json!({ "site_url": "https://env.example.com", "jwt_exp": 900, "mailer_autoconfirm": true });
    assert_eq!(gateway.asked("PATCH")[0].json(), expected);
    assert!(warned.contains("GOTRUE_JWT_SECRET") && warned.contains("GOTRUE_NONSENSE"), "{warned}");
    assert!(!warned.contains("hunter2"), "{warned}");

    let output = gateway.run(&folder, &["config", "apply", "acme", "auth.env", "--json"]);
    let warning: Value = serde_json::from_slice(&output.stderr).unwrap();
    let keys = warning["warning"]["keys"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["key"] == "GOTRUE_NONSENSE" && key["why"] == "unknown"), "{warning}");
}

#[test]
fn apply_takes_supabase_s_file_with_its_variables_and_the_block_of_the_project() {
    let (gateway, folder) = (gateway(), folder());
    let toml = r#"
        project_id = "local"
        [api]
        enabled = true
        [auth]
        site_url = "env(FROM_FILE)"
        jwt_expiry = 900
        [auth.email]
        enable_confirmations = false
        [remotes.production]
        project_id = "acme"
        [remotes.production.auth.email]
        enable_confirmations = true
        [remotes.other.auth]
        jwt_expiry = 60
    "#;
    std::fs::write(folder.path().join("config.toml"), toml).unwrap();
    std::fs::write(folder.path().join(".env"), "FROM_FILE=https://file.example.com\n").unwrap();
    let output = gateway.run(&folder, &["config", "apply", "acme", "config.toml", "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = json!({ "site_url": "https://file.example.com", "jwt_exp": 900, "mailer_autoconfirm": false });
    assert_eq!(gateway.asked("PATCH")[0].json(), expected);
    assert!(text(&output.stderr).contains("api: it is not about auth"));

    let output = gateway.run(&folder, &["config", "apply", "acme", "config.toml", "--remote", "other"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(gateway.asked("PATCH")[1].json()["jwt_exp"], 60);
}

#[test]
fn what_cannot_be_read_is_refused_before_anything_is_asked() {
    let (gateway, folder) = (gateway(), folder());
    std::fs::write(folder.path().join("auth.env"), "GOTRUE_JWT_EXP=soon\nGOTRUE_DISABLE_SIGNUP=perhaps\n").unwrap();
    std::fs::write(folder.path().join("config.toml"), "[auth]\njwt_expiry = \"soon\"\n").unwrap();
    std::fs::write(folder.path().join("patch.json"), "[]").unwrap();
    for (file, words) in [
        ("auth.env", &["GOTRUE_JWT_EXP", "GOTRUE_DISABLE_SIGNUP"][..]),
        ("config.toml", &["auth.jwt_expiry"]),
        ("patch.json", &["no JSON object"]),
        ("missing.json", &["cannot be read"]),
    ] {
        let output = gateway.run(&folder, &["config", "apply", "acme", file]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        for word in words {
            assert!(text(&output.stderr).contains(word), "{file}: {}", text(&output.stderr));
        }
    }
    assert!(gateway.lines().is_empty());
}

#[test]
fn a_field_that_is_none_is_refused_with_those_that_are_near() {
    let (gateway, folder) = (gateway(), folder());
    std::fs::write(folder.path().join("patch.toml"), "jwt_expp = 1\nsite = \"x\"").unwrap();
    for words in [&["config", "set", "acme", "site=x"][..], &["config", "apply", "acme", "patch.toml"]] {
        let output = gateway.run(&folder, words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output.stderr).contains("no such field"), "{}", text(&output.stderr));
    }
    let told = text(&gateway.run(&folder, &["config", "set", "acme", "site=x"]).stderr);
    assert!(told.contains("did you mean site_url?"), "{told}");
}

#[test]
fn differences_are_those_between_versions_or_to_a_file_and_can_be_an_exit_code() {
    let (gateway, folder) = (gateway(), folder());
    let diff = |words: &[&str]| {
        let output = gateway.run(&folder, &[&["config", "diff", "acme"], words].concat());
        (output.status.code(), text(&output.stdout))
    };
    let (code, said) = diff(&[]);
    assert_eq!((code, said.trim()), (Some(0), "jwt_exp: 3600 -> 900"));
    assert!(gateway.lines().contains(&format!("GET {CONFIG}/diff?from=6&to=7")), "{:?}", gateway.lines());
    diff(&["3", "5"]);
    assert!(gateway.lines().contains(&format!("GET {CONFIG}/diff?from=3&to=5")));
    std::fs::write(folder.path().join("patch.json"), "{\"jwt_exp\": 900}").unwrap();
    let (code, _) = diff(&["--file", "patch.json", "--exit-code"]);
    assert_eq!(code, Some(3));
    assert_eq!(gateway.asked(&format!("POST {CONFIG}/diff"))[0].json(), json!({ "jwt_exp": 900 }));
}

#[test]
fn an_old_version_is_put_in_force_after_saying_what_that_changes() {
    let (gateway, folder) = (gateway(), folder());
    let output = gateway.run(&folder, &["config", "rollback", "acme", "6"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("jwt_exp: 3600 -> 900"));
    assert_eq!(gateway.asked(&format!("POST {CONFIG}/rollback"))[0].json(), json!({ "version": 6, "note": null }));
}

#[test]
fn going_back_promises_no_looser_profile() {
    let folder = folder();
    let gateway = StandIn::start(|asked| {
        let changes = json!([{ "field": "security_profile", "from": "shield", "to": "compat" }]);
        answer(asked, json!({ "from": 7, "to": 6, "changes": changes }), json!({}))
    });
    let said = |words: &[&str]| text(&gateway.run(&folder, words).stdout);
    let trial = said(&["config", "rollback", "acme", "6", "--dry-run"]);
    assert!(trial.contains("the security profile would only change if that makes it stricter"), "{trial}");
    let done = said(&["config", "rollback", "acme", "6"]);
    assert!(done.contains("the security profile stays as it is"), "{done}");
}

#[test]
fn versions_are_listed_and_shown() {
    let (gateway, folder) = (gateway(), folder());
    let listed = text(&gateway.run(&folder, &["config", "history", "acme"]).stdout);
    assert!(listed.contains("changed_by") && listed.contains("deploy"), "{listed}");
    let shown = text(&gateway.run(&folder, &["config", "show", "acme", "--version", "7"]).stdout);
    assert!(shown.contains("jwt_exp"), "{shown}");
}
