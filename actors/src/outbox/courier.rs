//! One attempt at one row, and what is noted of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::entropy::Entropy;
use domain::time::Clock;
use flows::delivery::{Deliver, Delivery};
use futures::FutureExt;
use storage::OutboxRow;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Ledger;
use crate::limits::Limits;
use crate::stats::Stats;

/// The pause after the first failed attempt, in seconds; doubles with each further one.
const FIRST_PAUSE: i64 = 5;

/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 1800;

/// Time of its lease that a row must have left when its delivery begins: more than any delivery takes.
const LEAST_LEASE: Duration = Duration::from_secs(75);

/// A row in our hands.
pub(super) struct Claimed {
    pub(super) row: OutboxRow,
    /// Until when nobody else takes it.
    pub(super) until: Instant,
}

/// What became of an attempt, as far as the project's other rows are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The project's mail goes out, or at least its server judges it.
    Settled,
    /// It does not at the moment; the row is due again after this pause.
    Failed(Duration),
    /// There was no room for it in time.
    Crowded,
}

/// How rows are delivered, how often that is tried, and how much at a time in the whole process.
#[derive(Clone)]
pub(crate) struct Courier {
    deliver: Arc<dyn Deliver>,
    pub(super) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    stats: Arc<Stats>,
    /// Deliveries at a time in one database.
    pub(super) at_a_time: usize,
    /// Deliveries at a time in one project.
    pub(super) per_project: usize,
    attempts: u32,
    pub(super) lease: Duration,
    /// Deliveries at a time in the process.
    room: Arc<Semaphore>,
    /// Of these, deliveries of projects whose mail failed last: whoever hangs leaves half of the room to others.
    narrow: Arc<Semaphore>,
    /// Cancelled when no further rows are to be claimed.
    pub(super) closing: CancellationToken,
}

impl Courier {
    /// A courier within `limits`.
    pub(crate) fn new(
        deliver: Arc<dyn Deliver>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        stats: Arc<Stats>,
        limits: &Limits,
    ) -> Self {
        let at_a_time = limits.deliveries.max(2);
        Self {
            deliver,
            clock,
            entropy,
            stats,
            at_a_time,
            per_project: limits.deliveries_per_project.clamp(1, at_a_time),
            attempts: limits.delivery_attempts,
            lease: limits.delivery_lease.max(LEAST_LEASE * 2),
            room: Arc::new(Semaphore::new(2 * at_a_time)),
            narrow: Arc::new(Semaphore::new(at_a_time)),
            closing: CancellationToken::new(),
        }
    }

    /// The runtime's counters.
    pub(super) fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// Delivers a row, if there is room for it while it is ours. `failing`: the last delivery of its project failed.
    pub(super) async fn deliver(&self, ledger: &dyn Ledger, claimed: Claimed, failing: bool) -> Outcome {
        let Claimed { row, until } = claimed;
        let Some(_room) = self.enter(until, failing).await else {
            self.give_back(ledger, &row, Duration::ZERO, "there was no room for it").await;
            return Outcome::Crowded;
        };
        let attempt = AssertUnwindSafe(self.deliver.deliver(&row)).catch_unwind();
        let delivery = attempt.await.unwrap_or_else(|_| Delivery::Retry("the delivery panicked".to_owned()));
        let attempts = u32::try_from(row.attempts).unwrap_or(0);
        let (noted, outcome) = match delivery {
            Delivery::Done => {
                self.stats.delivered.count();
                (ledger.finish(row.id).await, Outcome::Settled)
            }
            Delivery::Retry(reason) if attempts < self.attempts => {
                self.stats.delivery_retries.count();
                tracing::info!(row = %row.id, attempts, reason, "delivery failed, to be tried again");
                let pause = self.pause_after(attempts);
                (ledger.retry(row.id, self.after(pause), &reason).await, Outcome::Failed(pause))
            }
            Delivery::Retry(reason) => {
                (self.bury(ledger, &row, &reason).await, Outcome::Failed(self.pause_after(attempts)))
            }
            Delivery::Dead(reason) => (self.bury(ledger, &row, &reason).await, Outcome::Settled),
        };
        if let Err(error) = noted {
            // The lease runs out and the row is delivered once more: at least once, not exactly once.
            tracing::warn!(row = %row.id, %error, "outcome of a delivery not noted");
        }
        outcome
    }

    async fn bury(&self, ledger: &dyn Ledger, row: &OutboxRow, reason: &str) -> Result<(), storage::StoreError> {
        self.stats.deliveries_dead.count();
        tracing::error!(row = %row.id, attempts = row.attempts, reason, "delivery given up");
        ledger.bury(row.id, reason).await
    }

    /// Gives back a row that was not tried.
    pub(super) async fn give_back(&self, ledger: &dyn Ledger, row: &OutboxRow, pause: Duration, reason: &str) {
        if let Err(error) = ledger.retry(row.id, self.after(pause), reason).await {
            tracing::debug!(row = %row.id, %error, "row not given back, it comes back with the end of its lease");
        }
    }

    /// A place among the deliveries of the process.
    async fn enter(&self, until: Instant, failing: bool) -> Option<[Option<SemaphorePermit<'_>>; 2]> {
        let latest = until.checked_sub(LEAST_LEASE)?;
        if Instant::now() > latest {
            return None;
        }
        let places = async {
            let narrow = if failing { self.narrow.acquire().await.ok() } else { None };
            [narrow, self.room.acquire().await.ok()]
        };
        timeout_at(latest, places).await.ok()
    }

    fn after(&self, pause: Duration) -> domain::time::Timestamp {
        self.clock.now().plus_seconds(i64::try_from(pause.as_secs()).unwrap_or(LONGEST_PAUSE))
    }

    /// How long to wait after `attempts` failed attempts: the rows of one outage do not all come back at once.
    fn pause_after(&self, attempts: u32) -> Duration {
        let pause = longest_pause_after(attempts);
        let spread = u64::try_from(pause / 4).unwrap_or(0) + 1;
        Duration::from_secs(u64::try_from(pause).unwrap_or(0) - self.entropy.below(spread))
    }

    /// How long after its failure a project's other rows wait.
    pub(super) fn first_pause(&self) -> Duration {
        self.pause_after(1)
    }
}

/// Seconds to wait at most after `attempts` failed attempts.
pub(super) fn longest_pause_after(attempts: u32) -> i64 {
    let doublings = attempts.saturating_sub(1).min(20);
    (FIRST_PAUSE << doublings).min(LONGEST_PAUSE)
}
