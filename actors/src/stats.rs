//! Cheap counters for metrics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// What goes up and down.
#[derive(Default)]
pub(crate) struct Gauge(AtomicI64);

impl Gauge {
    pub(crate) fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: usize) {
        self.0.store(i64::try_from(value).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

/// What only goes up.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one runtime.
#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) sessions: Gauge,
    pub(crate) challenges: Gauge,
    pub(crate) hash_queue: Gauge,
    pub(crate) hash_running: Gauge,
    pub(crate) hashing_micros: Counter,
    pub(crate) asked: Counter,
    pub(crate) refused: Counter,
    pub(crate) crashed: Counter,
    pub(crate) late: Counter,
    pub(crate) loads: Counter,
    pub(crate) activations: Counter,
    pub(crate) passivations: Counter,
    pub(crate) actor_crashes: Counter,
    pub(crate) quarantines: Counter,
    pub(crate) reloads: Counter,
    pub(crate) delivered: Counter,
    pub(crate) delivery_retries: Counter,
    pub(crate) deliveries_dead: Counter,
    pub(crate) outbox_pending: Gauge,
    pub(crate) outbox_dead: Gauge,
    pub(crate) swept: Counter,
}

/// A reading of the runtime's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuntimeStats {
    /// Projects in memory.
    pub resident_tenants: u64,
    /// Session actors.
    pub sessions: u64,
    /// Challenge actors.
    pub challenges: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// Hashing jobs that wait.
    pub hash_queue: u64,
    /// Hashing jobs that run.
    pub hash_running: u64,
    /// Time that threads have spent hashing.
    pub hashing: Duration,
    /// Requests asked so far.
    pub asked: u64,
    /// Requests refused because something was full.
    pub refused: u64,
    /// Requests whose actor or task died with them.
    pub crashed: u64,
    /// Requests whose deadline passed.
    pub late: u64,
    /// Loads of projects.
    pub loads: u64,
    /// Tenant actors started.
    pub activations: u64,
    /// Tenants that left memory.
    pub passivations: u64,
    /// Actors that crashed.
    pub actor_crashes: u64,
    /// Times a project was quarantined.
    pub quarantines: u64,
    /// Snapshots swapped while their tenant lived.
    pub reloads: u64,
    /// Outbox rows delivered.
    pub delivered: u64,
    /// Deliveries that will be tried again.
    pub delivery_retries: u64,
    /// Outbox rows given up.
    pub deliveries_dead: u64,
    /// Outbox rows that wait to be delivered, as counted last.
    pub outbox_pending: u64,
    /// Outbox rows that were given up and are still there, as counted last.
    pub outbox_dead: u64,
    /// Expired rows removed.
    pub swept: u64,
}

impl Stats {
    /// All counters; those of the directory and the admission come from there.
    pub(crate) fn read(&self, resident_tenants: usize, in_flight: usize) -> RuntimeStats {
        RuntimeStats {
            resident_tenants: resident_tenants as u64,
            in_flight: in_flight as u64,
            sessions: self.sessions.read(),
            challenges: self.challenges.read(),
            hash_queue: self.hash_queue.read(),
            hash_running: self.hash_running.read(),
            hashing: Duration::from_micros(self.hashing_micros.read()),
            asked: self.asked.read(),
            refused: self.refused.read(),
            crashed: self.crashed.read(),
            late: self.late.read(),
            loads: self.loads.read(),
            activations: self.activations.read(),
            passivations: self.passivations.read(),
            actor_crashes: self.actor_crashes.read(),
            quarantines: self.quarantines.read(),
            reloads: self.reloads.read(),
            delivered: self.delivered.read(),
            delivery_retries: self.delivery_retries.read(),
            deliveries_dead: self.deliveries_dead.read(),
            outbox_pending: self.outbox_pending.read(),
            outbox_dead: self.outbox_dead.read(),
            swept: self.swept.read(),
        }
    }
}
