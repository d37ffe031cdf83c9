//! JWT signing keys and their states (`contract/management.md` §2.5).

use domain::ids::ProjectId;
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Change, ControlStore};
use crate::backend::Work;
use crate::error::{Result, StoreError};
use crate::sql::same;
use crate::values::At;

macro_rules! columns {
    () => {
        "k.id, k.algorithm, k.status, k.sealed, k.public_jwk, k.created_at, k.updated_at"
    };
}

statements! {
    control INSERT = same(
        "insert into control.signing_keys
             (project_id, id, algorithm, status, sealed, public_jwk, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
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
        "update control.signing_keys as k set status = $4, updated_at = $5
         where k.project_id = $1 and k.id = $2 and k.status = $3"
    );
    control DELETE = same(
        "delete from control.signing_keys as k where k.project_id = $1 and k.id = $2 and k.status = 'revoked'"
    );
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    algorithm: String,
    status: String,
    sealed: String,
    public_jwk: Option<Json<Value>>,
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
        At(key.created_at),
        At(key.updated_at),
    )?;
    Ok(())
}

pub(super) async fn list(work: &mut Work, project: ProjectId) -> Result<Vec<SigningKey>> {
    fetch!(work, fetch_all, Row, LIST, project.0)?.into_iter().map(SigningKey::try_from).collect()
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
    pub async fn insert(&self, project: ProjectId, key: &SigningKey) -> Result<()> {
        let mut work = self.store.begin_change().await?;
        insert(&mut work, project, key).await?;
        self.store.commit_change(work, project, Change::Config, key.created_at).await
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
        let mut work = self.store.begin_change().await?;
        if to == KeyStatus::InUse && from != to {
            execute!(&mut work, RETIRE_IN_USE, project.0, At(now))?;
        }
        let touched = execute!(&mut work, SET_STATUS, project.0, id, from.as_str(), to.as_str(), At(now))?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }

    /// Removes a revoked key. False when it is gone or not revoked.
    pub async fn delete(&self, project: ProjectId, id: Uuid, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change().await?;
        let touched = execute!(&mut work, DELETE, project.0, id)?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }
}
