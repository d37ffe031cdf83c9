//! `tenantry-load report`.

use std::path::PathBuf;

use clap::Args;

use crate::thresholds::{self, Thresholds};

/// A report, and what is made of it.
#[derive(Args)]
pub(crate) struct Render {
    /// A report of `run` (JSON).
    pub(crate) report: PathBuf,
    /// Writes the page here.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Writes JUnit's XML here.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Holds these thresholds against it instead of its own; exits 3 when one does not hold.
    #[arg(long, value_parser = thresholds::parse, value_name = "THRESHOLDS")]
    pub(crate) fail_on: Vec<Thresholds>,
    /// Prints JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}
