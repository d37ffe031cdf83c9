//! `GET /v1/gateways`, Tenantry's own: which gateways share the control store, and whether they know what there is to know.

use actors::management::GatewayView;
use axum::response::Response;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, refused};

/// A gateway that was seen lately.
#[derive(Serialize, ToSchema)]
pub(super) struct Gateway {
    id: Uuid,
    name: String,
    version: String,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    seen_at: Timestamp,
    /// Changes that it has not followed yet.
    events_behind: i64,
}

/// All of them.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let gateways = operator.management().gateways().await.map_err(refused)?;
    let shown = |view: GatewayView| {
        let GatewayView { id, name, version, started_at, seen_at, events_behind } = view;
        Gateway { id, name, version, started_at, seen_at, events_behind }
    };
    answer(StatusCode::OK, &gateways.into_iter().map(shown).collect::<Vec<_>>())
}
