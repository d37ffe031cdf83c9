//! How a project is held while its rows change their place, and how it gets there.

use chrono::TimeDelta;
use domain::ids::ProjectId;
use domain::project::{Hold, Placement};
use domain::secret::Secret;
use domain::time::Timestamp;
use uuid::Uuid;

use super::projects::Projects;
use super::{Change, moves, secrets};
use crate::error::Result;
use crate::sql::same;
use crate::values::At;

statements! {
    control HOLD = same(
        "update control.projects as p set hold_reason = $2, hold_id = $3, hold_until = $4, updated_at = $5
         where p.id = $1 and p.status <> 'deleting' and (p.hold_id is null or p.hold_id = $3 or p.hold_until <= $5)"
    );
    control RELEASE = same(
        "update control.projects as p set hold_reason = null, hold_id = null, hold_until = null, updated_at = $3
         where p.id = $1 and p.hold_id = $2"
    );
    control PLACE = same(
        "update control.projects as p set placement = $3, updated_at = $4
         where p.id = $1 and p.hold_id = $2 and p.hold_until > $5 and p.status <> 'deleting'
             and exists (select 1 from control.moves as m where m.project_id = p.id and m.phase in ('copying', 'holding'))"
    );
}

/// The name of the secret that holds the address of a project's own database.
const DATABASE_URL: &str = "database_url";

/// How long a hold must still last for what hangs on it to be durable before it ends.
const MARGIN: TimeDelta = TimeDelta::seconds(1);

impl Projects<'_> {
    /// Holds a project, or holds it longer. False when it is gone, deleted, or held by somebody else.
    pub async fn hold(&self, project: ProjectId, hold: Hold, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let (reason, until) = (hold.reason.as_str(), At(hold.until));
        let touched = execute!(&mut work, HOLD, project.0, reason, hold.id, until, At(now))?;
        self.store.finish_change(work, touched, project, Change::Project, now).await
    }

    /// Lifts a hold. False when the project is gone or not held by this one.
    pub async fn release(&self, project: ProjectId, hold: Uuid, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, RELEASE, project.0, hold, At(now))?;
        self.store.finish_change(work, touched, project, Change::Project, now).await
    }

    /// Says where the project's rows are from now on; its move has nothing left to do but to clean up. The hold stays. False when the
    /// hold is not this one, or ends within a second, or the move was given up.
    pub async fn place(
        &self,
        project: ProjectId,
        hold: Uuid,
        placement: Placement,
        sealed_url: Option<&Secret<String>>,
        now: Timestamp,
    ) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let least = At(now.plus(MARGIN));
        if execute!(&mut work, PLACE, project.0, hold, placement.as_str(), At(now), least)? == 0 {
            return Ok(false);
        }
        match sealed_url {
            Some(sealed) => secrets::put(&mut work, project, DATABASE_URL, sealed, now).await?,
            None => secrets::remove(&mut work, project, DATABASE_URL).await?,
        }
        moves::switched(&mut work, project, now).await?;
        self.store.commit_change(work, project, Change::Project, now).await?;
        Ok(true)
    }
}
