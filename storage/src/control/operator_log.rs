//! Who changed what, and when. Outlives projects and tokens.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use domain::ids::{ProjectId, ProjectRef};
use domain::time::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::ControlStore;
use crate::backend::Work;
use crate::error::Result;
use crate::sql::{each, same};
use crate::values::At;

macro_rules! columns {
    () => {
        "l.seq, l.at, l.token_id, l.token_name, l.address, l.action, l.project_id, l.project_ref, l.before, l.after"
    };
}

statements! {
    control INSERT = same(
        "insert into control.operator_log
             (at, token_id, token_name, address, action, project_id, project_ref, before, after)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    control PAGE = same(concat!(
        "select ", columns!(), " from control.operator_log as l where l.seq < $1 order by l.seq desc limit $2"
    ));
    control PAGE_OF_PROJECT = same(concat!(
        "select ", columns!(), " from control.operator_log as l
         where l.project_id = $1 and l.seq < $2 order by l.seq desc limit $3"
    ));
    control PAGE_OF_REF = same(concat!(
        "select ", columns!(), " from control.operator_log as l
         where l.project_ref = $1 and l.seq < $2 order by l.seq desc limit $3"
    ));
    control PAGE_OF_BOTH = same(concat!(
        "select ", columns!(), " from control.operator_log as l
         where l.project_id = $1 and l.project_ref = $4 and l.seq < $2 order by l.seq desc limit $3"
    ));
    control TRIM = each(
        "delete from control.operator_log as l where l.seq = any(array(
             select o.seq from control.operator_log as o where o.at < $1 order by o.at limit 10000
         ))",
        "delete from control.operator_log as l where l.seq in (
             select o.seq from control.operator_log as o where o.at < $1 order by o.at limit 10000
         )",
    );
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// When.
    pub at: Timestamp,
    /// The token; `None` = the gateway itself.
    pub token: Option<Uuid>,
    /// The token's name when it was used.
    pub token_name: String,
    /// The client's address.
    pub address: Option<String>,
    /// What was done: `project.created`, `config.changed`.
    pub action: String,
    /// To which project.
    pub project: Option<ProjectId>,
    /// Its ref at that time.
    pub project_ref: Option<String>,
    /// What changed as it was before; never a secret.
    pub before: Option<Value>,
    /// What changed as it is now; never a secret.
    pub after: Option<Value>,
}

/// One change as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// Grows with every entry.
    pub seq: i64,
    /// The change.
    pub entry: LogEntry,
}

/// Which entries.
#[derive(Clone, Debug)]
pub struct ListLog {
    /// Those of these projects alone.
    pub projects: Option<BTreeSet<ProjectId>>,
    /// Those of projects that had this ref alone, also where they are gone.
    pub project_ref: Option<ProjectRef>,
    /// Those before this one.
    pub before: Option<i64>,
    /// How many at most.
    pub limit: u32,
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    at: At,
    token_id: Option<Uuid>,
    token_name: String,
    address: Option<String>,
    action: String,
    project_id: Option<Uuid>,
    project_ref: Option<String>,
    before: Option<Json<Value>>,
    after: Option<Json<Value>>,
}

impl From<Row> for LogRecord {
    fn from(row: Row) -> Self {
        let entry = LogEntry {
            at: row.at.0,
            token: row.token_id,
            token_name: row.token_name,
            address: row.address,
            action: row.action,
            project: row.project_id.map(ProjectId),
            project_ref: row.project_ref,
            before: row.before.map(|before| before.0),
            after: row.after.map(|after| after.0),
        };
        Self { seq: row.seq, entry }
    }
}

pub(super) async fn insert(work: &mut Work, entry: &LogEntry) -> Result<()> {
    execute!(
        work,
        INSERT,
        At(entry.at),
        entry.token,
        &entry.token_name,
        &entry.address,
        &entry.action,
        entry.project.map(|project| project.0),
        &entry.project_ref,
        entry.before.as_ref().map(Json),
        entry.after.as_ref().map(Json),
    )?;
    Ok(())
}

/// Works on the operator log.
pub struct OperatorLog<'s> {
    pub(super) store: &'s ControlStore,
}

impl OperatorLog<'_> {
    /// Adds an entry by itself; a change and its entry go together with [`ControlStore::noting`].
    pub async fn append(&self, entry: &LogEntry) -> Result<()> {
        let mut work = self.store.begin().await?;
        insert(&mut work, entry).await?;
        work.commit().await
    }

    /// Entries, newest first.
    pub async fn list(&self, list: &ListLog) -> Result<Vec<LogRecord>> {
        let (before, limit) = (list.before.unwrap_or(i64::MAX), i64::from(list.limit));
        let mut work = self.store.backend.begin_read().await?;
        let mut rows = Vec::new();
        match (&list.projects, list.project_ref.as_ref().map(ProjectRef::as_str)) {
            (None, None) => rows = fetch!(&mut work, fetch_all, Row, PAGE, before, limit)?,
            (None, Some(named)) => rows = fetch!(&mut work, fetch_all, Row, PAGE_OF_REF, named, before, limit)?,
            (Some(projects), named) => {
                for project in projects {
                    rows.extend(match named {
                        None => fetch!(&mut work, fetch_all, Row, PAGE_OF_PROJECT, project.0, before, limit)?,
                        Some(named) => {
                            fetch!(&mut work, fetch_all, Row, PAGE_OF_BOTH, project.0, before, limit, named)?
                        }
                    });
                }
            }
        }
        work.commit().await?;
        rows.sort_by_key(|row| Reverse(row.seq));
        rows.truncate(usize::try_from(list.limit).unwrap_or(usize::MAX));
        Ok(rows.into_iter().map(LogRecord::from).collect())
    }

    /// Forgets entries before an instant, some thousands at a time. Gives how many.
    pub async fn trim(&self, before: Timestamp) -> Result<u64> {
        execute_now!(&self.store.backend, TRIM, At(before))
    }
}
