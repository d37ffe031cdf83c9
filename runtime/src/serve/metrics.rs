//! The actors' counters as Prometheus metrics, beside those that the edge keeps itself.

use actors::{RuntimeHandle, RuntimeStats};
use api::metrics::{MetricSource, Reading};

/// The counters of the actors.
pub(super) struct ActorMetrics(pub(super) RuntimeHandle);

impl MetricSource for ActorMetrics {
    fn read(&self) -> Vec<Reading> {
        readings(&self.0.stats())
    }
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
    let gauge = |name, help, value| Reading { name, help, counter: false, value };
    let counter = |name, help, value| Reading { name, help, counter: true, value };
    vec![
        gauge("resident_projects", "Projects in memory.", resident_tenants),
        gauge("session_actors", "Sessions in memory.", sessions),
        gauge("challenge_actors", "Challenges in memory.", challenges),
        gauge("requests_in_flight", "Requests that the actors work on.", in_flight),
        gauge("hashing_waiting", "Password hashes that wait for a thread.", hash_queue),
        gauge("hashing_running", "Password hashes being computed.", hash_running),
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
    use super::*;

    #[test]
    fn names_are_unique_and_counters_end_as_prometheus_wants() {
        let readings = readings(&RuntimeStats::default());
        let mut names: Vec<_> = readings.iter().map(|reading| reading.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), readings.len());
        assert!(readings.iter().all(|reading| reading.name.ends_with("_total") == reading.counter));
    }
}
