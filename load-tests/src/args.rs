//! The command line.

use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::fleet::Fleet;
use crate::generator::{Load, Pace};
use crate::scenario::Scenario;

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
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Creates users, lets them act, reports, removes the users.
    ///
    /// Without --rate every client sends its next request when the last one is answered (closed loop). With --rate
    /// requests start at fixed times whether or not the server keeps up (open loop), and a request that had to wait
    /// for a free client is counted from the time at which it should have started.
    ///
    /// Exits 0, 1 when it could not run or no request succeeded, 2 for a wrong command line, 3 when a threshold was
    /// crossed.
    Run(Run),
    /// Makes many projects and measures whether anything grows with their number.
    ///
    /// Create, first request of a project that is not in memory, request of one that is, change of configuration, list and
    /// search are measured at each number of --projects, one request at a time.
    Fleet(Fleet),
}

#[derive(clap::Args)]
pub(crate) struct Run {
    /// What the users do.
    pub(crate) scenario: Scenario,
    /// The project's URL, as given to `createClient`: the part before `/auth/v1`.
    #[arg(long)]
    pub(crate) url: String,
    /// The project's service_role or secret key: creates and removes the users.
    #[arg(long, env = "TENANTRY_LOAD_KEY", hide_env_values = true)]
    pub(crate) key: String,
    /// The project's anon or publishable key, sent with the users' requests; else the service_role key is.
    #[arg(long, env = "TENANTRY_LOAD_ANON_KEY", hide_env_values = true)]
    anon_key: Option<String>,
    /// Requests per second to start (open loop).
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// Sessions that act at once; with --rate, the most requests in flight [default: 8, with --rate 64].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: Option<u32>,
    /// Users that the sessions belong to [default: one per client].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
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
    /// `sign-in-and-refresh`: the share of requests that are password sign-ins, 0 to 1; the others refresh.
    #[arg(long, default_value = "0.05", value_parser = share)]
    pub(crate) sign_in_share: f64,
    /// A process of the server on this machine: its CPU time per request and memory are reported, children included.
    /// Can be given several times.
    #[arg(long)]
    pub(crate) pid: Vec<u32>,
    /// Exits 3 when the 99th percentile of an operation lies above so many milliseconds.
    #[arg(long, value_parser = positive)]
    pub(crate) max_p99: Option<f64>,
    /// Exits 3 when more than so many percent of the requests fail.
    #[arg(long, value_parser = not_negative)]
    pub(crate) max_errors: Option<f64>,
    /// Prints JSON and no progress.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Run {
    pub(crate) fn anon_key(&self) -> &str {
        self.anon_key.as_deref().unwrap_or(&self.key)
    }

    pub(crate) fn clients(&self) -> u32 {
        self.clients.unwrap_or(if self.rate.is_some() { 64 } else { 8 })
    }

    pub(crate) fn users(&self) -> u32 {
        self.users.unwrap_or_else(|| self.clients())
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.duration)
    }

    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }

    pub(crate) fn rate(&self) -> Option<f64> {
        self.rate
    }

    pub(crate) fn load(&self) -> Load {
        let pace = self.rate.map_or(Pace::Closed, |rate| Pace::Open { rate });
        Load { pace, warm_up: self.warm_up(), duration: self.duration() }
    }
}

const DAY: f64 = 86_400.0;

fn not_negative(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=DAY).contains(&number) { Ok(number) } else { Err(format!("must lie between 0 and {DAY}")) }
}

fn positive(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("must be above 0".to_owned()) })
}

fn share(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|number| if number <= 1.0 { Ok(number) } else { Err("must not be above 1".to_owned()) })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(rest: &[&str]) -> Result<Run, clap::Error> {
        let start = ["tenantry-load", "run", "user-read", "--url", "http://localhost:8000", "--key", "k"];
        match Args::try_parse_from(start.iter().chain(rest))?.command {
            Command::Run(run) => Ok(run),
            Command::List { .. } | Command::Fleet(_) => panic!("not a run"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn clients_follow_the_mode_and_users_the_clients() {
        let closed = parse(&[]).unwrap();
        assert_eq!((closed.clients(), closed.users()), (8, 8));
        let open = parse(&["--rate", "100"]).unwrap();
        assert_eq!((open.clients(), open.users()), (64, 64));
        let given = parse(&["--clients", "3", "--users", "2"]).unwrap();
        assert_eq!((given.clients(), given.users()), (3, 2));
    }

    #[test]
    fn the_service_key_is_sent_where_there_is_no_anon_key() {
        assert_eq!(parse(&[]).unwrap().anon_key(), "k");
        assert_eq!(parse(&["--anon-key", "a"]).unwrap().anon_key(), "a");
    }

    #[test]
    fn numbers_out_of_range_are_usage_errors() {
        for bad in [
            ["--rate", "0"],
            ["--rate", "NaN"],
            ["--rate", "inf"],
            ["--duration", "-1"],
            ["--duration", "0"],
            ["--clients", "0"],
            ["--users", "0"],
            ["--sign-in-share", "1.1"],
            ["--pid", "x"],
        ] {
            let error = parse(&bad).err().unwrap_or_else(|| panic!("{bad:?} was taken"));
            assert_eq!(error.exit_code(), 2, "{bad:?}");
        }
    }
}
