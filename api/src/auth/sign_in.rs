//! `POST /token?grant_type=password` (`contract/core.md` §13.1).

use axum::response::Response;
use domain::captcha::Proof;
use domain::sign_in::Request;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::token;

/// Opens a session for a password.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let mut fields = edge.object()?;
    let request = Request {
        email: fields.text("email")?,
        phone: fields.text("phone")?,
        password: fields.secret("password")?,
        captcha: Proof::default(),
    };
    token::answer(&edge.ask(request).await?)
}
