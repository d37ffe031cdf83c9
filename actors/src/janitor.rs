//! The janitor: removes what has expired, by timer, a little at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::InstanceId;
use domain::time::Timestamp;
use storage::{Database, Sweep};

use crate::kit::{Address, Behaviour, Death, Timer};
use crate::placement::Place;
use crate::runtime::Shared;

/// Age at which flow states, revoked tokens and the like go (`contract/core.md` §19).
const DAY: i64 = 24 * 3600;

/// How long a session's row outlives its fixed end (`contract/core.md` §19).
const SESSION_AFTERLIFE: i64 = 3 * DAY;

/// Rows of a project and kind that go at a time.
const AT_A_TIME: u32 = 100;

/// Projects swept with one statement.
const PROJECTS_AT_A_TIME: usize = 256;

/// What the janitor is told.
pub(crate) enum JanitorMessage {
    /// Begin a round.
    Sweep,
    /// The round is over.
    Swept,
}

/// Sweeps the projects in memory; one that nobody asks for gains no rows that expire.
pub(crate) struct Janitor {
    shared: Arc<Shared>,
    at_work: bool,
    sweep: Option<Timer>,
}

impl Janitor {
    /// A janitor that has not begun.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, at_work: false, sweep: None }
    }
}

impl Behaviour for Janitor {
    type Message = JanitorMessage;

    async fn started(&mut self, me: &Address<JanitorMessage>) -> Result<(), Death> {
        let period = self.shared.limits.janitor_sweep.max(Duration::from_millis(1));
        self.sweep = Some(me.every(period, || JanitorMessage::Sweep));
        Ok(())
    }

    async fn handle(&mut self, me: &Address<JanitorMessage>, message: JanitorMessage) -> Result<(), Death> {
        match message {
            JanitorMessage::Sweep if !self.at_work => {
                self.at_work = true;
                let (places, now) = (by_place(&self.shared), self.shared.services.clock.now());
                let done = RoundDone(me.clone());
                let changes = Arc::clone(&self.shared.changes);
                tokio::spawn(async move {
                    let _done = done;
                    sweep(places, now).await;
                    if let Err(error) = changes.forget_before(now.plus_seconds(-DAY)).await {
                        tracing::warn!(%error, "old changes not forgotten");
                    }
                });
            }
            JanitorMessage::Sweep => {}
            JanitorMessage::Swept => self.at_work = false,
        }
        Ok(())
    }
}

/// Says that a round is over, however it ended.
struct RoundDone(Address<JanitorMessage>);

impl Drop for RoundDone {
    fn drop(&mut self) {
        self.0.cast(JanitorMessage::Swept);
    }
}

fn by_place(shared: &Shared) -> Vec<(Database, Vec<InstanceId>)> {
    let mut places: HashMap<Place, (Database, Vec<InstanceId>)> = HashMap::new();
    for entry in shared.directory.all() {
        let tenant = entry.snapshot();
        let database = || (tenant.store.database().clone(), Vec::new());
        places.entry(Place::of(&tenant)).or_insert_with(database).1.push(tenant.project.instance);
    }
    places.into_values().collect()
}

async fn sweep(places: Vec<(Database, Vec<InstanceId>)>, now: Timestamp) {
    let sweep = Sweep {
        before: now.plus_seconds(-DAY),
        sessions_ended_before: now.plus_seconds(-SESSION_AFTERLIFE),
        limit: AT_A_TIME,
    };
    for (database, instances) in places {
        for instances in instances.chunks(PROJECTS_AT_A_TIME) {
            match database.sweep_expired(instances, sweep).await {
                Ok(0) => {}
                Ok(removed) => tracing::debug!(removed, "expired rows removed"),
                Err(error) => tracing::warn!(%error, "expired rows not removed"),
            }
        }
    }
}
