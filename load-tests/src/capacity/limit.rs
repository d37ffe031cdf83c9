//! What stands in the way of a higher rate.

use serde::Serialize;

use crate::report::Run;

/// A machine whose cores are busy for so much of the time is full.
const FULL: f64 = 0.85;
/// So many passwords in the queue on average, and hashing is behind.
const QUEUE: f64 = 1.0;
/// Gauges of the gateway.
const HASHING: &str = "tenantry_hashing_running";
const WAITING: &str = "tenantry_hashing_waiting";

/// What saturates first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    /// This program: the server may hold more.
    Generator,
    /// Passwords: CPU time that is meant to be spent.
    Hashing,
    /// CPU time of the server, without hashing.
    Server,
    /// CPU time of a database, with its process name.
    Database(String),
    /// CPU time of programs on this machine that nobody named.
    Others,
    /// The server refuses on purpose (429).
    Refusals,
    /// No CPU is full: locks, connections, the disk, or too few clients.
    Waiting,
    /// Nobody told what the server spends.
    Unknown,
}

/// Who spends how much, in percent of one core.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spending {
    pub(super) generator: f64,
    pub(super) server: Option<f64>,
    /// By process name.
    pub(super) databases: Vec<(String, f64)>,
    /// All other programs on this machine, where the system tells.
    pub(super) others: Option<f64>,
    /// Threads that hash, on average.
    pub(super) hashing: Option<f64>,
    /// Passwords that wait to be hashed, on average.
    pub(super) queue: Option<f64>,
    /// Of 100 requests, those that were refused with 429.
    pub(super) refused: f64,
}

impl Spending {
    /// What is known of a run.
    pub(super) fn of(run: &Run) -> Self {
        let mut server = None;
        let mut databases = Vec::new();
        for usage in run.server() {
            if is_database(&usage.name) {
                databases.push((usage.name.clone(), usage.cpu_percent));
            } else {
                *server.get_or_insert(0.0) += usage.cpu_percent;
            }
        }
        // Where only the databases were named, the server may still tell of itself.
        let told = run.metrics.as_ref().map(|usage| usage.cpu_percent);
        let refused: u64 =
            run.errors_by_status().iter().filter(|(status, _)| status.starts_with("429")).map(|(_, count)| count).sum();
        let mut spending = Self {
            generator: run.generator.as_ref().map_or(0.0, |usage| usage.cpu_percent),
            server: server.or(told),
            databases,
            hashing: mean(run, HASHING),
            queue: mean(run, WAITING),
            refused: if run.requests > 0 { refused as f64 * 100.0 / run.requests as f64 } else { 0.0 },
            others: None,
        };
        spending.others = run.machine_percent.map(|all| (all - spending.known()).max(0.0));
        spending
    }

    /// Of all whose names are known.
    fn known(&self) -> f64 {
        let databases: f64 = self.databases.iter().map(|(_, percent)| percent).sum();
        self.generator + self.server.unwrap_or(0.0) + databases
    }
}

fn is_database(name: &str) -> bool {
    ["postgres", "redis", "valkey"].iter().any(|known| name.contains(known))
}

fn mean(run: &Run, gauge: &str) -> Option<f64> {
    let points = run.gauges.get(gauge).filter(|points| !points.is_empty())?;
    Some(points.iter().map(|(_, value)| value).sum::<f64>() / points.len() as f64)
}

/// Says what saturates first, on a machine with this many cores that server and generator share.
pub(super) fn limit(spending: &Spending, cores: f64) -> Limit {
    if spending.refused >= 0.5 {
        return Limit::Refusals;
    }
    let others = spending.others.unwrap_or(0.0);
    if spending.known() + others >= cores * 100.0 * FULL {
        let hashing = spending.hashing.unwrap_or(0.0) * 100.0;
        let server = spending.server.unwrap_or(0.0);
        let in_server = if hashing >= server / 2.0 { Limit::Hashing } else { Limit::Server };
        let databases = spending.databases.iter().map(|(name, percent)| (*percent, Limit::Database(name.clone())));
        let all = [(others, Limit::Others), (server, in_server), (spending.generator, Limit::Generator)];
        let most = databases.chain(all).max_by(|(one, _), (other, _)| one.total_cmp(other));
        return most.map_or(Limit::Unknown, |(_, limit)| limit);
    }
    if spending.queue.is_some_and(|queue| queue >= QUEUE) {
        return Limit::Hashing;
    }
    if spending.server.is_none() && spending.databases.is_empty() { Limit::Unknown } else { Limit::Waiting }
}

impl Limit {
    /// A sentence about it.
    pub(super) fn explained(&self) -> String {
        match self {
            Self::Generator => {
                "the load generator itself takes most of the CPU: the server may hold more, measure from \
                                another machine"
                    .to_owned()
            }
            Self::Hashing => "hashing of passwords: the CPU time that a password is meant to cost".to_owned(),
            Self::Server => "CPU of the server, outside of hashing".to_owned(),
            Self::Database(name) => format!("CPU of the database ({name})"),
            Self::Others => {
                "CPU, of programs that were not named: name those of the server (--pid), a database above all, and end \
                 the others"
                    .to_owned()
            }
            Self::Refusals => "rate limits: the server refuses with 429 what it could answer".to_owned(),
            Self::Waiting => "a wait, no CPU: connections of a pool, locks, the disk, or too few --clients".to_owned(),
            Self::Unknown => {
                "not known: the server does not tell at /metrics what it spends; name its processes (--pid)".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample_run;

    fn spending(generator: f64, server: f64, database: f64) -> Spending {
        let databases = vec![("postgres".to_owned(), database)];
        Spending { generator, server: Some(server), databases, ..Spending::default() }
    }

    #[test]
    fn on_a_full_machine_whoever_spends_most_is_the_limit() {
        assert_eq!(limit(&spending(100.0, 60.0, 20.0), 2.0), Limit::Generator);
        assert_eq!(limit(&spending(20.0, 120.0, 50.0), 2.0), Limit::Server);
        assert_eq!(limit(&spending(20.0, 60.0, 110.0), 2.0), Limit::Database("postgres".to_owned()));
        let hashing = Spending { hashing: Some(1.4), ..spending(20.0, 160.0, 10.0) };
        assert_eq!(limit(&hashing, 2.0), Limit::Hashing);
    }

    #[test]
    fn on_a_machine_that_others_fill_they_are_the_limit() {
        let beside = Spending { others: Some(120.0), ..spending(20.0, 40.0, 10.0) };
        assert_eq!(limit(&beside, 2.0), Limit::Others);
        let mut run = sample_run();
        run.machine_percent = Some(150.0);
        let seen = Spending::of(&run);
        assert_eq!(seen.others, Some(150.0 - seen.known()));
        run.machine_percent = Some(0.0);
        assert_eq!(Spending::of(&run).others, Some(0.0), "clocks that differ a little");
    }

    #[test]
    fn on_an_idle_machine_something_waits() {
        assert_eq!(limit(&spending(20.0, 60.0, 20.0), 2.0), Limit::Waiting);
        let queue = Spending { queue: Some(12.0), ..spending(20.0, 60.0, 20.0) };
        assert_eq!(limit(&queue, 2.0), Limit::Hashing);
    }

    #[test]
    fn refusals_and_ignorance_are_named() {
        let refused = Spending { refused: 5.0, ..spending(100.0, 100.0, 0.0) };
        assert_eq!(limit(&refused, 2.0), Limit::Refusals);
        assert_eq!(limit(&Spending { generator: 30.0, ..Spending::default() }, 2.0), Limit::Unknown);
        assert_eq!(limit(&Spending { generator: 180.0, ..Spending::default() }, 2.0), Limit::Generator);
    }

    #[test]
    fn databases_are_known_by_their_names() {
        let mut run = sample_run();
        let mut database = run.processes[0].clone();
        database.name = "postgres".to_owned();
        database.cpu_percent = 30.0;
        run.processes.push(database);
        run.gauges = [(HASHING.to_owned(), vec![(0.0, 1.0), (1.0, 2.0)])].into();
        let found = Spending::of(&run);
        assert_eq!(found.databases, [("postgres".to_owned(), 30.0)]);
        assert_eq!((found.server, found.hashing, found.queue), (Some(0.99), Some(1.5), None));
    }
}
