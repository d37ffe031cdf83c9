//! `POST /invite` (`contract/core.md` §17.1).

use axum::response::Response;
use domain::invite::Request;
use domain::user_json::User;
use http::StatusCode;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// Mails somebody an invitation.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let bearer = edge.bearer.clone();
    let request = edge
        .fields(Gate::Admin, |mut fields| {
            Ok(Request { bearer, email: fields.text("email")?, data: fields.object("data")? })
        })
        .await?;
    let user = edge.ask(request).await?;
    json::answer(StatusCode::OK, &User::of(&user))
}
