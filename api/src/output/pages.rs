//! The headers of lists (`contract/core.md` §17.2): how many items there are, and where the next and the last page are.

use axum::response::Response;
use domain::pagination::Paged;
use http::header::{HeaderName, HeaderValue, LINK};

use crate::failure::Failure;
use crate::input::query::Query;

const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// Adds `Link` and `x-total-count` for `paged`, asked for with `path` and `query`.
///
/// # Errors
/// Fails where the path cannot stand in a header.
pub(crate) fn add_headers<T>(
    response: &mut Response,
    path: &str,
    query: &Query,
    paged: &Paged<T>,
) -> Result<(), Failure> {
    let link = link(path, query, paged.page.number, paged.last_page());
    let link = HeaderValue::try_from(link).map_err(Failure::fault)?;
    response.headers_mut().insert(TOTAL, HeaderValue::from(paged.total));
    response.headers_mut().insert(LINK, link);
    Ok(())
}

/// Adds the `Link` to the stretch that begins behind `cursor`.
///
/// # Errors
/// As [`add_headers`].
pub(crate) fn add_next(response: &mut Response, path: &str, query: &Query, cursor: &str) -> Result<(), Failure> {
    let mut query = query.clone();
    query.set("cursor", cursor);
    let link = format!("<{path}?{}>; rel=\"next\"", query.encode());
    response.headers_mut().insert(LINK, HeaderValue::try_from(link).map_err(Failure::fault)?);
    Ok(())
}

fn link(path: &str, query: &Query, current: u64, last: u64) -> String {
    let to = |page: u64, relation: &str| {
        let mut query = query.clone();
        query.set("page", page.to_string());
        format!("<{path}?{}>; rel=\"{relation}\"", query.encode())
    };
    if last > current { format!("{}, {}", to(current + 1, "next"), to(last, "last")) } else { to(last, "last") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_repeat_the_request_with_another_page() {
        let link = |query: &str, current, last| link("/auth/v1/admin/users", &Query::parse(query), current, last);
        assert_eq!(link("filter=w", 1, 1), "</auth/v1/admin/users?filter=w&page=1>; rel=\"last\"");
        assert_eq!(link("filter=w", 1, 0), "</auth/v1/admin/users?filter=w&page=0>; rel=\"last\"");
        assert_eq!(
            link("per_page=1&page=1&filter=w", 1, 3),
            "</auth/v1/admin/users?filter=w&page=2&per_page=1>; rel=\"next\", \
             </auth/v1/admin/users?filter=w&page=3&per_page=1>; rel=\"last\""
        );
        assert_eq!(link("page=3&per_page=2", 3, 2), "</auth/v1/admin/users?page=2&per_page=2>; rel=\"last\"");
    }
}
