//! What happened when: one point for every interval that is over.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::SLOWEST;
use crate::client::Failure;

/// A measurement of hours keeps no more points than this; its intervals are longer.
const MOST_POINTS: u64 = 600;

/// Points over time, for all operations together and for each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// How long every interval is; the last may have been cut short.
    pub(crate) interval_seconds: f64,
    pub(crate) all: Vec<Point>,
    pub(crate) operations: BTreeMap<String, Vec<Point>>,
}

/// One interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// When it began, in seconds from the beginning of the measurement.
    pub(crate) at: f64,
    /// How long it was, in seconds.
    pub(crate) seconds: f64,
    /// Requests that were answered or given up in it.
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Of the successes; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) latency_ms: Option<PointLatency>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) errors_by_status: BTreeMap<String, u64>,
}

/// Latencies of an interval in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PointLatency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// A whole number of seconds, so that `duration` has few intervals.
pub(crate) fn interval(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs().div_ceil(MOST_POINTS).max(1))
}

/// The interval that is filled now, and the points of those that are over.
pub(super) struct Rolling {
    from: Instant,
    width: Duration,
    /// The number of the interval that is filled.
    current: u64,
    filling: BTreeMap<&'static str, Interval>,
    all: Vec<Point>,
    operations: BTreeMap<&'static str, Vec<Point>>,
}

/// One operation in one interval; its histogram is used again for the next.
struct Interval {
    latencies: Option<Histogram<u64>>,
    failures: BTreeMap<Failure, u64>,
}

impl Interval {
    fn new() -> Self {
        Self { latencies: Histogram::new_with_bounds(1, SLOWEST, 2).ok(), failures: BTreeMap::new() }
    }

    fn point(&self, at: f64, seconds: f64) -> Point {
        let answered = self.latencies.as_ref().filter(|latencies| !latencies.is_empty());
        let errors = self.failures.values().sum();
        let latency_ms = answered.map(|latencies| {
            let millis = |percent| latencies.value_at_percentile(percent) as f64 / 1_000.0;
            PointLatency { p50: millis(50.0), p90: millis(90.0), p99: millis(99.0), max: millis(100.0) }
        });
        let errors_by_status = self.failures.iter().map(|(failure, count)| (failure.0.clone(), *count)).collect();
        let requests = answered.map_or(0, Histogram::len) + errors;
        Point { at, seconds, requests, errors, latency_ms, errors_by_status }
    }

    fn add(&mut self, other: &Self) {
        if let (Some(into), Some(from)) = (&mut self.latencies, &other.latencies) {
            // Both have the same bounds.
            let _ = into.add(from);
        }
        for (failure, count) in &other.failures {
            *self.failures.entry(failure.clone()).or_default() += count;
        }
    }

    fn clear(&mut self) {
        if let Some(latencies) = &mut self.latencies {
            latencies.reset();
        }
        self.failures.clear();
    }
}

impl Rolling {
    pub(super) fn over(from: Instant, duration: Duration) -> Self {
        let width = interval(duration);
        Self { from, width, current: 0, filling: BTreeMap::new(), all: Vec::new(), operations: BTreeMap::new() }
    }

    pub(super) fn succeeded(&mut self, operation: &'static str, ended: Instant, micros: u64) {
        if let Some(latencies) = &mut self.interval(operation, ended).latencies {
            latencies.saturating_record(micros);
        }
    }

    pub(super) fn failed(&mut self, operation: &'static str, ended: Instant, failure: &Failure) {
        *self.interval(operation, ended).failures.entry(failure.clone()).or_default() += 1;
    }

    /// The last interval that is over.
    pub(super) fn recent(&mut self, now: Instant) -> Option<Point> {
        self.roll_to(now);
        self.all.last().cloned()
    }

    /// All points, with the one that is not over yet as it is.
    pub(super) fn until(&mut self, now: Instant) -> Series {
        self.roll_to(now);
        let at = self.began(self.current);
        let seconds = now.saturating_duration_since(self.from).as_secs_f64() - at;
        let mut all = self.all.clone();
        let mut operations: BTreeMap<String, Vec<Point>> =
            self.operations.iter().map(|(name, points)| ((*name).to_owned(), points.clone())).collect();
        let (last, by_operation) = self.points(at, seconds);
        if last.requests > 0 {
            all.push(last);
            for (name, point) in by_operation {
                operations.entry(name.to_owned()).or_default().push(point);
            }
        }
        Series { interval_seconds: self.width.as_secs_f64(), all, operations }
    }

    fn interval(&mut self, operation: &'static str, ended: Instant) -> &mut Interval {
        self.roll_to(ended);
        self.filling.entry(operation).or_insert_with(Interval::new)
    }

    /// Closes what is over. Threads may report slightly out of order: what is late counts in the interval that is filled.
    fn roll_to(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.from).as_secs_f64();
        let number = (passed / self.width.as_secs_f64()) as u64;
        // A run that takes far longer than it was meant to keeps its totals, not its points.
        let number = number.min(MOST_POINTS * 2);
        while self.current < number {
            let (all, operations) = self.points(self.began(self.current), self.width.as_secs_f64());
            self.all.push(all);
            for (name, point) in operations {
                self.operations.entry(name).or_default().push(point);
            }
            self.filling.values_mut().for_each(Interval::clear);
            self.current += 1;
        }
    }

    fn began(&self, number: u64) -> f64 {
        number as f64 * self.width.as_secs_f64()
    }

    fn points(&self, at: f64, seconds: f64) -> (Point, Vec<(&'static str, Point)>) {
        let operations: Vec<_> =
            self.filling.iter().map(|(name, interval)| (*name, interval.point(at, seconds))).collect();
        let all = match operations.as_slice() {
            [(_, only)] => only.clone(),
            _ => {
                let mut all = Interval::new();
                self.filling.values().for_each(|interval| all.add(interval));
                all.point(at, seconds)
            }
        };
        (all, operations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure("503".to_owned())
    }

    #[test]
    fn every_second_is_a_point_also_one_in_which_nothing_was_answered() {
        let from = Instant::now();
        let at = |millis| from + Duration::from_millis(millis);
        let mut rolling = Rolling::over(from, Duration::from_secs(10));
        rolling.succeeded("read", at(100), 1_000);
        rolling.succeeded("read", at(900), 3_000);
        rolling.failed("write", at(950), &failure());
        rolling.succeeded("read", at(2_500), 2_000_000);
        // Reported late by its thread: it counts where the clock is.
        rolling.succeeded("write", at(1_999), 5_000);
        let series = rolling.until(at(3_250));
        let counts: Vec<_> = series.all.iter().map(|point| (point.at, point.requests, point.errors)).collect();
        assert_eq!(counts, [(0.0, 3, 1), (1.0, 0, 0), (2.0, 2, 0)]);
        assert_eq!(series.all[0].errors_by_status["503"], 1);
        assert_eq!(series.all[1].latency_ms, None);
        let read: Vec<_> = series.operations["read"].iter().map(|point| point.requests).collect();
        assert_eq!(read, [2, 0, 1]);
        let millis = series.operations["read"][2].latency_ms.unwrap().p99;
        assert!((millis - 2_000.0).abs() < 20.0, "{millis}");
        let write: Vec<_> = series.operations["write"].iter().map(|point| (point.at, point.requests)).collect();
        assert_eq!(write, [(0.0, 1), (1.0, 0), (2.0, 1)]);
    }

    #[test]
    fn the_last_interval_may_be_short() {
        let from = Instant::now();
        let mut rolling = Rolling::over(from, Duration::from_secs(2));
        rolling.succeeded("read", from + Duration::from_millis(1_200), 1_000);
        let series = rolling.until(from + Duration::from_millis(1_500));
        let last = series.all.last().unwrap();
        assert_eq!((last.at, last.requests), (1.0, 1));
        assert!((last.seconds - 0.5).abs() < 0.001, "{}", last.seconds);
    }

    #[test]
    fn what_happened_last_is_the_interval_that_is_over() {
        let from = Instant::now();
        let mut rolling = Rolling::over(from, Duration::from_secs(60));
        rolling.succeeded("read", from + Duration::from_millis(500), 1_000);
        assert_eq!(rolling.recent(from + Duration::from_millis(900)), None);
        let point = rolling.recent(from + Duration::from_millis(1_100)).unwrap();
        assert_eq!((point.requests, point.seconds), (1, 1.0));
        let point = rolling.recent(from + Duration::from_millis(2_100)).unwrap();
        assert_eq!(point.requests, 0);
    }

    #[test]
    fn a_run_of_hours_keeps_few_points() {
        let from = Instant::now();
        let mut rolling = Rolling::over(from, Duration::from_secs(6 * 3_600));
        for second in 0..6 * 3_600 {
            rolling.succeeded("read", from + Duration::from_secs(second), 1_000);
        }
        let series = rolling.until(from + Duration::from_secs(6 * 3_600));
        assert_eq!((series.interval_seconds, series.all.len()), (36.0, 600));
        assert!(series.all.iter().all(|point| point.requests == 36));
    }

    #[test]
    fn a_run_that_does_not_end_keeps_few_points_too() {
        let from = Instant::now();
        let mut rolling = Rolling::over(from, Duration::from_secs(1));
        for second in (0..1_000_000).step_by(1_000) {
            rolling.succeeded("read", from + Duration::from_secs(second), 1_000);
        }
        assert!(rolling.until(from + Duration::from_secs(1_000_000)).all.len() <= 2 * MOST_POINTS as usize + 1);
    }
}
