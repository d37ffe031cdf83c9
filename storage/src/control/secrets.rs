//! Sealed secrets of projects, by name: the legacy JWT secret, the project key.

use domain::ids::ProjectId;
use domain::secret::Secret;
use domain::time::Timestamp;

use super::{Change, ControlStore, key_marks};
use crate::backend::Work;
use crate::error::Result;
use crate::sql::same;
use crate::values::At;

statements! {
    control PUT = same(
        "insert into control.secrets (project_id, name, sealed, updated_at) values ($1, $2, $3, $4)
         on conflict (project_id, name) do update set sealed = excluded.sealed, updated_at = excluded.updated_at"
    );
    control REMOVE = same("delete from control.secrets as s where s.project_id = $1 and s.name = $2");
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

pub(super) async fn remove(work: &mut Work, project: ProjectId, name: &str) -> Result<()> {
    execute!(work, REMOVE, project.0, name)?;
    Ok(())
}

/// Works on secrets.
pub struct Secrets<'s> {
    pub(super) store: &'s ControlStore,
}

impl Secrets<'_> {
    /// Stores a secret in place of the older one of that name. `marks` tell it from those of other projects: false when one is
    /// another's.
    pub async fn put(
        &self,
        project: ProjectId,
        name: &str,
        sealed: &Secret<String>,
        marks: &[String],
        now: Timestamp,
    ) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        if !key_marks::claim(&mut work, project, marks).await? {
            return Ok(false);
        }
        put(&mut work, project, name, sealed, now).await?;
        self.store.commit_change(work, project, Change::Config, now).await?;
        Ok(true)
    }

    /// The project's secrets by name.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<(String, Secret<String>)>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, (String, String), LIST, project.0)?;
        Ok(rows.into_iter().map(|(name, sealed)| (name, Secret::new(sealed))).collect())
    }
}
