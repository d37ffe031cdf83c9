//! How a change of a project is made durable: with its event, with what the operator log says of it, one project at a time.

use std::sync::{Mutex, PoisonError};

use domain::ids::ProjectId;
use domain::time::Timestamp;
use uuid::Uuid;

use super::operator_log::{self, LogEntry};
use super::{Change, ControlStore, events, totals};
use crate::backend::{Inner, Work};
use crate::error::Result;
use crate::sql::each;

statements! {
    // What belongs to the project may be added meanwhile, by who does not ask what there is.
    control LOCK = each("select p.id from control.projects as p where p.id = $1 for no key update", "");
}

/// What the operator log will say of the next change.
pub(crate) struct Note(Mutex<Option<LogEntry>>);

impl Note {
    pub(super) fn new(entry: LogEntry) -> Self {
        Self(Mutex::new(Some(entry)))
    }

    fn take(&self) -> Option<LogEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put_back(&self, entry: LogEntry) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
    }
}

/// What is noted of a change.
#[derive(Clone, Copy)]
struct Noted {
    project: ProjectId,
    change: Change,
    /// How many more projects there are.
    more: i64,
    now: Timestamp,
}

impl ControlStore {
    /// A transaction that changes a project: two of the same project follow each other.
    pub(super) async fn begin_change(&self, project: ProjectId) -> Result<Work> {
        let mut work = self.backend.begin().await?;
        if let Inner::Postgres(_) = &work.inner {
            fetch!(&mut work, fetch_optional, (Uuid,), LOCK, project.0)?;
        }
        Ok(work)
    }

    /// A transaction that makes a project.
    pub(super) async fn begin(&self) -> Result<Work> {
        self.backend.begin().await
    }

    /// Notes a change and makes it durable.
    pub(super) async fn commit_change(
        &self,
        work: Work,
        project: ProjectId,
        change: Change,
        now: Timestamp,
    ) -> Result<()> {
        self.conclude(work, Some(Noted { project, change, more: 0, now })).await
    }

    /// Notes a change after which there are `more` projects, and makes it durable.
    pub(super) async fn commit_counted(&self, work: Work, project: ProjectId, more: i64, now: Timestamp) -> Result<()> {
        self.conclude(work, Some(Noted { project, change: Change::Project, more, now })).await
    }

    /// Makes a change durable that concerns no project.
    pub(super) async fn commit_plain(&self, work: Work) -> Result<()> {
        self.conclude(work, None).await
    }

    /// Commits what touched a row and notes it; a change that found nothing to change is rolled back and noted nowhere.
    pub(super) async fn finish_change(
        &self,
        work: Work,
        touched: u64,
        project: ProjectId,
        change: Change,
        now: Timestamp,
    ) -> Result<bool> {
        if touched == 0 {
            return Ok(false);
        }
        self.commit_change(work, project, change, now).await?;
        Ok(true)
    }

    async fn conclude(&self, work: Work, noted: Option<Noted>) -> Result<()> {
        let entry = self.note.as_ref().and_then(|note| note.take());
        let outcome = write(work, entry.as_ref(), noted).await;
        if let (Err(_), Some(note), Some(entry)) = (&outcome, &self.note, entry) {
            note.put_back(entry);
        }
        outcome
    }
}

async fn write(mut work: Work, entry: Option<&LogEntry>, noted: Option<Noted>) -> Result<()> {
    if let Some(entry) = entry {
        operator_log::insert(&mut work, entry).await?;
    }
    if let Some(Noted { project, change, more, now }) = noted {
        one_after_the_other(&mut work).await?;
        events::record(&mut work, project, change, now).await?;
        if more != 0 {
            totals::add(&mut work, totals::PROJECTS, more).await?;
        }
    }
    work.commit().await
}

/// From here on changes follow each other, so that their events are numbered in the order of their commits: who has read up to
/// a number has missed nothing before it. Taken last, because everybody waits for it.
async fn one_after_the_other(work: &mut Work) -> Result<()> {
    /// Any number, the same in every version of this program.
    const LOCK: i64 = 0x7465_6e61_6e74_6576;
    work.count();
    if let Inner::Postgres(transaction) = &mut work.inner {
        sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut **transaction).await?;
    }
    Ok(())
}
