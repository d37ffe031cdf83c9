//! `POST /magiclink` (`contract/core.md` §14.2), with an answer of our own: the same for known and unknown addresses.

use axum::response::Response;
use domain::first_checks::Endpoint;
use domain::magic_link::Request;
use domain::refusal::Refusal;
use http::StatusCode;
use serde_json::json;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::object::Object;
use crate::output::json;

/// Mails a link.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    // This endpoint reads the first JSON value of its body and nothing behind it.
    let object = edge.unless_form().and_then(|body| Ok(Object::parse_first(body)?));
    let request = edge
        .decode(Endpoint::MagicLink, object.map_err(own_words), |fields| read(&edge, fields).map_err(in_own_words))
        .await?;
    edge.ask(request).await?;
    json::answer(StatusCode::OK, &json!({ "message": "Magic link sent if email exists" }))
}

fn read(edge: &Edge, fields: &mut Object) -> Result<Request, Refusal> {
    Ok(Request {
        captcha: edge.captcha(fields),
        email: fields.text("email")?,
        data: fields.object("data")?.unwrap_or_default(),
        code_challenge: fields.text("code_challenge")?,
        code_challenge_method: fields.text("code_challenge_method")?,
    })
}

/// Whatever keeps the body from being decoded is told in one way here, its size included.
fn own_words(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(refusal) => in_own_words(refusal).into(),
        failure => failure,
    }
}

fn in_own_words(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::BadJson(detail) => Refusal::MagicLinkBadJson(detail),
        Refusal::BodyTooLarge => Refusal::MagicLinkBadJson("the request body is too large".to_owned()),
        refusal => refusal,
    }
}
