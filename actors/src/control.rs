//! What the actors read and write in the control store themselves.

use async_trait::async_trait;
use cluster::Invalidation;
use domain::ids::ProjectId;
use domain::project::Project;
use domain::time::Timestamp;
use flows::management::Management;
use storage::control::{Change, Gateway};
use storage::{ControlStore, StoreError};
use uuid::Uuid;

/// How long an operator can look at what was done.
const LOG_KEPT: i64 = 400 * DAY;

/// Age at which the changes that gateways follow are forgotten, and gateways that never come back, in seconds.
const DAY: i64 = 24 * 3600;

/// How much longer than for a move that is under way it is waited until copies are looked after that could not be removed, in seconds.
const COPIES_AGAIN: i64 = 240;

/// Rows that have expired and go at a time.
const AT_A_TIME: u32 = 1000;

/// The list of changes, who follows it, and work that is due.
#[async_trait]
pub(crate) trait Control: Send + Sync {
    /// The number of the newest change.
    async fn latest(&self) -> Result<i64, StoreError>;
    /// Changes after that one, oldest first, with their numbers.
    async fn after(&self, number: i64, limit: u32) -> Result<Vec<(i64, Invalidation)>, StoreError>;
    /// Says that a gateway lives and how far it has followed the changes.
    async fn beat(&self, gateway: &Gateway) -> Result<(), StoreError>;
    /// A gateway has ended.
    async fn leave(&self, gateway: Uuid) -> Result<(), StoreError>;
    /// Has these projects swept not later than `at`.
    async fn schedule_sweeps(&self, projects: &[ProjectId], at: Timestamp) -> Result<(), StoreError>;
    /// Projects that are due to be swept; they are ours until then.
    async fn claim_sweeps(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Project>, StoreError>;
    /// A claimed project was swept and is due again at `next`; `None` = nothing of it will expire.
    async fn swept(&self, project: ProjectId, until: Timestamp, next: Option<Timestamp>) -> Result<(), StoreError>;
    /// Deleted projects whose time is over; they are ours until then.
    async fn claim_purges(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Project>, StoreError>;
    /// Standby keys that are to be in use.
    async fn due_promotions(&self, now: Timestamp, limit: u32) -> Result<Vec<(ProjectId, Uuid)>, StoreError>;
    /// Moves that nobody has brought forward since then, and some that were given up and have left copies.
    async fn stale_moves(&self, before: Timestamp, limit: u32) -> Result<Vec<ProjectId>, StoreError>;
    /// Places at which moves have left rows that are to go.
    async fn due_leftovers(&self, now: Timestamp, limit: u32) -> Result<Vec<Uuid>, StoreError>;
    /// Notes when API keys were used last.
    async fn keys_used(&self, used: &[(String, Timestamp)]) -> Result<(), StoreError>;
    /// Forgets what nobody needs any more of the gateway's own books.
    async fn tidy(&self, now: Timestamp) -> Result<(), StoreError>;
}

#[async_trait]
impl Control for ControlStore {
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

    async fn beat(&self, gateway: &Gateway) -> Result<(), StoreError> {
        self.gateways().beat(gateway).await
    }

    async fn leave(&self, gateway: Uuid) -> Result<(), StoreError> {
        self.gateways().leave(gateway).await.map(|_| ())
    }

    async fn schedule_sweeps(&self, projects: &[ProjectId], at: Timestamp) -> Result<(), StoreError> {
        self.projects().schedule_sweeps(projects, at).await.map(|_| ())
    }

    async fn claim_sweeps(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Project>, StoreError> {
        self.projects().claim_sweeps(now, until, limit).await
    }

    async fn swept(&self, project: ProjectId, until: Timestamp, next: Option<Timestamp>) -> Result<(), StoreError> {
        self.projects().swept(project, until, next).await.map(|_| ())
    }

    async fn claim_purges(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Project>, StoreError> {
        self.projects().claim_purges(now, until, limit).await
    }

    async fn due_promotions(&self, now: Timestamp, limit: u32) -> Result<Vec<(ProjectId, Uuid)>, StoreError> {
        self.signing_keys().due_promotions(now, limit).await
    }

    async fn stale_moves(&self, before: Timestamp, limit: u32) -> Result<Vec<ProjectId>, StoreError> {
        let stale = self.moves().stale(before, limit).await?;
        let copies = self.moves().copies(before.plus_seconds(-COPIES_AGAIN), limit).await?;
        Ok(stale.into_iter().chain(copies).map(|found| found.project).collect())
    }

    async fn due_leftovers(&self, now: Timestamp, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        Ok(self.leftovers().due(now, limit).await?.into_iter().map(|left| left.id).collect())
    }

    async fn keys_used(&self, used: &[(String, Timestamp)]) -> Result<(), StoreError> {
        self.api_keys().used(used).await.map(|_| ())
    }

    async fn tidy(&self, now: Timestamp) -> Result<(), StoreError> {
        self.events().trim(now.plus_seconds(-DAY)).await?;
        self.gateways().forget(now.plus_seconds(-DAY)).await?;
        self.operator_log().trim(now.plus_seconds(-LOG_KEPT)).await?;
        self.api_keys().remove_expired(now, AT_A_TIME).await?;
        Ok(())
    }
}

/// Work on a project that the operator's hand does when it is due.
#[async_trait]
pub(crate) trait Chores: Send + Sync {
    /// Removes everything of a deleted project that was claimed for it. False: not now.
    async fn purge(&self, project: &Project) -> Result<bool, flows::management::Error>;
    /// Puts a standby key in use.
    async fn promote(&self, project: ProjectId, key: Uuid) -> Result<(), flows::management::Error>;
    /// Goes on with a move that nobody brings forward.
    async fn resume_move(&self, project: ProjectId) -> Result<(), flows::management::Error>;
    /// Removes what a move has left somewhere.
    async fn clear_leftover(&self, id: Uuid) -> Result<(), flows::management::Error>;
    /// Forgets whose operator tokens are, and which project a host or an API key leads to.
    fn forget_answers(&self);
}

#[async_trait]
impl Chores for Management {
    async fn purge(&self, project: &Project) -> Result<bool, flows::management::Error> {
        Ok(self.purge_claimed(project).await?.is_some())
    }

    async fn promote(&self, project: ProjectId, key: Uuid) -> Result<(), flows::management::Error> {
        self.promote_scheduled(project, key).await.map(|_| ())
    }

    async fn resume_move(&self, project: ProjectId) -> Result<(), flows::management::Error> {
        Self::resume_move(self, project).await.map(|_| ())
    }

    async fn clear_leftover(&self, id: Uuid) -> Result<(), flows::management::Error> {
        Self::clear_leftover(self, id).await
    }

    fn forget_answers(&self) {
        Self::forget_answers(self);
    }
}
