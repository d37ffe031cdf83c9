//! How many act, and what of the server is watched meanwhile.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;

use super::numbers::{not_negative, positive};
use crate::arrivals::Curve;
use crate::journeys::{Manner, parse_think_time};
use crate::scenario::Scenario;
use crate::stage::Options;

/// What every measurement of a scenario needs to know.
#[derive(Args)]
pub(crate) struct LoadArguments {
    /// Sessions that act at once; with a rate, the most journeys under way [default: 8, with a rate 64].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) clients: Option<u32>,
    /// Users that the sessions belong to [default: one per client].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) users: Option<u32>,
    /// Seconds for which a client thinks before its next journey, anew each time, as 0.5..2 [default: it does not think].
    #[arg(long, value_name = "MIN..MAX", value_parser = parse_think_time)]
    pub(crate) think_time: Option<RangeInclusive<Duration>>,
    /// Clients that begin in a second, where they think between journeys [default: all of them].
    #[arg(long, value_name = "CLIENTS", value_parser = positive)]
    pub(crate) hatch_rate: Option<f64>,
    /// Seconds of load before the measurement [default: 2].
    #[arg(long, value_parser = not_negative)]
    pub(crate) warm_up: Option<f64>,
    /// Seconds after which a request is given up.
    #[arg(long, default_value = "10", value_parser = positive)]
    pub(crate) timeout: f64,
    /// Ends a measurement after so many requests.
    #[arg(long, default_value = "10000000", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_requests: u64,
    /// An option of the scenario (`tenantry-load list --long`). Can be given several times.
    #[arg(long = "option", short, value_name = "NAME=VALUE")]
    pub(crate) option: Vec<String>,
    /// Restarts the server, for scenarios that do (`gateway-restart`); run by `sh -c`.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) restart_command: Option<String>,
    /// A process of the server on this machine: its CPU time per request and memory are reported, children included.
    /// Can be given several times.
    #[arg(long)]
    pub(crate) pid: Vec<u32>,
    /// Where the server tells its numbers (Prometheus text) [default: `/metrics` of the gateway, where there is one].
    #[arg(long, value_name = "URL")]
    pub(crate) metrics: Option<String>,
}

impl LoadArguments {
    /// What the scenario may know, for a measurement of `duration`.
    pub(crate) fn options(
        &self,
        scenario: &dyn Scenario,
        rate: Option<f64>,
        duration: Duration,
    ) -> Result<Options, String> {
        let plan = scenario.plan();
        let manner =
            self.think_time.clone().or(plan.think_time).map(|think| Manner { think, hatch_rate: self.hatch_rate });
        if self.hatch_rate.is_some() && manner.is_none() {
            return Err("--hatch-rate is for clients who think: it needs --think-time".to_owned());
        }
        if rate.is_some() && manner.is_some() {
            return Err("--think-time is for closed loops: with a rate, journeys begin at fixed times".to_owned());
        }
        let clients = self.clients.or(plan.clients).unwrap_or(if rate.is_some() { 64 } else { 8 });
        Ok(Options {
            clients,
            users: self.users.or(plan.users).unwrap_or(clients),
            rate,
            manner,
            curve: Curve::Steady,
            warm_up: Duration::from_secs_f64(self.warm_up.or(plan.warm_up).unwrap_or(2.0)),
            duration,
            timeout: Duration::from_secs_f64(self.timeout),
            max_requests: self.max_requests,
            settings: scenario.about().settings(&self.option)?,
            restart_command: self.restart_command.clone(),
        })
    }
}
