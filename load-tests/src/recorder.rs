//! Latencies and failures per operation.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::client::Failure;
use crate::scenario::Outcome;

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

/// What one client, or all of them, recorded.
#[derive(Clone, Default)]
pub(crate) struct Recorder(BTreeMap<&'static str, Operation>);

impl Recorder {
    pub(crate) fn record(&mut self, outcome: Outcome, latency: Duration) {
        let operation = self.0.entry(outcome.operation).or_insert_with(Operation::new);
        match outcome.result {
            Ok(()) => {
                let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                if let Some(latencies) = &mut operation.latencies {
                    latencies.saturating_record(micros.max(1));
                }
            }
            Err(failure) => *operation.failures.entry(failure).or_default() += 1,
        }
    }

    /// Adds what another client recorded.
    pub(crate) fn merge(&mut self, other: Self) {
        for (name, theirs) in other.0 {
            let ours = self.0.entry(name).or_insert_with(Operation::new);
            if let (Some(ours), Some(theirs)) = (&mut ours.latencies, theirs.latencies) {
                // Both have the same bounds.
                let _ = ours.add(theirs);
            }
            for (failure, count) in theirs.failures {
                *ours.failures.entry(failure).or_default() += count;
            }
        }
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = (&'static str, &Operation)> {
        self.0.iter().map(|(name, operation)| (*name, operation))
    }

    pub(crate) fn requests(&self) -> u64 {
        self.0.values().map(|operation| operation.succeeded() + operation.failed()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(entries: &[(&'static str, Result<u64, &str>)]) -> Recorder {
        let mut recorder = Recorder::default();
        for (operation, result) in entries {
            let latency = Duration::from_millis(result.unwrap_or(1));
            let result = result.map(|_| ()).map_err(|text| Failure(text.to_owned()));
            recorder.record(Outcome { operation, result }, latency);
        }
        recorder
    }

    #[test]
    fn clients_add_up_by_operation_and_failure() {
        let mut all = recorded(&[("read", Ok(10)), ("read", Err("503")), ("write", Ok(1))]);
        all.merge(recorded(&[("read", Ok(20)), ("read", Err("503")), ("read", Err("timeout")), ("new", Ok(1))]));
        assert_eq!(all.requests(), 7);
        let names: Vec<&str> = all.operations().map(|(name, _)| name).collect();
        assert_eq!(names, ["new", "read", "write"]);
        let (_, read) = all.operations().nth(1).unwrap();
        assert_eq!((read.succeeded(), read.failed()), (2, 3));
        assert_eq!(read.failures()[&Failure("503".to_owned())], 2);
    }

    #[test]
    fn percentiles_have_three_digits_and_ignore_failures() {
        let mut recorder = Recorder::default();
        for millis in 1..=1_000 {
            recorder.record(Outcome { operation: "read", result: Ok(()) }, Duration::from_millis(millis));
        }
        let failure = Err(Failure("429".to_owned()));
        recorder.record(Outcome { operation: "read", result: failure }, Duration::from_secs(50));
        let (_, read) = recorder.operations().next().unwrap();
        for (percent, millis) in [(50.0, 500.0), (90.0, 900.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1_000.0)] {
            let found = read.percentile(percent).as_secs_f64() * 1_000.0;
            assert!((found - millis).abs() / millis < 0.002, "p{percent}: {found}");
        }
    }

    #[test]
    fn extremes_are_kept_in_bounds() {
        let mut recorder = Recorder::default();
        recorder.record(Outcome { operation: "read", result: Ok(()) }, Duration::ZERO);
        recorder.record(Outcome { operation: "read", result: Ok(()) }, Duration::from_secs(3_600));
        let (_, read) = recorder.operations().next().unwrap();
        assert_eq!(read.succeeded(), 2);
        assert!(read.percentile(100.0).as_secs_f64() >= 60.0);
    }
}
