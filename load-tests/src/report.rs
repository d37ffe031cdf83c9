//! What a run came to, as numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::args::Run;
use crate::generator::Measured;
use crate::process::Sample;
use crate::recorder::Operation;

/// The report of a run; its JSON is what `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) url: String,
    pub(crate) users: u32,
    pub(crate) clients: u32,
    /// Requests per second that should have started; absent in a closed loop.
    pub(crate) rate: Option<f64>,
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Requests of an open loop that found no free client.
    pub(crate) missed: u64,
    /// Successes per second.
    pub(crate) throughput: f64,
    pub(crate) operations: Vec<Row>,
    pub(crate) processes: Vec<Usage>,
}

/// One operation of a scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) operation: &'static str,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Successes per second.
    pub(crate) throughput: f64,
    /// Of the successes, in milliseconds.
    pub(crate) latency_ms: Latency,
    /// Errors by status and code.
    pub(crate) errors_by_status: BTreeMap<String, u64>,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// What a process spent.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Usage {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) cpu_ms: f64,
    /// CPU time divided by the requests of all operations, failed ones included.
    pub(crate) cpu_ms_per_request: f64,
    /// Of one core.
    pub(crate) cpu_percent: f64,
    pub(crate) resident_mb_before: f64,
    pub(crate) resident_mb_after: f64,
}

impl Report {
    pub(crate) fn new(run: &Run, measured: Measured) -> Self {
        let seconds = measured.elapsed.as_secs_f64();
        let requests = measured.recorder.requests();
        let operations: Vec<Row> =
            measured.recorder.operations().map(|(name, operation)| Row::new(name, operation, seconds)).collect();
        let errors: u64 = operations.iter().map(|row| row.errors).sum();
        let usage = |(before, after): &(Sample, Sample)| Usage::new(before, after, requests, seconds);
        Self {
            scenario: run.scenario.name(),
            url: run.url.clone(),
            users: run.users(),
            clients: run.clients(),
            rate: run.rate(),
            seconds,
            requests,
            errors,
            missed: measured.missed,
            throughput: ratio((requests - errors) as f64, seconds),
            operations,
            processes: measured.processes.iter().map(usage).collect(),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The thresholds that were crossed, in words.
    pub(crate) fn crossed(&self, max_p99: Option<f64>, max_errors: Option<f64>) -> Vec<String> {
        let mut crossed = Vec::new();
        for (limit, row) in max_p99.iter().flat_map(|limit| self.operations.iter().map(move |row| (limit, row))) {
            if row.latency_ms.p99 > *limit {
                let (name, p99) = (row.operation, row.latency_ms.p99);
                crossed.push(format!("the 99th percentile of {name} is {p99:.1} ms, above {limit} ms"));
            }
        }
        let percent = 100.0 * ratio((self.errors + self.missed) as f64, (self.requests + self.missed) as f64);
        if let Some(limit) = max_errors.filter(|limit| percent > *limit) {
            crossed.push(format!("{percent:.2} % of the requests failed or could not start, above {limit} %"));
        }
        crossed
    }
}

impl Row {
    fn new(operation: &'static str, recorded: &Operation, seconds: f64) -> Self {
        let millis = |percent: f64| millis(recorded.percentile(percent));
        Self {
            operation,
            requests: recorded.succeeded() + recorded.failed(),
            errors: recorded.failed(),
            throughput: ratio(recorded.succeeded() as f64, seconds),
            latency_ms: Latency {
                p50: millis(50.0),
                p90: millis(90.0),
                p99: millis(99.0),
                p999: millis(99.9),
                max: millis(100.0),
            },
            errors_by_status: recorded.failures().iter().map(|(failure, count)| (failure.0.clone(), *count)).collect(),
        }
    }
}

impl Usage {
    fn new(before: &Sample, after: &Sample, requests: u64, seconds: f64) -> Self {
        let cpu_ms = millis(after.cpu.saturating_sub(before.cpu));
        Self {
            pid: after.pid,
            name: after.name.clone(),
            cpu_ms,
            cpu_ms_per_request: ratio(cpu_ms, requests as f64),
            cpu_percent: ratio(cpu_ms / 10.0, seconds),
            resident_mb_before: before.resident as f64 / 1024.0,
            resident_mb_after: after.resident as f64 / 1024.0,
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn ratio(count: f64, of: f64) -> f64 {
    if of > 0.0 { count / of } else { 0.0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Report {
        let latency_ms = Latency { p50: 1.5, p90: 2.0, p99: 30.25, p999: 40.0, max: 41.0 };
        Report {
            scenario: "user-read",
            url: "http://localhost:8000/p/demo".to_owned(),
            users: 8,
            clients: 64,
            rate: Some(100.0),
            seconds: 10.0,
            requests: 990,
            errors: 9,
            missed: 10,
            throughput: 98.1,
            operations: vec![Row {
                operation: "user-read",
                requests: 990,
                errors: 9,
                throughput: 98.1,
                latency_ms,
                errors_by_status: BTreeMap::from([("503".to_owned(), 9)]),
            }],
            processes: vec![Usage {
                pid: 42,
                name: "tenantry".to_owned(),
                cpu_ms: 99.0,
                cpu_ms_per_request: 0.1,
                cpu_percent: 0.99,
                resident_mb_before: 20.0,
                resident_mb_after: 30.5,
            }],
        }
    }

    #[test]
    fn cpu_is_shared_out_over_all_requests() {
        let at = |millis, resident| Sample {
            pid: 7,
            name: "server".to_owned(),
            cpu: Duration::from_millis(millis),
            resident,
        };
        let usage = Usage::new(&at(1_000, 1_024), &at(3_500, 2_048), 5_000, 10.0);
        assert_eq!((usage.cpu_ms, usage.cpu_ms_per_request, usage.cpu_percent), (2_500.0, 0.5, 25.0));
        assert_eq!((usage.resident_mb_before, usage.resident_mb_after), (1.0, 2.0));
    }

    #[test]
    fn nothing_measured_is_zero_and_not_infinite() {
        let idle = Sample { pid: 7, name: "server".to_owned(), cpu: Duration::ZERO, resident: 0 };
        assert_eq!(Usage::new(&idle, &idle, 0, 0.0).cpu_ms_per_request, 0.0);
    }

    #[test]
    fn thresholds_are_crossed_only_from_above() {
        let report = sample();
        assert_eq!(report.crossed(None, None), Vec::<String>::new());
        assert_eq!(report.crossed(Some(30.25), Some(1.9)), Vec::<String>::new());
        let crossed = report.crossed(Some(30.0), Some(1.8));
        assert_eq!(crossed.len(), 2);
        assert!(crossed[0].contains("30.2 ms") && crossed[0].contains("user-read"), "{}", crossed[0]);
        assert!(crossed[1].starts_with("1.90 %"), "{}", crossed[1]);
    }
}
