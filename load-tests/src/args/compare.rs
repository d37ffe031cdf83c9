//! `tenantry-load compare`.

use std::path::PathBuf;

use clap::Args;

/// Two sides, each of one report or several.
#[derive(Args)]
pub(crate) struct Compare {
    /// The report to compare with, and the one that is compared (JSON).
    #[arg(num_args = 2, value_names = ["BASE", "CANDIDATE"], required_unless_present = "base", conflicts_with = "base")]
    reports: Vec<PathBuf>,
    /// Several reports to compare with.
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "candidate")]
    base: Vec<PathBuf>,
    /// Several reports that are compared.
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "base")]
    candidate: Vec<PathBuf>,
    /// Exits 3 when something is worse, and that is more than chance.
    #[arg(long)]
    pub(crate) fail_on_regression: bool,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Compare {
    /// The base and the candidate.
    pub(crate) fn sides(&self) -> (&[PathBuf], &[PathBuf]) {
        match self.reports.split_first() {
            Some((base, candidate)) => (std::slice::from_ref(base), candidate),
            None => (&self.base, &self.candidate),
        }
    }
}
