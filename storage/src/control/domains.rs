//! Hosts of projects' own (`contract/management.md` §2.2). Anybody may claim one; it belongs to the project for which it is active.

use domain::ids::{ProjectId, ProjectRef};
use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use super::projects::read_ref;
use super::{Change, ControlStore};
use crate::error::{Result, StoreError};
use crate::sql::same;
use crate::values::At;

statements! {
    control OF = same(
        "select d.project_id, d.host, d.status, d.created_at, d.updated_at from control.domains as d where d.project_id = $1"
    );
    control INITIATE = same(
        "insert into control.domains (project_id, host, status, created_at, updated_at) values ($1, $2, 'initiated', $3, $3)
         on conflict (project_id) do update set host = excluded.host, status = 'initiated', created_at = excluded.created_at,
             updated_at = excluded.updated_at"
    );
    control SET_STATUS = same(
        "update control.domains as d set status = $3, updated_at = $4 where d.project_id = $1 and d.host = $2"
    );
    control REMOVE = same("delete from control.domains as d where d.project_id = $1");
    control ROUTE = same(
        "select p.ref from control.domains as d join control.projects as p on p.id = d.project_id
         where d.host = $1 and d.status = 'active' and p.status <> 'deleting'"
    );
}

/// How far a host has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainStatus {
    /// It is named.
    Initiated,
    /// Who named it has shown that it is his.
    Verified,
    /// The project is served there.
    Active,
}

impl DomainStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Verified => "verified",
            Self::Active => "active",
        }
    }

    fn from_stored(text: &str) -> Option<Self> {
        [Self::Initiated, Self::Verified, Self::Active].into_iter().find(|status| status.as_str() == text)
    }
}

/// A host of a project's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Whose.
    pub project: ProjectId,
    /// In lower case, without port.
    pub host: String,
    /// How far it has come.
    pub status: DomainStatus,
    /// When it was named.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    project_id: Uuid,
    host: String,
    status: String,
    created_at: At,
    updated_at: At,
}

impl TryFrom<Row> for Domain {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            project: ProjectId(row.project_id),
            host: row.host,
            status: DomainStatus::from_stored(&row.status)
                .ok_or_else(|| StoreError::fault("a host is in an unknown state"))?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

/// Works on hosts.
pub struct Domains<'s> {
    pub(super) store: &'s ControlStore,
}

impl Domains<'_> {
    /// The project's host.
    pub async fn of(&self, project: ProjectId) -> Result<Option<Domain>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, OF, project.0)?;
        row.map(Domain::try_from).transpose()
    }

    /// Names a host in place of the project's earlier one.
    pub async fn initiate(&self, project: ProjectId, host: &str, now: Timestamp) -> Result<()> {
        let mut work = self.store.begin_change(project).await?;
        execute!(&mut work, INITIATE, project.0, host, At(now))?;
        self.store.commit_change(work, project, Change::Config, now).await
    }

    /// Notes that the host was shown to be its namer's. False when the project has another one.
    pub async fn verify(&self, project: ProjectId, host: &str, now: Timestamp) -> Result<bool> {
        self.set_status(project, host, DomainStatus::Verified, now).await
    }

    /// Serves the project at the host. False when the project has another one; a conflict when another project is served there.
    pub async fn activate(&self, project: ProjectId, host: &str, now: Timestamp) -> Result<bool> {
        self.set_status(project, host, DomainStatus::Active, now).await
    }

    async fn set_status(&self, project: ProjectId, host: &str, to: DomainStatus, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, SET_STATUS, project.0, host, to.as_str(), At(now))?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }

    /// Gives the project's host up. False when it has none.
    pub async fn remove(&self, project: ProjectId, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, REMOVE, project.0)?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }

    /// The project that is served at a host.
    pub async fn route(&self, host: &str) -> Result<Option<ProjectRef>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, (String,), ROUTE, host)?;
        row.map(|(text,)| read_ref(&text)).transpose()
    }
}
