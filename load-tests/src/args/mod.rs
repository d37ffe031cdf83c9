//! The command line.

use clap::{Parser, Subcommand};

use crate::fleet::Fleet;

mod capacity;
mod compare;
mod load;
mod numbers;
mod report;
mod run;
mod subject;
mod target;

pub(crate) use capacity::FindCapacity;
pub(crate) use compare::Compare;
pub(crate) use load::LoadArguments;
pub(crate) use report::Render;
pub(crate) use run::Run;
pub(crate) use subject::Subject;
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
    /// Raises the rate until something breaks, and says what saturates first.
    ///
    /// Every step is a run of its own in an open loop at a steady rate (the curve of a file is not followed), without reports:
    /// the rate grows by half while everything holds that --fail-on asks for [default: p99<250ms,errors<1%,missed<1%], then
    /// the search halves its way in. Name the server's processes with --pid (gateway and database) to learn what saturates.
    ///
    /// Exits 0, 1 when it could not run, 3 when not even the slowest rate held.
    FindCapacity(Box<FindCapacity>),
    /// Says whether runs differ: `compare base.json candidate.json`.
    ///
    /// Differences of means over whole runs, with 95 % confidence intervals. A side with a single run allows no claim:
    /// measure with `run --repeat 5`, or give several reports with --base and --candidate.
    ///
    /// Exits 0, 1 when a report cannot be read, 3 with --fail-on-regression when something is worse beyond chance.
    Compare(Compare),
    /// Shows a report again: as a table, a page, JUnit's XML.
    Report(Render),
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
