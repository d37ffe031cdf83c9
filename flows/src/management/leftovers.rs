//! Rows that moves have left where their project is not, because the place was away: they go once it can be reached.

use std::time::Duration;

use domain::ids::ProjectId;
use domain::project::Placement;
use domain::secret::Secret;
use serde_json::{Value, json};
use storage::TenantStore;
use storage::control::{Leftover, LogEntry};
use uuid::Uuid;

use super::purge::rows;
use super::{Error, Management, Result};

/// How long who removes the rows has them alone, in seconds.
const LEASE: i64 = 900;

/// How long he works at most.
const LONGEST: Duration = Duration::from_secs(600);

/// After how many seconds a place is tried again that could not be reached.
const AGAIN: i64 = 300;

/// How many rows of which table went.
type Census = Vec<(&'static str, u64)>;

impl Management {
    /// Removes what a move has left somewhere. Nothing happens where it is gone, somebody else is at it, or the project is on its way
    /// to another place: that may be this one.
    ///
    /// # Errors
    /// `Busy` where the place cannot be reached; it is tried again later.
    pub async fn clear_leftover(&self, id: Uuid) -> Result<()> {
        if let Some(left) = self.control.leftovers().read(id).await? {
            self.clear_left(&left).await?;
        }
        Ok(())
    }

    /// The same; answers what went, `None` where somebody else is at it.
    pub(super) async fn clear_left(&self, left: &Leftover) -> Result<Option<Census>> {
        let (notes, worker, now) = (self.control.leftovers(), self.entropy.uuid(), self.now());
        if !notes.claim(left, worker, now, now.plus_seconds(LEASE)).await? {
            return Ok(None);
        }
        let removed = tokio::time::timeout(LONGEST, self.remove_left(left)).await;
        let gone = match removed.unwrap_or_else(|_| Err(Error::Busy("removing rows took longer than it may".into()))) {
            Ok(gone) => gone,
            Err(error) => {
                // Where that fails, the claim ends by itself.
                let _put_off = notes.put_off(left.id, worker, self.now().plus_seconds(AGAIN)).await;
                return Err(error);
            }
        };
        let after = place(left.placement, self.opened_url(left.project, left.sealed_url.as_ref())?.as_ref());
        let entry = LogEntry {
            project: Some(left.project),
            project_ref: Some(left.project_ref.to_string()),
            ..self.entry("project.leftovers_removed", None, Some(rows(&gone)), Some(after))
        };
        self.control.noting(entry).leftovers().remove(left.id, worker).await?;
        Ok(Some(gone))
    }

    /// Removes what was left at the very place where a project is to go.
    pub(super) async fn clear_for(
        &self,
        project: ProjectId,
        placement: Placement,
        url: Option<&Secret<String>>,
    ) -> Result<()> {
        for left in self.control.leftovers().of_project(project).await? {
            let its = self.opened_url(project, left.sealed_url.as_ref())?;
            let is_there = left.placement == placement && its.as_ref().map(Secret::expose) == url.map(Secret::expose);
            if is_there && self.clear_left(&left).await?.is_none() {
                return Err(Error::Conflict("what an earlier move has left there is still being removed".to_owned()));
            }
        }
        Ok(())
    }

    async fn remove_left(&self, left: &Leftover) -> Result<Census> {
        let url = self.opened_url(left.project, left.sealed_url.as_ref())?;
        // After the claim: a project that comes from now on sees that somebody is at it.
        let found = self.control.projects().by_id(left.project).await?;
        let is_file = left.placement == Placement::Sqlite;
        if found.as_ref().is_some_and(|project| is_file && project.placement == left.placement) {
            return Ok(Census::new());
        }
        let database = self.databases.open(left.placement, url.as_ref(), left.project).await?;
        let store = TenantStore::new(database, left.instance);
        if let Some(project) = found.filter(|_| !is_file)
            && let Some(bundle) = self.control.projects().bundle(&project.project_ref).await?
            && store.is_same_place(&self.rows(&bundle)?, self.entropy.uuid()).await?
        {
            // The project is there by now, under whatever address.
            return Ok(Census::new());
        }
        let gone = store.census().await?;
        store.purge().await?;
        if is_file {
            self.databases.remove_file(left.project).await?;
        }
        Ok(gone)
    }
}

/// A place as the operator log names it: without what opens it.
pub(super) fn place(placement: Placement, url: Option<&Secret<String>>) -> Value {
    match url {
        Some(url) => json!({ "placement": placement, "database": storage::database_name(url) }),
        None => json!({ "placement": placement }),
    }
}
