//! How projects pause, end and come back. Deleting is soft: until its data is removed a project can be restored as it was.

use domain::ids::ProjectRef;
use domain::project::{Project, Status};
use serde_json::{Value, json};

use super::{Error, Management, ProjectView, Result, not_importing};

/// How long a deleted project can be restored when nothing is said, in seconds: a week.
pub const DEFAULT_GRACE: i64 = 7 * 24 * 3600;

/// The longest grace, in seconds: a year.
const LONGEST_GRACE: i64 = 365 * 24 * 3600;

impl Management {
    /// Stops or resumes serving a project; its data stays.
    pub async fn set_paused(&self, project: &ProjectRef, paused: bool) -> Result<ProjectView> {
        let found = self.project(project).await?.project;
        not_importing(&found)?;
        let (status, action) =
            if paused { (Status::Paused, "project.paused") } else { (Status::Active, "project.resumed") };
        if found.status != status {
            let control = self.noting(action, Some(&found), word(found.status), word(status));
            if !control.projects().set_status(found.id, status, self.now()).await? {
                return Err(Error::NotFound);
            }
            self.announce_route(&found).await;
        }
        self.project(project).await
    }

    /// Serves a paused project again, and brings a deleted one back in the state it had.
    pub async fn restore_project(&self, project: &ProjectRef) -> Result<ProjectView> {
        let found = self.project_or_deleted(project).await?.project;
        if found.status != Status::Deleting {
            return self.set_paused(project, false).await;
        }
        let before = json!({ "status": found.status, "purge_at": found.purge_at });
        let control = self.noting("project.restored", Some(&found), Some(before), None);
        if control.projects().undelete(found.id, self.now()).await?.is_none() {
            return Err(Error::Conflict(format!("project {project} is being removed and cannot be restored")));
        }
        self.announce_route(&found).await;
        self.project(project).await
    }

    /// Deletes a project. From now on it is served nowhere and listed no more; for `grace` seconds (`None` = what this gateway
    /// grants) it can be restored, then everything it has is removed. A project that was deleted already gets the new grace; with a
    /// grace of 0 everything is removed at once, as far as the other gateways let go of it.
    pub async fn delete_project(&self, project: &ProjectRef, grace: Option<i64>) -> Result<ProjectView> {
        let found = self.project_or_deleted(project).await?.project;
        if found.status == Status::Deleting && grace.is_none() {
            return Err(Error::NotFound);
        }
        let seconds = grace.unwrap_or(self.delete_grace);
        if !(0..=LONGEST_GRACE).contains(&seconds) {
            return Err(Error::Invalid(format!("grace must be from 0 to {LONGEST_GRACE} seconds")));
        }
        let now = self.now();
        let purge_at = now.plus_seconds(seconds);
        let after = json!({ "status": Status::Deleting, "purge_at": purge_at });
        let control = self.noting("project.deleted", Some(&found), word(found.status), Some(after));
        if !control.projects().delete_softly(found.id, purge_at, now).await? {
            return Err(Error::Conflict(format!("project {project} is being removed")));
        }
        self.announce_route(&found).await;
        let deleted = Project { status: Status::Deleting, purge_at: Some(purge_at), ..found };
        if seconds == 0 {
            self.purge_now(&deleted).await;
        }
        Ok(self.view(deleted))
    }

    /// Removes everything now, if it can be done now; what is left is left to the janitor.
    pub(super) async fn purge_now(&self, project: &Project) {
        match self.purge(project).await {
            Ok(Some(_)) => self.routes.clear(),
            Ok(None) => {
                tracing::info!(project = %project.id, "a deleted project is removed once all gateways have let go of it")
            }
            Err(error) => tracing::warn!(%error, project = %project.id, "a deleted project is not removed yet"),
        }
    }
}

fn word(status: Status) -> Option<Value> {
    Some(json!({ "status": status }))
}
