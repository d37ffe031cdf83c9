//! `GET /verify` and `POST /verify` (`contract/core.md` §15).

use axum::response::{IntoResponse, Response};
use domain::secret::Secret;
use domain::verify::{Answer, Link, Request};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::{json, redirect};
use crate::wire::token;

/// Follows a mailed link. A browser that only looks ahead gets nothing and uses nothing up.
pub(crate) async fn link(edge: Edge, headers: HeaderMap) -> Result<Response, Failure> {
    if is_prefetch(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let link = Link { token: Secret::new(edge.query.text("token")?), kind: edge.query.text("type")?, confirmed: false };
    let landing = edge.ask(link).await?;
    redirect::see_other(&redirect::location(&landing))
}

/// Takes a typed code or the hash of a link.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let mut fields = edge.object()?;
    let request = Request {
        kind: fields.text("type")?,
        token: fields.secret("token")?,
        token_hash: fields.secret("token_hash")?,
        email: fields.text("email")?,
        phone: fields.text("phone")?,
        redirect_to: fields.text("redirect_to")?,
        password: fields.optional_secret("password")?,
    };
    match edge.ask(request).await? {
        Answer::Session(issued) => token::answer(&issued),
        Answer::Message(msg) => json::answer(StatusCode::OK, &HalfDone { code: "200", msg }),
    }
}

/// One of two confirmations. The code is a text here.
#[derive(Serialize)]
struct HalfDone {
    code: &'static str,
    msg: &'static str,
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz", "x-purpose"].iter().any(|name| {
        let value = headers.get(*name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
        value.contains("prefetch") || value.contains("prerender") || value == "preview"
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn browsers_that_look_ahead_are_recognised() {
        for (name, value, ahead) in [
            ("sec-purpose", "prefetch", true),
            ("sec-purpose", "prefetch;prerender", true),
            ("purpose", "Prefetch", true),
            ("x-moz", "prefetch", true),
            ("x-purpose", "preview", true),
            ("sec-fetch-mode", "navigate", false),
            ("purpose", "read", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(is_prefetch(&headers), ahead, "{name}: {value}");
        }
    }
}
