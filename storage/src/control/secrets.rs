//! Sealed secrets of projects, by name: the legacy JWT secret, the project key.

use domain::ids::ProjectId;
use domain::secret::Secret;
use domain::time::Timestamp;

use super::{Change, ControlStore};
use crate::backend::Work;
use crate::error::Result;
use crate::sql::same;
use crate::values::At;

statements! {
    control PUT = same(
        "insert into control.secrets (project_id, name, sealed, updated_at) values ($1, $2, $3, $4)
         on conflict (project_id, name) do update set sealed = excluded.sealed, updated_at = excluded.updated_at"
    );
    control LIST = same("select s.name, s.sealed from control.secrets as s where s.project_id = $1 order by s.name");
}

pub(super) async fn put(
    work: &mut Work,
    project: ProjectId,
    name: &str,
    sealed: &Secret<String>,
    now: Timestamp,
) -> Result<()> {
    execute!(work, PUT, project.0, name, sealed.expose(), At(now))?;
    Ok(())
}

pub(super) async fn list(work: &mut Work, project: ProjectId) -> Result<Vec<(String, Secret<String>)>> {
    let rows = fetch!(work, fetch_all, (String, String), LIST, project.0)?;
    Ok(rows.into_iter().map(|(name, sealed)| (name, Secret::new(sealed))).collect())
}

/// Works on secrets.
pub struct Secrets<'s> {
    pub(super) store: &'s ControlStore,
}

impl Secrets<'_> {
    /// Stores a secret in place of the older one of that name.
    pub async fn put(&self, project: ProjectId, name: &str, sealed: &Secret<String>, now: Timestamp) -> Result<()> {
        let mut work = self.store.begin_change().await?;
        put(&mut work, project, name, sealed, now).await?;
        self.store.commit_change(work, project, Change::Config, now).await
    }

    /// The project's secrets by name.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<(String, Secret<String>)>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, (String, String), LIST, project.0)?;
        Ok(rows.into_iter().map(|(name, sealed)| (name, Secret::new(sealed))).collect())
    }
}
