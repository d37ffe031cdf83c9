//! The arrows between crates (`docs/architecture.md`): a dependency that is not drawn there is refused here.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Our crates and what each may use. `domain` is below everything; nothing knows what stands above it.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("crypto", &["domain"]),
    ("cluster", &["domain"]),
    ("outbound", &["domain"]),
    ("migrations", &[]),
    ("storage", &["domain", "migrations"]),
    ("flows", &["storage", "cluster", "outbound", "crypto", "domain"]),
    ("actors", &["flows", "storage", "cluster", "outbound", "crypto", "domain"]),
    ("api", &["actors", "domain"]),
    ("tenantry", &["api", "actors", "flows", "storage", "cluster", "outbound", "crypto", "domain", "migrations"]),
    ("tenantry-load", &[]),
    (
        "testkit",
        &["api", "actors", "flows", "storage", "cluster", "outbound", "crypto", "domain", "migrations", "tenantry"],
    ),
];

/// Libraries that stay behind one crate, so that they can be exchanged there.
const KEEPERS: &[(&str, &[&str])] = &[
    ("ractor", &["actors"]),
    ("sqlx", &["storage", "migrations", "testkit"]),
    ("axum", &["api", "tenantry", "testkit"]),
    ("fred", &["cluster"]),
    ("lettre", &["outbound"]),
    ("argon2", &["crypto"]),
    // Our tokens are made and read in `crypto`; `outbound` signs what proves us to a provider.
    ("jsonwebtoken", &["crypto", "outbound"]),
    ("oauth2", &["outbound"]),
    ("openidconnect", &["outbound"]),
    ("k256", &["crypto", "flows"]),
];

fn packages() -> BTreeMap<String, Package> {
    let metadata = MetadataCommand::new().no_deps().other_options(["--offline".to_owned()]).exec().unwrap();
    metadata.packages.into_iter().map(|package| (package.name.to_string(), package)).collect()
}

/// What `package` links into its library or binary; tests may use more.
fn normal_dependencies(package: &Package) -> BTreeSet<&str> {
    let normal = |kind| matches!(kind, DependencyKind::Normal | DependencyKind::Build);
    package
        .dependencies
        .iter()
        .filter(|dependency| normal(dependency.kind))
        .map(|dependency| dependency.name.as_str())
        .collect()
}

#[test]
fn every_crate_is_drawn() {
    let drawn: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let packages = packages();
    let there: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    assert_eq!(drawn, there);
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let packages = packages();
    for (name, allowed) in ARROWS {
        for dependency in normal_dependencies(&packages[*name]) {
            let ours = packages.contains_key(dependency);
            assert!(!ours || allowed.contains(&dependency), "{name} must not use {dependency}");
        }
    }
}

#[test]
fn the_test_kit_is_used_by_tests_only() {
    for (name, package) in packages() {
        assert!(!normal_dependencies(&package).contains("testkit"), "{name} links the test kit");
    }
}

#[test]
fn libraries_stay_behind_their_keepers() {
    for (name, package) in packages() {
        let dependencies = normal_dependencies(&package);
        for (library, keepers) in KEEPERS {
            let used = dependencies.contains(library);
            assert!(
                !used || keepers.contains(&name.as_str()),
                "{name} must not use {library}: it stays behind {keepers:?}"
            );
        }
    }
}

#[test]
fn lints_of_the_workspace_hold_in_everything_that_ships() {
    for (name, package) in packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        // The test kit unwraps, as tests do.
        let holds = name == "testkit" || manifest.contains("[lints]\nworkspace = true");
        assert!(holds, "{name} does not take the workspace's lints");
    }
}
