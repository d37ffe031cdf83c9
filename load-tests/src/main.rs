//! `tenantry-load`: how much load does a Supabase-Auth-compatible server hold? It creates users on any project, lets
//! them act, reports what happened and removes them again.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use crate::args::{Args, Command, Run};
use crate::client::Project;
use crate::generator::Measured;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{Scenario, sign_in_and_refresh, user_read};
use crate::stop::Stop;
use crate::users::User;

mod args;
mod client;
mod fleet;
mod generator;
mod process;
mod progress;
mod recorder;
mod report;
mod scenario;
mod stop;
mod table;
mod users;

#[tokio::main]
async fn main() -> ExitCode {
    match Args::parse().command {
        Command::List { json } => list(json),
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
        Command::Run(run) => match execute(&run).await {
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
        let names: Vec<_> = Scenario::ALL
            .iter()
            .map(|scenario| serde_json::json!({"name": scenario.name(), "does": scenario.describe()}))
            .collect();
        println!("{}", serde_json::Value::from(names));
    } else {
        print!("{}", table::scenarios(Scenario::ALL));
    }
    ExitCode::SUCCESS
}

/// Whatever happens once users exist, they are removed before this returns.
async fn execute(run: &Run) -> anyhow::Result<Report> {
    let processes = run.pid.iter().map(|pid| Process::open(*pid)).collect::<Result<Vec<_>, _>>()?;
    let project = Project::new(run)?;
    let progress = Progress::new(run.json);
    let stop = Stop::on_ctrl_c();
    let mut users = Vec::new();
    let measured = prepare_and_measure(run, &project, &progress, &processes, &stop, &mut users).await;
    let removed = users::remove(&project, &users, &progress).await.context("the users cannot be removed");
    let measured = measured?;
    removed?;
    Ok(Report::new(run, measured))
}

async fn prepare_and_measure(
    run: &Run,
    project: &Project,
    progress: &Progress,
    processes: &[Process],
    stop: &Stop,
    users: &mut Vec<User>,
) -> anyhow::Result<Measured> {
    users::create(project, run.users(), progress, stop, users).await.context("the users cannot be created")?;
    let clients = users::sign_in(project, users, run.clients(), progress, stop).await;
    let clients = clients.context("the users cannot sign in")?;
    anyhow::ensure!(!stop.is_requested(), "interrupted");
    if clients.iter().any(|client| client.lifetime() <= run.warm_up() + run.duration()) {
        eprintln!("tenantry-load: the access tokens are shorter lived than this run, so expect errors in `user-read`");
    }
    match run.scenario {
        Scenario::SignInAndRefresh => {
            let scripts = clients.into_iter().map(|client| sign_in_and_refresh::Script::new(client, run.sign_in_share));
            generator::measure(scripts.collect(), run.load(), progress, processes, stop).await
        }
        Scenario::UserRead => {
            let scripts = clients.into_iter().map(user_read::Script::new);
            generator::measure(scripts.collect(), run.load(), progress, processes, stop).await
        }
    }
}

fn finish(run: &Run, report: &Report) -> ExitCode {
    if run.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", table::report(report));
    }
    let crossed = report.crossed(run.max_p99, run.max_errors);
    for threshold in &crossed {
        eprintln!("tenantry-load: {threshold}");
    }
    match (report.requests > report.errors, crossed.is_empty()) {
        (false, _) => {
            eprintln!("tenantry-load: no request succeeded");
            ExitCode::from(1)
        }
        (true, false) => ExitCode::from(3),
        (true, true) => ExitCode::SUCCESS,
    }
}
