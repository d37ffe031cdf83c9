//! What `run` and `find-capacity` share.

use clap::Args;

use super::numbers::positive;
use super::{LoadArguments, TargetArguments};
use crate::scenario::{self, Scenario};
use crate::thresholds::{self, Thresholds};

/// What to run, against what, and what must hold.
#[derive(Args)]
pub(crate) struct Subject {
    /// What the users do: a name of `tenantry-load list`, or a file of your own that ends in `.toml`.
    #[arg(value_parser = scenario::chosen)]
    pub(crate) scenario: &'static dyn Scenario,
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    /// Journeys per second to begin (open loop); the first of them that `find-capacity` tries.
    #[arg(long, value_parser = positive)]
    pub(super) rate: Option<f64>,
    /// What must hold: `p99<50ms,errors<0.1%,refresh.p99<20ms,rate>400`; `run` exits 3 where it does not. Can be given
    /// several times.
    #[arg(long, value_parser = thresholds::parse, value_name = "THRESHOLDS")]
    pub(crate) fail_on: Vec<Thresholds>,
    /// Prints JSON and no progress.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Subject {
    /// Journeys a second, where they are given.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.rate.or(self.scenario.plan().rate)
    }

    /// How many projects to make, where none are given.
    pub(crate) fn projects(&self) -> u32 {
        self.target.projects.or(self.scenario.plan().projects).unwrap_or(1)
    }

    /// What must hold: what the command line says, beside what the scenario's file says.
    pub(crate) fn thresholds(&self) -> Vec<Thresholds> {
        self.scenario.plan().fail_on.into_iter().chain(self.fail_on.iter().cloned()).collect()
    }
}
