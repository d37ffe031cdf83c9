//! `/v1/projects/{ref}/config/auth/redirects`, Tenantry's own: what is to be thought of each address that a project lets
//! browsers be sent to.

use axum::response::Response;
use domain::redirect::Review;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, refused};

const HINT: HeaderName = HeaderName::from_static("x-tenantry-hint");

/// An address to which browsers may be sent.
#[derive(Serialize, ToSchema)]
#[schema(as = RedirectEntry)]
pub(super) struct Entry<'a> {
    entry: &'a str,
    safe: bool,
    reasons: &'a [String],
}

impl<'a> Entry<'a> {
    fn of(review: &'a Review) -> Self {
        let Review { entry, safe, reasons } = review;
        Self { entry, safe: *safe, reasons }
    }
}

/// `GET`: the site and every entry of the list.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let entries = operator.management().redirects(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &entries.iter().map(Entry::of).collect::<Vec<_>>())
}

/// Says in a header of `response` that some entries are unsafe. A configuration was stored before: that nobody knows about
/// its entries now is no reason to say that it was not.
pub(super) async fn hint(operator: &Operator, response: &mut Response) -> Result<(), Failure> {
    let entries = match operator.management().redirects(&operator.project()?).await {
        Ok(entries) => entries,
        Err(error) => {
            tracing::debug!(%error, "the redirect entries cannot be reviewed");
            return Ok(());
        }
    };
    let unsafe_entries = entries.iter().filter(|entry| !entry.safe).count();
    if unsafe_entries > 0 {
        let text = format!("unsafe redirect entries: {unsafe_entries}; see GET config/auth/redirects");
        response.headers_mut().insert(HINT, HeaderValue::try_from(text).map_err(Failure::fault)?);
    }
    Ok(())
}
