//! Archives that are being brought in: how far each is, so that it goes on after whatever happened.

use domain::ids::ProjectId;
use domain::time::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::ControlStore;
use crate::error::Result;
use crate::sql::same;
use crate::values::At;

macro_rules! columns {
    () => {
        "i.id, i.project_id, i.header, i.next_line, i.created_at, i.updated_at"
    };
}

statements! {
    control START = same(
        "insert into control.imports (id, project_id, header, next_line, created_at, updated_at) values ($1, $2, $3, $4, $5, $6)"
    );
    control READ = same(concat!("select ", columns!(), " from control.imports as i where i.id = $1"));
    control OF_PROJECT = same(concat!(
        "select ", columns!(), " from control.imports as i where i.project_id = $1 order by i.created_at desc, i.id limit 1"
    ));
    control BEGIN_WRITING = same(
        "update control.imports as i set writer = $3, writer_until = $4
         where i.id = $1 and i.next_line = $2 and (i.writer is null or i.writer_until <= $5)
             and exists (select 1 from control.projects as p where p.id = i.project_id and p.status <> 'deleting')"
    );
    control ADVANCE = same(
        "update control.imports as i set next_line = $3, header = $4, updated_at = $5, writer = null, writer_until = null
         where i.id = $1 and i.writer = $2"
    );
    control END_WRITING = same(
        "update control.imports as i set writer = null, writer_until = null where i.id = $1 and i.writer = $2"
    );
    control IS_WRITTEN = same(
        "select count(*) from control.imports as i
         where i.project_id = $1 and i.writer is not null and i.writer_until > $2"
    );
    control REMOVE = same("delete from control.imports as i where i.id = $1");
    control STALE = same(concat!(
        "select ", columns!(), " from control.imports as i where i.updated_at < $1 order by i.updated_at limit $2"
    ));
}

/// One import.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// Of the import.
    pub id: Uuid,
    /// The project that is made of it.
    pub project: ProjectId,
    /// What is known of the archive; secrets sealed by the caller.
    pub header: Value,
    /// The number of the line that comes next.
    pub next_line: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When lines last came.
    pub updated_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    header: Json<Value>,
    next_line: i64,
    created_at: At,
    updated_at: At,
}

impl From<Row> for Import {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            project: ProjectId(row.project_id),
            header: row.header.0,
            next_line: row.next_line,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

/// Works on imports. They go with their projects.
pub struct Imports<'s> {
    pub(super) store: &'s ControlStore,
}

impl Imports<'_> {
    /// Begins an import.
    pub async fn start(&self, import: &Import) -> Result<()> {
        let mut work = self.store.begin().await?;
        execute!(
            &mut work,
            START,
            import.id,
            import.project.0,
            Json(&import.header),
            import.next_line,
            At(import.created_at),
            At(import.updated_at),
        )?;
        self.store.commit_plain(work).await
    }

    /// One import.
    pub async fn read(&self, id: Uuid) -> Result<Option<Import>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, READ, id)?;
        Ok(row.map(Import::from))
    }

    /// The newest import of a project that is under way.
    pub async fn of_project(&self, project: ProjectId) -> Result<Option<Import>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, OF_PROJECT, project.0)?;
        Ok(row.map(Import::from))
    }

    /// Lets one writer bring the rows of line `import.next_line` and those after it, until an instant at most. False when other lines
    /// are next, somebody else is writing, or the import is gone or its project deleted: whoever deletes it afterwards sees the writer.
    pub async fn begin_writing(&self, import: &Import, writer: Uuid, until: Timestamp, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(import.project).await?;
        let begun = execute!(&mut work, BEGIN_WRITING, import.id, import.next_line, writer, At(until), At(now))?;
        work.commit().await?;
        Ok(begun == 1)
    }

    /// Notes what the writer has taken, and that he is done. False, and nothing noted, when he is not the writer any more.
    pub async fn advance(
        &self,
        id: Uuid,
        writer: Uuid,
        next_line: i64,
        header: &Value,
        now: Timestamp,
    ) -> Result<bool> {
        let advanced = execute_now!(&self.store.backend, ADVANCE, id, writer, next_line, Json(header), At(now))?;
        Ok(advanced == 1)
    }

    /// The writer is done and has taken nothing.
    pub async fn end_writing(&self, id: Uuid, writer: Uuid) -> Result<()> {
        execute_now!(&self.store.backend, END_WRITING, id, writer).map(|_| ())
    }

    /// Whether somebody may be writing rows of the project.
    pub async fn is_written(&self, project: ProjectId, now: Timestamp) -> Result<bool> {
        let (writers,) = fetch_now!(&self.store.backend, fetch_one, (i64,), IS_WRITTEN, project.0, At(now))?;
        Ok(writers > 0)
    }

    /// Ends an import. False when it was gone.
    pub async fn remove(&self, id: Uuid) -> Result<bool> {
        let mut work = self.store.begin().await?;
        if execute!(&mut work, REMOVE, id)? == 0 {
            return Ok(false);
        }
        self.store.commit_plain(work).await?;
        Ok(true)
    }

    /// Up to `limit` imports for which no line has come since an instant, oldest first.
    pub async fn stale(&self, before: Timestamp, limit: u32) -> Result<Vec<Import>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, STALE, At(before), i64::from(limit))?;
        Ok(rows.into_iter().map(Import::from).collect())
    }
}
