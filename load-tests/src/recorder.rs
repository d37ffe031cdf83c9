//! Latencies and failures per operation, over the whole measurement and interval by interval.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use crate::client::Failure;

mod series;

pub(crate) use series::{Point, PointLatency, Series, interval};

/// Microseconds, three significant digits: what is slower than a minute counts as a minute.
const SLOWEST: u64 = 60_000_000;

/// A server that invents codes must not fill the memory: after so many kinds of failure per operation the rest is one kind.
const MOST_FAILURES: usize = 64;

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

    /// All operations as if they were one.
    pub(crate) fn all<'a>(operations: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::new();
        for operation in operations {
            if let (Some(into), Some(from)) = (&mut all.latencies, &operation.latencies) {
                // Both have the same bounds.
                let _ = into.add(from);
            }
            for (failure, count) in &operation.failures {
                *all.failures.entry(failure.clone()).or_default() += count;
            }
        }
        all
    }
}

/// What all clients recorded.
pub(crate) struct Recorder {
    answered: AtomicU64,
    failed: AtomicU64,
    records: Mutex<Records>,
}

struct Records {
    operations: BTreeMap<&'static str, Operation>,
    series: series::Rolling,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::over(Instant::now(), Duration::ZERO)
    }
}

impl Recorder {
    /// For a measurement that begins at `from` and is meant to take `duration`.
    pub(crate) fn over(from: Instant, duration: Duration) -> Self {
        let records = Records { operations: BTreeMap::new(), series: series::Rolling::over(from, duration) };
        Self { answered: AtomicU64::new(0), failed: AtomicU64::new(0), records: Mutex::new(records) }
    }

    /// Counts a request that should have begun at `origin` and was answered, or given up, at `ended`.
    pub(crate) fn record(&self, operation: &'static str, origin: Instant, ended: Instant, result: Result<(), Failure>) {
        let latency = ended.saturating_duration_since(origin);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(result.is_err()), Ordering::Relaxed);
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let Records { operations, series } = &mut *records;
        let sums = operations.entry(operation).or_insert_with(Operation::new);
        match result {
            Ok(()) => {
                if let Some(latencies) = &mut sums.latencies {
                    latencies.saturating_record(micros);
                }
                series.succeeded(operation, ended, micros);
            }
            Err(failure) => {
                let known = sums.failures.len() < MOST_FAILURES || sums.failures.contains_key(&failure);
                let failure = if known { failure } else { Failure("other failures".to_owned()) };
                series.failed(operation, ended, &failure);
                *sums.failures.entry(failure).or_default() += 1;
            }
        }
    }

    /// What was recorded so far, by operation.
    pub(crate) fn operations(&self) -> BTreeMap<&'static str, Operation> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).operations.clone()
    }

    /// Requests so far, and how many of them failed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.answered.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// What was recorded up to `now`, interval by interval.
    pub(crate) fn series(&self, now: Instant) -> Series {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).series.until(now)
    }

    /// The last interval that is over at `now`, and all failures so far.
    pub(crate) fn recent(&self, now: Instant) -> (Option<Point>, BTreeMap<Failure, u64>) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = records.series.recent(now);
        let mut failures = BTreeMap::new();
        for (failure, count) in records.operations.values().flat_map(Operation::failures) {
            *failures.entry(failure.clone()).or_default() += count;
        }
        (recent, failures)
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
        let both = Operation::all(all.values());
        assert_eq!((both.succeeded(), both.failed()), (2, 2));
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

    #[test]
    fn a_server_that_invents_failures_does_not_fill_the_memory() {
        let recorder = Recorder::default();
        let now = Instant::now();
        for number in 0..1_000 {
            recorder.record("read", now, now, Err(Failure(format!("500 code{number}"))));
        }
        assert_eq!(recorder.counts(), (1_000, 1_000));
        let read = &recorder.operations()["read"];
        assert_eq!((read.failed(), read.failures().len()), (1_000, MOST_FAILURES + 1));
    }
}
