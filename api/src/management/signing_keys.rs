//! `/v1/projects/{ref}/config/auth/signing-keys` (`contract/management.md` §2.5). Private parts go in and never come out.

use actors::management::{NewSigningKeyRequest, RotateSigningKey, SigningKeyView};
use axum::response::Response;
use domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, refused};

/// A signing key, without its private part.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub(super) struct Key<'a> {
    id: Uuid,
    algorithm: &'a str,
    /// `in_use`, `standby`, `previously_used` or `revoked`.
    status: &'static str,
    #[schema(value_type = Option<Object>)]
    public_jwk: Option<&'a Value>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When a key that stands by is put in use by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    promote_at: Option<Timestamp>,
}

impl<'a> Key<'a> {
    fn of(view: &'a SigningKeyView) -> Self {
        Self {
            id: view.id,
            algorithm: &view.algorithm,
            status: view.status,
            public_jwk: view.public_jwk.as_ref(),
            created_at: view.created_at,
            updated_at: view.updated_at,
            promote_at: view.promote_at,
        }
    }
}

/// All signing keys of a project.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKeys)]
pub(super) struct Keys<'a> {
    keys: Vec<Key<'a>>,
}

/// A key to be made or imported.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSigningKey)]
pub(super) struct NewKey {
    /// `ES256`, `RS256`, `EdDSA` or `HS256`.
    algorithm: String,
    /// `standby`, also where it is not given, or `in_use`.
    status: Option<String>,
    /// The key to import; one is made where none is given.
    #[schema(value_type = Option<Object>)]
    private_jwk: Option<Map<String, Value>>,
}

/// Another status.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SigningKeyMove)]
pub(super) struct Move {
    /// `in_use`, `standby`, `previously_used` or `revoked`.
    status: String,
}

/// How the next key is found and when it signs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SigningKeyRotation)]
pub(super) struct Rotation {
    /// That of the key that stands by, else `ES256`, where it is not given.
    algorithm: Option<String>,
    /// How long it stands by before it signs; as long as every gateway needs where it is not given.
    standby_seconds: Option<u32>,
}

/// `GET`.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let keys = operator.management().signing_keys(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Keys { keys: keys.iter().map(Key::of).collect() })
}

/// `POST`: makes or imports a key.
pub(super) async fn create(operator: Operator) -> Result<Response, Failure> {
    let NewKey { algorithm, status, private_jwk } = operator.body()?;
    let request = NewSigningKeyRequest { algorithm, status, private_jwk: private_jwk.map(Value::Object) };
    let key = operator.management().create_signing_key(&operator.project()?, request).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Key::of(&key))
}

/// `GET .../{id}`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let key = operator.management().signing_key(&operator.project()?, operator.id()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key))
}

/// `PATCH .../{id}`: another status; putting one in use retires the one that was.
pub(super) async fn set_status(operator: Operator) -> Result<Response, Failure> {
    let Move { status } = operator.body()?;
    let (project, id) = (operator.project()?, operator.id()?);
    let key = operator.management().set_signing_key_status(&project, id, &status).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key))
}

/// `DELETE .../{id}`: a revoked key goes for good.
pub(super) async fn delete(operator: Operator) -> Result<Response, Failure> {
    let (project, id) = (operator.project()?, operator.id()?);
    let key = operator.management().delete_signing_key(&project, id).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key))
}

/// `POST .../rotate`: signs with another key, once every gateway publishes it.
pub(super) async fn rotate(operator: Operator) -> Result<Response, Failure> {
    let Rotation { algorithm, standby_seconds } = operator.body_if_any()?;
    let (management, project) = (operator.management(), operator.project()?);
    let request = RotateSigningKey { algorithm, standby_seconds };
    let key = management.rotate_signing_key(&project, request).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key))
}

/// `GET .../legacy`: the JWT secret, where it was made a key of this list; else it signs only while no key is in use.
pub(super) async fn legacy(operator: Operator) -> Result<Response, Failure> {
    let key = operator.management().legacy_signing_key(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key))
}

/// `POST .../legacy`.
pub(super) async fn import_legacy(operator: Operator) -> Result<Response, Failure> {
    let key = operator.management().import_legacy_signing_key(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Key::of(&key))
}
