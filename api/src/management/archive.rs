//! `GET /v1/projects/{ref}/export`, Tenantry's own: a project as an archive, page by page.

use axum::response::Response;
use domain::secret::Secret;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};

use crate::failure::Failure;
use crate::management::operator::{Operator, refused};
use crate::management::{lines, message};

/// Holds the key under which an archive's secrets are sealed.
const ARCHIVE_KEY: &str = "x-tenantry-archive-key";

/// Where the next page begins; absent on the last one.
const NEXT: HeaderName = HeaderName::from_static("x-tenantry-next");

/// One page.
pub(super) async fn export(operator: Operator) -> Result<Response, Failure> {
    let key = key(&operator)?;
    let (cursor, limit) = (operator.parameter("cursor")?, operator.number("limit")?);
    let page = operator.management().export(&operator.project()?, &key, cursor, limit).await.map_err(refused)?;
    let mut response = lines(page.lines);
    if let Some(next) = page.next {
        response.headers_mut().insert(NEXT, HeaderValue::try_from(next).map_err(Failure::fault)?);
    }
    Ok(response)
}

/// The archive key of a request.
pub(super) fn key(operator: &Operator) -> Result<Secret<String>, Failure> {
    let given = operator.header(ARCHIVE_KEY).map(|text| Secret::new(text.trim().to_owned()));
    given.ok_or_else(|| {
        message(StatusCode::BAD_REQUEST, format!("the header {ARCHIVE_KEY} must hold 32 bytes in base64"))
    })
}
