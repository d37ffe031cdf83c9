//! Hears what changed, here or on another gateway, and lets the tenants concerned read it again.
//!
//! The bus is quick and may lose what it carries; the control store's list of changes is slow and loses nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cluster::{Bus, Event, Events, Invalidation, Unavailable};
use domain::ids::{ProjectId, ProjectRef};
use domain::project::Project;
use domain::time::Timestamp;
use storage::control::Change;
use storage::{ControlStore, StoreError};
use tokio::task::AbortHandle;

use crate::directory::{Seat, TenantEntry};
use crate::kit::{Address, Behaviour, Death};
use crate::runtime::Shared;
use crate::tenant::TenantMessage;

/// The pause before a bus that has gone is listened to again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long who changes a project waits for it to be read again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Changes read at a time.
const AT_A_TIME: u32 = 256;

/// What the actors read in the control store themselves: the list of projects and that of their changes.
#[async_trait]
pub(crate) trait Control: Send + Sync {
    /// Up to `limit` projects in the order of their refs, after that one.
    async fn page(&self, after: Option<&ProjectRef>, limit: u32) -> Result<Vec<Project>, StoreError>;
    /// The number of the newest change.
    async fn latest(&self) -> Result<i64, StoreError>;
    /// Changes after that one, oldest first, with their numbers.
    async fn after(&self, number: i64, limit: u32) -> Result<Vec<(i64, Invalidation)>, StoreError>;
    /// Forgets changes that every gateway has seen by now.
    async fn forget_before(&self, before: Timestamp) -> Result<u64, StoreError>;
}

#[async_trait]
impl Control for ControlStore {
    async fn page(&self, after: Option<&ProjectRef>, limit: u32) -> Result<Vec<Project>, StoreError> {
        self.projects().page(after, limit).await
    }

    async fn latest(&self) -> Result<i64, StoreError> {
        self.events().latest().await
    }

    async fn after(&self, number: i64, limit: u32) -> Result<Vec<(i64, Invalidation)>, StoreError> {
        let changes = self.events().after(number, limit).await?;
        let invalidation = |change: storage::control::Event| match change.change {
            Change::Config => (change.seq, Invalidation::Config(change.project)),
            Change::Project => (change.seq, Invalidation::Project(change.project)),
        };
        Ok(changes.into_iter().map(invalidation).collect())
    }

    async fn forget_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.events().trim(before).await
    }
}

/// Listens to the bus and follows the list of changes.
pub(crate) struct Listener {
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
}

impl Listener {
    /// A listener that has not begun.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, tasks: Vec::new() }
    }

    fn hear(&self, event: Event) {
        let directory = &self.shared.directory;
        match event {
            Event::Invalidation(Invalidation::Config(project) | Invalidation::Project(project)) => {
                directory.invalidate();
                if let Some(entry) = directory.find_by_id(project) {
                    tell(&entry, TenantMessage::Reload(None));
                }
            }
            Event::Invalidation(Invalidation::Sessions { project, sessions, .. }) => {
                if let Some(entry) = directory.find_by_id(project) {
                    entry.note_ended_sessions();
                    tell(&entry, TenantMessage::Forget(sessions));
                }
            }
            Event::Resync => {
                tracing::debug!("everything in memory is read again");
                directory.invalidate();
                for entry in directory.all() {
                    entry.note_ended_sessions();
                    tell(&entry, TenantMessage::ForgetAll);
                    tell(&entry, TenantMessage::Reload(None));
                }
            }
        }
    }
}

/// A tenant that does not serve right now reads everything again before it does.
fn tell(entry: &TenantEntry, message: TenantMessage) {
    if let Seat::Serving(actor) = &*entry.seat() {
        actor.cast(message);
    }
}

impl Behaviour for Listener {
    type Message = Event;

    async fn started(&mut self, me: &Address<Event>) -> Result<(), Death> {
        let bus = Arc::clone(&self.shared.services.cluster.bus);
        let events = bus.subscribe();
        // A predecessor may have died with events in its mailbox.
        me.cast(Event::Resync);
        let (changes, period) = (Arc::clone(&self.shared.control), self.shared.limits.changes_poll);
        self.tasks.push(tokio::spawn(listen(bus, events, me.clone())).abort_handle());
        self.tasks.push(tokio::spawn(follow(changes, period, me.clone())).abort_handle());
        Ok(())
    }

    async fn handle(&mut self, _: &Address<Event>, event: Event) -> Result<(), Death> {
        self.hear(event);
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn listen(bus: Arc<dyn Bus>, mut events: Events, me: Address<Event>) {
    loop {
        let event = match events.recv().await {
            Some(event) => event,
            None => {
                tokio::time::sleep(PAUSE).await;
                events = bus.subscribe();
                Event::Resync
            }
        };
        if me.send(event).is_err() {
            return;
        }
    }
}

/// Passes on what the list of changes says, from now on.
async fn follow(changes: Arc<dyn Control>, period: Duration, me: Address<Event>) {
    let mut last = changes.latest().await.ok();
    loop {
        tokio::time::sleep(period).await;
        let heard = match last {
            Some(number) => next_changes(&*changes, number, &me).await,
            // What happened until now was missed.
            None => changes.latest().await.inspect(|_| me.cast(Event::Resync)),
        };
        match heard {
            Ok(number) => last = Some(number),
            Err(error) => tracing::debug!(%error, "list of changes not read"),
        }
    }
}

/// Passes on every change after `number` and gives the number of the last one.
async fn next_changes(changes: &dyn Control, mut number: i64, me: &Address<Event>) -> Result<i64, StoreError> {
    loop {
        let read = changes.after(number, AT_A_TIME).await?;
        let more = read.len() >= AT_A_TIME as usize;
        for (change, invalidation) in read {
            number = change;
            me.cast(Event::Invalidation(invalidation));
        }
        if !more {
            return Ok(number);
        }
    }
}

/// A bus that lets this gateway read its own writes: who has published a change of a project meets it with the next ask.
pub(crate) struct ReadYourWrites {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) shared: Arc<Shared>,
}

#[async_trait]
impl Bus for ReadYourWrites {
    async fn publish(&self, invalidation: &Invalidation) -> Result<(), Unavailable> {
        let published = self.bus.publish(invalidation).await;
        if let Invalidation::Config(project) | Invalidation::Project(project) = invalidation {
            self.refresh(*project).await;
        }
        published
    }

    fn subscribe(&self) -> Events {
        self.bus.subscribe()
    }

    fn healthy(&self) -> bool {
        self.bus.healthy()
    }
}

impl ReadYourWrites {
    async fn refresh(&self, project: ProjectId) {
        if !self.shared.refresh(project, PATIENCE).await {
            tracing::warn!(%project, "a change of the project is not yet served");
        }
    }
}
