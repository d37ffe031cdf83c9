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
        "SMTP_CA_FILE",
        "BREACHED_PASSWORDS_FILE",
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

#[test]
fn a_file_of_breached_passwords_is_built_from_passwords_and_from_hashes() {
    let folder = tempfile::tempdir().unwrap();
    // The second line is the SHA-1 of `password`.
    let list = "hunter2\n5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\n\nletmein\n";
    std::fs::write(folder.path().join("list"), list).unwrap();
    let output = tenantry(&folder, &["breached-passwords", "build", "list", "file", "--false-positive-rate", "0.0001"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("file holds 3 breached passwords"), "{}", text(&output.stdout));
    let again = tenantry(&folder, &["breached-passwords", "build", "list", "other", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(told, serde_json::json!({ "file": "other", "passwords": 3 }));
    let file = outbound::breaches::BloomFile::open(&folder.path().join("file")).unwrap();
    for (password, breached) in [("hunter2", true), ("password", true), ("letmein", true), ("correct horse", false)] {
        assert_eq!(file.contains(&outbound::breaches::fingerprint(password)).unwrap(), breached, "{password}");
    }
}

#[test]
fn what_cannot_be_built_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("list"), "hunter2\n").unwrap();
    for (arguments, code, words) in [
        (&["breached-passwords", "build", "nothing", "file"][..], 2, "nothing cannot be read"),
        (&["breached-passwords", "build", "list", "file", "--false-positive-rate", "2"], 1, "rate"),
    ] {
        let output = tenantry(&folder, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
        assert!(!folder.path().join("file").exists());
    }
}

#[test]
fn mail_is_retried_by_id_or_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = ["--url", "http://127.0.0.1:1", "--token", "t"];
    for (arguments, code) in [
        (&["mail", "retry", "acme"][..], 2),
        (&["mail", "retry", "acme", "no-uuid"], 2),
        (&["mail", "retry", "acme", "9a8f4b5e-4f0a-4a55-9d2a-9c7d1c1f0b11", "--all"], 2),
        (&["mail", "list", "acme", "--limit", "1001"], 2),
        (&["mail", "retry", "acme", "--all"], 1),
        (&["mail", "discard", "acme", "9a8f4b5e-4f0a-4a55-9d2a-9c7d1c1f0b11"], 1),
    ] {
        let output = tenantry(&folder, &[arguments, &gateway].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn an_issuer_is_added_by_one_source_and_removed_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.json"), r#"{"keys":[]}"#).unwrap();
    let gateway = ["--url", "http://127.0.0.1:1", "--token", "t"];
    for (arguments, code) in [
        (&["third-party", "add", "acme"][..], 2),
        (&["third-party", "add", "acme", "--issuer", "https://a.co", "--jwks-url", "https://a.co/jwks"], 2),
        (&["third-party", "add", "acme", "--jwks", "nothing.json"], 2),
        (&["third-party", "add", "acme", "--jwks", "keys.json"], 1),
        (&["third-party", "add", "acme", "--issuer", "https://a.co"], 1),
        (&["third-party", "remove", "acme", "no-uuid"], 2),
        (&["third-party", "remove", "acme", "9a8f4b5e-4f0a-4a55-9d2a-9c7d1c1f0b11"], 1),
        (&["third-party", "list", "acme"], 1),
    ] {
        let output = tenantry(&folder, &[arguments, &gateway].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_name_that_is_no_providers_reaches_no_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = ["--url", "http://127.0.0.1:1", "--token", "t"];
    for (provider, code) in
        [("google", 1), ("custom:acme-2", 1), ("linkedin_oidc", 1), ("../projects", 2), ("a?b", 2), ("", 2)]
    {
        let output = tenantry(&folder, &[&["providers", "test", "acme", provider][..], &gateway].concat());
        assert_eq!(output.status.code(), Some(code), "{provider}: {}", text(&output.stderr));
    }
}

#[test]
fn files_that_serve_cannot_use_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("junk"), "junk").unwrap();
    for (flag, file) in
        [("--smtp-ca-file", "junk"), ("--smtp-ca-file", "nothing"), ("--breached-passwords-file", "junk")]
    {
        let output = tenantry(&folder, &["serve", "--listen", "127.0.0.1:0", flag, file]);
        assert_eq!(output.status.code(), Some(1), "{flag} {file}");
        let said = text(&output.stderr);
        assert!(said.contains(&format!("{file} cannot be used")) && said.contains("next:"), "{said}");
    }
}

#[test]
fn a_database_server_that_is_away_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://user:hunter2@{closed}/auth");
    let output = tenantry(&folder, &["serve", "--listen", "127.0.0.1:0", "--database-url", &url]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(&closed.to_string()) && said.contains("refused"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn shells_and_man_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = tenantry(&folder, &["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = text(&output.stdout);
        for word in ["tenantry", "rollback", "gateways", "data-dir"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert!(text(&tenantry(&folder, &["man"]).stdout).contains(".TH tenantry 1"));
    assert_eq!(tenantry(&folder, &["man", "pages"]).status.code(), Some(0));
    for page in ["tenantry", "tenantry-serve", "tenantry-project-export", "tenantry-project-domain-activate"] {
        let page = std::fs::read_to_string(folder.path().join(format!("pages/{page}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"));
    }
    assert_eq!(tenantry(&folder, &["completions", "dos"]).status.code(), Some(2));
}

#[test]
fn help_says_how_commands_end() {
    let folder = tempfile::tempdir().unwrap();
    let help = text(&tenantry(&folder, &["--help"]).stdout);
    for part in ["Ends with 0", "past a threshold"] {
        assert!(help.contains(part), "{help}");
    }
}
