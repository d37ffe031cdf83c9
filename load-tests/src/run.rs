//! A run from the command line to the report.

use std::process::ExitCode;
use std::sync::Arc;

use crate::args;
use crate::arrivals::Curve;
use crate::client::guarded;
use crate::generator::{self, Clock, Limits};
use crate::guard::Guard;
use crate::live::{Live, LiveOptions};
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::report::{self, Report, table};
use crate::scenario::Scenario;
use crate::stage::{Options, Stage};
use crate::stop::Stop;
use crate::target::Target;
use crate::thresholds;
use crate::watch::Watch;

/// `tenantry-load run`: measures, shows and writes the report.
pub(crate) async fn command(run: &args::Run) -> anyhow::Result<ExitCode> {
    let options = run.options().map_err(anyhow::Error::msg)?;
    let report = execute(&run.subject, options, run.repeat).await?;
    let written = report::write(&report, &run.outputs());
    if run.subject.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", table::report(&report));
    }
    for path in written? {
        eprintln!("written: {}", path.display());
    }
    if report.runs.iter().any(|run| run.requests == run.errors) {
        eprintln!("tenantry-load: no request succeeded");
        return Ok(ExitCode::from(1));
    }
    for verdict in report.thresholds.iter().filter(|verdict| !verdict.held()) {
        eprintln!("tenantry-load: {} did not hold: {}", verdict.threshold, verdict.explained());
    }
    Ok(if report.held() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

/// Prepares, measures so many times and cleans up: whatever happens once something was made, it is removed before this returns.
pub(crate) async fn execute(subject: &args::Subject, options: Options, times: u32) -> anyhow::Result<Report> {
    let guard = Guard::new(subject.target.i_own_this_host);
    let http = guarded(options.clients, options.timeout, &guard)?;
    let target = Target::open(&subject.target, &http, &guard).await?;
    if let Some(metrics) = &subject.load.metrics {
        guard.admit(metrics).await?;
    }
    let of_gateway = || target.gateway.as_ref().map(|gateway| format!("{}/metrics", gateway.url()));
    let watch = Watch::open(&subject.load.pid, subject.load.metrics.clone().or_else(of_gateway), &http)?;
    let started = report::now();
    let mut stage = Stage::new(options.clone(), target, Progress::new(subject.json), Stop::on_ctrl_c());
    let measured = repeat(subject, times, &mut stage, &watch).await;
    let addresses = stage.addresses();
    let projects = stage.projects().len();
    let removed = stage.clean_up().await;
    let runs = match (measured, removed) {
        (Ok(runs), Ok(())) => runs,
        (Ok(_), Err(left)) => return Err(left),
        (Err(failure), Ok(())) => return Err(failure),
        (Err(failure), Err(left)) => return Err(failure.context(format!("{left:#}"))),
    };
    let about = subject.scenario.about();
    Ok(Report {
        format: report::FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        scenario: about.name.to_owned(),
        does: about.does.to_owned(),
        models: about.models.to_owned(),
        target: addresses.iter().map(|address| report::without_secrets(address)).collect(),
        projects: u32::try_from(projects).unwrap_or(u32::MAX),
        users: options.users,
        clients: options.clients,
        rate: options.rate,
        curve: (options.curve != Curve::Steady).then(|| options.curve.name().to_owned()),
        think_seconds: options
            .manner
            .map(|manner| (manner.think.start().as_secs_f64(), manner.think.end().as_secs_f64())),
        options: options.settings.iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        thresholds: thresholds::judge(&subject.thresholds(), &runs),
        runs,
    })
}

async fn repeat(
    subject: &args::Subject,
    times: u32,
    stage: &mut Stage,
    watch: &Watch,
) -> anyhow::Result<Vec<report::Run>> {
    stage.make_projects(subject.scenario, subject.projects()).await?;
    let mut runs = Vec::new();
    for _ in 0..times {
        match measure(subject.scenario, stage, watch, subject.json).await {
            Ok(measured) => runs.push(measured),
            // What was measured before the interrupt is worth showing.
            Err(_) if !runs.is_empty() && stage.stop().is_requested() => break,
            Err(failure) => return Err(failure),
        }
        if stage.stop().is_requested() {
            break;
        }
    }
    Ok(runs)
}

/// Measures once, with users and sessions of its own, on a stage whose projects are there.
async fn measure(
    scenario: &dyn Scenario,
    stage: &mut Stage,
    watch: &Watch,
    quiet: bool,
) -> anyhow::Result<report::Run> {
    let cast = scenario.prepare(stage).await?;
    let options = stage.options();
    let limits = Limits { warm_up: options.warm_up, duration: options.duration, max_requests: options.max_requests };
    let clock = Clock::start(limits);
    let recorder = Arc::new(Recorder::over(clock.measured_from, options.duration));
    let watching = watch.start(clock.measured_from, options.duration);
    let live = Live::start(LiveOptions {
        quiet,
        what: scenario.about().name.to_owned(),
        recorder: Arc::clone(&recorder),
        from: clock.measured_from,
        until: clock.end,
        rate: options.rate,
    });
    let measured = generator::measure(cast, clock, limits.max_requests, &recorder, stage.stop()).await;
    live.finish().await;
    let watched = watching.finish().await;
    let mut run = report::Run::new(&recorder, &measured?, &watched, Vec::new());
    run.notes = scenario.conclude(&run);
    Ok(run)
}
