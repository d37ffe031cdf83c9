//! `/v1/projects/{ref}/config/auth` (`contract/management.md` §1): every field with the value in force, secrets as
//! fingerprints; a PATCH is validated as a whole, versioned, and live at once.

use actors::management::ConfigVersionView;
use axum::response::Response;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;

use crate::failure::Failure;
use crate::management::operator::{Operator, refused};
use crate::management::{answer, redirects};

/// `GET`: the whole object.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let config = operator.management()?.config(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &config)
}

/// `PATCH`: the named fields change; the answer is the whole object again. A header says so where browsers may now be sent
/// to places that are unsafe.
pub(super) async fn patch(operator: Operator) -> Result<Response, Failure> {
    let patch = operator.object()?.into_map();
    let config = operator.management()?.patch_config(&operator.project()?, &patch).await.map_err(refused)?;
    let mut response = answer(StatusCode::OK, &config)?;
    redirects::hint(&operator, &mut response).await?;
    Ok(response)
}

#[derive(Serialize)]
struct Version {
    version: i64,
    created_at: Timestamp,
}

impl Version {
    fn of(view: &ConfigVersionView) -> Self {
        Self { version: view.version, created_at: view.created_at }
    }
}

/// `GET .../history`: the newest versions, newest first, without their values.
pub(super) async fn history(operator: Operator) -> Result<Response, Failure> {
    let versions = operator.management()?.config_history(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &versions.iter().map(Version::of).collect::<Vec<_>>())
}
