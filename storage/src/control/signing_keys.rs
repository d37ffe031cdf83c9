//! JWT signing keys and their states (`contract/management.md` §2.5).

use domain::ids::ProjectId;
use domain::secret::Secret;
use domain::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Change, ControlStore, key_marks};
use crate::backend::Work;
use crate::error::{Result, StoreError};
use crate::sql::same;
use crate::values::At;

macro_rules! columns {
    () => {
        "k.id, k.algorithm, k.status, k.sealed, k.public_jwk, k.promote_at, k.created_at, k.updated_at"
    };
}

/// A key `k` as one JSON object, which reads as `Row`.
macro_rules! object {
    (postgres) => {
        "json_build_object('id', k.id, 'algorithm', k.algorithm, 'status', k.status, 'sealed', k.sealed,
             'public_jwk', k.public_jwk, 'promote_at', k.promote_at, 'created_at', k.created_at, 'updated_at', k.updated_at)"
    };
    (sqlite) => {
        "json_object('id', lower(hex(k.id)), 'algorithm', k.algorithm, 'status', k.status, 'sealed', k.sealed,
             'public_jwk', json(k.public_jwk), 'promote_at', k.promote_at, 'created_at', k.created_at,
             'updated_at', k.updated_at)"
    };
}

pub(super) use object;

statements! {
    control INSERT = same(
        "insert into control.signing_keys
             (project_id, id, algorithm, status, sealed, public_jwk, promote_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    control RETIRE_IN_USE = same(
        "update control.signing_keys as k set status = 'previously_used', updated_at = $2
         where k.project_id = $1 and k.status = 'in_use'"
    );
    control LIST = same(concat!(
        "select ", columns!(), " from control.signing_keys as k where k.project_id = $1 order by k.created_at desc, k.id"
    ));
    control GET = same(concat!("select ", columns!(), " from control.signing_keys as k where k.project_id = $1 and k.id = $2"));
    control SET_STATUS = same(
        "update control.signing_keys as k set status = $4, promote_at = null, updated_at = $5
         where k.project_id = $1 and k.id = $2 and k.status = $3"
    );
    control SCHEDULE = same(
        "update control.signing_keys as k set promote_at = $3, updated_at = $4
         where k.project_id = $1 and k.id = $2 and k.status = 'standby'"
    );
    // Who is deleted comes back with the date that has passed.
    control DUE = same(
        "select k.project_id, k.id from control.signing_keys as k
         where k.promote_at <= $1 and k.status = 'standby'
             and exists (select 1 from control.projects as p where p.id = k.project_id and p.status <> 'deleting')
         order by k.promote_at limit $2"
    );
    control DELETE = same(
        "delete from control.signing_keys as k where k.project_id = $1 and k.id = $2 and k.status = 'revoked'"
    );
}

#[derive(FromRow, Deserialize)]
pub(super) struct Row {
    id: Uuid,
    algorithm: String,
    status: String,
    sealed: String,
    public_jwk: Option<Json<Value>>,
    promote_at: Option<At>,
    created_at: At,
    updated_at: At,
}

impl TryFrom<Row> for SigningKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            algorithm: row.algorithm,
            status: KeyStatus::from_stored(&row.status)
                .ok_or_else(|| StoreError::fault("a signing key is in an unknown state"))?,
            sealed: Secret::new(row.sealed),
            public_jwk: row.public_jwk.map(|jwk| jwk.0).filter(|jwk| !jwk.is_null()),
            promote_at: row.promote_at.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

pub(super) async fn insert(work: &mut Work, project: ProjectId, key: &SigningKey) -> Result<()> {
    if key.status == KeyStatus::InUse {
        execute!(work, RETIRE_IN_USE, project.0, At(key.created_at))?;
    }
    execute!(
        work,
        INSERT,
        project.0,
        key.id,
        &key.algorithm,
        key.status.as_str(),
        key.sealed.expose(),
        key.public_jwk.as_ref().map(Json),
        key.promote_at.map(At),
        At(key.created_at),
        At(key.updated_at),
    )?;
    Ok(())
}

impl KeyStatus {
    /// The word of the Management API, which is also stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InUse => "in_use",
            Self::Standby => "standby",
            Self::PreviouslyUsed => "previously_used",
            Self::Revoked => "revoked",
        }
    }

    /// Reads the stored word.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::InUse, Self::Standby, Self::PreviouslyUsed, Self::Revoked]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// Signs and verifies; one key of a project.
    InUse,
    /// Published, to sign next.
    Standby,
    /// Verifies only.
    PreviouslyUsed,
    /// Trusted no more.
    Revoked,
}

/// One key.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// The `kid`.
    pub id: Uuid,
    /// `HS256`, `RS256`, `ES256`, `EdDSA`.
    pub algorithm: String,
    /// What it is used for.
    pub status: KeyStatus,
    /// The private JWK, sealed by the caller.
    pub sealed: Secret<String>,
    /// The public JWK; `None` for HS256.
    pub public_jwk: Option<Value>,
    /// When a key on standby is to sign.
    pub promote_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
}

/// Works on signing keys.
pub struct SigningKeys<'s> {
    pub(super) store: &'s ControlStore,
}

impl SigningKeys<'_> {
    /// Adds a key. One that is in use from the start makes the key in use until now previously used, in the same transaction.
    /// `marks` tell it from the keys of other projects: false when one is another's.
    pub async fn insert(&self, project: ProjectId, key: &SigningKey, marks: &[String]) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        if !key_marks::claim(&mut work, project, marks).await? {
            return Ok(false);
        }
        insert(&mut work, project, key).await?;
        self.store.commit_change(work, project, Change::Config, key.created_at).await?;
        Ok(true)
    }

    /// The project's keys, newest first.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<SigningKey>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, LIST, project.0)?;
        rows.into_iter().map(SigningKey::try_from).collect()
    }

    /// One key of the project.
    pub async fn get(&self, project: ProjectId, id: Uuid) -> Result<Option<SigningKey>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, GET, project.0, id)?;
        row.map(SigningKey::try_from).transpose()
    }

    /// Moves a key from one state to another; putting one in use makes the key in use until now previously used, in the same transaction.
    /// False when the key is gone or not in state `from`.
    pub async fn set_status(
        &self,
        project: ProjectId,
        id: Uuid,
        from: KeyStatus,
        to: KeyStatus,
        now: Timestamp,
    ) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        if to == KeyStatus::InUse && from != to {
            execute!(&mut work, RETIRE_IN_USE, project.0, At(now))?;
        }
        let touched = execute!(&mut work, SET_STATUS, project.0, id, from.as_str(), to.as_str(), At(now))?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }

    /// Says when a key on standby is to sign, `None` = when somebody says so. False when it is gone or not on standby.
    pub async fn schedule(
        &self,
        project: ProjectId,
        id: Uuid,
        promote_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, SCHEDULE, project.0, id, promote_at.map(At), At(now))?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }

    /// Up to `limit` keys on standby that are to sign by now, with their projects, those first that waited longest.
    pub async fn due_promotions(&self, now: Timestamp, limit: u32) -> Result<Vec<(ProjectId, Uuid)>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, (Uuid, Uuid), DUE, At(now), i64::from(limit))?;
        Ok(rows.into_iter().map(|(project, key)| (ProjectId(project), key)).collect())
    }

    /// Removes a revoked key. False when it is gone or not revoked.
    pub async fn delete(&self, project: ProjectId, id: Uuid, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, DELETE, project.0, id)?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }
}
