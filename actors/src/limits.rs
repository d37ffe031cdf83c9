//! How much the runtime takes on, and for how long it keeps things.

use std::time::Duration;

use crate::kit::Restart;

/// A steady rate with room for bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run, at least 1.
    pub per_second: u32,
    /// Requests at once after a pause, at least 1.
    pub burst: u32,
}

/// The limits of one gateway. The defaults suit two cores and a few gigabytes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests in flight in the whole process.
    pub in_flight: u32,
    /// Requests in flight in one project that has no quota of its own.
    pub tenant_in_flight: u32,
    /// Requests waiting for or running in one session or challenge.
    pub entity_in_flight: u32,
    /// Requests a second of one project that has no quota of its own; `None` = no limit.
    pub tenant_rate: Option<Rate>,
    /// Projects kept in memory; the least recently used ones leave first.
    pub resident_tenants: usize,
    /// A project that nobody asked for this long leaves memory.
    pub tenant_idle: Duration,
    /// A session that nobody asked for this long leaves memory.
    pub session_idle: Duration,
    /// A challenge that nobody asked for this long leaves memory.
    pub challenge_idle: Duration,
    /// Sessions, and challenges, kept in memory for one project; beyond that the idle ones leave at once.
    pub leaves_per_tenant: usize,
    /// How long it is known that a project does not exist.
    pub unknown_for: Duration,
    /// How many absent projects are remembered.
    pub unknown_kept: usize,
    /// Asks of one project that may wait until it is in memory.
    pub parked: usize,
    /// Loads of projects at a time, per sixteenth of the refs.
    pub loads: usize,
    /// The longest a load may take.
    pub load_time: Duration,
    /// How long a project that keeps crashing is left alone.
    pub quarantine: Duration,
    /// Hashing threads; 0 = as many as cores.
    pub hashing_workers: usize,
    /// Hashing jobs that may wait of one project that has no quota of its own.
    pub hashing_queue: usize,
    /// Deliveries at a time for each database, and half of those in the whole process.
    pub deliveries: usize,
    /// Deliveries at a time for one project; one whose last delivery failed gets a single one.
    pub deliveries_per_project: usize,
    /// Attempts before an outbox row is given up.
    pub delivery_attempts: u32,
    /// How long one attempt owns a row.
    pub delivery_lease: Duration,
    /// How often every database is asked for due outbox rows.
    pub outbox_sweep: Duration,
    /// How often the control store is asked for changes, and other gateways can see how far this one has followed them.
    pub changes_poll: Duration,
    /// How long a gateway serves what could write that has not reached the control store: well less than those who change where rows are
    /// wait for it ([`flows::GATEWAY_ALIVE`]), since what was let in before has to end meanwhile.
    pub contact: Duration,
    /// How often who waits for sessions to end looks for himself, in case the bus has lost the hint.
    pub ends_poll: Duration,
    /// How often a project's expired rows are removed, at most.
    pub janitor_sweep: Duration,
    /// How often it is looked what is due: expired rows, deleted projects, keys that are to be in use.
    pub janitor_step: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 4096,
            tenant_in_flight: 1024,
            entity_in_flight: 512,
            tenant_rate: None,
            resident_tenants: 20_000,
            tenant_idle: Duration::from_secs(15 * 60),
            session_idle: Duration::from_secs(30),
            challenge_idle: Duration::from_secs(60),
            leaves_per_tenant: 30_000,
            unknown_for: Duration::from_secs(10),
            unknown_kept: 65_536,
            parked: 256,
            loads: 64,
            load_time: Duration::from_secs(10),
            quarantine: Duration::from_secs(30),
            hashing_workers: 0,
            hashing_queue: 256,
            deliveries: 64,
            deliveries_per_project: 8,
            // With the pauses between them a little more than a day.
            delivery_attempts: 60,
            delivery_lease: Duration::from_secs(150),
            outbox_sweep: Duration::from_secs(15),
            changes_poll: Duration::from_secs(1),
            contact: Duration::from_secs(25),
            ends_poll: Duration::from_secs(5),
            janitor_sweep: Duration::from_secs(300),
            janitor_step: Duration::from_secs(5),
        }
    }
}

/// What a caller is told who may come back soon.
pub(crate) const RETRY_SOON: Duration = Duration::from_secs(1);

/// A session or challenge: it is not restarted, the next request does that; one that keeps crashing is refused for a while.
pub(crate) const LEAF: Restart = Restart {
    intensity: 3,
    window: Duration::from_secs(60),
    first_pause: Duration::ZERO,
    longest_pause: Duration::ZERO,
};

/// How long a leaf that keeps crashing is refused.
pub(crate) const LEAF_REFUSED: Duration = Duration::from_secs(30);

/// The supervisors of a tenant: one that keeps crashing takes its tenant with it.
pub(crate) const SUPERVISOR: Restart = Restart {
    intensity: 5,
    window: Duration::from_secs(60),
    first_pause: Duration::ZERO,
    longest_pause: Duration::ZERO,
};

/// A tenant: one that keeps crashing is quarantined.
pub(crate) const TENANT: Restart = Restart {
    intensity: 4,
    window: Duration::from_secs(60),
    first_pause: Duration::from_millis(20),
    longest_pause: Duration::from_secs(5),
};

/// The load of a project that failed.
pub(crate) const LOAD: Restart = Restart {
    intensity: usize::MAX,
    window: Duration::from_secs(600),
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(60),
};

/// What the root starts: too many crashes end the process.
pub(crate) const SERVICE: Restart = Restart {
    intensity: 10,
    window: Duration::from_secs(60),
    first_pause: Duration::ZERO,
    longest_pause: Duration::ZERO,
};

/// How long a supervisor waits for its children when it leaves.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// Whole seconds of a duration.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
