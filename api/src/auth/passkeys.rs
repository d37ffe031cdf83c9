//! `/passkeys` and `/admin/users/{id}/passkeys` (`contract/mfa-passkeys-oauth.md` §2.6).

use axum::response::{IntoResponse, Response};
use domain::passkeys::{self, AdminDelete, AdminList, Delete, List, Rename};
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::ids::Ids;
use crate::output::json;
use crate::wire::passkey::Passkey;

/// `GET /passkeys`.
pub(crate) async fn list(edge: Edge) -> Result<Response, Failure> {
    listed(&edge.ask(List { bearer: edge.bearer.clone() }).await?)
}

/// `PATCH /passkeys/{id}`.
pub(crate) async fn rename(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let friendly_name = edge.late(|fields| fields.text("friendly_name"))?;
    let passkey = edge.ask(Rename { bearer: edge.bearer.clone(), passkey: ids.id, friendly_name }).await?;
    json::answer(StatusCode::OK, &Passkey::of(&passkey))
}

/// `DELETE /passkeys/{id}`.
pub(crate) async fn delete(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    edge.ask(Delete { bearer: edge.bearer.clone(), passkey: ids.id }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /admin/users/{id}/passkeys`.
pub(crate) async fn admin_list(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    listed(&edge.ask(AdminList { bearer: edge.bearer.clone(), user: ids.id }).await?)
}

/// `DELETE /admin/users/{id}/passkeys/{passkey}`.
pub(crate) async fn admin_delete(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    edge.ask(AdminDelete { bearer: edge.bearer.clone(), user: ids.id, passkey: ids.passkey }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn listed(passkeys: &[passkeys::Passkey]) -> Result<Response, Failure> {
    let passkeys: Vec<Passkey<'_>> = passkeys.iter().map(Passkey::of).collect();
    json::answer(StatusCode::OK, &passkeys)
}
