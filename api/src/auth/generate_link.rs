//! `POST /admin/generate_link` (`contract/core.md` §17.8).

use axum::response::Response;
use domain::generate_link::{Link, Request};
use domain::user_json::User;
use http::StatusCode;
use serde::Serialize;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// The user's own keys, then the link's.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    user: User<'a>,
    action_link: &'a str,
    email_otp: &'a str,
    hashed_token: &'a str,
    verification_type: &'a str,
    redirect_to: &'a str,
}

impl<'a> Body<'a> {
    fn of(link: &'a Link) -> Self {
        Self {
            user: User::of(&link.user),
            action_link: link.action_link.expose(),
            email_otp: link.email_otp.expose(),
            hashed_token: link.hashed_token.expose(),
            verification_type: &link.verification_type,
            redirect_to: &link.redirect_to,
        }
    }
}

/// Makes a link for an administrator to deliver.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let bearer = edge.bearer.clone();
    let request = edge
        .fields(Gate::Admin, |mut fields| {
            Ok(Request {
                bearer,
                kind: fields.text("type")?,
                email: fields.text("email")?,
                new_email: fields.text("new_email")?,
                password: fields.secret("password")?,
                data: fields.object("data")?,
                redirect_to: fields.text("redirect_to")?,
            })
        })
        .await?;
    let link = edge.ask(request).await?;
    json::answer(StatusCode::OK, &Body::of(&link))
}
