//! How projects pause, end and come back. Deleting is a mark with a date; what is due is found by that date.

use domain::ids::ProjectId;
use domain::project::{Project, Status};
use domain::time::Timestamp;
use uuid::Uuid;

use super::projects::{Projects, Row, columns, read_all};
use super::{Change, moves};
use crate::error::{Result, StoreError};
use crate::sql::{each, same};
use crate::values::At;

statements! {
    control SET_STATUS = same(
        "update control.projects as p set status = $2, updated_at = $3 where p.id = $1 and p.status <> 'deleting'"
    );
    control STATUS = same("select p.status from control.projects as p where p.id = $1");
    control DELETE_SOFTLY = same(
        "update control.projects as p set status = 'deleting', purge_at = $2, sweep_at = null, updated_at = $3,
             deleted_from = case when p.status = 'deleting' then p.deleted_from else p.status end
         where p.id = $1 and (p.status <> 'deleting' or p.deleted_from is not null)"
    );
    control UNDELETE = same(
        "update control.projects as p set status = p.deleted_from, deleted_from = null, purge_at = null, sweep_at = $2,
             updated_at = $2
         where p.id = $1 and p.status = 'deleting' and p.deleted_from is not null
         returning status"
    );
    // From here on nobody restores it: some of its rows may be gone.
    control CLAIM_PURGES = each(
        concat!(
            "update control.projects as p set purge_at = $2, deleted_from = null
             where p.id = any(array(
                 select q.id from control.projects as q where q.purge_at <= $1 order by q.purge_at limit $3
                 for update skip locked
             ))
             returning ", columns!("")
        ),
        concat!(
            "update control.projects as p set purge_at = $2, deleted_from = null
             where p.id in (select q.id from control.projects as q where q.purge_at <= $1 order by q.purge_at limit $3)
             returning ", columns!("")
        ),
    );
    control CLAIM_PURGE = same(
        "update control.projects as p set purge_at = $3, deleted_from = null
         where p.id = $1 and p.status = 'deleting' and p.purge_at <= $2"
    );
    control PUT_OFF = same(
        "update control.projects as p set purge_at = $2 where p.id = $1 and p.status = 'deleting' and p.deleted_from is null"
    );
    control ABANDON = same(
        "update control.projects as p set status = 'deleting', purge_at = $3, deleted_from = null, sweep_at = null,
             updated_at = $3
         where p.id = $1 and p.hold_id = $2 and p.status <> 'deleting'"
    );
    control REMOVE = same("delete from control.projects as p where p.id = $1");
}

impl Projects<'_> {
    /// Pauses or resumes a project. False when it is gone or deleted.
    pub async fn set_status(&self, project: ProjectId, status: Status, now: Timestamp) -> Result<bool> {
        if status == Status::Deleting {
            return Err(StoreError::fault("a project is deleted with a date"));
        }
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, SET_STATUS, project.0, status.as_str(), At(now))?;
        self.store.finish_change(work, touched, project, Change::Project, now).await
    }

    /// Deletes a project: it is served no more, and can be restored until its data is removed after `purge_at`. One that is deleted
    /// already gets the new date. Its move ends. False when it is gone, or being removed.
    pub async fn delete_softly(&self, project: ProjectId, purge_at: Timestamp, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let before = fetch!(&mut work, fetch_optional, (String,), STATUS, project.0)?;
        if execute!(&mut work, DELETE_SOFTLY, project.0, At(purge_at), At(now))? == 0 {
            return Ok(false);
        }
        let lived = before.is_some_and(|(status,)| status != Status::Deleting.as_str());
        if lived {
            moves::give_up(&mut work, project, "the project was deleted", now).await?;
        }
        self.store.commit_counted(work, project, -i64::from(lived), now).await?;
        Ok(true)
    }

    /// Restores a deleted project to the state it was in. `None` when it is gone, not deleted, or being removed.
    pub async fn undelete(&self, project: ProjectId, now: Timestamp) -> Result<Option<Status>> {
        let mut work = self.store.begin_change(project).await?;
        let row = fetch!(&mut work, fetch_optional, (String,), UNDELETE, project.0, At(now))?;
        let Some((status,)) = row else { return Ok(None) };
        let status = Status::from_stored(&status)
            .ok_or_else(|| StoreError::fault("a project was deleted in an unknown state"))?;
        self.store.commit_counted(work, project, 1, now).await?;
        Ok(Some(status))
    }

    /// Up to `limit` deleted projects whose data is to be removed now. They are the caller's until `lease_until`, when somebody else
    /// may go on, and cannot be restored any more.
    pub async fn claim_purges(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<Project>> {
        let (now, lease_until, limit) = (At(now), At(lease_until), i64::from(limit));
        read_all(change_now!(&self.store.backend, fetch_all, Row, CLAIM_PURGES, now, lease_until, limit)?)
    }

    /// The same for this project only. False when it is not due, or somebody else's.
    pub async fn claim_purge(&self, project: ProjectId, now: Timestamp, lease_until: Timestamp) -> Result<bool> {
        let touched = execute_now!(&self.store.backend, CLAIM_PURGE, project.0, At(now), At(lease_until))?;
        Ok(touched == 1)
    }

    /// Gives the claim of a purge back: it is tried again at `at`.
    pub async fn put_off_purge(&self, project: ProjectId, at: Timestamp) -> Result<()> {
        execute_now!(&self.store.backend, PUT_OFF, project.0, At(at)).map(|_| ())
    }

    /// Deletes a project that is held by `hold` and never served, for good. False when it is gone, deleted or not held by this one.
    pub async fn abandon(&self, project: ProjectId, hold: Uuid, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        if execute!(&mut work, ABANDON, project.0, hold, At(now))? == 0 {
            return Ok(false);
        }
        self.store.commit_counted(work, project, -1, now).await?;
        Ok(true)
    }

    /// Removes the project with its configuration, keys and secrets. False when it was gone.
    pub async fn remove(&self, project: ProjectId, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let before = fetch!(&mut work, fetch_optional, (String,), STATUS, project.0)?;
        let Some((status,)) = before else { return Ok(false) };
        execute!(&mut work, REMOVE, project.0)?;
        let lived = status != Status::Deleting.as_str();
        self.store.commit_counted(work, project, -i64::from(lived), now).await?;
        Ok(true)
    }
}
