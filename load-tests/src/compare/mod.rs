//! Whether one version is faster than another, as far as their runs can tell.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use crate::args;
use crate::report::{Report, Run};

mod statistics;
mod table;

use statistics::{Summary, difference};

/// All differences between two sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Comparison {
    /// How the intervals were made.
    pub(crate) method: &'static str,
    pub(crate) base: Side,
    pub(crate) candidate: Side,
    pub(crate) differences: Vec<Difference>,
    /// What makes the comparison weak.
    pub(crate) warnings: Vec<String>,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Side {
    pub(crate) reports: Vec<String>,
    pub(crate) runs: usize,
}

/// One measure on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Difference {
    /// Of one operation; absent for all together.
    pub(crate) operation: Option<String>,
    pub(crate) measure: &'static str,
    /// Means over the runs.
    pub(crate) base: f64,
    pub(crate) candidate: f64,
    /// Of the base's mean; absent where that is zero.
    pub(crate) change_percent: Option<f64>,
    /// Where the change lies with 95 % confidence, in the measure's own unit; absent with fewer than two runs on a side.
    pub(crate) interval: Option<(f64, f64)>,
    pub(crate) claim: Claim,
}

/// What the runs allow to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Claim {
    Better,
    Worse,
    /// The interval holds zero.
    NoDifferenceShown,
    /// A side has a single run.
    TooFewRuns,
}

/// What is compared of a run.
struct Measure {
    name: &'static str,
    more_is_better: bool,
    of: fn(&Run, Option<&str>) -> Option<f64>,
}

const MEASURES: [Measure; 5] = [
    Measure { name: "successes/s", more_is_better: true, of: throughput },
    Measure { name: "p50 ms", more_is_better: false, of: |run, operation| latency(run, operation, |of| of.p50) },
    Measure { name: "p99 ms", more_is_better: false, of: |run, operation| latency(run, operation, |of| of.p99) },
    Measure { name: "errors %", more_is_better: false, of: errors },
    Measure { name: "CPU ms/request", more_is_better: false, of: cpu },
];

const METHOD: &str = "Welch's t-interval of the difference of means over whole runs, 95 % confidence";

/// Reads the reports of both sides, compares them and prints what came of it.
pub(crate) fn command(arguments: &args::Compare) -> anyhow::Result<ExitCode> {
    let (base, candidate) = arguments.sides();
    let comparison = compare(&read(base)?, &read(candidate)?);
    if arguments.json {
        println!("{}", comparison.to_json());
    } else {
        print!("{}", comparison.to_table());
    }
    let failed = arguments.fail_on_regression && comparison.is_regression();
    Ok(if failed { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, Report)>> {
    let one = |path: &PathBuf| {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
        let report = Report::from_json(&text).with_context(|| shown.clone())?;
        Ok((shown, report))
    };
    paths.iter().map(one).collect()
}

/// Compares the runs of two sides.
fn compare(base: &[(String, Report)], candidate: &[(String, Report)]) -> Comparison {
    let runs =
        |side: &[(String, Report)]| -> Vec<Run> { side.iter().flat_map(|(_, report)| report.runs.clone()).collect() };
    let side = |side: &[(String, Report)], runs: &[Run]| Side {
        reports: side.iter().map(|(path, _)| path.clone()).collect(),
        runs: runs.len(),
    };
    let (before, after) = (runs(base), runs(candidate));
    let mut operations = vec![None];
    let names: Vec<&str> =
        before.first().into_iter().flat_map(|run| &run.operations).map(|row| row.operation.as_str()).collect();
    if names.len() > 1 {
        operations.extend(names.into_iter().map(Some));
    }
    let differences = operations
        .into_iter()
        .flat_map(|operation| {
            MEASURES.iter().filter_map(|measure| one(measure, operation, &before, &after)).collect::<Vec<_>>()
        })
        .collect();
    Comparison {
        method: METHOD,
        warnings: warnings(base, candidate, before.len(), after.len()),
        base: side(base, &before),
        candidate: side(candidate, &after),
        differences,
    }
}

fn one(measure: &Measure, operation: Option<&str>, before: &[Run], after: &[Run]) -> Option<Difference> {
    let values = |runs: &[Run]| runs.iter().filter_map(|run| (measure.of)(run, operation)).collect::<Vec<_>>();
    let (base, candidate) = (Summary::of(&values(before))?, Summary::of(&values(after))?);
    let interval = difference(&base, &candidate);
    let claim = match interval {
        None => Claim::TooFewRuns,
        Some(interval) if interval.low > 0.0 => {
            if measure.more_is_better {
                Claim::Better
            } else {
                Claim::Worse
            }
        }
        Some(interval) if interval.high < 0.0 => {
            if measure.more_is_better {
                Claim::Worse
            } else {
                Claim::Better
            }
        }
        Some(_) => Claim::NoDifferenceShown,
    };
    Some(Difference {
        operation: operation.map(str::to_owned),
        measure: measure.name,
        base: base.mean,
        candidate: candidate.mean,
        change_percent: (base.mean > 0.0).then(|| (candidate.mean / base.mean - 1.0) * 100.0),
        interval: interval.map(|interval| (interval.low, interval.high)),
        claim,
    })
}

fn warnings(base: &[(String, Report)], candidate: &[(String, Report)], before: usize, after: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    if before < 2 || after < 2 {
        warnings.push(format!(
            "{before} against {after} runs: no claim can be made, one run does not say how much runs vary; measure with \
             --repeat 5 or give several reports of each side"
        ));
    } else if before < 4 || after < 4 {
        warnings.push(format!("{before} against {after} runs: the intervals are wide, five each or more are better"));
    }
    let same = |a: &Report, b: &Report| {
        let numbers = |of: &Report| (of.clients, of.projects, of.users);
        a.scenario == b.scenario && a.options == b.options && a.pace() == b.pace() && numbers(a) == numbers(b)
    };
    let mut all = base.iter().chain(candidate).map(|(_, report)| report);
    if let Some(first) = all.next()
        && all.any(|other| !same(first, other))
    {
        warnings.push(
            "the reports are not of the same load (scenario, options, pace, clients, projects or users differ)"
                .to_owned(),
        );
    }
    warnings
}

fn throughput(run: &Run, operation: Option<&str>) -> Option<f64> {
    match operation {
        None => Some(run.throughput),
        Some(name) => row(run, name).map(|row| row.throughput),
    }
}

fn latency(run: &Run, operation: Option<&str>, value: fn(&crate::report::Latency) -> f64) -> Option<f64> {
    let (latency, succeeded) = match operation {
        None => (&run.latency_ms, run.requests - run.errors),
        Some(name) => row(run, name).map(|row| (&row.latency_ms, row.requests - row.errors))?,
    };
    (succeeded > 0).then(|| value(latency))
}

fn errors(run: &Run, operation: Option<&str>) -> Option<f64> {
    match operation {
        None => run.error_percent(),
        Some(name) => row(run, name)?.error_percent(),
    }
}

/// Processes do not say for whom they worked.
fn cpu(run: &Run, operation: Option<&str>) -> Option<f64> {
    operation.is_none().then(|| run.cpu_ms_per_request()).flatten()
}

fn row<'a>(run: &'a Run, name: &str) -> Option<&'a crate::report::Row> {
    run.operations.iter().find(|row| row.operation == name)
}

impl Comparison {
    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn to_table(&self) -> String {
        table::text(self)
    }

    /// Whether anything got worse beyond doubt.
    fn is_regression(&self) -> bool {
        self.differences.iter().any(|difference| difference.claim == Claim::Worse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{sample, sample_run};

    fn side(p99: &[f64]) -> Vec<(String, Report)> {
        let run = |p99: &f64| {
            let mut run = sample_run();
            run.latency_ms.p99 = *p99;
            run
        };
        vec![("a.json".to_owned(), Report { runs: p99.iter().map(run).collect(), ..sample() })]
    }

    fn p99(comparison: &Comparison) -> &Difference {
        comparison.differences.iter().find(|difference| difference.measure == "p99 ms").unwrap()
    }

    #[test]
    fn a_difference_beyond_the_noise_is_claimed() {
        let comparison = compare(&side(&[10.0, 10.2, 9.8, 10.1]), &side(&[12.0, 12.1, 11.9, 12.2]));
        let difference = p99(&comparison);
        assert_eq!(difference.claim, Claim::Worse);
        assert!(difference.interval.is_some_and(|(low, high)| low > 1.5 && high < 2.5), "{difference:?}");
        assert!(comparison.is_regression());
        let better = compare(&side(&[12.0, 12.1, 11.9, 12.2]), &side(&[10.0, 10.2, 9.8, 10.1]));
        assert_eq!((p99(&better).claim, better.is_regression()), (Claim::Better, false));
    }

    #[test]
    fn a_difference_within_the_noise_is_not() {
        let comparison = compare(&side(&[10.0, 14.0, 8.0]), &side(&[11.0, 15.0, 9.0]));
        assert_eq!(p99(&comparison).claim, Claim::NoDifferenceShown);
        assert!(comparison.warnings[0].contains("intervals are wide"));
    }

    #[test]
    fn a_single_run_never_makes_a_claim() {
        let comparison = compare(&side(&[10.0]), &side(&[100.0, 101.0, 102.0, 103.0]));
        assert!(comparison.differences.iter().all(|difference| difference.claim == Claim::TooFewRuns));
        assert!(!comparison.is_regression());
        assert!(comparison.to_table().contains("no claim can be made"));
    }

    #[test]
    fn several_files_of_a_side_are_one_side() {
        let base = [side(&[10.0, 10.1]), side(&[10.2])].concat();
        let comparison = compare(&base, &side(&[10.0, 10.0]));
        assert_eq!((comparison.base.runs, comparison.base.reports.len(), comparison.candidate.runs), (3, 2, 2));
    }

    #[test]
    fn different_loads_are_pointed_out() {
        let mut other = side(&[10.0, 10.0, 10.0, 10.0]);
        assert!(compare(&other.clone(), &other).warnings.is_empty());
        let before = other.clone();
        other[0].1.clients = 7;
        assert!(compare(&before, &other).warnings[0].contains("not of the same load"));
    }
}
