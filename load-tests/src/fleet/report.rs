//! What a fleet came to, as numbers and as a table.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::watch::Sample;

/// A run; its JSON is what `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) url: String,
    pub(crate) samples: u32,
    pub(crate) rows: Vec<Row>,
}

/// One number of projects.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) projects: u32,
    /// Projects that were asked before memory was read.
    pub(crate) warm: u32,
    pub(crate) create: Latency,
    /// The first request of a project that is not in memory.
    pub(crate) cold: Latency,
    pub(crate) warm_request: Latency,
    /// Until the change is in force.
    pub(crate) config_change: Latency,
    /// A page of 100 from anywhere.
    pub(crate) list: Latency,
    /// By the beginning of a ref.
    pub(crate) search: Latency,
    pub(crate) memory: Vec<Memory>,
}

/// Of requests sent one after the other, in milliseconds.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// A process after the samples.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Memory {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) resident_mb: f64,
}

impl Latency {
    pub(super) fn of(mut taken: Vec<Duration>) -> Self {
        taken.sort_unstable();
        let at = |percent: usize| {
            let index = (taken.len() * percent / 100).min(taken.len().saturating_sub(1));
            taken.get(index).map_or(0.0, |taken| taken.as_secs_f64() * 1_000.0)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

impl Memory {
    pub(super) fn of(sample: Sample) -> Self {
        Self { pid: sample.pid, name: sample.name, resident_mb: sample.resident as f64 / 1024.0 }
    }
}

impl Report {
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// For people.
    pub(crate) fn to_table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header([
            "projects",
            "create ms",
            "cold ms",
            "warm ms",
            "config ms",
            "list ms",
            "search ms",
            "RSS MB",
        ]);
        for column in table.column_iter_mut() {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in &self.rows {
            let latencies = [&row.create, &row.cold, &row.warm_request, &row.config_change, &row.list, &row.search]
                .map(Latency::shown);
            let memory: Vec<String> = row.memory.iter().map(|memory| format!("{:.1}", memory.resident_mb)).collect();
            let mut cells = vec![row.projects.to_string()];
            cells.extend(latencies);
            cells.push(memory.join(" "));
            table.add_row(cells);
        }
        format!("{} ({} samples, p50 / p99)\n\n{table}\n", self.url, self.samples)
    }
}

impl Latency {
    fn shown(&self) -> String {
        format!("{:.2} / {:.2}", self.p50, self.p99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Report {
        let latency = || Latency::of((1..=100).map(Duration::from_millis).collect());
        let row = Row {
            projects: 1000,
            warm: 10,
            create: latency(),
            cold: latency(),
            warm_request: latency(),
            config_change: latency(),
            list: latency(),
            search: latency(),
            memory: vec![Memory { pid: 1, name: "tenantry".to_owned(), resident_mb: 61.25 }],
        };
        Report { url: "http://localhost:8000".to_owned(), samples: 100, rows: vec![row] }
    }

    #[test]
    fn percentiles_are_taken_from_what_was_seen() {
        assert_eq!(Latency::of((1..=100).map(Duration::from_millis).collect()), Latency { p50: 51.0, p99: 100.0 });
        assert_eq!(Latency::of(vec![Duration::from_millis(3)]), Latency { p50: 3.0, p99: 3.0 });
        assert_eq!(Latency::of(Vec::new()), Latency { p50: 0.0, p99: 0.0 });
    }

    #[test]
    fn a_table_has_a_line_for_each_number() {
        let text = sample().to_table();
        for part in ["1000", "51.00 / 100.00", "61.2", "cold ms"] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }
}
