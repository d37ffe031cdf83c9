//! `tenantry-load run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Subject;
use super::numbers::positive;
use crate::arrivals::Curve;
use crate::report::Outputs;
use crate::stage::Options;

/// What to run, for how long, and where the report goes.
#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// How the rate changes over the run; --rate is its peak [default: steady].
    #[arg(long, value_enum)]
    curve: Option<Curve>,
    /// Seconds to measure [default: 10].
    #[arg(long, value_parser = positive)]
    duration: Option<f64>,
    /// Measures so many times, each with users and sessions of its own: `compare` needs several runs to tell a difference.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeat: u32,
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
}

impl Run {
    /// What the scenario may know.
    pub(crate) fn options(&self) -> Result<Options, String> {
        let plan = self.subject.scenario.plan();
        let rate = self.subject.rate();
        let curve = self.curve.or(plan.curve).unwrap_or_default();
        if rate.is_none() && curve != Curve::Steady {
            return Err("--curve shapes --rate: it needs one".to_owned());
        }
        let duration = Duration::from_secs_f64(self.duration.or(plan.duration).unwrap_or(10.0));
        Ok(Options { curve, ..self.subject.load.options(self.subject.scenario, rate, duration)? })
    }

    /// Where the report goes.
    pub(crate) fn outputs(&self) -> Outputs {
        let folder = (!self.no_report).then(|| self.out.clone());
        Outputs { folder, html: self.html.clone(), junit: self.junit.clone() }
    }
}
