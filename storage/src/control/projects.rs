//! Projects of the gateway: made, found, and what an operator says of them.

use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::project::{Hold, HoldReason, Placement, Profile, Project, Status};
use domain::quota::Quotas;
use domain::time::Timestamp;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::bundle::Bundle;
use super::{Change, ControlStore, api_keys, configs, key_marks, secrets, signing_keys, third_party, totals};
use crate::error::{Result, StoreError};
use crate::sql::{each, same};
use crate::values::{At, Ids};

/// The columns of `Row`, each after `$of`.
macro_rules! columns {
    ($of:literal) => {
        concat!(
            $of,
            "id, ",
            $of,
            "ref, ",
            $of,
            "instance_id, ",
            $of,
            "name, ",
            $of,
            "status, ",
            $of,
            "profile, ",
            $of,
            "placement, ",
            $of,
            "quotas, ",
            $of,
            "hold_reason, ",
            $of,
            "hold_id, ",
            $of,
            "hold_until, ",
            $of,
            "purge_at, ",
            $of,
            "created_at"
        )
    };
}

pub(super) use columns;

statements! {
    control INSERT = same(
        "insert into control.projects (id, ref, instance_id, name, search_name, status, profile, placement, quotas,
             hold_reason, hold_id, hold_until, legacy_keys_enabled, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)"
    );
    control BY_REF = same(concat!("select ", columns!("p."), " from control.projects as p where p.ref = $1"));
    control BY_ID = same(concat!("select ", columns!("p."), " from control.projects as p where p.id = $1"));
    control REFS = each(
        "select p.id, p.ref from control.projects as p where p.id = any($1) order by p.ref",
        "select p.id, p.ref from control.projects as p where p.id in (select unhex(n.value) from json_each($1) as n)
         order by p.ref",
    );
    // Two are enough to know that there is not one alone.
    control FEW = same(
        "select f.ref from (
             select * from (select p.ref from control.projects as p where p.status = 'active' order by p.ref limit 2) as a
             union all
             select * from (select p.ref from control.projects as p where p.status = 'paused' order by p.ref limit 2) as b
         ) as f limit 2"
    );
    control RENAME = same(
        "update control.projects as p set name = $2, search_name = $3, updated_at = $4 where p.id = $1"
    );
    control SET_QUOTAS = same("update control.projects as p set quotas = $2, updated_at = $3 where p.id = $1");
    control SET_LEGACY_KEYS = same(
        "update control.projects as p set legacy_keys_enabled = $2, updated_at = $3 where p.id = $1"
    );
}

#[derive(FromRow)]
pub(super) struct Row {
    id: Uuid,
    r#ref: String,
    instance_id: Uuid,
    name: String,
    status: String,
    profile: String,
    placement: String,
    quotas: Json<Quotas>,
    hold_reason: Option<String>,
    hold_id: Option<Uuid>,
    hold_until: Option<At>,
    purge_at: Option<At>,
    created_at: At,
}

impl TryFrom<Row> for Project {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let unreadable = || StoreError::fault("a project row holds a word this program does not know");
        let hold = match (row.hold_reason, row.hold_id, row.hold_until) {
            (Some(reason), Some(id), Some(until)) => {
                let reason = HoldReason::from_stored(&reason).ok_or_else(unreadable)?;
                Some(Hold { reason, id, until: until.0 })
            }
            _ => None,
        };
        Ok(Self {
            id: ProjectId(row.id),
            project_ref: row.r#ref.parse().map_err(|_| unreadable())?,
            instance: InstanceId(row.instance_id),
            name: row.name,
            status: Status::from_stored(&row.status).ok_or_else(unreadable)?,
            profile: Profile::from_stored(&row.profile).ok_or_else(unreadable)?,
            placement: Placement::from_stored(&row.placement).ok_or_else(unreadable)?,
            database_url: None,
            quotas: row.quotas.0,
            hold,
            purge_at: row.purge_at.map(|at| at.0),
            created_at: row.created_at.0,
        })
    }
}

pub(super) fn read_all(rows: Vec<Row>) -> Result<Vec<Project>> {
    rows.into_iter().map(Project::try_from).collect()
}

/// A name or the beginning of one as it is looked for: case does not matter.
pub(super) fn searched(name: &str) -> String {
    name.to_lowercase()
}

/// Works on projects. What is read here of a project has no [`Project::database_url`]: that is sealed, among its secrets.
pub struct Projects<'s> {
    pub(super) store: &'s ControlStore,
}

impl Projects<'_> {
    /// Makes a project, whole or not at all; `config.version` must be 1. `marks` tell its keys from those of other projects: false
    /// when one is another's. A taken ref, id or instance is a conflict.
    pub async fn create(&self, bundle: &Bundle, marks: &[String], now: Timestamp) -> Result<bool> {
        let project = &bundle.project;
        let mut work = self.store.begin().await?;
        execute!(
            &mut work,
            INSERT,
            project.id.0,
            project.project_ref.as_str(),
            project.instance.0,
            &project.name,
            searched(&project.name),
            project.status.as_str(),
            project.profile.as_str(),
            project.placement.as_str(),
            Json(&project.quotas),
            project.hold.map(|hold| hold.reason.as_str()),
            project.hold.map(|hold| hold.id),
            project.hold.map(|hold| At(hold.until)),
            bundle.legacy_keys_enabled,
            At(project.created_at),
        )?;
        if !key_marks::claim(&mut work, project.id, marks).await? {
            return Ok(false);
        }
        configs::append(&mut work, project.id, &bundle.config).await?;
        for key in &bundle.signing_keys {
            signing_keys::insert(&mut work, project.id, key).await?;
        }
        for key in &bundle.api_keys {
            api_keys::insert(&mut work, project.id, key).await?;
        }
        for (name, sealed) in &bundle.secrets {
            secrets::put(&mut work, project.id, name, sealed, now).await?;
        }
        for issuer in &bundle.third_party {
            third_party::insert(&mut work, project.id, issuer).await?;
        }
        self.store.commit_counted(work, project.id, 1, now).await?;
        Ok(true)
    }

    /// The project with this ref, a deleted one included.
    pub async fn by_ref(&self, project: &ProjectRef) -> Result<Option<Project>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, BY_REF, project.as_str())?;
        row.map(Project::try_from).transpose()
    }

    /// The project with this id, a deleted one included.
    pub async fn by_id(&self, project: ProjectId) -> Result<Option<Project>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, BY_ID, project.0)?;
        row.map(Project::try_from).transpose()
    }

    /// The refs of those of the projects that there are.
    pub async fn refs(&self, projects: &[ProjectId]) -> Result<Vec<(ProjectId, ProjectRef)>> {
        let ids = || Ids(projects.iter().map(|project| project.0).collect());
        let rows = fetch_now!(&self.store.backend, fetch_all, (Uuid, String), REFS, ids())?;
        rows.into_iter().map(|(id, text)| Ok((ProjectId(id), read_ref(&text)?))).collect()
    }

    /// The only project there is, where there is exactly one that is not deleted.
    pub async fn only(&self) -> Result<Option<ProjectRef>> {
        match fetch_now!(&self.store.backend, fetch_all, (String,), FEW)?.as_slice() {
            [(only,)] => read_ref(only).map(Some),
            _ => Ok(None),
        }
    }

    /// How many projects there are that are not deleted.
    pub async fn total(&self) -> Result<u64> {
        totals::read(&self.store.backend, totals::PROJECTS).await
    }

    /// Sets the name for people. False when the project is gone.
    pub async fn rename(&self, project: ProjectId, name: &str, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, RENAME, project.0, name, searched(name), At(now))?;
        self.store.finish_change(work, touched, project, Change::Project, now).await
    }

    /// Sets what the project is granted. False when it is gone.
    pub async fn set_quotas(&self, project: ProjectId, quotas: &Quotas, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, SET_QUOTAS, project.0, Json(quotas), At(now))?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }

    /// Accepts or refuses the old-style keys from now on. False when the project is gone.
    pub async fn set_legacy_keys(&self, project: ProjectId, enabled: bool, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, SET_LEGACY_KEYS, project.0, enabled, At(now))?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }
}

pub(super) fn read_ref(text: &str) -> Result<ProjectRef> {
    text.parse().map_err(|_| StoreError::fault("a project has a ref that is none"))
}
