//! `tenantry-load`: how much load does a Supabase-Auth-compatible server hold? It creates users on any project, lets
//! them act, reports what happened and removes them again.

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};
use crate::report::table;

mod args;
mod arrivals;
mod client;
mod fleet;
mod generator;
mod process;
mod progress;
mod recorder;
mod report;
mod run;
mod scenario;
mod stage;
mod steps;
mod stop;
mod target;

#[tokio::main]
async fn main() -> ExitCode {
    match Args::parse().command {
        Command::List { long: _, json } => list(json),
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
        Command::Run(run) => match run::execute(&run).await {
            Ok(report) => finish(&run, &report),
            Err(error) => fail(&error),
        },
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("tenantry-load: {error:#}");
    ExitCode::from(1)
}

fn list(json: bool) -> ExitCode {
    if json {
        let names: Vec<_> = scenario::ALL
            .iter()
            .map(|scenario| scenario.about())
            .map(|about| serde_json::json!({"name": about.name, "does": about.does}))
            .collect();
        println!("{}", serde_json::Value::from(names));
    } else {
        print!("{}", table::scenarios(scenario::ALL));
    }
    ExitCode::SUCCESS
}

fn finish(run: &args::Run, report: &report::Report) -> ExitCode {
    if run.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", table::report(report));
    }
    if report.runs.iter().all(|run| run.requests > run.errors) {
        return ExitCode::SUCCESS;
    }
    eprintln!("tenantry-load: no request succeeded");
    ExitCode::from(1)
}
