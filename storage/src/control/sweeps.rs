//! When each project's rows are to be looked through for what has expired: by a date, so that nobody walks all projects.

use domain::ids::ProjectId;
use domain::project::Project;
use domain::time::Timestamp;

use super::projects::{Projects, Row, columns, read_all};
use crate::error::Result;
use crate::sql::{each, same};
use crate::values::{At, Ids};

statements! {
    control SCHEDULE = each(
        "update control.projects as p set sweep_at = $2
         where p.id = any(array(
             select q.id from control.projects as q
             where q.id = any($1) and q.status <> 'deleting' and (q.sweep_at is null or q.sweep_at > $2)
             order by q.id for update
         ))",
        "update control.projects as p set sweep_at = $2
         where p.id in (select unhex(n.value) from json_each($1) as n)
             and p.status <> 'deleting' and (p.sweep_at is null or p.sweep_at > $2)",
    );
    control CLAIM = each(
        concat!(
            "update control.projects as p set sweep_at = $2
             where p.id = any(array(
                 select q.id from control.projects as q where q.sweep_at <= $1 order by q.sweep_at limit $3
                 for update skip locked
             ))
             returning ", columns!("")
        ),
        concat!(
            "update control.projects as p set sweep_at = $2
             where p.id in (select q.id from control.projects as q where q.sweep_at <= $1 order by q.sweep_at limit $3)
             returning ", columns!("")
        ),
    );
    control SWEPT = same("update control.projects as p set sweep_at = $3 where p.id = $1 and p.sweep_at = $2");
}

impl Projects<'_> {
    /// Lets each of the projects be swept at an instant, unless it is to be earlier anyway. Deleted ones are not.
    pub async fn schedule_sweeps(&self, projects: &[ProjectId], at: Timestamp) -> Result<()> {
        let ids = || Ids(projects.iter().map(|project| project.0).collect());
        execute_now!(&self.store.backend, SCHEDULE, ids(), At(at))?;
        Ok(())
    }

    /// Up to `limit` projects that are due, those first that waited longest. They are the caller's until `lease_until`, when they are
    /// due again.
    pub async fn claim_sweeps(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<Project>> {
        let (now, lease_until, limit) = (At(now), At(lease_until), i64::from(limit));
        read_all(change_now!(&self.store.backend, fetch_all, Row, CLAIM, now, lease_until, limit)?)
    }

    /// Says when a claimed project is due next, `None` = when somebody schedules it. False, and nothing said, when it was scheduled for
    /// an earlier instant meanwhile, or the lease was lost.
    pub async fn swept(&self, project: ProjectId, lease_until: Timestamp, next: Option<Timestamp>) -> Result<bool> {
        let touched = execute_now!(&self.store.backend, SWEPT, project.0, At(lease_until), next.map(At))?;
        Ok(touched == 1)
    }
}
