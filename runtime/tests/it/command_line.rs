//! What the command line answers before it reaches a gateway.

use std::process::{Command, Output};

use tempfile::TempDir;

fn tenantry(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn unknown_commands_and_flags_are_usage_errors() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["nonsense"][..], &["serve", "--nonsense"], &["project", "show"], &[]] {
        let output = tenantry(&folder, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        assert_eq!(tenantry(&folder, arguments).status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn help_names_every_setting_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let help = text(&tenantry(&folder, &["serve", "--help"]).stdout);
    let names = [
        "LISTEN",
        "ADMIN_LISTEN",
        "DATA_DIR",
        "DATABASE_URL",
        "REDIS_URL",
        "DOMAIN",
        "EXTERNAL_URL",
        "TRUSTED_PROXIES",
    ];
    for name in names {
        assert!(help.contains(&format!("TENANTRY_{name}")), "{name} is missing in\n{help}");
    }
}

#[test]
fn serve_reports_all_wrong_settings_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tenantry.toml"), "lissten = \"x\"\n").unwrap();
    let output = tenantry(&folder, &["serve", "--listen", "nowhere", "--trusted-proxies", "x"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for part in ["tenantry.toml, lissten", "--listen: `nowhere`", "--trusted-proxies: `x`", "next:"] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    assert!(!folder.path().join("tenantry-data").exists());
}

#[test]
fn without_a_gateway_a_command_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = tenantry(&folder, &["project", "list"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("no gateway was found") && said.contains("tenantry serve"), "{said}");

    let output = tenantry(&folder, &["project", "list", "--json", "--url", "http://127.0.0.1:1", "--token", "t"]);
    assert_eq!(output.status.code(), Some(1));
    let said: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(said["error"]["next"].as_str().unwrap().contains("tenantry serve"), "{said}");
}

#[test]
fn deleting_needs_a_yes() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["project", "delete", "abc", "--url", "http://127.0.0.1:1", "--token", "t"];
    let output = tenantry(&folder, &arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--yes"));
}
