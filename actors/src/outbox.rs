//! The deliverer: sends what transactions promised, at least once. Woken by commits and by a slow sweep.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::time::{Clock, Timestamp};
use flows::mail::{Deliver, Delivery};
use flows::{OutboxWake, Tenant};
use futures::stream::StreamExt;
use futures::{FutureExt, stream};
use storage::{Database, OutboxRow, StoreError};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::kit::{Address, Behaviour, Death, Post, Timer};
use crate::limits::{DRAIN, Limits};
use crate::placement::{Place, seconds};
use crate::stats::Stats;

/// The pause after the first failed attempt, in seconds; doubles with each further one.
const FIRST_PAUSE: i64 = 5;

/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 3600;

/// The outbox rows of one database.
#[async_trait]
pub(crate) trait Ledger: Send + Sync {
    /// Takes due rows; they are ours until `lease_until`.
    async fn claim(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<OutboxRow>, StoreError>;
    /// Notes that a row was delivered.
    async fn finish(&self, id: Uuid) -> Result<(), StoreError>;
    /// Gives a row back until `at`.
    async fn retry(&self, id: Uuid, at: Timestamp, reason: &str) -> Result<(), StoreError>;
    /// Gives a row up.
    async fn bury(&self, id: Uuid, reason: &str) -> Result<(), StoreError>;
}

#[async_trait]
impl Ledger for Database {
    async fn claim(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        self.claim_outbox(now, lease_until, limit).await
    }

    async fn finish(&self, id: Uuid) -> Result<(), StoreError> {
        self.finish_outbox(id).await
    }

    async fn retry(&self, id: Uuid, at: Timestamp, reason: &str) -> Result<(), StoreError> {
        self.retry_outbox(id, at, reason).await
    }

    async fn bury(&self, id: Uuid, reason: &str) -> Result<(), StoreError> {
        self.bury_outbox(id, reason).await
    }
}

/// Every database that may hold due rows.
pub(crate) type Ledgers = Arc<dyn Fn() -> Vec<Arc<dyn Ledger>> + Send + Sync>;

/// What works through one queue of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    /// One database, after a commit there.
    Place(Place),
    /// All databases, one after the other.
    Sweep,
}

/// What the deliverer is told.
pub(crate) enum OutboxMessage {
    /// There is something to deliver there.
    Wake(Place, Arc<dyn Ledger>),
    /// Look everywhere.
    Sweep,
    /// A line has nothing left to do.
    Idle(Line),
}

/// How rows are delivered, and how often that is tried.
#[derive(Clone)]
pub(crate) struct Courier {
    pub(crate) deliver: Arc<dyn Deliver>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) at_a_time: usize,
    pub(crate) attempts: u32,
    pub(crate) lease: Duration,
    /// Cancelled when no further rows are to be claimed.
    pub(crate) closing: CancellationToken,
}

impl Courier {
    /// A courier within `limits`.
    pub(crate) fn new(deliver: Arc<dyn Deliver>, clock: Arc<dyn Clock>, stats: Arc<Stats>, limits: &Limits) -> Self {
        Self {
            deliver,
            clock,
            stats,
            at_a_time: limits.deliveries.max(1),
            attempts: limits.delivery_attempts,
            lease: limits.delivery_lease,
            closing: CancellationToken::new(),
        }
    }

    /// Delivers what is due until nothing is.
    async fn deliver_due(&self, ledger: &dyn Ledger) {
        let most = u32::try_from(self.at_a_time).unwrap_or(u32::MAX);
        while !self.closing.is_cancelled() {
            let now = self.clock.now();
            let rows = match ledger.claim(now, now.plus_seconds(seconds(self.lease)), most).await {
                Ok(rows) => rows,
                Err(error) => return tracing::warn!(%error, "outbox not read"),
            };
            let full = rows.len() >= self.at_a_time;
            stream::iter(rows).for_each_concurrent(None, |row| self.deliver_one(ledger, row)).await;
            if !full {
                return;
            }
        }
    }

    async fn deliver_one(&self, ledger: &dyn Ledger, row: OutboxRow) {
        let attempt = AssertUnwindSafe(self.deliver.deliver(&row)).catch_unwind();
        let delivery = attempt.await.unwrap_or_else(|_| Delivery::Retry("the delivery panicked".to_owned()));
        let attempts = u32::try_from(row.attempts).unwrap_or(0);
        let noted = match delivery {
            Delivery::Done => {
                self.stats.delivered.count();
                ledger.finish(row.id).await
            }
            Delivery::Retry(reason) if attempts < self.attempts => {
                self.stats.delivery_retries.count();
                tracing::info!(row = %row.id, attempts, reason, "delivery failed, to be tried again");
                ledger.retry(row.id, self.clock.now().plus_seconds(pause_after(attempts)), &reason).await
            }
            Delivery::Retry(reason) | Delivery::Dead(reason) => {
                self.stats.deliveries_dead.count();
                tracing::error!(row = %row.id, attempts, reason, "delivery given up");
                ledger.bury(row.id, &reason).await
            }
        };
        if let Err(error) = noted {
            // The lease runs out and the row is delivered once more: at least once, not exactly once.
            tracing::warn!(row = %row.id, %error, "outcome of a delivery not noted");
        }
    }
}

/// Seconds to wait after `attempts` failed attempts.
fn pause_after(attempts: u32) -> i64 {
    let doublings = attempts.saturating_sub(1).min(20);
    (FIRST_PAUSE << doublings).min(LONGEST_PAUSE)
}

/// The deliverer.
pub(crate) struct Outbox {
    courier: Courier,
    ledgers: Ledgers,
    period: Duration,
    /// Lines at work; `true` when woken again meanwhile, with what to go on with.
    lines: HashMap<Line, Option<Vec<Arc<dyn Ledger>>>>,
    tasks: JoinSet<()>,
    sweep: Option<Timer>,
}

impl Outbox {
    /// A deliverer that looks into all of `ledgers` every `period`.
    pub(crate) fn new(courier: Courier, ledgers: Ledgers, period: Duration) -> Self {
        Self { courier, ledgers, period, lines: HashMap::new(), tasks: JoinSet::new(), sweep: None }
    }

    fn work(&mut self, me: &Address<OutboxMessage>, line: Line, ledgers: Vec<Arc<dyn Ledger>>) {
        if let Some(again) = self.lines.get_mut(&line) {
            *again = Some(ledgers);
            return;
        }
        while self.tasks.try_join_next().is_some() {}
        self.lines.insert(line, None);
        let (courier, done) = (self.courier.clone(), LineDone { deliverer: me.clone(), line });
        let _running: AbortHandle = self.tasks.spawn(async move {
            let _done = done;
            for ledger in ledgers {
                courier.deliver_due(&*ledger).await;
            }
        });
    }
}

/// Says that a line is idle, however its task ended.
struct LineDone {
    deliverer: Address<OutboxMessage>,
    line: Line,
}

impl Drop for LineDone {
    fn drop(&mut self) {
        self.deliverer.cast(OutboxMessage::Idle(self.line));
    }
}

impl Behaviour for Outbox {
    type Message = OutboxMessage;

    async fn started(&mut self, me: &Address<OutboxMessage>) -> Result<(), Death> {
        // What a predecessor or an earlier process left behind is due now.
        me.cast(OutboxMessage::Sweep);
        self.sweep = Some(me.every(self.period, || OutboxMessage::Sweep));
        Ok(())
    }

    async fn handle(&mut self, me: &Address<OutboxMessage>, message: OutboxMessage) -> Result<(), Death> {
        match message {
            OutboxMessage::Wake(place, ledger) => self.work(me, Line::Place(place), vec![ledger]),
            OutboxMessage::Sweep => {
                let ledgers = (self.ledgers)();
                self.work(me, Line::Sweep, ledgers);
            }
            OutboxMessage::Idle(line) => {
                if let Some(Some(ledgers)) = self.lines.remove(&line) {
                    self.work(me, line, ledgers);
                }
            }
        }
        Ok(())
    }

    async fn stopping(&mut self, _: &Address<OutboxMessage>) {
        // What was claimed is delivered; what was not stays in its database.
        self.courier.closing.cancel();
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, finish).await.is_err() {
            tracing::warn!("deliveries cut off, they will be tried again");
        }
    }
}

/// The way to the deliverer.
#[derive(Clone, Default)]
pub(crate) struct Waker {
    pub(crate) post: Arc<Post<OutboxMessage>>,
}

impl OutboxWake for Waker {
    fn wake(&self, tenant: &Tenant) {
        let ledger = Arc::new(tenant.store.database().clone());
        self.post.cast(OutboxMessage::Wake(Place::of(tenant), ledger));
    }
}

#[cfg(test)]
mod tests;
