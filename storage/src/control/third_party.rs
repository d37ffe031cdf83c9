//! Other issuers whose access tokens a project accepts (`contract/management.md` §2.7).

use domain::ids::ProjectId;
use domain::third_party::{Source, ThirdParty};
use domain::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Change, ControlStore};
use crate::backend::Work;
use crate::error::{Result, StoreError};
use crate::sql::{each, same};
use crate::values::At;

/// A row `t` as one JSON object, which reads alike alone and within the project's row.
macro_rules! object {
    (postgres) => {
        "json_build_object('id', t.id, 'oidc_issuer_url', t.oidc_issuer_url, 'jwks_url', t.jwks_url,
             'custom_jwks', t.custom_jwks, 'resolved_jwks', t.resolved_jwks, 'inserted_at', t.inserted_at,
             'updated_at', t.updated_at, 'resolved_at', t.resolved_at)"
    };
    (sqlite) => {
        "json_object('id', lower(hex(t.id)), 'oidc_issuer_url', t.oidc_issuer_url, 'jwks_url', t.jwks_url,
             'custom_jwks', json(t.custom_jwks), 'resolved_jwks', json(t.resolved_jwks), 'inserted_at', t.inserted_at,
             'updated_at', t.updated_at, 'resolved_at', t.resolved_at)"
    };
}

pub(super) use object;

statements! {
    control INSERT = same(
        "insert into control.third_party_auth
             (project_id, id, oidc_issuer_url, jwks_url, custom_jwks, resolved_jwks, inserted_at, updated_at, resolved_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    control LIST = each(
        concat!(
            "select ", object!(postgres), " from control.third_party_auth as t where t.project_id = $1
             order by t.inserted_at, t.id"
        ),
        concat!(
            "select ", object!(sqlite), " from control.third_party_auth as t where t.project_id = $1
             order by t.inserted_at, t.id"
        ),
    );
    control GET = each(
        concat!("select ", object!(postgres), " from control.third_party_auth as t where t.project_id = $1 and t.id = $2"),
        concat!("select ", object!(sqlite), " from control.third_party_auth as t where t.project_id = $1 and t.id = $2"),
    );
    control DELETE = same("delete from control.third_party_auth as t where t.project_id = $1 and t.id = $2");
}

/// What [`object`] makes.
#[derive(Deserialize)]
pub(super) struct Object {
    id: Uuid,
    oidc_issuer_url: Option<String>,
    jwks_url: Option<String>,
    custom_jwks: Option<Value>,
    resolved_jwks: Option<Value>,
    inserted_at: Timestamp,
    updated_at: Timestamp,
    resolved_at: Option<Timestamp>,
}

impl TryFrom<Object> for ThirdParty {
    type Error = StoreError;

    fn try_from(row: Object) -> Result<Self> {
        let source = match (row.oidc_issuer_url, row.jwks_url, row.custom_jwks) {
            (Some(issuer), None, None) => Source::OidcIssuer(issuer),
            (None, Some(url), None) => Source::JwksUrl(url),
            (None, None, Some(keys)) => Source::CustomJwks(keys),
            _ => return Err(StoreError::fault("a third-party issuer has not exactly one source of keys")),
        };
        Ok(Self {
            id: row.id,
            source,
            resolved_jwks: row.resolved_jwks,
            inserted_at: row.inserted_at,
            updated_at: row.updated_at,
            resolved_at: row.resolved_at,
        })
    }
}

pub(super) async fn insert(work: &mut Work, project: ProjectId, issuer: &ThirdParty) -> Result<()> {
    let (oidc_issuer_url, jwks_url, custom_jwks) = match &issuer.source {
        Source::OidcIssuer(issuer) => (Some(issuer), None, None),
        Source::JwksUrl(url) => (None, Some(url), None),
        Source::CustomJwks(keys) => (None, None, Some(Json(keys))),
    };
    execute!(
        work,
        INSERT,
        project.0,
        issuer.id,
        oidc_issuer_url,
        jwks_url,
        custom_jwks,
        issuer.resolved_jwks.as_ref().map(Json),
        At(issuer.inserted_at),
        At(issuer.updated_at),
        issuer.resolved_at.map(At),
    )?;
    Ok(())
}

fn read_all(rows: Vec<(Json<Object>,)>) -> Result<Vec<ThirdParty>> {
    rows.into_iter().map(|(row,)| row.0.try_into()).collect()
}

/// Works on third-party issuers.
pub struct ThirdParties<'s> {
    pub(super) store: &'s ControlStore,
}

impl ThirdParties<'_> {
    /// Adds an issuer, unless `judge` refuses it beside those that there are. Nobody else adds one meanwhile.
    pub async fn insert<E>(
        &self,
        project: ProjectId,
        issuer: &ThirdParty,
        judge: impl FnOnce(&[ThirdParty]) -> Result<(), E>,
    ) -> Result<Result<(), E>> {
        let mut work = self.store.begin_change(project).await?;
        let rows = fetch!(&mut work, fetch_all, (Json<Object>,), LIST, project.0)?;
        if let Err(refusal) = judge(&read_all(rows)?) {
            return Ok(Err(refusal));
        }
        insert(&mut work, project, issuer).await?;
        self.store.commit_change(work, project, Change::Config, issuer.inserted_at).await.map(Ok)
    }

    /// The project's issuers, oldest first.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<ThirdParty>> {
        read_all(fetch_now!(&self.store.backend, fetch_all, (Json<Object>,), LIST, project.0)?)
    }

    /// One issuer of the project.
    pub async fn get(&self, project: ProjectId, id: Uuid) -> Result<Option<ThirdParty>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, (Json<Object>,), GET, project.0, id)?;
        row.map(|(row,)| row.0.try_into()).transpose()
    }

    /// Removes an issuer. False when it was gone.
    pub async fn delete(&self, project: ProjectId, id: Uuid, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change(project).await?;
        let touched = execute!(&mut work, DELETE, project.0, id)?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }
}
