//! `DELETE /user`: the end of one's own account, beside the contract.

use axum::response::{IntoResponse, Response};
use domain::secret::Secret;
use domain::user_delete::Request;
use http::StatusCode;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::object::Object;

/// Ends the bearer's account. A body is needed only where the project asks for a fresh proof.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let (nonce, current_password) = edge.behind(Gate::User, proofs(&edge)).await?;
    edge.ask(Request { bearer: edge.bearer.clone(), nonce, current_password }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn proofs(edge: &Edge) -> Result<(Secret<String>, Option<Secret<String>>), Failure> {
    let body = edge.body()?;
    let mut fields = if body.is_empty() { Object::default() } else { Object::parse(body)? };
    Ok((fields.secret("nonce")?, fields.optional_secret("current_password")?))
}
