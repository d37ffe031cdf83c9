//! Projects on their way to another database: one move of a project at a time, and the last one for who asks how it went.

use domain::ids::ProjectId;
use domain::project::Placement;
use domain::secret::Secret;
use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use super::{ControlStore, leftovers};
use crate::backend::Work;
use crate::error::{Result, StoreError};
use crate::sql::same;
use crate::values::At;

macro_rules! columns {
    () => {
        "m.project_id, m.id, m.placement, m.sealed_url, m.source, m.source_sealed_url, m.max_pause, m.phase, m.rows, m.error,
         m.started_at, m.updated_at"
    };
}

statements! {
    control START = same(
        "insert into control.moves as m (project_id, id, placement, sealed_url, source, source_sealed_url, max_pause, phase, rows,
             error, started_at, updated_at, worker)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $2)
         on conflict (project_id) do update set id = excluded.id, placement = excluded.placement,
             sealed_url = excluded.sealed_url, source = excluded.source, source_sealed_url = excluded.source_sealed_url,
             max_pause = excluded.max_pause, phase = excluded.phase, rows = excluded.rows, error = excluded.error,
             started_at = excluded.started_at, updated_at = excluded.updated_at, worker = excluded.worker, left_behind = true
         where m.phase in ('done', 'failed') and (m.worker is null or m.updated_at <= $13)"
    );
    control READ = same(concat!("select ", columns!(), " from control.moves as m where m.project_id = $1"));
    control ADVANCE = same(
        "update control.moves as m set phase = $3, rows = $4, error = $5, updated_at = $6
         where m.project_id = $1 and m.id = $2 and m.phase not in ('done', 'failed')"
    );
    control CLAIM = same(
        "update control.moves as m set updated_at = $4
         where m.project_id = $1 and m.id = $2 and m.updated_at = $3 and m.phase not in ('done', 'failed')"
    );
    control TAKE_UP = same(
        "update control.moves as m set updated_at = $4, worker = $5
         where m.project_id = $1 and m.id = $2 and m.updated_at = $3 and m.phase <> 'done'"
    );
    control KEEP = same("update control.moves as m set updated_at = $3 where m.project_id = $1 and m.worker = $2");
    control LAY_DOWN = same(
        "update control.moves as m set worker = null, left_behind = case when $3 then false else m.left_behind end
         where m.project_id = $1 and m.worker = $2"
    );
    control IS_UNDER_WAY = same(
        "select count(*) from control.moves as m
         where m.project_id = $1 and m.id = $2 and m.phase not in ('done', 'failed')"
    );
    control IS_WORKED_ON = same(
        "select count(*) from control.moves as m where m.project_id = $1 and m.worker is not null and m.updated_at > $2"
    );
    control LEFT_BEHIND = same(concat!(
        "select ", columns!(), " from control.moves as m where m.project_id = $1 and m.left_behind"
    ));
    // The word of who works on it stays: by it, it is known when nobody can be at work any more.
    control END = same(
        "update control.moves as m set phase = 'failed', error = $2
         where m.project_id = $1 and m.phase not in ('done', 'failed')"
    );
    control SWITCHED = same(
        "update control.moves as m set phase = 'cleaning', updated_at = $2
         where m.project_id = $1 and m.phase not in ('done', 'failed')"
    );
    control GIVE_UP = same(
        "update control.moves as m set phase = 'failed', error = $2, updated_at = $3
         where m.project_id = $1 and m.phase in ('copying', 'holding')"
    );
    // What is cleared away here is not left behind: the next move may go there.
    control CLEARED = same(
        "update control.moves as m set left_behind = false
         where m.project_id = $1 and m.id = $2 and m.phase in ('done', 'failed')"
    );
    control COPIES = same(concat!(
        "select ", columns!(), " from control.moves as m
         where m.phase = 'failed' and m.left_behind and m.updated_at < $1 order by m.updated_at limit $2"
    ));
    control STALE = same(concat!(
        "select ", columns!(), " from control.moves as m
         where m.phase not in ('done', 'failed') and m.updated_at < $1 order by m.updated_at limit $2"
    ));
}

/// After how many seconds without a word the worker on a move is taken to be gone.
pub const SILENCE: i64 = 60;

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MovePhase {
    /// Rows are copied while the project serves.
    Copying,
    /// The last ones are, while it does not.
    Holding,
    /// The project serves from its new place; the old rows go.
    Cleaning,
    /// Nothing is left to do.
    Done,
    /// It was given up, or cancelled: the project serves from its old place.
    Failed,
}

impl MovePhase {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::Holding => "holding",
            Self::Cleaning => "cleaning",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Reads the stored word.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Copying, Self::Holding, Self::Cleaning, Self::Done, Self::Failed]
            .into_iter()
            .find(|phase| phase.as_str() == text)
    }

    /// Whether nothing is left to do.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// A move.
#[derive(Clone, Debug)]
pub struct Move {
    /// Of which project.
    pub project: ProjectId,
    /// Of the move.
    pub id: Uuid,
    /// Where to.
    pub placement: Placement,
    /// The address of the new database, sealed by the caller.
    pub sealed_url: Option<Secret<String>>,
    /// Where from.
    pub source: Placement,
    /// The address of the old database, sealed by the caller.
    pub source_sealed_url: Option<Secret<String>>,
    /// How many seconds the project may be held.
    pub max_pause: i32,
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

#[derive(FromRow)]
struct Row {
    project_id: Uuid,
    id: Uuid,
    placement: String,
    sealed_url: Option<String>,
    source: String,
    source_sealed_url: Option<String>,
    max_pause: i32,
    phase: String,
    rows: i64,
    error: Option<String>,
    started_at: At,
    updated_at: At,
}

impl TryFrom<Row> for Move {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let unreadable = || StoreError::fault("a move holds a word this program does not know");
        Ok(Self {
            project: ProjectId(row.project_id),
            id: row.id,
            placement: Placement::from_stored(&row.placement).ok_or_else(unreadable)?,
            sealed_url: row.sealed_url.map(Secret::new),
            source: Placement::from_stored(&row.source).ok_or_else(unreadable)?,
            source_sealed_url: row.source_sealed_url.map(Secret::new),
            max_pause: row.max_pause,
            phase: MovePhase::from_stored(&row.phase).ok_or_else(unreadable)?,
            rows: row.rows,
            error: row.error,
            started_at: row.started_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

/// What the switch of the place itself writes.
pub(super) async fn switched(work: &mut Work, project: ProjectId, now: Timestamp) -> Result<()> {
    execute!(work, SWITCHED, project.0, At(now))?;
    Ok(())
}

/// Ends a move whose project serves from its old place. One that has switched goes on: somebody must clean up.
pub(super) async fn give_up(work: &mut Work, project: ProjectId, why: &str, now: Timestamp) -> Result<()> {
    execute!(work, GIVE_UP, project.0, why, At(now))?;
    Ok(())
}

fn text(sealed: Option<&Secret<String>>) -> Option<&str> {
    sealed.map(|sealed| sealed.expose().as_str())
}

/// Works on moves.
pub struct Moves<'s> {
    pub(super) store: &'s ControlStore,
}

impl Moves<'_> {
    /// Begins a move, whose id is its first worker's. What the last one has left somewhere is noted. False when one of the project is
    /// under way, somebody still works on the last, or removes what an earlier one has left.
    pub async fn start(&self, new: &Move) -> Result<bool> {
        let mut work = self.store.begin_change(new.project).await?;
        if leftovers::being_cleared(&mut work, new.project, new.started_at).await? {
            return Ok(false);
        }
        leftovers::of_move(&mut work, new.project, new.started_at).await?;
        let started = execute!(
            &mut work,
            START,
            new.project.0,
            new.id,
            new.placement.as_str(),
            text(new.sealed_url.as_ref()),
            new.source.as_str(),
            text(new.source_sealed_url.as_ref()),
            new.max_pause,
            new.phase.as_str(),
            new.rows,
            &new.error,
            At(new.started_at),
            At(new.updated_at),
            At(new.updated_at.plus_seconds(-SILENCE)),
        )?;
        if started == 0 {
            return Ok(false);
        }
        self.store.commit_plain(work).await?;
        Ok(true)
    }

    /// The project's move, or the last one.
    pub async fn read(&self, project: ProjectId) -> Result<Option<Move>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, READ, project.0)?;
        row.map(Move::try_from).transpose()
    }

    /// Says how far a move is. False when it is over, or another one.
    pub async fn advance(
        &self,
        project: ProjectId,
        id: Uuid,
        phase: MovePhase,
        rows: i64,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        if execute!(&mut work, ADVANCE, project.0, id, phase.as_str(), rows, error, At(now))? == 0 {
            return Ok(false);
        }
        self.store.commit_plain(work).await?;
        Ok(true)
    }

    /// Takes over a move that nobody has worked on since it was read. Of several who try, one succeeds.
    pub async fn claim(&self, project: ProjectId, id: Uuid, seen: Timestamp, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let claimed = execute!(&mut work, CLAIM, project.0, id, At(seen), At(now))?;
        work.commit().await?;
        Ok(claimed == 1)
    }

    /// The same for who works on it from now on: the new worker. Also for a move that was given up and is to be cleared away.
    pub async fn take_up(&self, seen: &Move, worker: Uuid, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(seen.project).await?;
        let taken = execute!(&mut work, TAKE_UP, seen.project.0, seen.id, At(seen.updated_at), At(now), worker)?;
        work.commit().await?;
        Ok(taken == 1)
    }

    /// Says that the worker is still there. False when he is the worker no more.
    pub async fn keep(&self, project: ProjectId, worker: Uuid, now: Timestamp) -> Result<bool> {
        Ok(execute_now!(&self.store.backend, KEEP, project.0, worker, At(now))? == 1)
    }

    /// Says that the worker will write nothing more; `is_clean` when no rows are left where the project is not.
    pub async fn lay_down(&self, project: ProjectId, worker: Uuid, is_clean: bool) -> Result<()> {
        execute_now!(&self.store.backend, LAY_DOWN, project.0, worker, is_clean).map(|_| ())
    }

    /// Whether this move goes on.
    pub async fn is_under_way(&self, project: ProjectId, id: Uuid) -> Result<bool> {
        let (moves,) = fetch_now!(&self.store.backend, fetch_one, (i64,), IS_UNDER_WAY, project.0, id)?;
        Ok(moves > 0)
    }

    /// Whether somebody may be writing rows for a move of the project, whether it goes on or was given up.
    pub async fn is_worked_on(&self, project: ProjectId, now: Timestamp) -> Result<bool> {
        let since = At(now.plus_seconds(-SILENCE));
        let (moves,) = fetch_now!(&self.store.backend, fetch_one, (i64,), IS_WORKED_ON, project.0, since)?;
        Ok(moves > 0)
    }

    /// The project's move, or the last one, where rows may be left at the place at which the project is not.
    pub async fn left_behind(&self, project: ProjectId) -> Result<Option<Move>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, LEFT_BEHIND, project.0)?;
        row.map(Move::try_from).transpose()
    }

    /// Ends the project's move in whatever phase it is, for a project that ends too.
    pub async fn end(&self, project: ProjectId, why: &str) -> Result<()> {
        let mut work = self.store.begin_change(project).await?;
        execute!(&mut work, END, project.0, why)?;
        work.commit().await
    }

    /// Says that nothing is left of a move that is over.
    pub async fn cleared(&self, project: ProjectId, id: Uuid) -> Result<()> {
        execute_now!(&self.store.backend, CLEARED, project.0, id).map(|_| ())
    }

    /// Up to `limit` moves that were given up, whose copies nobody has tried to clear away since an instant, oldest first.
    pub async fn copies(&self, before: Timestamp, limit: u32) -> Result<Vec<Move>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, COPIES, At(before), i64::from(limit))?;
        rows.into_iter().map(Move::try_from).collect()
    }

    /// Up to `limit` moves under way that nobody has worked on since an instant, oldest first.
    pub async fn stale(&self, before: Timestamp, limit: u32) -> Result<Vec<Move>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, STALE, At(before), i64::from(limit))?;
        rows.into_iter().map(Move::try_from).collect()
    }
}
