//! When journeys should begin, whatever the server does.

use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;

/// How a rate changes over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Curve {
    /// Always the same.
    #[default]
    Steady,
    /// From a twentieth of the peak up to it.
    Ramp,
    /// A fifth of the peak, and for a tenth of the time the peak.
    Spike,
    /// A quarter of the peak, two, three, four.
    Steps,
    /// A night, a morning, a noon, an afternoon, an evening.
    Day,
}

impl Curve {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Ramp => "ramp",
            Self::Spike => "spike",
            Self::Steps => "steps",
            Self::Day => "day",
        }
    }

    /// Share of the time, and the share of the peak then; straight lines between them. No rate is 0: every curve goes on.
    fn knots(self) -> &'static [(f64, f64)] {
        match self {
            Self::Steady => &[(0.0, 1.0)],
            Self::Ramp => &[(0.0, 0.05), (1.0, 1.0)],
            Self::Spike => &[(0.0, 0.2), (0.45, 0.2), (0.475, 1.0), (0.575, 1.0), (0.6, 0.2)],
            Self::Steps => {
                &[(0.0, 0.25), (0.25, 0.25), (0.25, 0.5), (0.5, 0.5), (0.5, 0.75), (0.75, 0.75), (0.75, 1.0)]
            }
            Self::Day => &[(0.0, 0.1), (0.25, 0.8), (0.4, 1.0), (0.5, 0.7), (0.6, 0.95), (0.8, 0.5), (1.0, 0.1)],
        }
    }
}

/// Fixed arrival times, counted from the start of the load.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrivals {
    /// In the order of time, never empty; the last rate goes on for ever.
    knots: Vec<Knot>,
}

/// A moment at which the rate takes another course.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Knot {
    /// Seconds.
    at: f64,
    /// Arrivals a second from here on, changing in a straight line up to the next knot.
    rate: f64,
    /// Arrivals until here: the integral of the rate.
    until: f64,
}

impl Arrivals {
    /// `rate` a second.
    pub(crate) fn steady(rate: f64) -> Self {
        Self { knots: vec![Knot { at: 0.0, rate, until: 0.0 }] }
    }

    /// A curve over `duration` with this peak; the warm-up before it goes at the rate with which the curve begins.
    pub(crate) fn along(curve: Curve, peak: f64, warm_up: Duration, duration: Duration) -> Self {
        let points = curve.knots();
        let begin = points.first().map_or(1.0, |(_, share)| *share);
        let mut knots = vec![Knot { at: 0.0, rate: begin * peak, until: 0.0 }];
        for (time, share) in points {
            let (at, rate) = (warm_up.as_secs_f64() + time * duration.as_secs_f64(), share * peak);
            if let Some(last) = knots.last().copied() {
                knots.push(Knot { at, rate, until: last.until + (at - last.at) * (last.rate + rate) / 2.0 });
            }
        }
        if curve == Curve::Steady { Self::steady(peak) } else { Self { knots } }
    }

    /// When the n-th journey begins, from 0 on.
    pub(crate) fn at(&self, number: u64) -> Duration {
        let number = number as f64;
        let next = self.knots.partition_point(|knot| knot.until <= number);
        let Some(from) = next.checked_sub(1).and_then(|before| self.knots.get(before)) else {
            return Duration::ZERO;
        };
        let more = number - from.until;
        let seconds = match self.knots.get(next) {
            None => from.at + more / from.rate,
            Some(to) => {
                // more = rate * t + slope * t^2 / 2, solved so that a slope of nearly 0 does no harm.
                let slope = (to.rate - from.rate) / (to.at - from.at);
                let root = (from.rate * from.rate + 2.0 * slope * more).max(0.0).sqrt();
                (from.at + 2.0 * more / (from.rate + root)).clamp(from.at, to.at)
            }
        };
        Duration::from_secs_f64(seconds)
    }

    /// How many begin before `time`.
    pub(crate) fn before(&self, time: Duration) -> u64 {
        let mut count = self.until(time.as_secs_f64()).ceil() as u64;
        // The sums of floats may miss a boundary by one.
        while count > 0 && self.at(count - 1) >= time {
            count -= 1;
        }
        while self.at(count) < time {
            count += 1;
        }
        count
    }

    /// The integral of the rate.
    fn until(&self, seconds: f64) -> f64 {
        let next = self.knots.partition_point(|knot| knot.at <= seconds);
        let Some(from) = next.checked_sub(1).and_then(|before| self.knots.get(before)) else {
            return 0.0;
        };
        let passed = seconds - from.at;
        let slope = self.knots.get(next).map_or(0.0, |to| (to.rate - from.rate) / (to.at - from.at));
        from.until + passed * (from.rate + slope * passed / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVES: [Curve; 5] = [Curve::Steady, Curve::Ramp, Curve::Spike, Curve::Steps, Curve::Day];

    fn along(curve: Curve) -> Arrivals {
        Arrivals::along(curve, 100.0, Duration::from_secs(5), Duration::from_secs(60))
    }

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

    #[test]
    fn arrivals_of_a_curve_come_one_after_the_other_and_are_counted_exactly() {
        for curve in CURVES {
            let arrivals = along(curve);
            for number in 0..8_000 {
                let at = arrivals.at(number);
                assert!(at < arrivals.at(number + 1), "{curve:?}: {number}");
                assert_eq!(arrivals.before(at), number, "{curve:?}: up to arrival {number}");
            }
        }
    }

    #[test]
    fn a_curve_has_as_many_arrivals_as_its_area() {
        for (curve, measured) in
            [(Curve::Steady, 6_000), (Curve::Ramp, 3_150), (Curve::Steps, 3_750), (Curve::Spike, 1_800)]
        {
            let arrivals = along(curve);
            let count = arrivals.before(Duration::from_secs(65)) - arrivals.before(Duration::from_secs(5));
            assert!(count.abs_diff(measured) <= 1, "{curve:?}: {count}");
        }
    }

    #[test]
    fn no_curve_exceeds_its_peak_and_each_reaches_it() {
        for curve in CURVES {
            let arrivals = along(curve);
            let in_second = |second: u64| {
                arrivals.before(Duration::from_secs(second + 1)) - arrivals.before(Duration::from_secs(second))
            };
            let most = (0..65).map(in_second).max().unwrap();
            assert!((98..=101).contains(&most), "{curve:?}: {most}");
        }
    }

    #[test]
    fn the_warm_up_goes_at_the_rate_of_the_beginning() {
        assert_eq!(along(Curve::Steps).before(Duration::from_secs(5)), 125);
        assert_eq!(along(Curve::Ramp).before(Duration::from_secs(4)), 20);
        assert_eq!(along(Curve::Steady).before(Duration::from_secs(5)), 500);
    }
}
