//! When journeys should begin, whatever the server does.

use std::time::Duration;

/// Fixed arrival times, counted from the start of the load.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrivals {
    rate: f64,
}

impl Arrivals {
    /// `rate` a second.
    pub(crate) fn steady(rate: f64) -> Self {
        Self { rate }
    }

    /// When the n-th journey begins, from 0 on.
    pub(crate) fn at(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// How many begin before `time`.
    pub(crate) fn before(&self, time: Duration) -> u64 {
        let mut count = (time.as_secs_f64() * self.rate).ceil() as u64;
        // The float product may miss a boundary by one.
        while count > 0 && self.at(count - 1) >= time {
            count -= 1;
        }
        while self.at(count) < time {
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_counted_exactly() {
        for rate in [0.3, 1.0, 3.0, 7.0, 1_000.0 / 3.0, 5_000.0] {
            let arrivals = Arrivals::steady(rate);
            for number in [0, 1, 2, 3, 7, 10, 100, 12_345] {
                let at = arrivals.at(number);
                assert_eq!(arrivals.before(at), number, "{rate}: up to arrival {number}");
                assert_eq!(arrivals.before(at + Duration::from_nanos(1)), number + 1, "{rate}: past arrival {number}");
            }
        }
    }
}
