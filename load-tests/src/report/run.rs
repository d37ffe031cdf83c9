//! One measurement, as numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::generator::Measured;
use crate::recorder::{Operation, Recorder, Series};
use crate::watch::{Load, LoadSample, Watched};

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Journeys that began.
    pub(crate) journeys: u64,
    /// Journeys of an open loop that found no free client.
    pub(crate) missed: u64,
    /// Successes per second.
    pub(crate) throughput: f64,
    /// Of the successes of all operations, in milliseconds.
    pub(crate) latency_ms: Latency,
    /// Percentile (0 to 100) and milliseconds, ever denser towards 100.
    pub(crate) percentiles: Vec<(f64, f64)>,
    pub(crate) operations: Vec<Row>,
    /// What the processes spent that were named with `--pid`.
    pub(crate) processes: Vec<Usage>,
    /// What the server says at `/metrics` that it spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<Usage>,
    /// Levels that the server told at `/metrics`: seconds from the beginning, and the level.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) gauges: BTreeMap<String, Vec<(f64, f64)>>,
    /// What this program spent itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generator: Option<Usage>,
    /// What all programs on this machine spent together, in percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) machine_percent: Option<f64>,
    pub(crate) series: Series,
    /// What the scenario has to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
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
    /// Percentile (0 to 100) and milliseconds, ever denser towards 100.
    pub(crate) percentiles: Vec<(f64, f64)>,
    /// Errors by status and code.
    pub(crate) errors_by_status: BTreeMap<String, u64>,
}

/// All zero where nothing succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// What a process spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<u32>,
    pub(crate) name: String,
    pub(crate) cpu_ms: f64,
    /// CPU time divided by the requests of all operations, failed ones included.
    pub(crate) cpu_ms_per_request: f64,
    /// Of one core.
    pub(crate) cpu_percent: f64,
    pub(crate) resident_mb_before: f64,
    pub(crate) resident_mb_after: f64,
    pub(crate) series: Vec<UsagePoint>,
}

/// A process between two samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UsagePoint {
    /// When it began, in seconds from the beginning of the measurement.
    pub(crate) at: f64,
    /// Of one core.
    pub(crate) cpu_percent: f64,
    /// At its end.
    pub(crate) resident_mb: f64,
}

impl Run {
    /// What was recorded and seen until now.
    pub(crate) fn new(recorder: &Recorder, measured: &Measured, watched: &Watched, notes: Vec<String>) -> Self {
        let seconds = measured.elapsed.as_secs_f64();
        let operations = recorder.operations();
        let all = Operation::all(operations.values());
        let (requests, errors) = (all.succeeded() + all.failed(), all.failed());
        let usage = |load: &Load| Usage::new(load, requests);
        let scraped = watched.metrics.as_ref();
        let gauges = scraped.map(|scraped| &scraped.gauges).into_iter().flatten();
        Self {
            seconds,
            requests,
            errors,
            journeys: measured.begun,
            missed: measured.missed,
            throughput: ratio(all.succeeded() as f64, seconds),
            latency_ms: Latency::of(&all),
            percentiles: percentiles(&all),
            operations: operations.iter().map(|(name, operation)| Row::new(name, operation, seconds)).collect(),
            processes: watched.processes.iter().filter_map(usage).collect(),
            metrics: scraped.and_then(|scraped| usage(&scraped.load)),
            gauges: gauges.map(|(name, points)| ((*name).to_owned(), points.clone())).collect(),
            generator: watched.generator.as_ref().and_then(usage),
            machine_percent: watched.machine_percent,
            series: recorder.series(Instant::now()),
            notes,
        }
    }

    /// What is known of the server's own spending: the named processes, else what `/metrics` says.
    pub(crate) fn server(&self) -> &[Usage] {
        if self.processes.is_empty() { self.metrics.as_slice() } else { &self.processes }
    }

    /// CPU time of the server per request, where it is known.
    pub(crate) fn cpu_ms_per_request(&self) -> Option<f64> {
        let server = self.server();
        (!server.is_empty() && self.requests > 0).then(|| server.iter().map(|usage| usage.cpu_ms_per_request).sum())
    }

    /// The server's resident memory: seconds from the beginning, and mebibytes.
    pub(crate) fn memory(&self) -> Vec<(f64, f64)> {
        let Some((first, others)) = self.server().split_first() else { return Vec::new() };
        let at = |point: &UsagePoint| {
            let other = |usage: &Usage| usage.series.iter().find(|other| other.at == point.at).copied();
            let others: f64 = others.iter().filter_map(other).map(|other| other.resident_mb).sum();
            (point.at, point.resident_mb + others)
        };
        first.series.iter().map(at).collect()
    }

    /// Errors of 100 requests.
    pub(crate) fn error_percent(&self) -> Option<f64> {
        (self.requests > 0).then(|| percent(self.errors, self.requests))
    }

    /// Of 100 journeys that should have begun, those that found no free client.
    pub(crate) fn missed_percent(&self) -> Option<f64> {
        let expected = self.journeys + self.missed;
        (expected > 0).then(|| percent(self.missed, expected))
    }

    /// Errors of all operations by status and code.
    pub(crate) fn errors_by_status(&self) -> BTreeMap<&str, u64> {
        let mut all = BTreeMap::new();
        for (status, count) in self.operations.iter().flat_map(|row| &row.errors_by_status) {
            *all.entry(status.as_str()).or_default() += count;
        }
        all
    }
}

impl Latency {
    fn of(operation: &Operation) -> Self {
        let millis = |percent: f64| millis(operation.percentile(percent));
        Self {
            p50: millis(50.0),
            p90: millis(90.0),
            p95: millis(95.0),
            p99: millis(99.0),
            p999: millis(99.9),
            max: millis(100.0),
        }
    }
}

impl Row {
    fn new(operation: &str, recorded: &Operation, seconds: f64) -> Self {
        Self {
            operation: operation.to_owned(),
            requests: recorded.succeeded() + recorded.failed(),
            errors: recorded.failed(),
            throughput: ratio(recorded.succeeded() as f64, seconds),
            latency_ms: Latency::of(recorded),
            percentiles: percentiles(recorded),
            errors_by_status: recorded.failures().iter().map(|(failure, count)| (failure.0.clone(), *count)).collect(),
        }
    }

    /// Errors of 100 requests.
    pub(crate) fn error_percent(&self) -> Option<f64> {
        (self.requests > 0).then(|| percent(self.errors, self.requests))
    }
}

impl Usage {
    /// Nothing without a sample. What a process spent before it was started again is added, as far as it was seen.
    fn new(load: &Load, requests: u64) -> Option<Self> {
        let (first, last) = (load.samples.first()?, load.samples.last()?);
        let pairs = load.samples.iter().zip(load.samples.iter().skip(1));
        let spent = |before: &LoadSample, after: &LoadSample| after.cpu.saturating_sub(before.cpu);
        let cpu_ms = pairs.clone().map(|(before, after)| millis(spent(before, after))).sum();
        let series = pairs.filter_map(|(before, after)| {
            let seconds = (after.at.saturating_sub(before.at)).as_secs_f64();
            let cpu_percent = ratio(spent(before, after).as_secs_f64() * 100.0, seconds);
            // The clock of CPU time is too coarse for less.
            let point = UsagePoint { at: before.at.as_secs_f64(), cpu_percent, resident_mb: after.resident_mb };
            (seconds > 0.25).then_some(point)
        });
        Some(Self {
            pid: load.pid,
            name: load.name.clone(),
            cpu_ms,
            cpu_ms_per_request: ratio(cpu_ms, requests as f64),
            cpu_percent: ratio(cpu_ms / 10.0, last.at.saturating_sub(first.at).as_secs_f64()),
            resident_mb_before: first.resident_mb,
            resident_mb_after: last.resident_mb,
            series: series.collect(),
        })
    }
}

/// From the median on, ten for every further nine, as far as there are enough requests to tell.
fn percentiles(operation: &Operation) -> Vec<(f64, f64)> {
    let count = operation.succeeded();
    if count == 0 {
        return Vec::new();
    }
    let last = (count as f64).log10();
    let steps = (last * 10.0).floor() as u32;
    let tail = (0..=steps).map(|step| 100.0 * (1.0 - 10.0_f64.powf(-f64::from(step) / 10.0)));
    let all = tail.chain([100.0]);
    all.map(|percent| (round(percent), millis(operation.percentile(percent)))).collect()
}

/// As many digits as the largest run needs to tell percentiles apart.
fn round(percent: f64) -> f64 {
    (percent * 1e7).round() / 1e7
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn ratio(count: f64, of: f64) -> f64 {
    if of > 0.0 { count / of } else { 0.0 }
}

fn percent(count: u64, of: u64) -> f64 {
    count as f64 * 100.0 / of as f64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::client::Failure;
    use crate::recorder::{Point, PointLatency};

    pub(crate) fn sample_run() -> Run {
        let latency_ms = Latency { p50: 1.5, p90: 2.0, p95: 2.5, p99: 30.25, p999: 40.0, max: 41.0 };
        let percentiles = vec![(0.0, 1.0), (50.0, 1.5), (90.0, 2.0), (99.0, 30.25), (99.9, 40.0), (100.0, 41.0)];
        let points: Vec<_> = (0..10)
            .map(|second| Point {
                at: f64::from(second),
                seconds: 1.0,
                requests: 99,
                errors: if second < 9 { 1 } else { 0 },
                latency_ms: Some(PointLatency { p50: 1.5, p90: 2.0, p99: 20.0 + f64::from(second), max: 41.0 }),
                errors_by_status: if second < 9 { [("503".to_owned(), 1)].into() } else { BTreeMap::new() },
            })
            .collect();
        let row = Row {
            operation: "user-read".to_owned(),
            requests: 990,
            errors: 9,
            throughput: 98.1,
            latency_ms,
            percentiles: percentiles.clone(),
            errors_by_status: BTreeMap::from([("503".to_owned(), 9)]),
        };
        let usage = Usage {
            pid: Some(42),
            name: "tenantry".to_owned(),
            cpu_ms: 99.0,
            cpu_ms_per_request: 0.1,
            cpu_percent: 0.99,
            resident_mb_before: 20.0,
            resident_mb_after: 30.5,
            series: (0..10).map(|at| UsagePoint { at: at.into(), cpu_percent: 1.0, resident_mb: 30.0 }).collect(),
        };
        Run {
            seconds: 10.0,
            requests: 990,
            errors: 9,
            journeys: 990,
            missed: 10,
            throughput: 98.1,
            latency_ms,
            percentiles,
            operations: vec![row],
            processes: vec![usage],
            metrics: None,
            gauges: BTreeMap::new(),
            generator: None,
            machine_percent: None,
            series: Series {
                interval_seconds: 1.0,
                all: points.clone(),
                operations: [("user-read".to_owned(), points)].into(),
            },
            notes: Vec::new(),
        }
    }

    fn load(samples: &[(u64, u64, f64)]) -> Load {
        let sample = |&(at, cpu, resident_mb)| LoadSample {
            at: Duration::from_millis(at),
            cpu: Duration::from_millis(cpu),
            resident_mb,
        };
        Load { name: "server".to_owned(), pid: Some(7), samples: samples.iter().map(sample).collect() }
    }

    #[test]
    fn cpu_is_shared_out_over_all_requests_and_shown_over_time() {
        let usage = Usage::new(&load(&[(0, 1_000, 1.0), (5_000, 3_000, 3.0), (10_000, 3_500, 2.0)]), 5_000).unwrap();
        assert_eq!((usage.cpu_ms, usage.cpu_ms_per_request, usage.cpu_percent), (2_500.0, 0.5, 25.0));
        assert_eq!((usage.resident_mb_before, usage.resident_mb_after), (1.0, 2.0));
        let series: Vec<_> =
            usage.series.iter().map(|point| (point.at, point.cpu_percent, point.resident_mb)).collect();
        assert_eq!(series, [(0.0, 40.0, 3.0), (5.0, 10.0, 2.0)]);
    }

    #[test]
    fn a_server_that_was_started_again_spent_what_both_spent() {
        let usage = Usage::new(&load(&[(0, 100, 1.0), (1_000, 400, 1.0), (2_000, 50, 1.0), (3_000, 250, 1.0)]), 1);
        assert_eq!(usage.unwrap().cpu_ms, 500.0);
    }

    #[test]
    fn nothing_measured_is_zero_and_not_infinite() {
        assert_eq!(Usage::new(&load(&[]), 0), None);
        let usage = Usage::new(&load(&[(0, 0, 0.0)]), 0).unwrap();
        assert_eq!((usage.cpu_ms_per_request, usage.cpu_percent, usage.series.len()), (0.0, 0.0, 0));
    }

    #[test]
    fn memory_adds_up_the_processes_that_are_known() {
        let mut run = sample_run();
        let mut database = run.processes[0].clone();
        database.series.truncate(1);
        run.processes.push(database);
        assert_eq!(run.memory()[..2], [(0.0, 60.0), (1.0, 30.0)]);
        run.metrics = run.processes.pop();
        run.processes.clear();
        assert_eq!(run.memory(), [(0.0, 30.0)]);
        run.metrics = None;
        assert!(run.memory().is_empty() && run.cpu_ms_per_request().is_none());
    }

    #[test]
    fn percentiles_go_as_far_as_the_requests_do() {
        let recorder = Recorder::default();
        let now = Instant::now();
        for millis in 1..=1_000 {
            recorder.record("read", now, now + Duration::from_millis(millis), Ok(()));
        }
        recorder.record("write", now, now, Err(Failure("503".to_owned())));
        let operations = recorder.operations();
        let curve = percentiles(&operations["read"]);
        assert_eq!((curve[0].0, curve[10].0, curve[20].0, curve[30].0), (0.0, 90.0, 99.0, 99.9));
        assert_eq!((curve.len(), curve[31].0), (32, 100.0));
        assert!((curve[20].1 - 990.0).abs() < 2.0 && curve.is_sorted_by_key(|point| point.1));
        assert!(percentiles(&operations["write"]).is_empty());
    }
}
