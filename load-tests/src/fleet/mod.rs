//! How a gateway holds up as the number of its projects grows: for each number it makes the projects that are missing, then
//! asks samples of them one request at a time, so that what is measured is the gateway and not a queue in front of it.

mod gateway;
mod measure;
mod report;
pub(crate) mod requests;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::guard::Guard;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::watch::Process;

use gateway::Gateway;
pub(crate) use report::Report;

/// Numbers of projects in one run.
const MOST: u32 = 1_000_000;

/// `tenantry-load fleet`.
#[derive(Args)]
pub(crate) struct Fleet {
    /// The gateway's URL.
    #[arg(long)]
    url: String,
    /// An operator token that may create projects.
    #[arg(long, env = "TENANTRY_TOKEN", hide_env_values = true)]
    token: String,
    /// Numbers of projects at which it is measured, in ascending order.
    #[arg(long, value_delimiter = ',', default_value = "1,100,1000", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    projects: Vec<u32>,
    /// Projects that an earlier run with --keep has left.
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u32).range(0..=i64::from(MOST)))]
    existing: u32,
    /// Requests of each kind at each number.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// So many projects are asked once before the memory of the processes is read.
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u32).range(0..=i64::from(MOST)))]
    warm: u32,
    /// Projects made at a time.
    #[arg(long, default_value = "8", value_parser = clap::value_parser!(u32).range(1..=256))]
    at_once: u32,
    /// Seconds after which a request is given up.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// A process of the server on this machine: its memory is reported, children included. Can be given several times.
    #[arg(long)]
    pid: Vec<u32>,
    /// Confirms that a host outside this machine and its private network is yours to load.
    #[arg(long)]
    i_own_this_host: bool,
    /// Leaves the projects there; else they are removed at the end.
    #[arg(long)]
    keep: bool,
    /// Prints JSON and no progress.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Fleet {
    /// The numbers, smallest first, each once.
    fn steps(&self) -> BTreeSet<u32> {
        self.projects.iter().copied().collect()
    }
}

/// Makes projects, measures, and removes what it made.
pub(crate) async fn execute(fleet: &Fleet) -> anyhow::Result<Report> {
    let processes = fleet.pid.iter().map(|pid| Process::open(*pid)).collect::<Result<Vec<_>, _>>()?;
    let guard = Guard::new(fleet.i_own_this_host);
    guard.admit(&fleet.url).await?;
    let gateway = Gateway::new(&fleet.url, &fleet.token, Duration::from_secs(fleet.timeout), fleet.at_once, &guard)?;
    let progress = Progress::new(fleet.json);
    let stop = Stop::on_ctrl_c();
    let mut made = fleet.existing;
    let measured = grow_and_measure(fleet, &gateway, &progress, &processes, &stop, &mut made).await;
    if !fleet.keep {
        gateway.remove(0..made, &progress).await.context("the projects cannot be removed")?;
    }
    measured
}

async fn grow_and_measure(
    fleet: &Fleet,
    gateway: &Gateway,
    progress: &Progress,
    processes: &[Process],
    stop: &Stop,
    made: &mut u32,
) -> anyhow::Result<Report> {
    let mut rows = Vec::new();
    for wanted in fleet.steps() {
        if wanted > *made {
            let first = *made;
            *made = wanted;
            gateway.create(first..wanted, progress, stop).await.context("the projects cannot be created")?;
        }
        anyhow::ensure!(!stop.is_requested(), "interrupted");
        rows.push(measure::at(gateway, wanted, fleet.samples, fleet.warm, processes, progress).await?);
    }
    Ok(Report { url: fleet.url.clone(), samples: fleet.samples, rows })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        fleet: Fleet,
    }

    fn parse(rest: &[&str]) -> Result<Fleet, clap::Error> {
        let start = ["fleet", "--url", "http://localhost:8000", "--token", "t"];
        Alone::try_parse_from(start.iter().chain(rest)).map(|alone| alone.fleet)
    }

    #[test]
    fn numbers_are_measured_from_the_smallest_on() {
        let fleet = parse(&["--projects", "1000,1,100,1"]).unwrap();
        assert_eq!(fleet.steps().into_iter().collect::<Vec<_>>(), [1, 100, 1000]);
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for bad in [["--projects", "0"], ["--projects", "x"], ["--samples", "0"], ["--at-once", "0"]] {
            assert_eq!(parse(&bad).err().map(|error| error.exit_code()), Some(2), "{bad:?}");
        }
    }
}
