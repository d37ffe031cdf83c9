//! The tables of the page.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::numbers::{grouped, operations, shown};
use crate::report::escape::Escaped;
use crate::report::{Latency, Run, Usage};
use crate::thresholds::Verdict;

/// What was asked for and what was measured.
pub(super) fn write_thresholds(out: &mut String, thresholds: &[Verdict]) -> fmt::Result {
    if thresholds.is_empty() {
        return Ok(());
    }
    begin(out, "Thresholds", &["must hold", "measured", ""])?;
    for verdict in thresholds {
        let measured: Vec<_> = verdict.runs.iter().map(|run| run.measured.as_str()).collect();
        let (class, word) = if verdict.held() { ("good-text", "✓ held") } else { ("bad-text", "✗ did not hold") };
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{class}\">{word}</td></tr>",
            Escaped(&verdict.threshold),
            Escaped(&measured.join(", "))
        )?;
    }
    end(out)
}

/// Every operation in every run, and all together.
pub(super) fn write_operations(out: &mut String, runs: &[Run]) -> fmt::Result {
    let header = ["operation", "requests", "errors", "successes/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"];
    begin(out, "Requests", &header)?;
    let of_run = |number: usize| if runs.len() > 1 { format!(", run {}", number + 1) } else { String::new() };
    let names = operations(runs);
    for name in &names {
        for (number, run) in runs.iter().enumerate() {
            for row in run.operations.iter().filter(|row| row.operation == *name) {
                let label = format!("{name}{}", of_run(number));
                write_row(out, &label, (row.requests, row.errors), row.throughput, &row.latency_ms)?;
            }
        }
    }
    for (number, run) in runs.iter().enumerate().filter(|_| names.len() > 1) {
        let label = format!("all{}", of_run(number));
        write_row(out, &label, (run.requests, run.errors), run.throughput, &run.latency_ms)?;
    }
    end(out)
}

fn write_row(
    out: &mut String,
    name: &str,
    (requests, errors): (u64, u64),
    throughput: f64,
    latency: &Latency,
) -> fmt::Result {
    let class = if errors > 0 { " class=\"bad-text\"" } else { "" };
    write!(
        out,
        "<tr><th scope=\"row\">{}</th><td>{}</td><td{class}>{}</td><td>{throughput:.1}</td>",
        Escaped(name),
        grouped(requests),
        grouped(errors)
    )?;
    for value in [latency.p50, latency.p90, latency.p99, latency.p999, latency.max] {
        if requests > errors { write!(out, "<td>{value:.2}</td>")? } else { write!(out, "<td>–</td>")? }
    }
    writeln!(out, "</tr>")
}

/// Errors by what the server said.
pub(super) fn write_errors(out: &mut String, runs: &[Run]) -> fmt::Result {
    let mut all: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in runs.iter().flat_map(|run| &run.operations) {
        for (status, count) in &row.errors_by_status {
            *all.entry((&row.operation, status)).or_default() += count;
        }
    }
    if all.is_empty() {
        return Ok(());
    }
    begin(out, "Errors", &["operation", "status and code", "count"])?;
    for ((operation, status), count) in all {
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>",
            Escaped(operation),
            Escaped(status),
            grouped(count)
        )?;
    }
    end(out)
}

/// What the server and this program spent.
pub(super) fn write_processes(out: &mut String, runs: &[Run]) -> fmt::Result {
    let mut rows = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let own = run.generator.iter().map(|usage| (usage, "the load generator itself".to_owned()));
        for (usage, name) in run.server().iter().map(|usage| (usage, named(usage))).chain(own) {
            let of = if runs.len() > 1 { format!(", run {}", number + 1) } else { String::new() };
            rows.push((name + &of, usage));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let header = ["process", "CPU ms per request", "CPU % of one core", "memory before, MiB", "memory after, MiB"];
    writeln!(out, "<div class=\"card wide\"><table><thead><tr>{}</tr></thead><tbody>", heads(&header))?;
    for (name, usage) in rows {
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{:.0}</td><td>{:.1}</td><td>{:.1}</td></tr>",
            Escaped(&name),
            shown(usage.cpu_ms_per_request),
            usage.cpu_percent,
            usage.resident_mb_before,
            usage.resident_mb_after
        )?;
    }
    end(out)
}

/// A process with its number.
pub(super) fn named(usage: &Usage) -> String {
    usage.pid.map_or_else(|| usage.name.clone(), |pid| format!("{} ({pid})", usage.name))
}

fn begin(out: &mut String, title: &str, header: &[&str]) -> fmt::Result {
    writeln!(out, "<h2>{title}</h2>\n<div class=\"card wide\"><table><thead><tr>{}</tr></thead><tbody>", heads(header))
}

fn heads(header: &[&str]) -> String {
    header.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect()
}

fn end(out: &mut String) -> fmt::Result {
    writeln!(out, "</tbody></table></div>")
}
