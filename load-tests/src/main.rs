//! `tenantry-load`: how much load does a Supabase-Auth-compatible server hold? It creates users on any project, lets
//! them act, reports what happened and removes them again.

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};
use crate::report::table;

mod args;
mod arrivals;
mod capacity;
mod client;
mod compare;
mod custom;
mod fleet;
mod generator;
mod guard;
mod journeys;
mod list;
mod live;
mod progress;
mod provider;
mod recorder;
mod report;
mod run;
mod scenario;
mod stage;
mod steps;
mod stop;
mod target;
mod thresholds;
mod watch;

#[tokio::main]
async fn main() -> ExitCode {
    match Args::parse().command {
        Command::List { long, json } => list(long, json),
        Command::Fleet(fleet) => match fleet::execute(&fleet).await {
            Ok(report) if fleet.json => {
                println!("{}", report.to_json());
                ExitCode::SUCCESS
            }
            Ok(report) => {
                print!("{}", report.to_table());
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        Command::FindCapacity(arguments) => capacity::command(*arguments).await.unwrap_or_else(|error| fail(&error)),
        Command::Compare(arguments) => compare::command(&arguments).unwrap_or_else(|error| fail(&error)),
        Command::Report(arguments) => report::command(&arguments).unwrap_or_else(|error| fail(&error)),
        Command::Run(run) => run::command(&run).await.unwrap_or_else(|error| fail(&error)),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("tenantry-load: {error:#}");
    ExitCode::from(1)
}

fn list(long: bool, json: bool) -> ExitCode {
    if json {
        println!("{}", list::json(scenario::ALL));
    } else if long {
        print!("{}", list::long(scenario::ALL));
    } else {
        print!("{}", table::scenarios(scenario::ALL));
    }
    ExitCode::SUCCESS
}
