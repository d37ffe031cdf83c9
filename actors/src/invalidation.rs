//! Hears what changed, here or on another gateway, and lets the tenants concerned read it again.
//!
//! The bus is quick and may lose what it carries; the control store's list of changes is slower and loses nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cluster::{Bus, Event, Events, Invalidation, Unavailable};
use domain::ids::ProjectId;
use storage::control::Gateway;
use tokio::task::AbortHandle;

use crate::control::Chores;
use crate::directory::{Seat, TenantEntry};
use crate::follow::Follower;
use crate::kit::{Address, Behaviour, Death};
use crate::runtime::Shared;
use crate::tenant::TenantMessage;

/// The pause before a bus that has gone is listened to again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long who changes a project waits for it to be read again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the listener is told.
pub(crate) enum Heard {
    /// What the bus carries.
    Bus(Event),
    /// Ends of sessions may have been missed; the projects are being read again.
    MayHaveMissed,
}

/// Listens to the bus and follows the list of changes.
pub(crate) struct Listener {
    shared: Arc<Shared>,
    chores: Arc<dyn Chores>,
    gateway: Gateway,
    tasks: Vec<AbortHandle>,
}

impl Listener {
    /// A listener that has not begun.
    pub(crate) fn new(shared: Arc<Shared>, chores: Arc<dyn Chores>, gateway: Gateway) -> Self {
        Self { shared, chores, gateway, tasks: Vec::new() }
    }

    fn hear(&self, event: Event) {
        let directory = &self.shared.directory;
        match event {
            Event::Invalidation(Invalidation::Config(project) | Invalidation::Project(project)) => {
                directory.note_change(project);
                if let Some(entry) = directory.find_by_id(project) {
                    tell(&entry, TenantMessage::Reload(None));
                }
                // It stands in the list by now.
                self.shared.changed.notify_one();
            }
            Event::Invalidation(Invalidation::Sessions { project, sessions, .. }) => {
                if let Some(entry) = directory.find_by_id(project) {
                    entry.note_ended_sessions();
                    tell(&entry, TenantMessage::Forget(sessions));
                }
            }
            Event::Invalidation(Invalidation::Gateway) => self.chores.forget_answers(),
            Event::Resync => {
                tracing::debug!("everything in memory is read again");
                self.chores.forget_answers();
                directory.note_all_changed();
                for entry in directory.all() {
                    tell(&entry, TenantMessage::Reload(None));
                }
                self.forget_sessions();
            }
        }
    }

    fn forget_sessions(&self) {
        for entry in self.shared.directory.all() {
            entry.note_ended_sessions();
            tell(&entry, TenantMessage::ForgetAll);
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
    type Message = Heard;

    async fn started(&mut self, me: &Address<Heard>) -> Result<(), Death> {
        let bus = Arc::clone(&self.shared.services.cluster.bus);
        let events = bus.subscribe();
        // The follower begins with reading everything again: a predecessor may have died with events in its mailbox.
        let follower = Follower::new(Arc::clone(&self.shared), me.clone(), self.gateway.clone());
        self.tasks.push(tokio::spawn(listen(bus, events, me.clone())).abort_handle());
        self.tasks.push(tokio::spawn(follower.follow()).abort_handle());
        Ok(())
    }

    async fn handle(&mut self, _: &Address<Heard>, heard: Heard) -> Result<(), Death> {
        match heard {
            Heard::Bus(event) => self.hear(event),
            Heard::MayHaveMissed => self.forget_sessions(),
        }
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn listen(bus: Arc<dyn Bus>, mut events: Events, me: Address<Heard>) {
    loop {
        let event = match events.recv().await {
            Some(event) => event,
            None => {
                tokio::time::sleep(PAUSE).await;
                events = bus.subscribe();
                Event::Resync
            }
        };
        if me.send(Heard::Bus(event)).is_err() {
            return;
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
        let number = self.shared.directory.note_change(project);
        self.shared.changed.notify_one();
        if !self.shared.settle(project, number, PATIENCE).await {
            tracing::warn!(%project, "a change of the project is not yet served");
        }
    }
}
