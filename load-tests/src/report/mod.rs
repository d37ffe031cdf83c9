//! What a run came to, as numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::generator::Measured;
use crate::process::Sample;
use crate::recorder::{Operation, Recorder};

pub(crate) mod table;

/// The report of a scenario: how it was run, and what each run came to. Its JSON is what `--json` prints, what `compare` and
/// `report` read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) scenario: String,
    /// Where it went: project URLs, or the gateway's on which projects were made.
    pub(crate) target: Vec<String>,
    pub(crate) projects: u32,
    pub(crate) users: u32,
    pub(crate) clients: u32,
    /// Journeys per second that should have begun; absent in a closed loop.
    pub(crate) rate: Option<f64>,
    /// The scenario's own options.
    pub(crate) options: BTreeMap<String, f64>,
    /// One after the other.
    pub(crate) runs: Vec<Run>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Journeys of an open loop that found no free client.
    pub(crate) missed: u64,
    /// Successes per second.
    pub(crate) throughput: f64,
    pub(crate) operations: Vec<Row>,
    pub(crate) processes: Vec<Usage>,
}

/// One operation of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) operation: String,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Successes per second.
    pub(crate) throughput: f64,
    /// Of the successes, in milliseconds.
    pub(crate) latency_ms: Latency,
    /// Errors by status and code.
    pub(crate) errors_by_status: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// What a process spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

impl Run {
    pub(crate) fn new(recorder: &Recorder, measured: &Measured, processes: &[(Sample, Sample)]) -> Self {
        let seconds = measured.elapsed.as_secs_f64();
        let (requests, errors) = recorder.counts();
        let operations = recorder.operations();
        Self {
            seconds,
            requests,
            errors,
            missed: measured.missed,
            throughput: ratio((requests - errors) as f64, seconds),
            operations: operations.iter().map(|(name, operation)| Row::new(name, operation, seconds)).collect(),
            processes: processes.iter().map(|(before, after)| Usage::new(before, after, requests, seconds)).collect(),
        }
    }
}

impl Report {
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Row {
    fn new(operation: &str, recorded: &Operation, seconds: f64) -> Self {
        let millis = |percent: f64| millis(recorded.percentile(percent));
        Self {
            operation: operation.to_owned(),
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
        let run = Run {
            seconds: 10.0,
            requests: 990,
            errors: 9,
            missed: 10,
            throughput: 98.1,
            operations: vec![Row {
                operation: "user-read".to_owned(),
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
        };
        Report {
            scenario: "user-read".to_owned(),
            target: vec!["http://localhost:8000/p/demo".to_owned()],
            projects: 1,
            users: 8,
            clients: 64,
            rate: Some(100.0),
            options: BTreeMap::new(),
            runs: vec![run],
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
}
