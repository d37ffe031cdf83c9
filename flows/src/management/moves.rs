//! Where a project's rows are, and how they get to another database while it serves.
//!
//! A move copies as often as it takes until little is left to copy, holds the project, waits until no gateway serves it any more,
//! copies the rest, says where the rows are from now on, lets the project serve, and removes the old rows. Until the switch nothing
//! has changed for anybody: whatever goes wrong before it, the move is given up and the copies are removed. `carry_out.rs` does it.

use domain::ids::{ProjectId, ProjectRef};
use domain::project::{HoldReason, Placement, Project, Status};
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::json;
use storage::TenantStore;
use storage::control::{Bundle, Move, MovePhase};
use uuid::Uuid;

use super::carry_out::{LEASE, Mover};
use super::{Error, Management, Result};
use crate::source::{self, purpose};

/// Seconds a project may be held at most, when nothing is said.
const MAX_PAUSE: u32 = 30;

/// Between which an operator may choose.
const PAUSES: std::ops::RangeInclusive<u32> = 1..=600;

/// Where a project is to go.
#[derive(Clone, Debug)]
pub struct MoveProject {
    /// The kind of place.
    pub placement: Placement,
    /// A PostgreSQL database of the project's own.
    pub database_url: Option<Secret<String>>,
    /// How many seconds the project may be held at most; `None` = 30. A move that would take longer is given up.
    pub max_pause_seconds: Option<u32>,
}

/// Where a project is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementView {
    /// Where its rows are.
    pub placement: Placement,
    /// Its move, or the last one.
    pub movement: Option<MoveView>,
}

/// How a move goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveView {
    /// Of the move.
    pub id: Uuid,
    /// Where to.
    pub placement: Placement,
    /// How far it is.
    pub phase: MovePhase,
    /// How many rows were written.
    pub rows: i64,
    /// Why it was given up.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When somebody last worked on it.
    pub updated_at: Timestamp,
}

impl From<Move> for MoveView {
    fn from(movement: Move) -> Self {
        Self {
            id: movement.id,
            placement: movement.placement,
            phase: movement.phase,
            rows: movement.rows,
            error: movement.error,
            started_at: movement.started_at,
            updated_at: movement.updated_at,
        }
    }
}

impl Management {
    /// Where a project is, and how its move goes.
    pub async fn placement(&self, project: &ProjectRef) -> Result<PlacementView> {
        let bundle = self.bundle(project).await?;
        self.placement_of(&bundle.project).await
    }

    async fn placement_of(&self, project: &Project) -> Result<PlacementView> {
        let movement = self.control.moves().read(project.id).await?.map(MoveView::from);
        Ok(PlacementView { placement: project.placement, movement })
    }

    /// Begins to move a project. It serves on, but for a short while at the end.
    pub async fn start_move(&self, project: &ProjectRef, request: MoveProject) -> Result<PlacementView> {
        let max_pause = request.max_pause_seconds.unwrap_or(MAX_PAUSE);
        if !PAUSES.contains(&max_pause) {
            return Err(Error::Invalid(format!(
                "max_pause_seconds must be from {} to {}",
                PAUSES.start(),
                PAUSES.end()
            )));
        }
        let (bundle, source) = self.writable(project).await?;
        let before = self.control.moves().read(bundle.project.id).await?;
        if before.as_ref().is_some_and(|movement| !movement.phase.is_over()) {
            return Err(under_way());
        }
        // Whoever worked on the last one may not have cleared away yet.
        if before.is_some() && !self.has_no_writer(bundle.project.id).await? {
            return Err(Error::Conflict("the last move of this project is still being cleared away".to_owned()));
        }
        let url = request.database_url.as_ref();
        let target = self.target(&bundle, request.placement, url, before.as_ref()).await?;
        if target.is_same_place(&source, self.entropy.uuid()).await? {
            return Err(Error::Invalid("the project's rows are in that database already".to_owned()));
        }
        let seal = |url: &Secret<String>| {
            let what = purpose(source::DATABASE_URL, bundle.project.id);
            Secret::new(self.master_key.seal(&what, url.expose().as_bytes(), &*self.entropy))
        };
        let now = self.now();
        let movement = Move {
            project: bundle.project.id,
            id: self.entropy.uuid(),
            placement: request.placement,
            sealed_url: url.map(seal),
            source: bundle.project.placement,
            source_sealed_url: source::secret(&self.master_key, source::DATABASE_URL, &bundle)?.as_ref().map(seal),
            max_pause: i32::try_from(max_pause).unwrap_or(i32::MAX),
            phase: MovePhase::Copying,
            rows: 0,
            error: None,
            started_at: now,
            updated_at: now,
        };
        let (from, to) = (json!({ "placement": movement.source }), json!({ "placement": movement.placement }));
        let control = self.noting("project.move_started", Some(&bundle.project), Some(from), Some(to));
        if !control.moves().start(&movement).await? {
            return Err(under_way());
        }
        let worker = movement.id;
        self.spawn(movement, worker);
        self.placement_of(&bundle.project).await
    }

    /// Gives a move up that has not switched yet. The project serves on from where it is; the copies are removed.
    pub async fn cancel_move(&self, project: &ProjectRef) -> Result<PlacementView> {
        let bundle = self.bundle(project).await?;
        let movement = self.control.moves().read(bundle.project.id).await?.filter(|movement| !movement.phase.is_over());
        let movement = movement.ok_or_else(|| Error::Conflict("no move is under way".to_owned()))?;
        if movement.phase == MovePhase::Cleaning {
            return Err(Error::Conflict("the project serves from its new place already".to_owned()));
        }
        let now = self.now();
        let is_abandoned = now.unix() - movement.updated_at.unix() > LEASE;
        // The hold first: without it nothing can be switched any more.
        if let Some(hold) = bundle.project.hold.filter(|hold| hold.reason == HoldReason::Moving) {
            self.control.projects().release(bundle.project.id, hold.id, now).await?;
        }
        let control = self.noting("project.move_cancelled", Some(&bundle.project), None, None);
        let (id, rows, moves) = (movement.id, movement.rows, control.moves());
        if !moves.advance(bundle.project.id, id, MovePhase::Failed, rows, Some("cancelled"), now).await? {
            return Err(Error::Conflict("the move is over meanwhile".to_owned()));
        }
        self.announce(bundle.project.id).await;
        let worker = self.entropy.uuid();
        let seen = Move { updated_at: now, ..movement };
        if is_abandoned && self.control.moves().take_up(&seen, worker, now).await? {
            let mover = Mover::new(self.clone(), seen, worker);
            tokio::spawn(async move { mover.clear_up().await });
        }
        self.placement_of(&bundle.project).await
    }

    /// Goes on with a move that whoever worked on it has abandoned, or removes what one has left that was given up. Nothing happens
    /// where somebody else does already.
    pub async fn resume_move(&self, project: ProjectId) -> Result<()> {
        let Some(mut movement) = self.control.moves().read(project).await? else { return Ok(()) };
        let now = self.now();
        if now.unix() - movement.updated_at.unix() < LEASE {
            return Ok(());
        }
        if movement.phase.is_over() && !self.has_copies(&movement).await? {
            return Ok(());
        }
        let worker = self.entropy.uuid();
        if self.control.moves().take_up(&movement, worker, now).await? {
            movement.updated_at = now;
            if movement.phase.is_over() {
                let mover = Mover::new(self.clone(), movement, worker);
                tokio::spawn(async move { mover.clear_up().await });
            } else {
                self.spawn(movement, worker);
            }
        }
        Ok(())
    }

    /// Whether a move that was given up may have left copies, of a project that lives: those of one that ends go with it.
    async fn has_copies(&self, movement: &Move) -> Result<bool> {
        let left = self.control.moves().left_behind(movement.project).await?;
        if movement.phase != MovePhase::Failed || left.is_none_or(|left| left.id != movement.id) {
            return Ok(false);
        }
        let project = self.control.projects().by_id(movement.project).await?;
        Ok(project.is_some_and(|project| project.status != Status::Deleting))
    }

    fn spawn(&self, movement: Move, worker: Uuid) {
        let mover = Mover::new(self.clone(), movement, worker);
        tokio::spawn(async move { mover.run().await });
    }

    /// The rows of the project where they are to go, in a database that has none of them.
    async fn target(
        &self,
        bundle: &Bundle,
        placement: Placement,
        url: Option<&Secret<String>>,
        before: Option<&Move>,
    ) -> Result<TenantStore> {
        let project = &bundle.project;
        if let Some(why) = self.databases.why_not(placement, url) {
            return Err(Error::Invalid(why.to_owned()));
        }
        if url.is_some() && placement != Placement::Postgres {
            return Err(Error::Invalid("database_url is for a PostgreSQL database of the project's own".to_owned()));
        }
        let here = source::secret(&self.master_key, source::DATABASE_URL, bundle)?;
        let same_url = here.as_ref().map(Secret::expose) == url.map(Secret::expose);
        if placement == project.placement && (placement != Placement::Postgres || same_url) {
            return Err(Error::Invalid("the project is there already".to_owned()));
        }
        let database = self.open_place(placement, url, project.id).await?;
        self.clear_for(project.id, placement, url).await?;
        let target = TenantStore::new(database, project.instance);
        // Copies of a move that was given up and could not clear them away.
        let left_by = before.filter(|movement| movement.phase == MovePhase::Failed && movement.placement == placement);
        if let Some(movement) = left_by {
            let its_url = self.opened_url(project.id, movement.sealed_url.as_ref())?;
            if its_url.as_ref().map(Secret::expose) == url.map(Secret::expose) {
                target.purge().await?;
                self.control.moves().cleared(project.id, movement.id).await?;
            }
        }
        if target.census().await?.iter().any(|(_, count)| *count > 0) {
            return Err(Error::Conflict("rows of this project are in that database already".to_owned()));
        }
        Ok(target)
    }

    /// The address of a database, from where a move keeps it.
    pub(super) fn opened_url(
        &self,
        project: ProjectId,
        sealed: Option<&Secret<String>>,
    ) -> Result<Option<Secret<String>>> {
        let open = |sealed: &Secret<String>| {
            source::open_secret(&self.master_key, source::DATABASE_URL, project, sealed.expose())
        };
        Ok(sealed.map(open).transpose()?)
    }
}

fn under_way() -> Error {
    Error::Conflict("a move of this project is under way".to_owned())
}
