//! Projects whose rows may expire, put down for the janitor in batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ids::ProjectId;
use domain::project::Placement;
use tokio::time::Instant;

use crate::directory::TenantEntry;
use crate::runtime::Shared;

/// A project that is used all the time is put down this often.
const AGAIN: Duration = Duration::from_secs(3600);

/// How long that may take at the end of the gateway.
const FAREWELL: Duration = Duration::from_millis(500);

/// Projects that are put down at a time.
const AT_A_TIME: usize = 500;

/// When what was written just now may have expired, in seconds: nothing goes before it is a day old.
const SOON: i64 = 24 * 3600;

/// The same where mail may wait in a database that nobody looks into unless a project there is in use.
const SOON_IN_OWN: i64 = 15 * 60;

/// Projects that are to be put down, each once, with whether it has a database of its own.
#[derive(Default)]
pub(crate) struct Due {
    projects: Mutex<HashMap<ProjectId, bool>>,
}

impl Due {
    fn take(&self) -> HashMap<ProjectId, bool> {
        std::mem::take(&mut *self.projects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, projects: impl IntoIterator<Item = (ProjectId, bool)>) {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner).extend(projects);
    }
}

impl Shared {
    /// Says good-bye: what was gathered is written down, and nobody waits for this gateway any more.
    pub(crate) async fn depart(&self) {
        let departing = async {
            if let Err(error) = self.control.leave(self.gateway).await {
                tracing::debug!(%error, "the gateway's end is not noted");
            }
            self.write_books().await;
        };
        if tokio::time::timeout(FAREWELL, departing).await.is_err() {
            tracing::debug!("the control store did not hear of the gateway's end in time");
        }
    }

    /// Has the project swept some time after this use of it, if that is not so already.
    pub(crate) fn put_down(&self, entry: &Arc<TenantEntry>, now: Instant) {
        self.put_down_after(entry, now, AGAIN);
    }

    /// The same for one that leaves memory: nobody would put it down later.
    pub(crate) fn put_down_last(&self, entry: &Arc<TenantEntry>, now: Instant) {
        self.put_down_after(entry, now, Duration::ZERO);
    }

    fn put_down_after(&self, entry: &Arc<TenantEntry>, now: Instant, after: Duration) {
        if entry.put_down(now, after) {
            self.due.put([(entry.id, entry.snapshot().project.placement != Placement::Gateway)]);
        }
    }

    /// Writes down what was gathered: projects whose rows may expire, and when API keys were used. What cannot be written now is
    /// written later.
    pub(crate) async fn write_books(&self) {
        self.write_due().await;
        let used = self.services.books.take_used_keys();
        for portion in used.chunks(AT_A_TIME) {
            if let Err(error) = self.control.keys_used(portion).await {
                tracing::debug!(%error, "uses of API keys not noted");
                portion.iter().for_each(|(hash, at)| self.services.books.key_used(hash, *at));
            }
        }
    }

    async fn write_due(&self) {
        let (own, shared): (Vec<_>, Vec<_>) = self.due.take().into_iter().partition(|(_, own)| *own);
        for (projects, seconds) in [(shared, SOON), (own, SOON_IN_OWN)] {
            for portion in projects.chunks(AT_A_TIME) {
                let ids: Vec<ProjectId> = portion.iter().map(|(project, _)| *project).collect();
                let at = self.services.clock.now().plus_seconds(seconds);
                if let Err(error) = self.control.schedule_sweeps(&ids, at).await {
                    tracing::debug!(%error, "projects not put down for the janitor");
                    self.due.put(portion.iter().copied());
                }
            }
        }
    }
}
