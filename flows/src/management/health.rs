//! Whether a project can be served.

use std::time::Duration;

use domain::ids::ProjectRef;
use domain::project::Status;

use super::{Management, Result};

/// What was found when a project was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthView {
    /// It is served, and its database answers.
    pub healthy: bool,
    /// `ACTIVE_HEALTHY`, `UNHEALTHY` (`contract/management.md` §2.8).
    pub status: &'static str,
    /// What is wrong.
    pub error: Option<String>,
}

impl Management {
    /// Whether the project is served and its database answers within `timeout`.
    pub async fn health(&self, project: &ProjectRef, timeout: Duration) -> Result<HealthView> {
        let bundle = self.bundle(project).await?;
        let error = if bundle.project.status == Status::Paused {
            Some("the project is paused".to_owned())
        } else if bundle.project.is_held(self.now()) {
            Some("the project's rows are on their way to another database".to_owned())
        } else {
            // A statement of the project's own, so that a share that is used up is seen, too.
            match tokio::time::timeout(timeout, self.rows(&bundle)?.count_sessions(1)).await {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => {
                    tracing::debug!(%error, project = %bundle.project.id, "the database of a project does not answer");
                    Some("the project's database does not answer".to_owned())
                }
                Err(_) => Some("the project's database did not answer in time".to_owned()),
            }
        };
        let status = if error.is_none() { "ACTIVE_HEALTHY" } else { "UNHEALTHY" };
        Ok(HealthView { healthy: error.is_none(), status, error })
    }
}
