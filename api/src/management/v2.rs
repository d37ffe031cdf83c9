//! `GET /v2/projects/{ref}/config` (`contract/management.md` §2.9), which newer tools read before they write through `/v1`.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::management::operator::{Operator, refused};
use crate::management::{answer, elsewhere};

/// A resource, wrapped as version 2 wraps all of them.
#[derive(Serialize, ToSchema)]
pub(super) struct ProjectConfig {
    data: ConfigResource,
}

#[derive(Serialize, ToSchema)]
struct ConfigResource {
    r#type: &'static str,
    /// The project's ref.
    id: String,
    /// `auth` has every field of `config/auth` with the value in force; `database`, `pooler`, `api`, `realtime` and `storage` are
    /// as they are where nobody changed them.
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
}

/// The whole configuration in one object.
pub(super) async fn config(operator: Operator) -> Result<Response, Failure> {
    let project = operator.project()?;
    let auth = operator.management().config(&project).await.map_err(refused)?;
    let mut attributes = elsewhere::attributes();
    attributes.insert("auth".to_owned(), Value::Object(auth));
    let data = ConfigResource { r#type: "project_config", id: project.to_string(), attributes };
    answer(StatusCode::OK, &ProjectConfig { data })
}
