//! The command line.

use clap::{Parser, Subcommand};

use crate::fleet::Fleet;

mod numbers;
mod run;
mod target;

pub(crate) use run::Run;
pub(crate) use target::TargetArguments;

/// Load scenarios for any server that speaks the Supabase Auth API.
#[derive(Parser)]
#[command(name = "tenantry-load", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows the scenarios.
    List {
        /// Also what each models, the tables it touches and its options.
        #[arg(long)]
        long: bool,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Creates users, lets them act, reports, removes the users.
    ///
    /// Without --rate every client begins its next journey when the last one has ended (closed loop). With --rate journeys
    /// begin at fixed times whether or not the server keeps up (open loop), and one that had to wait for a free client is
    /// counted from the time at which it should have begun.
    ///
    /// Exits 0, 1 when it could not run or no request succeeded, 2 for a wrong command line, 3 when a threshold was
    /// crossed.
    Run(Box<Run>),
    /// Makes many projects and measures whether anything grows with their number.
    ///
    /// Create, first request of a project that is not in memory, request of one that is, change of configuration, list and
    /// search are measured at each number of --projects, one request at a time.
    Fleet(Fleet),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
