//! What gateways share: the index of open sessions, invalidations and counters, over Redis or inside one process.
//!
//! Nothing here is a source of truth. The database decides; the index guesses, an invalidation is a hint to read
//! again, and a counter limits. So calls of the index and the bus may fail with [`Unavailable`], at once rather than late,
//! and a caller goes on without the answer. Limits hold all the same: a gateway that cannot reach the shared counters counts
//! in its own process until it can. Everything is keyed by project id.

use std::io;
use std::path::Path;
use std::sync::Arc;

use domain::ids::ProjectId;
use domain::secret::Secret;

pub mod bus;
pub mod counters;
mod fallback;
mod in_process;
mod redis;
pub mod sessions;

pub use bus::{Bus, Event, Events, Invalidation};
pub use counters::{Counters, Hit, Take};
pub use redis::{ConnectError, RedisOptions};
pub use sessions::{SessionEntry, SessionIndex};

/// The shared store did not take the call, or did not answer in time; whether a write happened is then unknown.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the shared store is unavailable: {reason}")]
pub struct Unavailable {
    reason: Box<str>,
}

impl Unavailable {
    /// An outage for the `reason` that a log line will show.
    pub fn new(reason: impl Into<Box<str>>) -> Self {
        Self { reason: reason.into() }
    }
}

/// The three shared services of a gateway.
#[derive(Clone)]
pub struct Cluster {
    /// Which sessions a user probably has.
    pub sessions: Arc<dyn SessionIndex>,
    /// Invalidations between gateways.
    pub bus: Arc<dyn Bus>,
    /// Rate limits.
    pub counters: Arc<dyn Counters>,
}

impl Cluster {
    /// The services of a gateway that is alone. They never fail and forget everything with the process.
    pub fn in_process() -> Self {
        Self {
            sessions: Arc::new(in_process::Sessions::default()),
            bus: Arc::new(in_process::LocalBus::default()),
            counters: Arc::new(in_process::LocalCounters::default()),
        }
    }

    /// [`Cluster::in_process`] whose sliding logs outlive the process in the file `path`: who has used up his guesses
    /// gets no new ones by a restart. One process at a time may have the file.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn in_process_kept(path: &Path) -> io::Result<Self> {
        let counters = Arc::new(in_process::LocalCounters::kept(path)?);
        Ok(Self { counters, ..Self::in_process() })
    }

    /// Forgets what gateways share about a project that has ended.
    ///
    /// # Errors
    /// The shared store is away: it may still hold some of it.
    pub async fn forget(&self, project: ProjectId) -> Result<(), Unavailable> {
        self.counters.forget_project(project).await?;
        self.sessions.forget_project(project).await
    }

    /// The services over the Redis server at `url`: `redis://` or `rediss://` (TLS, certificates checked against the
    /// system's roots), `[user]:password@`, and `/db` are understood. Redis 6 or newer, or Valkey.
    ///
    /// Waits for the first connection for as long as `options` say. A server that cannot be reached by then is no
    /// error: a gateway must be able to restart while Redis is away. Until it is back the index and the bus fail, the
    /// counters are this gateway's own, and [`Bus::healthy`] says so. Must be called inside a Tokio runtime; the
    /// connections close when the last clone of the services is dropped.
    pub async fn redis(url: &Secret<String>, options: RedisOptions) -> Result<Self, ConnectError> {
        redis::connect(url, options).await
    }
}
