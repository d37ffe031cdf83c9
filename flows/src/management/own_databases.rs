//! Places that operators name: where one cannot be opened, they hear which and why.

use domain::ids::ProjectId;
use domain::project::Placement;
use domain::secret::Secret;
use storage::{Database, StoreError};

use super::{Error, Management, Result};

impl Management {
    /// Opens the place that a project is to be at.
    pub(super) async fn open_place(
        &self,
        placement: Placement,
        url: Option<&Secret<String>>,
        project: ProjectId,
    ) -> Result<Database> {
        self.databases.open(placement, url, project).await.map_err(|error| match (url, why(&error)) {
            (Some(url), Some(why)) => {
                tracing::info!(%project, database = storage::database_name(url), why, "a named database cannot be opened");
                Error::Invalid(format!("the database at {} cannot be opened: {why}", storage::database_name(url)))
            }
            _ => error.into(),
        })
    }
}

fn why(error: &crate::Error) -> Option<String> {
    let (crate::Error::Busy(source) | crate::Error::Unknown(source) | crate::Error::Fault(source)) = error else {
        return None;
    };
    source.downcast_ref::<StoreError>().and_then(storage::why_unopened)
}
