//! The addresses that a project lets browsers be sent to, and what is to be thought of them.

use serde_json::{Value, json};

use super::connection::Management;
use super::failure::Failure;
use super::output::{self, field};
use super::project::path;

/// Fields that decide where browsers may be sent.
const FIELDS: [&str; 3] = ["site_url", "uri_allow_list", "security_redirect_exact_match_enabled"];

/// Whether a change of the field `name` is worth a look at the entries.
pub(super) fn concerns(name: &str) -> bool {
    FIELDS.contains(&name)
}

/// Shows the site URL and every entry of the allow list, each with its verdict.
pub(super) async fn show(gateway: &Management, reference: &str, json: bool) -> Result<(), Failure> {
    let entries = read(gateway, reference).await?;
    if json {
        return output::json(&entries);
    }
    output::table(&["entry", "verdict", "reasons"], output::list(&entries).iter().map(row).collect())
}

async fn read(gateway: &Management, reference: &str) -> Result<Value, Failure> {
    gateway.get(&format!("{}/config/auth/redirects", path(reference))).await
}

fn row(entry: &Value) -> Vec<String> {
    let verdict = if is_unsafe(&entry) { "unsafe" } else { "safe" };
    vec![field(entry, "entry"), verdict.to_owned(), reasons(entry)]
}

fn is_unsafe(entry: &&Value) -> bool {
    entry.get("safe").and_then(Value::as_bool) == Some(false)
}

fn reasons(entry: &Value) -> String {
    let reasons = entry.get("reasons").map(output::list).unwrap_or_default();
    let reasons: Vec<String> = reasons.iter().map(output::show).collect();
    reasons.join("; ")
}

/// The entries of a project that are not safe.
pub(super) async fn unsafe_ones(gateway: &Management, reference: &str) -> Result<Vec<Value>, Failure> {
    let entries = read(gateway, reference).await?;
    Ok(output::list(&entries).iter().filter(is_unsafe).cloned().collect())
}

/// An entry and what is wrong with it.
pub(super) fn sentence(entry: &Value) -> String {
    format!("{}: {}", field(entry, "entry"), reasons(entry))
}

/// Warns of the entries of a project that are not safe. A program that reads the answer finds the warning beside it, on
/// stderr.
pub(super) async fn warn(gateway: &Management, reference: &str, json: bool) -> Result<(), Failure> {
    // What was changed is stored, whether or not it can be reviewed now.
    let entries = unsafe_ones(gateway, reference).await.unwrap_or_default();
    if entries.is_empty() {
        return Ok(());
    }
    if json {
        eprintln!("{}", json!({ "warning": { "what": "unsafe redirect entries", "entries": entries } }));
        return Ok(());
    }
    output::print("unsafe redirect entries:")?;
    entries.iter().try_for_each(|entry| output::print(&format!("  {}", sentence(entry))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_told_with_all_its_reasons() {
        let entry = json!({"entry": "http://a.co/**", "safe": false, "reasons": ["no TLS", "two stars"]});
        assert_eq!(sentence(&entry), "http://a.co/**: no TLS; two stars");
        assert!(concerns("uri_allow_list") && !concerns("jwt_exp"));
    }
}
