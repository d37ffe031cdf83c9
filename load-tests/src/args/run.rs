//! `tenantry-load run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::TargetArguments;
use super::numbers::{not_negative, positive};
use crate::scenario::{self, Scenario};
use crate::stage::Options;

/// What to run, against what, how hard and for how long.
#[derive(Args)]
pub(crate) struct Run {
    /// What the users do: a name of `tenantry-load list`.
    #[arg(value_parser = named)]
    pub(crate) scenario: &'static dyn Scenario,
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    /// Journeys per second to begin (open loop).
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// Sessions that act at once; with --rate, the most journeys under way [default: 8, with --rate 64].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: Option<u32>,
    /// Users that the sessions belong to [default: one per client].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    users: Option<u32>,
    /// Seconds to measure.
    #[arg(long, default_value = "10", value_parser = positive)]
    duration: f64,
    /// Seconds of load before the measurement.
    #[arg(long, default_value = "2", value_parser = not_negative)]
    warm_up: f64,
    /// Seconds after which a request is given up.
    #[arg(long, default_value = "10", value_parser = positive)]
    timeout: f64,
    /// Ends the run after so many requests.
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    max_requests: u64,
    /// An option of the scenario (`tenantry-load list --long`). Can be given several times.
    #[arg(long = "option", short, value_name = "NAME=VALUE")]
    option: Vec<String>,
    /// A process of the server on this machine: its CPU time per request and memory are reported, children included.
    /// Can be given several times.
    #[arg(long)]
    pub(crate) pid: Vec<u32>,
    /// Exits 3 when it does not hold: `p99<50ms,errors<0.1%,refresh.p99<20ms,rate>400`.
    #[arg(long)]
    pub(crate) fail_on: Vec<String>,
    /// Folder of the reports (HTML and JSON).
    #[arg(long, default_value = "./load-reports", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Prints JSON and no progress.
    #[arg(long)]
    pub(crate) json: bool,
}

fn named(name: &str) -> Result<&'static dyn Scenario, String> {
    scenario::find(name).ok_or_else(|| "no such scenario: `tenantry-load list` shows them".to_owned())
}

impl Run {
    /// What the scenario may know.
    pub(crate) fn options(&self) -> Result<Options, String> {
        let clients = self.clients.unwrap_or(if self.rate.is_some() { 64 } else { 8 });
        Ok(Options {
            clients,
            users: self.users.unwrap_or(clients),
            rate: self.rate,
            warm_up: Duration::from_secs_f64(self.warm_up),
            duration: Duration::from_secs_f64(self.duration),
            timeout: Duration::from_secs_f64(self.timeout),
            max_requests: self.max_requests,
            settings: self.scenario.about().settings(&self.option)?,
        })
    }
}
