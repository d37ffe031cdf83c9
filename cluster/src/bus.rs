//! Invalidations: hints between gateways that something must be read again.

use async_trait::async_trait;
use domain::ids::{ProjectId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::Unavailable;

/// How many events a slow subscriber may fall behind before it is told to read everything again.
pub(crate) const BACKLOG: usize = 1024;

/// Something that gateways keep in memory has changed in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalidation {
    /// Settings or keys of a project.
    Config(ProjectId),
    /// Sessions have ended.
    Sessions {
        /// The project of the user.
        project: ProjectId,
        /// Whose sessions.
        user: UserId,
        /// Which sessions.
        sessions: Vec<SessionId>,
    },
    /// The project itself: paused, resumed, renamed or deleted.
    Project(ProjectId),
    /// What the gateway knows beside its projects: operator tokens, and which project a host or an API key leads to.
    Gateway,
}

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// One thing has changed. It may be heard more than once, and by the gateway that published it.
    Invalidation(Invalidation),
    /// Events may have been missed: whatever is kept in memory must be read again.
    Resync,
}

/// Carries invalidations to all gateways, this one included.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Tells all gateways. After an error this gateway has still heard it, and the others hear it, or a
    /// [`Event::Resync`], as soon as the connection is back, provided this process lives that long.
    async fn publish(&self, invalidation: &Invalidation) -> Result<(), Unavailable>;

    /// Everything published from now on.
    fn subscribe(&self) -> Events;

    /// Whether the shared store is there and invalidations of others are heard.
    fn healthy(&self) -> bool;
}

/// One subscription.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self(receiver)
    }

    /// The next event; `None` when the bus is gone. A subscriber that has fallen too far behind hears
    /// [`Event::Resync`] in place of what it missed. Cancel safe.
    pub async fn recv(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::Resync),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
