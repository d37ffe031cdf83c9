//! Waiting until a change has arrived: in what is served, and with everybody who was let in before it.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::ProjectId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::directory::{Absence, Seat, TenantEntry};
use crate::error::Cause;
use crate::kit::{Lost, answer_by};
use crate::registry::{Gone, RegistryMessage};
use crate::runtime::Shared;
use crate::tenant::TenantMessage;

/// The pause before somebody is looked for again who is just ending or beginning.
const PAUSE: Duration = Duration::from_millis(5);

impl Shared {
    /// Waits, at most for `limit`, until the project is served as it was at the change of that number, or later. Whether it is.
    pub(crate) async fn settle(&self, project: ProjectId, number: u64, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while let Some(entry) = self.directory.find_by_id(project) {
            if entry.number() >= number {
                return true;
            }
            if Instant::now() >= deadline || !self.read_again(&entry, deadline).await {
                return false;
            }
        }
        true
    }

    /// Lets a project be read again. Whether it may have been.
    async fn read_again(&self, entry: &Arc<TenantEntry>, deadline: Instant) -> bool {
        match &*entry.seat() {
            Seat::Serving(actor) => {
                let (done, told) = oneshot::channel();
                actor.cast(TenantMessage::Reload(Some(done)));
                match answer_by(deadline, told).await {
                    Ok(()) => return true,
                    Err(Lost::Late) => return false,
                    Err(Lost::Crashed) => {}
                }
            }
            // Nobody is there to read it; what is shown of it meanwhile is to be true all the same.
            Seat::Restarting | Seat::Quarantined(_) => {
                let mut loaded = self.look_up(&entry.project).await;
                match std::mem::replace(&mut loaded.found, Ok(None)) {
                    Ok(Some(tenant)) if tenant.project.id == entry.id => entry.publish(loaded.snapshot(tenant)),
                    Ok(_) => entry.retire(loaded.number()),
                    Err(error) => tracing::debug!(project = %entry.project, %error, "project not read"),
                }
            }
            Seat::Leaving => {}
        }
        tokio::time::sleep(PAUSE).await;
        true
    }

    /// Waits, at most for `limit`, until nothing goes on that does not know of the change of that number: no read that began
    /// before, and, where nobody is served any more, no request that was let in before. Whether that is so.
    pub(crate) async fn acknowledge(&self, project: ProjectId, number: u64, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let left = || deadline.saturating_duration_since(Instant::now());
        let known =
            self.directory.changes().read_since(number, left()).await && self.settle(project, number, left()).await;
        if !known {
            return false;
        }
        let resident = self.directory.find_by_id(project).filter(|entry| entry.serves_nobody());
        for entry in self.directory.departing_of(project).into_iter().chain(resident) {
            if !entry.emptied(left()).await {
                return false;
            }
        }
        true
    }

    /// Lets a project leave memory that cannot be read as it is now: what it was may not be served any longer.
    pub(crate) fn evict(&self, project: ProjectId, number: u64) {
        let Some(entry) = self.directory.find_by_id(project).filter(|entry| entry.number() < number) else { return };
        tracing::error!(project = %entry.project, "the project has changed and cannot be read: it is not served");
        let cause: Cause =
            Box::<dyn std::error::Error + Send + Sync>::from("the project has changed and cannot be read").into();
        if let Some(shard) = self.shard_of(&entry.project) {
            let why = Absence::Failing(cause);
            shard.cast(RegistryMessage::Gone(Gone { entry, why, number, waiting: Vec::new() }));
        }
    }
}
