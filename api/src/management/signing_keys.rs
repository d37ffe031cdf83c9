//! `/v1/projects/{ref}/config/auth/signing-keys` (`contract/management.md` §2.5). Private parts go in and never come out.

use actors::management::{NewSigningKeyRequest, SigningKeyView};
use axum::response::Response;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::operator::{Operator, refused, told};
use crate::management::{answer, message};

#[derive(Serialize)]
struct Key<'a> {
    id: Uuid,
    algorithm: &'a str,
    status: &'static str,
    public_jwk: Option<&'a Value>,
    created_at: Timestamp,
    updated_at: Timestamp,
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
        }
    }
}

#[derive(Serialize)]
struct Keys<'a> {
    keys: Vec<Key<'a>>,
}

/// `GET`.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let keys = operator.management()?.signing_keys(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Keys { keys: keys.iter().map(Key::of).collect() })
}

/// `POST`: makes or imports a key.
pub(super) async fn create(operator: Operator) -> Result<Response, Failure> {
    let mut fields = operator.object()?;
    let request = (|| {
        Ok(NewSigningKeyRequest {
            algorithm: fields.text("algorithm")?,
            status: fields.optional_text("status")?,
            private_jwk: fields.object("private_jwk")?.map(Value::Object),
        })
    })();
    let key = operator
        .management()?
        .create_signing_key(&operator.project()?, request.map_err(told)?)
        .await
        .map_err(refused)?;
    answer(StatusCode::CREATED, &Key::of(&key))
}

/// `GET .../{id}`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let key = operator.management()?.signing_key(&operator.project()?, operator.id()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key))
}

/// `PATCH .../{id}`: another status; putting one in use retires the one that was.
pub(super) async fn set_status(operator: Operator) -> Result<Response, Failure> {
    let status = operator.object()?.text("status").map_err(told)?;
    let (project, id) = (operator.project()?, operator.id()?);
    let key = operator.management()?.set_signing_key_status(&project, id, &status).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key))
}

/// `DELETE .../{id}`: a revoked key goes for good.
pub(super) async fn delete(operator: Operator) -> Result<Response, Failure> {
    let (project, id) = (operator.project()?, operator.id()?);
    let key = operator.management()?.delete_signing_key(&project, id).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key))
}

/// `GET .../legacy`: the project's secret is no key of this list; it signs while no key is in use.
pub(super) async fn legacy(operator: Operator) -> Result<Response, Failure> {
    operator.management()?.project(&operator.project()?).await.map_err(refused)?;
    Err(message(StatusCode::NOT_FOUND, "the JWT secret was not imported as a signing key"))
}

/// `POST .../legacy`.
pub(super) async fn import_legacy(operator: Operator) -> Result<Response, Failure> {
    operator.management()?.project(&operator.project()?).await.map_err(refused)?;
    Err(message(StatusCode::BAD_REQUEST, "the JWT secret needs no import: it signs while no signing key is in use"))
}
