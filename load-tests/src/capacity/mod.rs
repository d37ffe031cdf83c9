//! How much a server holds: the rate is raised until something that was asked for no longer holds.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::thread::available_parallelism;

use serde::Serialize;

use crate::args::FindCapacity;
use crate::report::table::table;
use crate::report::{self, Run};
use crate::run;
use crate::thresholds;

mod limit;
mod search;

use limit::{Limit, Spending, limit};
use search::Search;

/// What has to hold where nothing else is asked for.
const DEFAULT: &str = "p99<250ms,errors<1%,missed<1%";

/// A search that is over.
#[derive(Debug, PartialEq, Serialize)]
struct Capacity {
    scenario: String,
    target: Vec<String>,
    thresholds: Vec<String>,
    /// Journeys a second; absent where no rate held.
    highest_that_held: Option<f64>,
    /// What saturates first; absent where nothing broke.
    limit: Option<Limit>,
    explained: String,
    steps: Vec<Step>,
}

/// One rate.
#[derive(Debug, PartialEq, Serialize)]
struct Step {
    rate: f64,
    held: bool,
    /// What did not.
    broken: Vec<String>,
    throughput: f64,
    p50_ms: f64,
    p99_ms: f64,
    errors_percent: f64,
    missed_percent: f64,
    /// Of one core, where it is known.
    server_cpu_percent: Option<f64>,
    generator_cpu_percent: f64,
}

/// Searches and prints what was found.
pub(crate) async fn command(mut arguments: FindCapacity) -> anyhow::Result<ExitCode> {
    if arguments.subject.thresholds().is_empty() {
        arguments.subject.fail_on = vec![thresholds::parse(DEFAULT).map_err(anyhow::Error::msg)?];
    }
    let json = arguments.subject.json;
    let mut search = Search::new(arguments.first(), arguments.steps);
    let mut steps = Vec::new();
    let mut broken: Option<(f64, Run)> = None;
    let mut about = None;
    while let Some(rate) = search.next() {
        let options = arguments.options(rate).map_err(anyhow::Error::msg)?;
        let report = run::execute(&arguments.subject, options, 1).await?;
        let Some(last) = report.runs.last() else { break };
        let step = Step::new(rate, &report, last);
        if !json {
            eprintln!("{}", step.line());
        }
        // Interrupted: what was seen of this rate proves nothing.
        if last.seconds < arguments.step * 0.9 {
            break;
        }
        search.tried(rate, step.held);
        if !step.held && broken.as_ref().is_none_or(|(lowest, _)| rate < *lowest) {
            broken = Some((rate, last.clone()));
        }
        steps.push(step);
        about = Some(report);
    }
    let cores = available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    let found = broken.filter(|_| search.found_the_limit()).map(|(_, run)| limit(&Spending::of(&run), cores));
    let capacity = Capacity {
        scenario: about.as_ref().map(|report| report.scenario.clone()).unwrap_or_default(),
        target: about.as_ref().map(|report| report.target.clone()).unwrap_or_default(),
        thresholds: about.iter().flat_map(|report| &report.thresholds).map(|one| one.threshold.clone()).collect(),
        highest_that_held: search.highest(),
        explained: found.as_ref().map_or_else(|| "nothing broke".to_owned(), Limit::explained),
        limit: found,
        steps,
    };
    if json {
        println!("{}", serde_json::to_string(&capacity)?);
    } else {
        print!("{}", capacity.text());
    }
    Ok(if capacity.highest_that_held.is_some() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

impl Step {
    fn new(rate: f64, report: &report::Report, run: &Run) -> Self {
        let broken = report.thresholds.iter().filter(|verdict| !verdict.held()).map(thresholds::Verdict::explained);
        let known = !run.server().is_empty();
        Self {
            rate,
            held: report.held(),
            broken: broken.collect(),
            throughput: run.throughput,
            p50_ms: run.latency_ms.p50,
            p99_ms: run.latency_ms.p99,
            errors_percent: run.error_percent().unwrap_or_default(),
            missed_percent: run.missed_percent().unwrap_or_default(),
            server_cpu_percent: known.then(|| run.server().iter().map(|usage| usage.cpu_percent).sum()),
            generator_cpu_percent: run.generator.as_ref().map_or(0.0, |usage| usage.cpu_percent),
        }
    }

    fn line(&self) -> String {
        let outcome = if self.held { "held".to_owned() } else { self.broken.join("; ") };
        format!("{} journeys/s: {outcome}", self.rate)
    }
}

impl Capacity {
    fn text(&self) -> String {
        let mut rows = table(&[
            "journeys/s",
            "successes/s",
            "p50 ms",
            "p99 ms",
            "errors %",
            "missed %",
            "server CPU %",
            "own CPU %",
            "held",
        ]);
        for step in &self.steps {
            rows.add_row([
                format!("{}", step.rate),
                format!("{:.1}", step.throughput),
                format!("{:.2}", step.p50_ms),
                format!("{:.2}", step.p99_ms),
                format!("{:.2}", step.errors_percent),
                format!("{:.2}", step.missed_percent),
                step.server_cpu_percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0}")),
                format!("{:.0}", step.generator_cpu_percent),
                if step.held { "yes" } else { "no" }.to_owned(),
            ]);
        }
        let mut text = format!(
            "{} at {}, as long as {}\n\n{rows}\n\n",
            self.scenario,
            self.target.join(", "),
            self.thresholds.join(", ")
        );
        // Writing to a string cannot fail.
        let _ = match self.highest_that_held {
            Some(rate) => writeln!(text, "held: {rate} journeys/s"),
            None => writeln!(text, "no rate held"),
        };
        let _ = match self.limit {
            Some(_) => writeln!(text, "saturates first: {}", self.explained),
            None => writeln!(
                text,
                "nothing broke: more steps (--steps) or a higher first rate (--rate) would find the limit"
            ),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    fn capacity(limit: Option<Limit>) -> Capacity {
        let mut report = sample();
        report.thresholds = thresholds::judge(&[thresholds::parse(DEFAULT).unwrap()], &report.runs);
        let steps = vec![Step::new(100.0, &report, &report.runs[0])];
        Capacity {
            scenario: report.scenario.clone(),
            target: report.target.clone(),
            thresholds: vec![DEFAULT.to_owned()],
            highest_that_held: Some(100.0),
            explained: limit.as_ref().map(Limit::explained).unwrap_or_default(),
            limit,
            steps,
        }
    }

    #[test]
    fn what_held_and_what_stands_in_the_way_is_said() {
        let text = capacity(Some(Limit::Hashing)).text();
        for part in
            ["user-read at http://localhost:8000/p/demo", "held: 100 journeys/s", "saturates first: hashing", "30.25"]
        {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
        assert!(capacity(None).text().contains("nothing broke"));
    }

    #[test]
    fn a_step_says_what_broke() {
        let step = &capacity(None).steps[0];
        assert!(!step.held, "1 % was missed");
        assert_eq!(step.line(), "100 journeys/s: missed was 1.00 %");
    }
}
