//! `POST /admin/introspect` (RFC 7662).

use axum::response::Response;
use domain::introspect::Request;
use domain::refusal::Refusal;
use domain::user::Metadata;
use http::StatusCode;
use serde::Serialize;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// Of a token that is not good, nothing is told but that.
#[derive(Serialize)]
struct Body {
    active: bool,
    #[serde(flatten)]
    claims: Option<Metadata>,
}

/// Tells whether a token is good now, and what it says.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let request = edge.behind(Gate::Admin, read(&edge)).await?;
    let mut claims = edge.ask(request).await?;
    if let Some(claims) = &mut claims {
        claims.remove("active");
    }
    json::answer(StatusCode::OK, &Body { active: claims.is_some(), claims })
}

fn read(edge: &Edge) -> Result<Request, Failure> {
    let token = edge.form_or_object()?.secret("token")?;
    if token.expose().is_empty() {
        return Err(Refusal::IntrospectionToken.into());
    }
    Ok(Request { bearer: edge.bearer.clone(), token })
}
