//! Who changed what: noted in the transaction of the change itself, with what was before and what is after, secrets left out.

use domain::ids::ProjectRef;
use domain::operator::Reach;
use domain::project::Project;
use domain::time::Timestamp;
use serde_json::Value;
use storage::ControlStore;
use storage::control::{ListLog, LogEntry, LogRecord};
use uuid::Uuid;

use super::{Error, Management, Result};

/// What stands for a secret.
pub(super) const MASKED: &str = "***";

/// Entries of a page when nothing is said.
const PAGE: u32 = 100;

/// Most entries of a page.
const MOST: u32 = 1000;

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct ReadLog {
    /// Of one project alone, also where it is gone; where several had the ref one after the other, of all of them.
    pub project: Option<ProjectRef>,
    /// Older than the entry with this number.
    pub before: Option<i64>,
    /// How many at most; `None` = 100, at most 1000.
    pub limit: Option<u32>,
}

/// Some entries, newest first.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// The entries.
    pub entries: Vec<LogView>,
    /// What to ask for the next page with, as `before`.
    pub next: Option<i64>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct LogView {
    /// Newer entries have greater numbers.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Whose token; `None` = the gateway itself.
    pub token: Option<Uuid>,
    /// The token's name when it was used.
    pub token_name: String,
    /// The client's address.
    pub address: Option<String>,
    /// What was done: `project.created`, `config.changed`.
    pub action: String,
    /// The ref of the project, as it was then.
    pub project: Option<String>,
    /// What changed, as it was.
    pub before: Option<Value>,
    /// What changed, as it is.
    pub after: Option<Value>,
}

impl Management {
    /// What was changed, newest first: by anybody, in the projects that the acting operator may see.
    pub async fn operator_log(&self, read: ReadLog) -> Result<LogPage> {
        let limit = read.limit.unwrap_or(PAGE);
        if !(1..=MOST).contains(&limit) {
            return Err(Error::Invalid(format!("limit must be from 1 to {MOST}")));
        }
        let own = match &self.operator.reach {
            Reach::Everything => None,
            Reach::Projects(ids) => Some(ids.clone()),
        };
        let list = ListLog { projects: own, project_ref: read.project, before: read.before, limit };
        let entries: Vec<LogView> = self.control.operator_log().list(&list).await?.into_iter().map(view).collect();
        if entries.is_empty() {
            self.check_known(&list).await?;
        }
        let whole = u32::try_from(entries.len()).is_ok_and(|count| count == limit);
        let next = entries.last().filter(|_| whole).map(|entry| entry.seq);
        Ok(LogPage { entries, next })
    }

    /// Refuses a ref of which the acting operator may know nothing: there is no such project, and there was none. One that is gone is
    /// known by its entries.
    async fn check_known(&self, list: &ListLog) -> Result<()> {
        let Some(named) = &list.project_ref else { return Ok(()) };
        let any = ListLog { before: None, limit: 1, ..list.clone() };
        if !self.control.operator_log().list(&any).await?.is_empty() {
            return Ok(());
        }
        let id = self.project_id(named).await?;
        if list.projects.as_ref().is_some_and(|own| !own.contains(&id)) { Err(Error::NotFound) } else { Ok(()) }
    }

    /// Notes what was done to rows of a project: outside the control store, so after it was done.
    pub(super) async fn note(&self, action: &str, project: &Project, after: Value) -> Result<()> {
        let entry = self.entry(action, Some(project), None, Some(after));
        Ok(self.control.operator_log().append(&entry).await?)
    }

    /// The control store, whose next change is noted as the acting operator's. `before` and `after` hold what changes, and no secret.
    pub(super) fn noting(
        &self,
        action: &str,
        project: Option<&Project>,
        before: Option<Value>,
        after: Option<Value>,
    ) -> ControlStore {
        self.control.noting(self.entry(action, project, before, after))
    }

    pub(super) fn entry(
        &self,
        action: &str,
        project: Option<&Project>,
        before: Option<Value>,
        after: Option<Value>,
    ) -> LogEntry {
        LogEntry {
            at: self.now(),
            token: self.operator.token,
            token_name: self.operator.name.clone(),
            address: self.address.map(|address| address.to_string()),
            action: action.to_owned(),
            project: project.map(|project| project.id),
            project_ref: project.map(|project| project.project_ref.to_string()),
            before,
            after,
        }
    }
}

fn view(record: LogRecord) -> LogView {
    let LogRecord { seq, entry } = record;
    LogView {
        seq,
        at: entry.at,
        token: entry.token,
        token_name: entry.token_name,
        address: entry.address,
        action: entry.action,
        project: entry.project_ref,
        before: entry.before,
        after: entry.after,
    }
}
