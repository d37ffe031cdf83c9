//! Projects for work that no request asked for: from memory where they serve, or else read and remembered for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use domain::ids::{ProjectId, ProjectRef};
use flows::Tenant;
use tokio::time::Instant;

use crate::kit::Found;
use crate::runtime::Shared;

/// How many projects are remembered that do not serve.
const REMEMBERED: usize = 256;

/// Projects that were read lately, the oldest first. One that changes is forgotten.
#[derive(Default)]
pub(crate) struct Recent {
    known: Mutex<VecDeque<Arc<Tenant>>>,
    /// Projects that are being read: who wants one of them as well waits for that.
    turns: Mutex<HashMap<ProjectRef, Arc<tokio::sync::Mutex<()>>>>,
}

impl Recent {
    fn get(&self, project: &ProjectRef) -> Option<Arc<Tenant>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|tenant| tenant.project.project_ref == *project).map(Arc::clone)
    }

    /// Remembers `tenant` if it is still `current`: that is asked where [`Self::forget`] cannot come in between.
    fn put(&self, tenant: Arc<Tenant>, current: impl FnOnce() -> bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !current() {
            return;
        }
        known.retain(|other| other.project.project_ref != tenant.project.project_ref);
        known.push_back(tenant);
        if known.len() > REMEMBERED {
            known.pop_front();
        }
    }

    fn turn(&self, project: &ProjectRef) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(project.clone()).or_default())
    }

    /// A project has to be read again.
    pub(crate) fn forget(&self, project: ProjectId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|tenant| tenant.project.id != project);
    }

    /// Everything has to be read again.
    pub(crate) fn forget_all(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Shared {
    /// The project as it is served, or as it is read now; it is not remembered.
    pub(crate) async fn peek(&self, project: &ProjectRef) -> flows::Result<Option<Arc<Tenant>>> {
        match self.at_hand(project) {
            Some(known) => Ok(Some(known)),
            None => self.read(project).await,
        }
    }

    fn at_hand(&self, project: &ProjectRef) -> Option<Arc<Tenant>> {
        match self.directory.find(project, Instant::now()) {
            Found::Resident(entry) => Some(entry.snapshot()),
            Found::Absent(..) | Found::Nothing => self.directory.recent().get(project),
        }
    }

    async fn read(&self, project: &ProjectRef) -> flows::Result<Option<Arc<Tenant>>> {
        let loaded = self.load(project).await.map_err(|cause| flows::Error::Busy(cause.to_string().into()))?;
        Ok(loaded.map(|tenant| Arc::new(*tenant)))
    }

    /// The project as it is served. One that is not in memory is read, without becoming resident.
    pub(crate) async fn snapshot(&self, project: &ProjectRef) -> flows::Result<Option<Arc<Tenant>>> {
        if let Some(known) = self.at_hand(project) {
            return Ok(Some(known));
        }
        let turn = self.directory.recent().turn(project);
        let _turn = turn.lock().await;
        if let Some(known) = self.at_hand(project) {
            return Ok(Some(known));
        }
        let reading = self.directory.changes().begin();
        let Some(tenant) = self.read(project).await? else { return Ok(None) };
        // What was read while the project changed may be old.
        let current = || !self.directory.changes().since(tenant.project.id, reading.number());
        self.directory.recent().put(Arc::clone(&tenant), current);
        Ok(Some(tenant))
    }
}

/// Lends out [`Shared::snapshot`] before there is anything to share.
#[derive(Clone, Default)]
pub(crate) struct Snapshots(Arc<OnceLock<Arc<Shared>>>);

impl Snapshots {
    /// From now on projects come from `shared`.
    pub(crate) fn hold(&self, shared: Arc<Shared>) {
        // Only the start of the runtime that lent this out does so, once.
        let _held = self.0.set(shared);
    }
}

#[async_trait]
impl flows::Snapshots for Snapshots {
    async fn snapshot(&self, project: &ProjectRef) -> flows::Result<Option<Arc<Tenant>>> {
        match self.0.get() {
            Some(shared) => shared.snapshot(project).await,
            None => Err(flows::Error::Busy("the runtime has not started".into())),
        }
    }
}
