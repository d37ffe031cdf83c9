//! What has to hold: `p99<50ms,errors<0.1%,refresh.p99<20ms,rate>400,missed<1%`.

use serde::{Deserialize, Serialize};

use crate::report::{Latency, Run};

/// What has to hold together.
pub(crate) type Thresholds = Vec<Threshold>;

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Threshold {
    /// As it was typed.
    text: String,
    /// Of one operation; else of all.
    operation: Option<String>,
    measure: Measure,
    comparison: Comparison,
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    P50,
    P90,
    P95,
    P99,
    P999,
    Max,
    /// Errors of 100 requests.
    Errors,
    /// Of 100 journeys that should have begun, those that could not.
    Missed,
    /// Successes a second.
    Rate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// Whether a threshold held, run by run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) threshold: String,
    /// What was measured, as people read it, and whether it is right.
    pub(crate) runs: Vec<Judged>,
}

/// A threshold in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) measured: String,
    pub(crate) held: bool,
}

const MEASURES: [(&str, Measure); 10] = [
    ("p50", Measure::P50),
    ("p90", Measure::P90),
    ("p95", Measure::P95),
    ("p99", Measure::P99),
    ("p99.9", Measure::P999),
    ("p999", Measure::P999),
    ("max", Measure::Max),
    ("errors", Measure::Errors),
    ("missed", Measure::Missed),
    ("rate", Measure::Rate),
];

/// Reads a list.
pub(crate) fn parse(list: &str) -> Result<Thresholds, String> {
    list.split(',').map(|text| one(text.trim()).map_err(|reason| format!("`{}`: {reason}", text.trim()))).collect()
}

fn one(text: &str) -> Result<Threshold, String> {
    let at = text.find(['<', '>']).ok_or("needs `<` or `>`, such as `p99<50ms`")?;
    let (name, rest) = text.split_at(at);
    let (comparison, bound) =
        [("<=", Comparison::AtMost), (">=", Comparison::AtLeast), ("<", Comparison::Below), (">", Comparison::Above)]
            .into_iter()
            .find_map(|(sign, comparison)| rest.strip_prefix(sign).map(|bound| (comparison, bound)))
            .ok_or("needs `<` or `>`, such as `p99<50ms`")?;
    let (operation, measure) = named(name.trim())?;
    if measure == Measure::Missed && operation.is_some() {
        return Err("journeys are missed as a whole, not by operation: `missed<1%`".to_owned());
    }
    let bound = measure.read(bound.trim())?;
    Ok(Threshold { text: text.to_owned(), operation, measure, comparison, bound })
}

/// `p99`, or `refresh.p99`: an operation's name may itself have dots, and so has `p99.9`.
fn named(name: &str) -> Result<(Option<String>, Measure), String> {
    let find = |word: &str| MEASURES.iter().find(|(known, _)| *known == word).map(|(_, measure)| *measure);
    if let Some(measure) = find(name) {
        return Ok((None, measure));
    }
    let dots = name.match_indices('.').map(|(at, _)| at);
    let split = dots.filter_map(|at| find(name.get(at + 1..)?).map(|measure| (name.get(..at), measure))).next();
    match split {
        Some((Some(operation), measure)) if !operation.is_empty() => Ok((Some(operation.to_owned()), measure)),
        _ => Err("knows p50, p90, p95, p99, p99.9, max, errors, missed and rate, of all operations or as \
                  `operation.p99`"
            .to_owned()),
    }
}

impl Measure {
    fn read(self, text: &str) -> Result<f64, String> {
        let wrong = |example: &str| format!("needs {example}");
        let units: &[(&str, f64)] = match self {
            Self::Errors | Self::Missed => &[("%", 1.0)],
            Self::Rate => &[("/s", 1.0), ("", 1.0)],
            _ => &[("ms", 1.0), ("us", 0.001), ("µs", 0.001), ("s", 1_000.0)],
        };
        let example = match self {
            Self::Errors | Self::Missed => "a percentage, such as `0.1%`",
            Self::Rate => "a number per second, such as `400`",
            _ => "a time with its unit, such as `50ms` or `1s`",
        };
        let (number, scale) = units
            .iter()
            .find_map(|(unit, scale)| text.strip_suffix(unit).map(|number| (number, *scale)))
            .ok_or_else(|| wrong(example))?;
        let number: f64 = number.trim().parse().map_err(|_| wrong(example))?;
        if number.is_finite() && number >= 0.0 { Ok(number * scale) } else { Err(wrong(example)) }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Errors | Self::Missed => format!("{value:.2} %"),
            Self::Rate => format!("{value:.1}/s"),
            _ => format!("{value:.2} ms"),
        }
    }

    /// Nothing where nothing succeeded.
    fn of_latency(self, latency: &Latency, succeeded: u64) -> Option<f64> {
        let value = match self {
            Self::P50 => latency.p50,
            Self::P90 => latency.p90,
            Self::P95 => latency.p95,
            Self::P99 => latency.p99,
            Self::P999 => latency.p999,
            Self::Max => latency.max,
            Self::Errors | Self::Missed | Self::Rate => return None,
        };
        (succeeded > 0).then_some(value)
    }
}

impl Comparison {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
        }
    }
}

impl Threshold {
    fn judge(&self, run: &Run) -> Judged {
        match self.value(run) {
            Ok(value) => Judged { measured: self.measure.show(value), held: self.comparison.holds(value, self.bound) },
            Err(reason) => Judged { measured: reason.to_owned(), held: false },
        }
    }

    fn value(&self, run: &Run) -> Result<f64, &'static str> {
        let value = match &self.operation {
            None => match self.measure {
                Measure::Errors => run.error_percent(),
                // A closed loop misses nothing.
                Measure::Missed => Some(run.missed_percent().unwrap_or_default()),
                Measure::Rate => Some(run.throughput),
                other => other.of_latency(&run.latency_ms, run.requests - run.errors),
            },
            Some(name) => {
                let row = run.operations.iter().find(|row| row.operation == *name).ok_or("no such operation")?;
                match self.measure {
                    Measure::Errors => row.error_percent(),
                    Measure::Rate => Some(row.throughput),
                    other => other.of_latency(&row.latency_ms, row.requests - row.errors),
                }
            }
        };
        value.ok_or("nothing succeeded")
    }
}

impl Verdict {
    /// Whether it held in every run.
    pub(crate) fn held(&self) -> bool {
        self.runs.iter().all(|run| run.held)
    }

    /// What was measured where it did not hold, or everywhere if it did.
    pub(crate) fn explained(&self) -> String {
        let name = self.threshold.split(['<', '>']).next().unwrap_or_default().trim();
        let all = self.held();
        let shown: Vec<_> = self
            .runs
            .iter()
            .enumerate()
            .filter(|(_, run)| all || !run.held)
            .map(|(number, run)| match self.runs.len() {
                1 => run.measured.clone(),
                _ => format!("{} in run {}", run.measured, number + 1),
            })
            .collect();
        format!("{name} was {}", shown.join(", "))
    }
}

/// Holds all thresholds against every run.
pub(crate) fn judge(thresholds: &[Thresholds], runs: &[Run]) -> Vec<Verdict> {
    let judge = |threshold: &Threshold| Verdict {
        threshold: threshold.text.clone(),
        runs: runs.iter().map(|run| threshold.judge(run)).collect(),
    };
    thresholds.iter().flatten().map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample_run;

    fn held(text: &str) -> bool {
        judge(&[parse(text).unwrap()], &[sample_run()]).iter().all(Verdict::held)
    }

    #[test]
    fn thresholds_are_held_against_all_operations_or_one() {
        for right in [
            "p50<2ms",
            "p50<=1.5ms",
            "p50<=1500us",
            "p99<1s",
            "user-read.p99.9 < 41ms",
            "max<=41ms",
            "errors<1%",
            "user-read.errors<=0.91%",
            "rate>98",
            "user-read.rate>=98.1/s",
            "missed<=1%",
            "p50<2ms, p90 < 3ms",
        ] {
            assert!(held(right), "{right}");
        }
        for wrong in ["p50<1.5ms", "p99.9<40ms", "errors<0.1%", "rate>400", "missed<1%", "p50<2ms,p99<2ms", "rate<98"] {
            assert!(!held(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        assert!(!held("other.p99<1s"));
        let mut run = sample_run();
        (run.requests, run.errors, run.latency_ms) = (0, 0, Latency::default());
        let verdicts = judge(&[parse("p99<1s,errors<1%").unwrap()], &[run]);
        assert!(verdicts.iter().all(|verdict| !verdict.held() && verdict.explained().ends_with("nothing succeeded")));
    }

    #[test]
    fn every_run_must_hold_and_those_that_do_not_are_named() {
        let mut slow = sample_run();
        slow.latency_ms.p99 = 80.0;
        let verdicts = judge(&[parse("p99<50ms").unwrap()], &[sample_run(), slow]);
        assert!(!verdicts[0].held());
        assert_eq!(verdicts[0].explained(), "p99 was 80.00 ms in run 2");
    }

    #[test]
    fn what_cannot_be_read_is_explained() {
        for (text, reason) in [
            ("p99", "needs `<` or `>`"),
            ("", "needs `<` or `>`"),
            ("p98<5ms", "knows p50"),
            (".p99<5ms", "knows p50"),
            ("p99<5", "a time with its unit"),
            ("p99<fastms", "a time with its unit"),
            ("p99<-1ms", "a time with its unit"),
            ("errors<5", "a percentage"),
            ("rate>many", "a number per second"),
            ("refresh.missed<1%", "not by operation"),
            ("p50<1ms,,", "needs `<` or `>`"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.contains(reason), "{text}: {found}");
        }
    }
}
