//! New-style API keys (`contract/management.md` §2.4).

use domain::ids::ProjectId;
use domain::secret::Secret;
use domain::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Change, ControlStore};
use crate::backend::Work;
use crate::error::Result;
use crate::sql::{each, same};
use crate::values::At;

macro_rules! columns {
    () => {
        "k.id, k.name, k.kind, k.hash, k.prefix, k.sealed, k.description, k.secret_jwt_template, k.last_used_at, k.expires_at,
         k.created_at, k.updated_at"
    };
}

/// A key `k` as one JSON object, which reads as `Row`.
macro_rules! object {
    (postgres) => {
        "json_build_object('id', k.id, 'name', k.name, 'kind', k.kind, 'hash', k.hash, 'prefix', k.prefix, 'sealed', k.sealed,
             'description', k.description, 'secret_jwt_template', k.secret_jwt_template, 'last_used_at', k.last_used_at,
             'expires_at', k.expires_at, 'created_at', k.created_at, 'updated_at', k.updated_at)"
    };
    (sqlite) => {
        "json_object('id', lower(hex(k.id)), 'name', k.name, 'kind', k.kind, 'hash', k.hash, 'prefix', k.prefix,
             'sealed', k.sealed, 'description', k.description, 'secret_jwt_template', json(k.secret_jwt_template),
             'last_used_at', k.last_used_at, 'expires_at', k.expires_at, 'created_at', k.created_at,
             'updated_at', k.updated_at)"
    };
}

pub(super) use object;

statements! {
    control INSERT = same(
        "insert into control.api_keys
             (project_id, id, name, kind, hash, prefix, sealed, description, secret_jwt_template, last_used_at, expires_at,
              created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    control LIST = same(concat!(
        "select ", columns!(), " from control.api_keys as k where k.project_id = $1 order by k.created_at, k.kind, k.id"
    ));
    control GET = same(concat!("select ", columns!(), " from control.api_keys as k where k.project_id = $1 and k.id = $2"));
    control PROJECT_OF = same("select k.project_id from control.api_keys as k where k.hash = $1");
    control UPDATE = same(
        "update control.api_keys as k set name = $3, description = $4, secret_jwt_template = $5, updated_at = $6
         where k.project_id = $1 and k.id = $2"
    );
    control RETIRE = same(
        "update control.api_keys as k set name = $3, expires_at = $4, updated_at = $5
         where k.project_id = $1 and k.id = $2 and (k.expires_at is null or k.expires_at > $4)"
    );
    control USED = each(
        "update control.api_keys as k set last_used_at = u.at
         from (
             select q.id, max(n.at) as at
             from jsonb_to_recordset($1) as n(hash text, at timestamptz)
             join lateral (
                 select c.id from control.api_keys as c where c.hash = n.hash and (c.last_used_at is null or c.last_used_at < n.at)
                 for update
             ) as q on true
             group by q.id
         ) as u
         where k.id = u.id",
        "update control.api_keys as k set last_used_at = u.at
         from (select n.value ->> 'hash' as hash, max(n.value ->> 'at') as at from json_each($1) as n group by 1) as u
         where k.hash = u.hash and (k.last_used_at is null or k.last_used_at < u.at)",
    );
    control REMOVE_EXPIRED = each(
        "delete from control.api_keys as k where k.id = any(array(
             select e.id from control.api_keys as e where e.expires_at <= $1 order by e.expires_at limit $2
             for update skip locked
         ))",
        "delete from control.api_keys as k where k.id in (
             select e.id from control.api_keys as e where e.expires_at <= $1 order by e.expires_at limit $2
         )",
    );
    control DELETE = same("delete from control.api_keys as k where k.project_id = $1 and k.id = $2");
}

#[derive(FromRow, Deserialize)]
pub(super) struct Row {
    id: Uuid,
    name: String,
    kind: String,
    hash: String,
    prefix: String,
    sealed: String,
    description: Option<String>,
    secret_jwt_template: Option<Json<Value>>,
    last_used_at: Option<At>,
    expires_at: Option<At>,
    created_at: At,
    updated_at: At,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            kind: row.kind,
            hash: row.hash,
            prefix: row.prefix,
            sealed: Secret::new(row.sealed),
            description: row.description,
            secret_jwt_template: row
                .secret_jwt_template
                .map(|template| template.0)
                .filter(|template| !template.is_null()),
            last_used_at: row.last_used_at.map(|at| at.0),
            expires_at: row.expires_at.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

pub(super) async fn insert(work: &mut Work, project: ProjectId, key: &ApiKey) -> Result<()> {
    execute!(
        work,
        INSERT,
        project.0,
        key.id,
        &key.name,
        &key.kind,
        &key.hash,
        &key.prefix,
        key.sealed.expose(),
        &key.description,
        key.secret_jwt_template.as_ref().map(Json),
        key.last_used_at.map(At),
        key.expires_at.map(At),
        At(key.created_at),
        At(key.updated_at),
    )?;
    Ok(())
}

/// One key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The row.
    pub id: Uuid,
    /// A name for tools, unique among the keys of its kind in the project.
    pub name: String,
    /// `publishable` or `secret`.
    pub kind: String,
    /// What a presented key is compared with.
    pub hash: String,
    /// The visible beginning.
    pub prefix: String,
    /// The key itself, sealed by the caller.
    pub sealed: Secret<String>,
    /// For people.
    pub description: Option<String>,
    /// The claims with which the bearer of a secret key acts.
    pub secret_jwt_template: Option<Value>,
    /// When it was used last, to the minute or so.
    pub last_used_at: Option<Timestamp>,
    /// When it ends, if it was replaced by another.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Works on API keys.
pub struct ApiKeys<'s> {
    pub(super) store: &'s ControlStore,
}

impl ApiKeys<'_> {
    /// Adds a key. A name that is taken is a conflict.
    pub async fn insert(&self, project: ProjectId, key: &ApiKey) -> Result<()> {
        let mut work = self.store.begin_change(project).await?;
        insert(&mut work, project, key).await?;
        self.store.commit_change(work, project, Change::Config, key.created_at).await
    }

    /// The project's keys, oldest first.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<ApiKey>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, LIST, project.0)?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    /// One key of the project.
    pub async fn get(&self, project: ProjectId, id: Uuid) -> Result<Option<ApiKey>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, GET, project.0, id)?;
        Ok(row.map(ApiKey::from))
    }

    /// The project of the key with this hash.
    pub async fn project_of(&self, hash: &str) -> Result<Option<ProjectId>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, (Uuid,), PROJECT_OF, hash)?;
        Ok(row.map(|(project,)| ProjectId(project)))
    }

    /// Names and describes a key and gives it claims. False when it is gone.
    pub async fn update(
        &self,
        project: ProjectId,
        id: Uuid,
        name: &str,
        description: Option<&str>,
        template: Option<&Value>,
        now: Timestamp,
    ) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, UPDATE, project.0, id, name, description, template.map(Json), At(now))?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }

    /// Lets a key end at an instant and gives its name free for its successor. False when it is gone or ends earlier.
    pub async fn retire(
        &self,
        project: ProjectId,
        id: Uuid,
        name: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, RETIRE, project.0, id, name, At(expires_at), At(now))?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }

    /// Notes when keys, by their hashes, were used last. Nobody is told: no answer hangs on it.
    pub async fn used(&self, uses: &[(String, Timestamp)]) -> Result<()> {
        // Six digits, as SQLite keeps instants.
        let at = |at: &Timestamp| at.utc().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        // In one order, so that no two wait for each other.
        let mut uses: Vec<&(String, Timestamp)> = uses.iter().collect();
        uses.sort();
        let uses: Vec<Value> = uses.iter().map(|(hash, used)| json!({ "hash": hash, "at": at(used) })).collect();
        execute_now!(&self.store.backend, USED, Json(&uses))?;
        Ok(())
    }

    /// Removes up to `limit` keys that have ended. Nobody is told: they open nothing any more.
    pub async fn remove_expired(&self, now: Timestamp, limit: u32) -> Result<u64> {
        execute_now!(&self.store.backend, REMOVE_EXPIRED, At(now), i64::from(limit))
    }

    /// Removes a key. False when it was gone.
    pub async fn delete(&self, project: ProjectId, id: Uuid, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, DELETE, project.0, id)?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }
}
