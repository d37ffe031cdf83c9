//! `tenantry-load run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::numbers::positive;
use super::{LoadArguments, TargetArguments};
use crate::arrivals::Curve;
use crate::report::Outputs;
use crate::scenario::{self, Scenario};
use crate::stage::Options;
use crate::thresholds::{self, Thresholds};

/// What to run, against what, how hard and for how long.
#[derive(Args)]
pub(crate) struct Run {
    /// What the users do: a name of `tenantry-load list`, or a file of your own that ends in `.toml`.
    #[arg(value_parser = scenario::chosen)]
    pub(crate) scenario: &'static dyn Scenario,
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    /// Journeys per second to begin (open loop).
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// How the rate changes over the run; --rate is its peak [default: steady].
    #[arg(long, value_enum)]
    curve: Option<Curve>,
    /// Seconds to measure [default: 10].
    #[arg(long, value_parser = positive)]
    duration: Option<f64>,
    /// Measures so many times, each with users and sessions of its own: `compare` needs several runs to tell a difference.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeat: u32,
    /// Exits 3 when it does not hold: `p99<50ms,errors<0.1%,refresh.p99<20ms,rate>400`. Can be given several times.
    #[arg(long, value_parser = thresholds::parse, value_name = "THRESHOLDS")]
    pub(crate) fail_on: Vec<Thresholds>,
    /// Folder of the reports (HTML and JSON).
    #[arg(long, default_value = "./load-reports", value_name = "DIR")]
    out: PathBuf,
    /// Writes no files but those that are named.
    #[arg(long)]
    no_report: bool,
    /// Writes the page here too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes JUnit's XML here.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Prints JSON and no progress.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Run {
    /// What the scenario may know.
    pub(crate) fn options(&self) -> Result<Options, String> {
        let plan = self.scenario.plan();
        let rate = self.rate();
        let curve = self.curve.or(plan.curve).unwrap_or_default();
        if rate.is_none() && curve != Curve::Steady {
            return Err("--curve shapes --rate: it needs one".to_owned());
        }
        let duration = Duration::from_secs_f64(self.duration.or(plan.duration).unwrap_or(10.0));
        Ok(Options { curve, ..self.load.options(self.scenario, rate, duration)? })
    }

    /// Journeys a second, where they are given.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.rate.or(self.scenario.plan().rate)
    }

    /// The rate and the seconds of the next of many measurements.
    pub(crate) fn set_step(&mut self, rate: f64, seconds: f64) {
        self.rate = Some(rate);
        self.duration = Some(seconds);
    }

    /// How many projects to make, where none are given.
    pub(crate) fn projects(&self) -> u32 {
        self.target.projects.or(self.scenario.plan().projects).unwrap_or(1)
    }

    /// What must hold: what the command line says, beside what the scenario's file says.
    pub(crate) fn thresholds(&self) -> Vec<Thresholds> {
        self.scenario.plan().fail_on.into_iter().chain(self.fail_on.iter().cloned()).collect()
    }

    /// Where the report goes.
    pub(crate) fn outputs(&self) -> Outputs {
        let folder = (!self.no_report).then(|| self.out.clone());
        Outputs { folder, html: self.html.clone(), junit: self.junit.clone() }
    }
}
