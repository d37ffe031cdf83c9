//! Answers on stdout: JSON for machines, tables for people.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::failure::Failure;

/// Prints one JSON document on one line.
pub(super) fn json(value: &Value) -> Result<(), Failure> {
    print(&value.to_string())
}

/// Prints `rows` below `header`.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table.add_rows(rows);
    print(&table.to_string())
}

/// Prints names and values, one pair a line, so that a value can be copied whole.
pub(super) fn pairs(pairs: &[(&str, String)]) -> Result<(), Failure> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = pairs.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
    print(&lines.join("\n"))
}

/// Prints one line.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        // Who stops reading has read enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::caused("the answer cannot be printed", &error))
        }
        _ => Ok(()),
    }
}

/// The member `name` of `value` as text: empty where it is missing or null.
pub(super) fn field(value: &Value, name: &str) -> String {
    value.get(name).map(show).unwrap_or_default()
}

/// A value as a person reads it.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value in one line of a table, cut where it is long.
pub(super) fn one_line(value: &Value) -> String {
    let text = show(value);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let short: String = first.chars().take(80).collect();
    if short.len() < first.len() || lines.next().is_some() { format!("{short} ...") } else { short }
}

/// Rows of the members `columns` of each of `values`.
pub(super) fn rows(columns: &[&str], values: &[Value]) -> Vec<Vec<String>> {
    values.iter().map(|value| columns.iter().map(|name| field(value, name)).collect()).collect()
}

/// The elements of an answer that is a list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
