//! `tenantry-load find-capacity`.

use std::time::Duration;

use clap::Args;

use super::Subject;
use super::numbers::positive;
use crate::stage::Options;

/// What is run, and how the search goes.
#[derive(Args)]
pub(crate) struct FindCapacity {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// Seconds that every rate is measured.
    #[arg(long, default_value = "5", value_parser = positive)]
    pub(crate) step: f64,
    /// Rates that are tried at most.
    #[arg(long, default_value = "16", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) steps: u32,
}

impl FindCapacity {
    /// The first rate that is tried.
    pub(crate) fn first(&self) -> f64 {
        self.subject.rate().unwrap_or(20.0)
    }

    /// What the scenario may know while `rate` is tried.
    pub(crate) fn options(&self, rate: f64) -> Result<Options, String> {
        let step = Duration::from_secs_f64(self.step);
        self.subject.load.options(self.subject.scenario, Some(rate), step)
    }
}
