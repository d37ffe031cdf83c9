use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::*;

fn load(
    flags: &[(&'static str, &str)],
    environment: &[(&str, &str)],
    file: Option<&str>,
) -> Result<Settings, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, file.unwrap_or_default()).unwrap();
    let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let environment: BTreeMap<_, _> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let source = Source::new(flags, Some(&path), environment).map_err(|problem| vec![problem.to_string()])?;
    Settings::load(&source).map_err(|problems| {
        let folder = format!("{}/", folder.path().display());
        problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    })
}

#[test]
fn defaults_are_those_of_the_readme() {
    let settings = load(&[], &[], None).unwrap();
    assert_eq!(settings.listen, SocketAddr::from(([127, 0, 0, 1], 8000)));
    assert_eq!(settings.admin_listen, None);
    assert_eq!(settings.data_dir, PathBuf::from("./tenantry-data"));
    assert!(settings.database_url.is_none() && settings.redis_url.is_none() && settings.external_url.is_none());
    assert_eq!(settings.domain, "localhost");
    assert!(settings.trusted_proxies.is_empty() && settings.allow_private_targets.is_none());
    let expected = ProjectDefaults {
        access_token_lifetime: 3600,
        site_url: "http://localhost:3000".to_owned(),
        auto_confirm: false,
    };
    assert_eq!(settings.project_defaults, expected);
}

#[test]
fn flag_beats_environment_beats_file() {
    let file = Some("domain = \"file.test\"");
    let environment = [("TENANTRY_DOMAIN", "environment.test")];
    assert_eq!(load(&[("--domain", "flag.test")], &environment, file).unwrap().domain, "flag.test");
    assert_eq!(load(&[], &environment, file).unwrap().domain, "environment.test");
    assert_eq!(load(&[], &[], file).unwrap().domain, "file.test");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    assert_eq!(load(&[], &[("TENANTRY_DOMAIN", "")], None).unwrap().domain, "localhost");
}

#[test]
fn own_names_win_over_the_usual_names_of_database_and_redis() {
    let common = [("DATABASE_URL", "postgres://common/db"), ("REDIS_URL", "redis://common")];
    let settings = load(&[], &common, None).unwrap();
    assert_eq!(settings.database_url.unwrap().expose(), "postgres://common/db");
    assert_eq!(settings.redis_url.unwrap().expose(), "redis://common");

    let mut both = common.to_vec();
    both.extend([("TENANTRY_DATABASE_URL", "postgres://own/db"), ("TENANTRY_REDIS_URL", "rediss://own")]);
    let settings = load(&[], &both, None).unwrap();
    assert_eq!(settings.database_url.unwrap().expose(), "postgres://own/db");
    assert_eq!(settings.redis_url.unwrap().expose(), "rediss://own");
}

#[test]
fn test_token_expiry_configurable() {
    let lifetime = |environment: &[(&str, &str)], file: Option<&str>| {
        load(&[], environment, file).map(|settings| settings.project_defaults.access_token_lifetime)
    };
    assert_eq!(lifetime(&[("ACCESS_TOKEN_LIFETIME", "120")], None), Ok(120));
    assert_eq!(lifetime(&[], Some("access_token_lifetime = 90")), Ok(90));
    assert!(lifetime(&[("ACCESS_TOKEN_LIFETIME", "0")], None).is_err());
    assert!(lifetime(&[("ACCESS_TOKEN_LIFETIME", "1h")], None).is_err());
}

#[test]
fn project_defaults_come_from_their_variables() {
    let environment = [("SITE_URL", "https://app.test"), ("AUTH_AUTO_CONFIRM", "TRUE")];
    let defaults = load(&[], &environment, None).unwrap().project_defaults;
    assert_eq!((defaults.site_url.as_str(), defaults.auto_confirm), ("https://app.test", true));
    for bad in ["app.test", "javascript:alert(1)", "file:///srv"] {
        assert!(load(&[], &[("SITE_URL", bad)], None).is_err(), "{bad}");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let problems = load(
        &[("--listen", "nowhere")],
        &[("TENANTRY_TRUSTED_PROXIES", "10.0.0.0/8,proxy"), ("AUTH_AUTO_CONFIRM", "maybe")],
        Some("lissten = \"x\"\ndrain_timeout = 1.5\nredis_url = \"http://redis\""),
    )
    .unwrap_err();
    let starts = [
        "settings.toml, lissten: there is no such setting",
        "--listen: `nowhere` is no address",
        "settings.toml, redis_url: the value has the scheme `http`",
        "TENANTRY_TRUSTED_PROXIES: `10.0.0.0/8,proxy` is no list",
        "settings.toml, drain_timeout: wants text, a whole number",
        "AUTH_AUTO_CONFIRM: `maybe` is neither",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem} should start with {start}");
    }
}

#[test]
fn a_wrong_database_url_is_not_shown() {
    let problems = load(&[("--database-url", "mysql://user:hidden@host/db")], &[], None).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(!problems[0].contains("hidden"), "{problems:?}");
}

#[test]
fn the_master_key_is_no_key_of_the_file() {
    assert!(load(&[], &[], Some("master_key = \"x\"")).is_err());
    assert!(load(&[], &[("TENANTRY_MASTER_KEY", "x")], None).unwrap().master_key.is_some());
}

#[test]
fn lists_may_be_lists_in_the_file() {
    let settings = load(&[], &[], Some("trusted_proxies = [\"10.0.0.0/8\", \"::1\"]")).unwrap();
    let nets: Vec<String> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(
        load(&[("--allow-private-targets", "none")], &[], None).unwrap().allow_private_targets,
        Some(Vec::new())
    );
}

#[test]
fn listeners_take_short_forms_and_differ() {
    let listen =
        |text: &'static str| load(&[("--listen", text)], &[], None).map(|settings| settings.listen.to_string());
    assert_eq!(listen("localhost:81").unwrap(), "127.0.0.1:81");
    assert_eq!(listen(":81").unwrap(), "0.0.0.0:81");
    assert_eq!(listen("[::1]:81").unwrap(), "[::1]:81");
    let same = load(&[("--listen", "127.0.0.1:81"), ("--admin-listen", "127.0.0.1:81")], &[], None);
    assert!(same.unwrap_err()[0].starts_with("--admin-listen: 127.0.0.1:81 is the public listener already"));
}

#[test]
fn a_file_that_is_no_toml_is_a_problem() {
    assert!(load(&[], &[], Some("listen")).unwrap_err()[0].contains("is not TOML"));
}

#[test]
fn at_least_one_database_of_projects_own_is_open() {
    assert_eq!(load(&[], &[], None).unwrap().own_databases, 128);
    assert_eq!(load(&[("--own-databases", "8")], &[("TENANTRY_OWN_DATABASES", "9")], None).unwrap().own_databases, 8);
    assert_eq!(load(&[], &[], Some("own_databases = 7")).unwrap().own_databases, 7);
    for wrong in ["0", "many", "10001"] {
        let problems = load(&[("--own-databases", wrong)], &[], None).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains("--own-databases"), "{problems:?}");
    }
}

#[test]
fn a_deleted_project_can_be_restored_for_a_week_unless_it_is_said_otherwise() {
    assert_eq!(load(&[], &[], None).unwrap().delete_grace, 604_800);
    assert_eq!(load(&[], &[("TENANTRY_DELETE_GRACE", "0")], None).unwrap().delete_grace, 0);
    for wrong in ["-1", "soon", "31536001"] {
        let problems = load(&[("--delete-grace", wrong)], &[], None).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains("--delete-grace"), "{problems:?}");
    }
}
