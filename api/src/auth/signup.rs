//! `POST /signup` (`contract/core.md` §12).

use axum::response::Response;
use domain::signup::{Answer, Request};
use domain::user_json::User;
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;
use crate::wire::token;

/// Opens an account: tokens where it counts as confirmed, else a bare user.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let mut fields = edge.object()?;
    let request = Request {
        captcha: edge.captcha(&fields),
        email: fields.text("email")?,
        phone: fields.text("phone")?,
        password: fields.optional_secret("password")?,
        data: fields.object("data")?.unwrap_or_default(),
        code_challenge: fields.text("code_challenge")?,
        code_challenge_method: fields.text("code_challenge_method")?,
        channel: fields.text("channel")?,
    };
    match edge.ask(request).await? {
        Answer::Session(issued) => token::answer_new(&issued),
        Answer::User(user) => json::answer(StatusCode::OK, &User::new(&user)),
    }
}
