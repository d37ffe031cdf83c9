//! `tenantry-load find-capacity`.

use clap::Args;

use super::Run;
use super::numbers::positive;

/// What is run, and how the search goes.
#[derive(Args)]
pub(crate) struct FindCapacity {
    #[command(flatten)]
    pub(crate) run: Run,
    /// Seconds that every rate is measured, instead of --duration.
    #[arg(long, default_value = "5", value_parser = positive)]
    pub(crate) step: f64,
    /// Rates that are tried at most.
    #[arg(long, default_value = "16", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) steps: u32,
}

impl FindCapacity {
    /// The first rate, where --rate does not name one.
    pub(crate) fn first(&self) -> f64 {
        20.0
    }
}
