//! `tenantry project quotas` and `usage`: what a project is granted of what all share, and what it uses.

use domain::quota::Quota;
use serde_json::{Map, Value};

use super::path;
use crate::cli::connection::Management;
use crate::cli::failure::Failure;
use crate::cli::output::{self, field};

/// Shows the quotas, after changing those that are given.
pub(super) async fn run(gateway: &Management, reference: &str, given: &[String], json: bool) -> Result<(), Failure> {
    let route = format!("{}/quotas", path(reference));
    let quotas = match patch(given)? {
        patch if patch.is_empty() => gateway.get(&route).await?,
        patch => gateway.patch(&route, &Value::Object(patch)).await?,
    };
    if json { output::json(&quotas) } else { print(&quotas) }
}

fn patch(given: &[String]) -> Result<Map<String, Value>, Failure> {
    let read = |assignment: &String| {
        let refused = |why: &str| Failure::usage(format!("`{assignment}` cannot be set"), why.to_owned());
        let (name, text) =
            assignment.split_once('=').ok_or_else(|| refused("it is no assignment such as users=1000"))?;
        if !Quota::ALL.iter().any(|quota| quota.as_str() == name) {
            let names: Vec<&str> = Quota::ALL.iter().map(|quota| quota.as_str()).collect();
            return Err(refused("there is no such quota").next(format!("those there are: {}", names.join(", "))));
        }
        if matches!(text, "default" | "null") {
            return Ok((name.to_owned(), Value::Null));
        }
        match text.parse::<u32>() {
            Ok(number) if number > 0 => Ok((name.to_owned(), number.into())),
            _ => Err(refused("a quota is a whole number of at least 1, or `default`")),
        }
    };
    given.iter().map(read).collect()
}

/// Prints a table of quotas.
pub(super) fn print(quotas: &Value) -> Result<(), Failure> {
    let of = |side: &str, name: &str| quotas.get(side).map(|values| field(values, name)).unwrap_or_default();
    let row = |quota: &Quota| {
        let name = quota.as_str();
        let shown = ["quotas", "defaults", "used"].map(|side| or_none(&of(side, name)));
        [name.to_owned()].into_iter().chain(shown).collect()
    };
    output::table(&["quota", "granted", "default", "used"], Quota::ALL.iter().map(row).collect())
}

/// A number that is not known, or a limit that is none, is a dash.
fn or_none(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// Shows what is used.
pub(super) async fn usage(gateway: &Management, reference: &str, json: bool) -> Result<(), Failure> {
    let usage = gateway.get(&format!("{}/usage", path(reference))).await?;
    if json { output::json(&usage) } else { print_usage(&usage) }
}

/// Prints names and numbers; of a group of numbers, each with the group's name before it.
pub(super) fn print_usage(usage: &Value) -> Result<(), Failure> {
    let mut pairs = Vec::new();
    for (name, value) in usage.as_object().into_iter().flatten() {
        match value {
            Value::Object(group) => {
                pairs.extend(group.iter().map(|(inner, value)| (format!("{name} {inner}"), output::show(value))));
            }
            value => pairs.push((name.clone(), output::show(value))),
        }
    }
    let pairs: Vec<(&str, String)> = pairs.iter().map(|(name, value)| (name.as_str(), or_none(value))).collect();
    output::pairs(&pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_numbers_or_their_default() {
        let read = |given: &[&str]| patch(&given.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let patch = read(&["in_flight=200", "users=default"]).unwrap();
        assert_eq!(Value::Object(patch), serde_json::json!({ "in_flight": 200, "users": null }));
        for bad in ["users", "users=0", "users=-1", "users=x", "disk=1"] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
    }
}
