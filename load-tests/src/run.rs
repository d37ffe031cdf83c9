//! A run from the command line to the report.

use std::sync::Arc;

use crate::args;
use crate::client::connections;
use crate::generator::{self, Clock, Limits};
use crate::process::Process;
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::report::{self, Report};
use crate::scenario::Scenario;
use crate::stage::{Options, Stage};
use crate::stop::Stop;
use crate::target::Target;

/// Prepares, measures and cleans up: whatever happens once something was made, it is removed before this returns.
pub(crate) async fn execute(run: &args::Run) -> anyhow::Result<Report> {
    let options = run.options().map_err(anyhow::Error::msg)?;
    let processes = run.pid.iter().map(|pid| Process::open(*pid)).collect::<Result<Vec<_>, _>>()?;
    let http = connections(options.clients, options.timeout)?;
    let target = Target::open(&run.target, &http)?;
    let stop = Stop::on_ctrl_c();
    let mut stage = Stage::new(options.clone(), target, Progress::new(run.json), stop);
    let measured = prepare_and_measure(run.scenario, run.target.projects, &options, &mut stage, &processes).await;
    let addresses = stage.addresses();
    let projects = stage.projects().len();
    let removed = stage.clean_up().await;
    let measured = measured?;
    removed?;
    Ok(Report {
        scenario: run.scenario.about().name.to_owned(),
        target: addresses,
        projects: u32::try_from(projects).unwrap_or(u32::MAX),
        users: options.users,
        clients: options.clients,
        rate: options.rate,
        options: options.settings.iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        runs: vec![measured],
    })
}

async fn prepare_and_measure(
    scenario: &dyn Scenario,
    projects: u32,
    options: &Options,
    stage: &mut Stage,
    processes: &[Process],
) -> anyhow::Result<report::Run> {
    stage.make_projects(scenario, projects).await?;
    let cast = scenario.prepare(stage).await?;
    let recorder = Arc::new(Recorder::default());
    let limits =
        Limits { warm_up: options.warm_up, duration: options.duration, max_requests: options.max_requests };
    let clock = Clock::start(limits);
    let watched = async {
        tokio::time::sleep_until(clock.measured_from).await;
        processes.iter().map(Process::sample).collect::<Result<Vec<_>, _>>()
    };
    let load = generator::measure(cast, clock, limits.max_requests, &recorder, stage.stop());
    let (before, measured) = tokio::join!(watched, load);
    let measured = measured?;
    let after = processes.iter().map(Process::sample).collect::<Result<Vec<_>, _>>()?;
    let usage: Vec<_> = before?.into_iter().zip(after).collect();
    Ok(report::Run::new(&recorder, &measured, &usage))
}
