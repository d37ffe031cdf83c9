//! A project's share of the connections of its database.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Result, StoreError};

/// The project holds as many connections as it may, and none came free in time.
#[derive(Debug, thiserror::Error)]
#[error("the project's share of connections is used up")]
pub(crate) struct ShareUsedUp;

/// How many connections a project may hold at a time.
#[derive(Clone)]
pub(crate) struct Share {
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Share {
    /// At least one connection; who finds none waits as long as for one of the pool.
    pub(crate) fn new(limit: u32, patience: Duration) -> Self {
        let limit = usize::try_from(limit.max(1)).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(limit)), patience }
    }

    /// A place, in the order of asking.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(self.patience, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(StoreError::Busy(Arc::new(ShareUsedUp))),
        }
    }
}
