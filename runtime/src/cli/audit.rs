//! `tenantry audit`: who changed what, in the words of the operator log.

use clap::Args;
use serde_json::{Value, json};

use super::connection::{Arguments, Management, query};
use super::failure::Failure;
use super::output::{self, field};
use super::project::path;

/// Which changes are shown.
#[derive(Args)]
pub(super) struct Wanted {
    /// Only changes of this project
    #[arg(long, value_name = "REF")]
    project: Option<String>,
    /// How many, newest first
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Only changes older than the one with this number
    #[arg(long, value_name = "SEQ")]
    before: Option<i64>,
    /// With what was there before and after each
    #[arg(long)]
    changes: bool,
}

/// The most that one request gives.
const PAGE: usize = 100;

/// Runs `tenantry audit`.
pub(super) async fn run(connection: &Arguments, wanted: Wanted) -> Result<(), Failure> {
    let (entries, next) = read(&connection.gateway()?, &wanted).await?;
    if connection.json {
        return output::json(&json!({ "entries": entries, "next": next }));
    }
    let columns = ["seq", "at", "token", "address", "action", "project"];
    let row = |entry: &Value| {
        let token = || entry.get("token").map(|token| field(token, "name")).unwrap_or_default();
        columns.map(|name| if name == "token" { token() } else { field(entry, name) }).to_vec()
    };
    if !wanted.changes {
        output::table(&columns, entries.iter().map(row).collect())?;
    } else {
        for entry in &entries {
            output::print(&row(entry).join("  "))?;
            print_change(entry)?;
        }
    }
    match next.as_i64() {
        Some(next) => output::print(&format!("older ones: --before {next}")),
        None => Ok(()),
    }
}

async fn read(gateway: &Management, wanted: &Wanted) -> Result<(Vec<Value>, Value), Failure> {
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let mut entries: Vec<Value> = Vec::new();
    let mut before = wanted.before;
    loop {
        let more = (limit - entries.len()).min(PAGE);
        let page = query(&[("limit", Some(more.to_string())), ("before", before.map(|seq| seq.to_string()))]);
        let path = match &wanted.project {
            Some(reference) => format!("{}/audit{page}", path(reference)),
            None => format!("/v1/audit{page}"),
        };
        let answer = gateway.get(&path).await?;
        let found = answer.get("entries").map(output::list).unwrap_or_default();
        entries.extend(found.iter().cloned());
        let next = answer.get("next").cloned().unwrap_or(Value::Null);
        before = next.as_i64();
        if before.is_none() || found.is_empty() || entries.len() >= limit {
            return Ok((entries, next));
        }
    }
}

/// The members that are not the same before and after, one a line.
fn print_change(entry: &Value) -> Result<(), Failure> {
    let members = |side: &str| entry.get(side).and_then(Value::as_object).cloned().unwrap_or_default();
    let (before, after) = (members("before"), members("after"));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let [old, new] = [&before, &after].map(|side| side.get(name).unwrap_or(&Value::Null));
        if old == new {
            continue;
        }
        let told = |value: &Value| if value.is_null() { "(none)".to_owned() } else { output::one_line(value) };
        output::print(&format!("    {name}: {} -> {}", told(old), told(new)))?;
    }
    Ok(())
}
