//! Shorthands.

use domain::config::{Defaults, Explicit, Policy, Problem, validate_patch};
use serde_json::{Map, Value};

/// The object a literal is.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("no object: {other}"),
    }
}

/// What a project without any setting becomes by a patch.
pub(crate) fn patched(patch: Value) -> Explicit {
    let problems = |problems: Vec<Problem>| panic!("{patch} was refused: {problems:?}");
    validate_patch(&Explicit::default(), &object(patch.clone())).unwrap_or_else(problems)
}

/// Why a project without any setting refuses a patch, a sentence a problem.
pub(crate) fn refused(patch: Value) -> Vec<String> {
    match validate_patch(&Explicit::default(), &object(patch.clone())) {
        Ok(_) => panic!("{patch} was taken"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// Defaults of a process.
pub(crate) fn defaults() -> Defaults {
    Defaults { jwt_exp: 1800, site_url: "https://process.example.com".to_owned(), mailer_autoconfirm: true }
}

/// The policy of a project that was patched once.
pub(crate) fn policy(patch: Value) -> Policy {
    Policy::from_explicit(&patched(patch), &defaults())
}
