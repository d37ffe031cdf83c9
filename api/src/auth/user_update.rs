//! `PUT /user` (`contract/core.md` §16.2).

use axum::response::Response;
use domain::first_checks::Endpoint;
use domain::user_json::User;
use domain::user_update::Request;
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// Changes the bearer's own account.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let bearer = edge.bearer.clone();
    let request = edge
        .decode(Endpoint::UserUpdate, edge.object(), |fields| {
            Ok(Request {
                bearer,
                email: fields.text("email")?,
                phone: fields.text("phone")?,
                password: fields.optional_secret("password")?,
                current_password: fields.optional_secret("current_password")?,
                nonce: fields.secret("nonce")?,
                data: fields.object("data")?,
                app_metadata: fields.object("app_metadata")?,
                code_challenge: fields.text("code_challenge")?,
                code_challenge_method: fields.text("code_challenge_method")?,
                channel: fields.text("channel")?,
            })
        })
        .await?;
    let user = edge.ask(request).await?;
    json::answer(StatusCode::OK, &User::of(&user))
}
