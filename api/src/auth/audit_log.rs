//! `GET /admin/audit` (`contract/core.md` §17.9).

use axum::response::Response;
use domain::audit_log::{Entry, List};
use domain::refusal::Refusal;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::{json, pages};

#[derive(Serialize)]
struct Body<'a> {
    id: Uuid,
    payload: &'a RawValue,
    created_at: Timestamp,
    ip_address: &'a str,
}

impl<'a> Body<'a> {
    fn of(entry: &'a Entry) -> Self {
        Self { id: entry.id, payload: &entry.payload, created_at: entry.created_at, ip_address: &entry.ip_address }
    }
}

/// A page of the audit log.
pub(crate) async fn list(edge: Edge) -> Result<Response, Failure> {
    let list = edge.behind(Gate::Admin, parse(&edge)).await?;
    let listing = edge.ask(list).await?;
    let entries: Vec<Body<'_>> = listing.items.iter().map(Body::of).collect();
    let mut response = json::answer(StatusCode::OK, &entries)?;
    pages::add_headers(&mut response, &edge.path, &edge.query, &listing)?;
    Ok(response)
}

fn parse(edge: &Edge) -> Result<List, Refusal> {
    Ok(List {
        bearer: edge.bearer.clone(),
        page: edge.query.get("page")?.map(str::to_owned),
        per_page: edge.query.get("per_page")?.map(str::to_owned),
        query: edge.query.text("query")?,
    })
}
