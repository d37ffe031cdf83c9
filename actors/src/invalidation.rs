//! Hears what changed, here or on another gateway, and lets the tenants concerned read it again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cluster::{Bus, Event, Events, Invalidation, Unavailable};
use domain::ids::ProjectId;
use tokio::task::JoinHandle;

use crate::directory::{Seat, TenantEntry};
use crate::kit::{Address, Behaviour, Death};
use crate::runtime::Shared;
use crate::tenant::TenantMessage;

/// The pause before a bus that has gone is listened to again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long who changes a project waits for it to be read again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens to the bus.
pub(crate) struct Listener {
    shared: Arc<Shared>,
    ear: Option<JoinHandle<()>>,
}

impl Listener {
    /// A listener that has not begun.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, ear: None }
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
                    tell(&entry, TenantMessage::Forget(sessions));
                }
            }
            Event::Resync => {
                tracing::debug!("everything in memory is read again");
                directory.invalidate();
                for entry in directory.all() {
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
        let (bus, me) = (Arc::clone(&self.shared.services.cluster.bus), me.clone());
        let events = bus.subscribe();
        // A predecessor may have died with events in its mailbox.
        me.cast(Event::Resync);
        self.ear = Some(tokio::spawn(listen(bus, events, me)));
        Ok(())
    }

    async fn handle(&mut self, _: &Address<Event>, event: Event) -> Result<(), Death> {
        self.hear(event);
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(ear) = &self.ear {
            ear.abort();
        }
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
