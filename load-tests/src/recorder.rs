//! Latencies and failures per operation.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use crate::client::Failure;

/// Microseconds, three significant digits: what is slower than a minute counts as a minute.
const SLOWEST: u64 = 60_000_000;

/// What one operation came to. Only answered requests have a latency: a quick refusal must not flatter the numbers.
#[derive(Clone)]
pub(crate) struct Operation {
    latencies: Option<Histogram<u64>>,
    failures: BTreeMap<Failure, u64>,
}

impl Operation {
    fn new() -> Self {
        Self { latencies: Histogram::new_with_bounds(1, SLOWEST, 3).ok(), failures: BTreeMap::new() }
    }

    pub(crate) fn succeeded(&self) -> u64 {
        self.latencies.as_ref().map_or(0, Histogram::len)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub(crate) fn failures(&self) -> &BTreeMap<Failure, u64> {
        &self.failures
    }

    /// The latency that `percent` of the successes did not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let micros = self.latencies.as_ref().map_or(0, |latencies| latencies.value_at_percentile(percent));
        Duration::from_micros(micros)
    }
}

/// What all clients recorded.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<BTreeMap<&'static str, Operation>>);

impl Recorder {
    /// Counts a request that should have begun at `origin` and was answered, or given up, at `ended`.
    pub(crate) fn record(&self, operation: &'static str, origin: Instant, ended: Instant, result: Result<(), Failure>) {
        let mut operations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let operation = operations.entry(operation).or_insert_with(Operation::new);
        match result {
            Ok(()) => {
                let latency = ended.saturating_duration_since(origin);
                let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                if let Some(latencies) = &mut operation.latencies {
                    latencies.saturating_record(micros.max(1));
                }
            }
            Err(failure) => *operation.failures.entry(failure).or_default() += 1,
        }
    }

    /// What was recorded so far, by operation.
    pub(crate) fn operations(&self) -> BTreeMap<&'static str, Operation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests so far, and how many of them failed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let operations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = operations.values().map(Operation::failed).sum();
        (operations.values().map(Operation::succeeded).sum::<u64>() + failed, failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(entries: &[(&'static str, Result<u64, &str>)]) -> BTreeMap<&'static str, Operation> {
        let recorder = Recorder::default();
        let origin = Instant::now();
        for (operation, result) in entries {
            let ended = origin + Duration::from_millis(result.unwrap_or(1));
            let result = result.map(|_| ()).map_err(|text| Failure(text.to_owned()));
            recorder.record(operation, origin, ended, result);
        }
        recorder.operations()
    }

    #[test]
    fn clients_add_up_by_operation_and_failure() {
        let all = recorded(&[("read", Ok(10)), ("read", Err("503")), ("write", Ok(1)), ("read", Err("timeout"))]);
        assert_eq!(all.keys().copied().collect::<Vec<_>>(), ["read", "write"]);
        assert_eq!((all["read"].succeeded(), all["read"].failed()), (1, 2));
        assert_eq!(all["read"].failures()[&Failure("503".to_owned())], 1);
    }

    #[test]
    fn percentiles_have_three_digits_and_ignore_failures() {
        let mut entries: Vec<_> = (1..=1_000).map(|millis| ("read", Ok(millis))).collect();
        entries.push(("read", Err("429")));
        let read = &recorded(&entries)["read"];
        for (percent, millis) in [(50.0, 500.0), (90.0, 900.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1_000.0)] {
            let found = read.percentile(percent).as_secs_f64() * 1_000.0;
            assert!((found - millis).abs() / millis < 0.002, "p{percent}: {found}");
        }
    }

    #[test]
    fn extremes_are_kept_in_bounds() {
        let read = &recorded(&[("read", Ok(0)), ("read", Ok(3_600_000))])["read"];
        assert_eq!(read.succeeded(), 2);
        assert!(read.percentile(100.0).as_secs_f64() >= 60.0);
    }
}
