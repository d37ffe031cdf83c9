//! Places at which moves that are forgotten have left rows, until they are removed there.
//!
//! A move remembers itself what it left; where the next move takes its place, that is noted here. A note outlives its project, where
//! the end of the project could not reach the place.

use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::project::Placement;
use domain::secret::Secret;
use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use super::ControlStore;
use crate::backend::Work;
use crate::error::{Result, StoreError};
use crate::sql::same;
use crate::values::At;

macro_rules! columns {
    () => {
        "l.id, l.project_id, l.project_ref, l.instance_id, l.placement, l.sealed_url, l.due_at"
    };
}

statements! {
    // A move that is over keeps its rows' place until the next one begins: its target where it failed, its source where it did not.
    control FROM_MOVE = same(
        "insert into control.leftovers (id, project_id, project_ref, instance_id, placement, sealed_url, due_at, created_at)
         select m.id, m.project_id, p.ref, p.instance_id,
             case m.phase when 'failed' then m.placement else m.source end,
             case m.phase when 'failed' then m.sealed_url else m.source_sealed_url end, $2, $2
         from control.moves as m join control.projects as p on p.id = m.project_id
         where m.project_id = $1 and m.left_behind and m.phase in ('done', 'failed')
         on conflict (id) do nothing"
    );
    control INSERT = same(
        "insert into control.leftovers (id, project_id, project_ref, instance_id, placement, sealed_url, due_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    control OF_PROJECT = same(concat!(
        "select ", columns!(), " from control.leftovers as l where l.project_id = $1 order by l.created_at, l.id"
    ));
    control READ = same(concat!("select ", columns!(), " from control.leftovers as l where l.id = $1"));
    control DUE = same(concat!(
        "select ", columns!(), " from control.leftovers as l where l.due_at <= $1 order by l.due_at limit $2"
    ));
    // Nothing is removed anywhere while the project is on its way: it may be on its way to there.
    control CLAIM = same(
        "update control.leftovers as l set cleared_by = $2, due_at = $4
         where l.id = $1 and (l.cleared_by is null or l.due_at <= $3)
             and not exists (
                 select 1 from control.moves as m where m.project_id = l.project_id and m.phase not in ('done', 'failed')
             )"
    );
    control PUT_OFF = same(
        "update control.leftovers as l set cleared_by = null, due_at = $3 where l.id = $1 and l.cleared_by = $2"
    );
    control REMOVE = same("delete from control.leftovers as l where l.id = $1 and l.cleared_by = $2");
    control IS_BEING_CLEARED = same(
        "select count(*) from control.leftovers as l
         where l.project_id = $1 and l.cleared_by is not null and l.due_at > $2"
    );
}

/// A place at which rows of a project were left.
#[derive(Clone, Debug)]
pub struct Leftover {
    /// Of the note; the same as that of the move that left them.
    pub id: Uuid,
    /// Whose rows.
    pub project: ProjectId,
    /// How it was called.
    pub project_ref: ProjectRef,
    /// Its rows inside the database.
    pub instance: InstanceId,
    /// Where they are.
    pub placement: Placement,
    /// The address of the database, sealed by the caller.
    pub sealed_url: Option<Secret<String>>,
    /// When it is tried to remove them.
    pub due_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    project_ref: String,
    instance_id: Uuid,
    placement: String,
    sealed_url: Option<String>,
    due_at: At,
}

impl TryFrom<Row> for Leftover {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let unreadable = || StoreError::fault("a note of rows that were left holds a word this program does not know");
        Ok(Self {
            id: row.id,
            project: ProjectId(row.project_id),
            project_ref: row.project_ref.parse().map_err(|_| unreadable())?,
            instance: InstanceId(row.instance_id),
            placement: Placement::from_stored(&row.placement).ok_or_else(unreadable)?,
            sealed_url: row.sealed_url.map(Secret::new),
            due_at: row.due_at.0,
        })
    }
}

fn read_all(rows: Vec<Row>) -> Result<Vec<Leftover>> {
    rows.into_iter().map(Leftover::try_from).collect()
}

/// Notes where the project's move, which is over, has left rows; nothing where it has not.
pub(super) async fn of_move(work: &mut Work, project: ProjectId, now: Timestamp) -> Result<()> {
    execute!(work, FROM_MOVE, project.0, At(now))?;
    Ok(())
}

/// Whether somebody removes rows of the project somewhere.
pub(super) async fn being_cleared(work: &mut Work, project: ProjectId, now: Timestamp) -> Result<bool> {
    let (clearing,) = fetch!(work, fetch_one, (i64,), IS_BEING_CLEARED, project.0, At(now))?;
    Ok(clearing > 0)
}

/// Works on notes of what moves have left.
pub struct Leftovers<'s> {
    pub(super) store: &'s ControlStore,
}

impl Leftovers<'_> {
    /// Where rows of the project were left, the oldest first.
    pub async fn of_project(&self, project: ProjectId) -> Result<Vec<Leftover>> {
        read_all(fetch_now!(&self.store.backend, fetch_all, Row, OF_PROJECT, project.0)?)
    }

    /// One note.
    pub async fn read(&self, id: Uuid) -> Result<Option<Leftover>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, READ, id)?;
        row.map(Leftover::try_from).transpose()
    }

    /// Up to `limit` whose time has come, those first that wait longest.
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Leftover>> {
        read_all(fetch_now!(&self.store.backend, fetch_all, Row, DUE, At(now), i64::from(limit))?)
    }

    /// Notes a place, for a project that ends: its move is forgotten with it.
    pub async fn keep(&self, left: &Leftover, now: Timestamp) -> Result<()> {
        let mut work = self.store.begin_change(left.project).await?;
        execute!(
            &mut work,
            INSERT,
            left.id,
            left.project.0,
            left.project_ref.as_str(),
            left.instance.0,
            left.placement.as_str(),
            left.sealed_url.as_ref().map(|sealed| sealed.expose().as_str()),
            At(left.due_at),
            At(now),
        )?;
        work.commit().await
    }

    /// Removing the rows is `worker`'s alone until then. False where it is somebody else's, or the project is on its way: that waits
    /// for nobody who begins a move later, who sees that somebody is at it.
    pub async fn claim(&self, leftover: &Leftover, worker: Uuid, now: Timestamp, until: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(leftover.project).await?;
        let claimed = execute!(&mut work, CLAIM, leftover.id, worker, At(now), At(until))?;
        work.commit().await?;
        Ok(claimed == 1)
    }

    /// Gives the claim back: it is tried again at `at`.
    pub async fn put_off(&self, id: Uuid, worker: Uuid, at: Timestamp) -> Result<()> {
        execute_now!(&self.store.backend, PUT_OFF, id, worker, At(at)).map(|_| ())
    }

    /// Says that nothing is left there. False where the claim was lost.
    pub async fn remove(&self, id: Uuid, worker: Uuid) -> Result<bool> {
        let mut work = self.store.begin().await?;
        let removed = execute!(&mut work, REMOVE, id, worker)?;
        if removed == 0 {
            return Ok(false);
        }
        self.store.commit_plain(work).await?;
        Ok(true)
    }

    /// Whether somebody removes rows of the project somewhere.
    pub async fn is_being_cleared(&self, project: ProjectId, now: Timestamp) -> Result<bool> {
        let (clearing,) = fetch_now!(&self.store.backend, fetch_one, (i64,), IS_BEING_CLEARED, project.0, At(now))?;
        Ok(clearing > 0)
    }
}
