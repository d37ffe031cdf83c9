//! Reports for people.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::{Report, Row, Run, Usage};
use crate::scenario::Scenario;

/// The list of scenarios.
pub(crate) fn scenarios(all: &[&dyn Scenario]) -> String {
    let mut table = table(&["scenario", "what happens"]);
    for scenario in all {
        table.add_row([scenario.about().name, scenario.about().does]);
    }
    format!("{table}\n")
}

/// The report of a scenario.
pub(crate) fn report(report: &Report) -> String {
    let mut text = report.runs.iter().map(|run| of_run(report, run)).collect::<Vec<_>>().join("\n");
    for verdict in &report.thresholds {
        let word = if verdict.held() { "held" } else { "did not hold" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {word}: {}", verdict.threshold, verdict.explained());
    }
    text
}

fn of_run(report: &Report, run: &Run) -> String {
    let mut text = format!("{}\n\n{}\n", heading(report, run), operations(&run.operations));
    for row in &run.operations {
        for (status, count) in &row.errors_by_status {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}: {count} x {status}", row.operation);
        }
    }
    if run.missed > 0 {
        let _ = writeln!(text, "{} journeys could not begin: all clients were busy", run.missed);
    }
    for note in &run.notes {
        let _ = writeln!(text, "{note}");
    }
    if !run.server().is_empty() {
        let _ = writeln!(text, "\n{}", processes(run.server()));
    }
    text
}

fn heading(report: &Report, run: &Run) -> String {
    let pace = report.pace();
    format!(
        "{} at {}\n{pace}, {} clients, {} users, {:.1} s: {} requests, {} errors, {:.1} successes/s",
        report.scenario,
        report.target.join(", "),
        report.clients,
        report.users,
        run.seconds,
        run.requests,
        run.errors,
        run.throughput
    )
}

fn operations(rows: &[Row]) -> Table {
    let mut table =
        table(&["operation", "requests", "errors", "per second", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"]);
    for row in rows {
        let latency = &row.latency_ms;
        let mut cells = vec![row.operation.clone(), row.requests.to_string(), row.errors.to_string()];
        cells.push(format!("{:.1}", row.throughput));
        cells.extend(
            [latency.p50, latency.p90, latency.p99, latency.p999, latency.max].map(|millis| format!("{millis:.2}")),
        );
        table.add_row(cells);
    }
    table
}

fn processes(usages: &[Usage]) -> Table {
    let mut table = table(&["process", "pid", "CPU ms", "CPU ms/request", "CPU %", "RSS MB before", "RSS MB after"]);
    for usage in usages {
        table.add_row([
            usage.name.clone(),
            usage.pid.map_or_else(String::new, |pid| pid.to_string()),
            format!("{:.0}", usage.cpu_ms),
            format!("{:.3}", usage.cpu_ms_per_request),
            format!("{:.0}", usage.cpu_percent),
            format!("{:.1}", usage.resident_mb_before),
            format!("{:.1}", usage.resident_mb_after),
        ]);
    }
    table
}

/// A table without frames; all columns but the first hold numbers.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    let numbers = header.len() > 2;
    for column in table.column_iter_mut().skip(1).filter(|_| numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;
    use crate::thresholds::{judge, parse};

    #[test]
    fn a_report_names_what_an_operator_looks_for() {
        let text = report(&sample());
        for part in [
            "user-read at http://localhost:8000/p/demo",
            "open loop, 100 journeys/s, 64 clients, 8 users, 10.0 s: 990 requests, 9 errors, 98.1 successes/s",
            "p99.9 ms",
            "30.25",
            "user-read: 9 x 503",
            "10 journeys could not begin",
            "CPU ms/request",
            "0.100",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }

    #[test]
    fn thresholds_are_named_with_what_was_measured() {
        let mut sample = sample();
        sample.thresholds = judge(&[parse("p99<1ms,errors<1%").unwrap()], &sample.runs);
        let text = report(&sample);
        assert!(text.contains("p99<1ms did not hold: p99 was 30.25 ms\nerrors<1% held: errors was 0.91 %"), "{text}");
    }

    #[test]
    fn every_scenario_is_listed() {
        let text = scenarios(crate::scenario::ALL);
        assert!(text.contains("sign-in-and-refresh") && text.contains("user-read"), "{text}");
    }
}
