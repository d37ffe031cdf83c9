//! The actors' counters as Prometheus metrics, beside those that the edge keeps itself.

use actors::management::ProjectUsage;
use actors::{RuntimeHandle, RuntimeStats};
use api::metrics::{MetricSource, PROJECT, Reading};
use domain::ids::ProjectRef;

use super::process;

/// Projects that have metrics of their own: those that ask the most of this gateway.
const BUSIEST: usize = 50;

/// The counters of the actors.
pub(super) struct ActorMetrics(pub(super) RuntimeHandle);

impl MetricSource for ActorMetrics {
    fn read(&self) -> Vec<Reading> {
        let mut all = readings(&self.0.stats());
        let databases = &self.0.manage().databases;
        let gauge = |name, help, value: usize| reading(name, help, false, value as f64);
        all.push(gauge("own_databases_open", "Databases of projects' own that are open.", databases.open_now()));
        all.push(gauge("own_databases_most", "Databases of projects' own that may be open.", databases.most_open()));
        all.extend(by_project(&self.0.busiest(BUSIEST)));
        all
    }
}

/// What the gateway's process takes of the machine, under the names that every client library of Prometheus uses.
pub(super) struct ProcessMetrics;

impl MetricSource for ProcessMetrics {
    fn read(&self) -> Vec<Reading> {
        let cpu = |seconds| {
            reading("process_cpu_seconds_total", "CPU time in user and system mode, in seconds.", true, seconds)
        };
        let memory = |bytes| reading("process_resident_memory_bytes", "Resident memory, in bytes.", false, bytes);
        process::cpu_seconds().map(cpu).into_iter().chain(process::resident_bytes().map(memory)).collect()
    }
}

/// What single projects ask of this gateway, metric by metric.
fn by_project(busiest: &[(ProjectRef, ProjectUsage)]) -> Vec<Reading> {
    let of = |project: &ProjectRef| vec![(PROJECT, project.to_string())];
    let mut all = Vec::new();
    for (project, usage) in busiest {
        let (name, help) = ("project_requests_total", "Requests of the busiest projects since they came into memory.");
        all.push(Reading { name, help, counter: true, labels: of(project), value: usage.requests as f64 });
    }
    for (project, usage) in busiest {
        let (name, help) = ("project_requests_in_flight", "Requests under way of the busiest projects.");
        all.push(Reading { name, help, counter: false, labels: of(project), value: usage.in_flight as f64 });
    }
    for (project, usage) in busiest {
        let (name, help) = ("project_refusals_total", "Requests of the busiest projects refused for want of a quota.");
        for (quota, refused) in usage.refused.iter().filter(|(_, refused)| **refused > 0) {
            let labels = vec![(PROJECT, project.to_string()), ("quota", quota.to_string())];
            all.push(Reading { name, help, counter: true, labels, value: *refused as f64 });
        }
    }
    all
}

fn reading(name: &'static str, help: &'static str, counter: bool, value: f64) -> Reading {
    Reading { name, help, counter, labels: Vec::new(), value }
}

/// Every counter, so that a new one does not compile before it has a name here.
fn readings(stats: &RuntimeStats) -> Vec<Reading> {
    let RuntimeStats {
        resident_tenants,
        sessions,
        challenges,
        in_flight,
        hash_queue,
        hash_running,
        hashing,
        asked,
        refused,
        crashed,
        late,
        loads,
        activations,
        passivations,
        actor_crashes,
        quarantines,
        reloads,
        delivered,
        delivery_retries,
        deliveries_dead,
        outbox_pending,
        outbox_dead,
        swept,
    } = *stats;
    let gauge = |name, help, value: u64| reading(name, help, false, value as f64);
    let counter = |name, help, value: u64| reading(name, help, true, value as f64);
    vec![
        gauge("resident_projects", "Projects in memory.", resident_tenants),
        gauge("session_actors", "Sessions in memory.", sessions),
        gauge("challenge_actors", "Challenges in memory.", challenges),
        gauge("requests_in_flight", "Requests that the actors work on.", in_flight),
        gauge("hashing_waiting", "Password hashes that wait for a thread.", hash_queue),
        gauge("hashing_running", "Password hashes being computed.", hash_running),
        reading(
            "hashing_seconds_total",
            "Time that threads have spent computing password hashes.",
            true,
            hashing.as_secs_f64(),
        ),
        counter("asks_total", "Requests given to the actors.", asked),
        counter("asks_refused_total", "Requests refused because something was full.", refused),
        counter("asks_crashed_total", "Requests lost to a crash.", crashed),
        counter("asks_late_total", "Requests whose time ran out.", late),
        counter("project_loads_total", "Times a project was read.", loads),
        counter("project_activations_total", "Times a project came into memory.", activations),
        counter("project_passivations_total", "Times a project left memory.", passivations),
        counter("project_reloads_total", "Times a project in memory was read again.", reloads),
        counter("project_quarantines_total", "Times a project that kept crashing was left alone.", quarantines),
        counter("actor_crashes_total", "Actors that crashed.", actor_crashes),
        counter("deliveries_total", "Messages of the outbox that were delivered.", delivered),
        counter("delivery_retries_total", "Deliveries that failed and are tried again.", delivery_retries),
        counter("deliveries_dead_total", "Messages of the outbox that were given up.", deliveries_dead),
        gauge("outbox_pending", "Messages of the outbox that wait to be delivered.", outbox_pending),
        gauge(
            "outbox_dead",
            "Messages of the outbox that were given up and not yet retried or discarded.",
            outbox_dead,
        ),
        counter("expired_rows_removed_total", "Rows that had expired and were removed.", swept),
    ]
}

#[cfg(test)]
mod tests {
    use domain::quota::Quota;

    use super::*;

    #[test]
    fn of_each_project_only_the_quotas_are_shown_that_were_used_up() {
        let refused = Quota::ALL.into_iter().map(|quota| (quota, u64::from(quota == Quota::Users))).collect();
        let usage = ProjectUsage { requests: 7, in_flight: 1, refused };
        let busiest: Vec<_> = ["one", "two"].map(|name| (name.parse().unwrap(), usage.clone())).into();
        let readings = by_project(&busiest);
        let names: Vec<_> = readings.iter().map(|reading| reading.name).collect();
        assert!(names.is_sorted_by_key(|name| names.iter().position(|other| other == name)), "{names:?}");
        assert_eq!(readings.len(), 6);
        assert_eq!(readings.last().unwrap().labels, [("project", "two".to_owned()), ("quota", "users".to_owned())]);
        assert!(readings.iter().all(|reading| reading.name.ends_with("_total") == reading.counter));
    }

    #[test]
    fn names_are_unique_and_counters_end_as_prometheus_wants() {
        let mut readings = readings(&RuntimeStats::default());
        readings.extend(ProcessMetrics.read());
        let mut names: Vec<_> = readings.iter().map(|reading| reading.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), readings.len());
        assert!(readings.iter().all(|reading| reading.name.ends_with("_total") == reading.counter));
    }
}
