//! The deliverer: sends what transactions promised, at least once. Woken by commits and by a slow sweep.

mod courier;
mod hands;
mod line;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::InstanceId;
use domain::project::Placement;
use domain::time::Timestamp;
use flows::{OutboxWake, Tenant};
use futures::FutureExt;
use storage::{Database, DatabaseKey, OutboxDepth, OutboxRow, StoreError};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use uuid::Uuid;

use crate::kit::{Address, Behaviour, Death, Post, Timer};
use crate::limits::DRAIN;

pub(crate) use courier::Courier;

use line::Line;

/// How often it is counted how much lies in the outboxes.
const BETWEEN_MEASURES: Duration = Duration::from_secs(60);

/// How long one database may take for that.
const MEASURING: Duration = Duration::from_secs(5);

/// The outbox rows of one database.
#[async_trait]
pub(crate) trait Ledger: Send + Sync {
    /// Takes due rows, the oldest first, but none of the projects `except`; they are ours until `lease_until`.
    async fn claim(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
        except: &[InstanceId],
    ) -> Result<Vec<OutboxRow>, StoreError>;
    /// Notes that a row was delivered.
    async fn finish(&self, id: Uuid) -> Result<(), StoreError>;
    /// Gives a row back until `at`.
    async fn retry(&self, id: Uuid, at: Timestamp, reason: &str) -> Result<(), StoreError>;
    /// Gives a row up.
    async fn bury(&self, id: Uuid, reason: &str) -> Result<(), StoreError>;
    /// How much waits, and how much was given up.
    async fn depth(&self) -> Result<OutboxDepth, StoreError>;
}

#[async_trait]
impl Ledger for Database {
    async fn claim(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
        except: &[InstanceId],
    ) -> Result<Vec<OutboxRow>, StoreError> {
        self.claim_outbox_except(now, lease_until, limit, except).await
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

    async fn depth(&self) -> Result<OutboxDepth, StoreError> {
        self.outbox_depth().await
    }
}

/// A database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The gateway's.
    Gateway,
    /// A project's own.
    Own(DatabaseKey),
}

impl Place {
    /// Where the rows of `tenant` are.
    fn of(tenant: &Tenant) -> Self {
        match tenant.project.placement {
            Placement::Gateway => Self::Gateway,
            Placement::Postgres | Placement::Sqlite => Self::Own(tenant.store.database().key()),
        }
    }
}

/// Every database that is in use.
pub(crate) type Ledgers = Arc<dyn Fn() -> Vec<(Place, Arc<dyn Ledger>)> + Send + Sync>;

/// What the deliverer is told.
pub(crate) enum OutboxMessage {
    /// There is something to deliver there.
    Wake(Place, Arc<dyn Ledger>),
    /// Look everywhere.
    Sweep,
    /// The line of a database has ended: it has nothing to do, or it crashed.
    Ended(Place),
}

/// Wakes a line.
struct Bell {
    rung: Arc<Notify>,
    ledger: Arc<dyn Ledger>,
}

/// The deliverer: one line for each database, so that one which is away delays no other. The gateway's has one all the time, a
/// project's own as long as something is to be delivered there.
pub(crate) struct Outbox {
    courier: Courier,
    ledgers: Ledgers,
    period: Duration,
    bells: HashMap<Place, Bell>,
    lines: JoinSet<()>,
    sweep: Option<Timer>,
    measured: Option<Instant>,
}

impl Outbox {
    /// A deliverer that looks into all of `ledgers` every `period`.
    pub(crate) fn new(courier: Courier, ledgers: Ledgers, period: Duration) -> Self {
        Self { courier, ledgers, period, bells: HashMap::new(), lines: JoinSet::new(), sweep: None, measured: None }
    }

    /// Lets the gauges know how much lies there, now and then: it is not free.
    fn measure(&mut self, ledgers: &[(Place, Arc<dyn Ledger>)]) {
        let now = Instant::now();
        if self.measured.is_some_and(|last| now.duration_since(last) < BETWEEN_MEASURES) {
            return;
        }
        self.measured = Some(now);
        let stats = Arc::clone(self.courier.stats());
        let ledgers = ledgers.iter().map(|(_, ledger)| Arc::clone(ledger)).collect();
        tokio::spawn(async move {
            let depth = measure(ledgers).await;
            stats.outbox_pending.set(usize::try_from(depth.pending).unwrap_or(usize::MAX));
            stats.outbox_dead.set(usize::try_from(depth.dead).unwrap_or(usize::MAX));
        });
    }

    /// Lets the line of a database look for due rows.
    fn ring(&mut self, me: &Address<OutboxMessage>, place: Place, ledger: Arc<dyn Ledger>) {
        if let Some(bell) = self.bells.get(&place) {
            return bell.rung.notify_one();
        }
        while self.lines.try_join_next().is_some() {}
        let rung = Arc::new(Notify::new());
        let line = Line::new(self.courier.clone(), Arc::clone(&ledger), Arc::clone(&rung), place != Place::Gateway);
        let ended = LineEnded { deliverer: me.clone(), place };
        let _running: AbortHandle = self.lines.spawn(async move {
            let _ended = ended;
            line.work().await;
        });
        self.bells.insert(place, Bell { rung, ledger });
    }

    /// The line of a database has ended. If it was rung just then, another one looks.
    fn ended(&mut self, me: &Address<OutboxMessage>, place: Place) {
        if let Some(Bell { rung, ledger }) = self.bells.remove(&place)
            && rung.notified().now_or_never().is_some()
        {
            self.ring(me, place, ledger);
        }
    }
}

/// Adds up what lies in every outbox. A database that does not answer in time is left out.
async fn measure(ledgers: Vec<Arc<dyn Ledger>>) -> OutboxDepth {
    let depths = ledgers.iter().map(|ledger| tokio::time::timeout(MEASURING, ledger.depth()));
    let depths = futures::future::join_all(depths).await;
    depths.into_iter().flatten().flatten().fold(OutboxDepth::default(), |sum, depth| OutboxDepth {
        pending: sum.pending + depth.pending,
        dead: sum.dead + depth.dead,
        next_due: None,
    })
}

/// Says that a line has ended, however it did.
struct LineEnded {
    deliverer: Address<OutboxMessage>,
    place: Place,
}

impl Drop for LineEnded {
    fn drop(&mut self) {
        self.deliverer.cast(OutboxMessage::Ended(self.place));
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
            OutboxMessage::Wake(place, ledger) => self.ring(me, place, ledger),
            OutboxMessage::Sweep => {
                let ledgers = (self.ledgers)();
                self.measure(&ledgers);
                // Others are not kept open for it: who writes there wakes their line, and the janitor looks when something is due.
                for (place, ledger) in ledgers.into_iter().filter(|(place, _)| *place == Place::Gateway) {
                    self.ring(me, place, ledger);
                }
            }
            OutboxMessage::Ended(place) => self.ended(me, place),
        }
        Ok(())
    }

    async fn stopping(&mut self, _: &Address<OutboxMessage>) {
        // What is on its way is delivered; what is not stays in its database.
        self.courier.closing.cancel();
        let finish = async { while self.lines.join_next().await.is_some() {} };
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
