//! `GET /admin/revocations`: the sessions that ended, for resource servers that cache what they know of tokens. A route
//! beside the contract, as pages that may be waited for or as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use domain::refusal::Refusal;
use domain::revocations::{self, Query, Request};
use futures::stream;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, sleep_until};

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;
use crate::watchers::Place;
use crate::wire::revocation::{Page, Revocation};

/// The longest a page is waited for, in seconds.
const LONGEST_WAIT: u32 = 25;

/// How long events are sent on one connection. Who reads on begins anew, so that no reader stays with one gateway forever.
const STREAM_LIFE: Duration = Duration::from_secs(5 * 60);

/// How long one question of a reader who waits takes, in seconds: well within the time a request has.
const PIECE: u32 = 8;

/// The least time between two such questions, where the first came back with nothing before its time.
const PAUSE: Duration = Duration::from_secs(1);

/// When to come back where too many wait already.
const CROWDED: Duration = Duration::from_secs(5);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Tells nginx to pass on what comes when it comes.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// What ended after a cursor.
pub(crate) async fn handle(edge: Edge, headers: HeaderMap) -> Result<Response, Failure> {
    let events = wants_events(&headers);
    let query = if events { continued(&edge, &headers) } else { asked(&edge) };
    let at_once = query.clone().map(|query| Query { wait: 0, ..query });
    let page = edge.ask(Request { bearer: edge.bearer.clone(), query: at_once }).await?;
    let wait = query?.wait;
    if !events && (wait == 0 || tells(&page)) {
        return json::answer(StatusCode::OK, &Page::of(&page));
    }
    let place = edge.gateway().watchers().enter(edge.project());
    let place = place.ok_or(Failure::Limited { retry_after: CROWDED })?;
    let life = if events { STREAM_LIFE } else { Duration::from_secs(wait.into()) };
    let reader = Reader { edge, cursor: page.cursor, until: Instant::now() + life, _place: place };
    if events { reader.events(&page) } else { reader.page() }
}

fn wants_events(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| {
        let mut types = value.split(',').map(|item| item.split(';').next().unwrap_or_default().trim());
        types.any(|media_type| media_type.eq_ignore_ascii_case("text/event-stream"))
    })
}

fn asked(edge: &Edge) -> Result<Query, Refusal> {
    let cursor = edge.query.get("cursor")?.unwrap_or_default();
    let wait = edge.query.get("wait")?.filter(|wait| !wait.is_empty());
    let wait = wait.map_or(Some(0), |wait| wait.parse().ok().filter(|wait| *wait <= LONGEST_WAIT));
    Ok(Query { after: read_cursor(cursor)?, wait: wait.ok_or(Refusal::RevocationsWait)? })
}

/// Where a reader of events was when his connection ended; the query says only where he was at the start.
fn continued(edge: &Edge, headers: &HeaderMap) -> Result<Query, Refusal> {
    let seen = headers.get(&LAST_EVENT_ID).filter(|seen| !seen.is_empty());
    let cursor = match seen {
        Some(seen) => seen.to_str().map_err(|_| Refusal::BadCursor)?,
        None => edge.query.get("cursor")?.unwrap_or_default(),
    };
    Ok(Query { after: read_cursor(cursor)?, wait: 0 })
}

fn read_cursor(text: &str) -> Result<Option<i64>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let cursor = text.parse().ok().filter(|cursor: &i64| *cursor >= 0);
    cursor.map(Some).ok_or(Refusal::BadCursor)
}

/// Whether a page says more than that nothing happened.
fn tells(page: &revocations::Page) -> bool {
    page.gap || !page.revocations.is_empty()
}

/// Somebody who waits for what comes after `cursor`. His answer has begun by then: the time that a request has does not end
/// it, and while nothing happens the runtime keeps no place for him.
struct Reader {
    edge: Edge,
    cursor: i64,
    until: Instant,
    _place: Place,
}

impl Reader {
    /// What comes within the next seconds; a page that tells nothing where nothing did. `None` when it is over: his time, the
    /// gateway's, or that of his token.
    async fn next(&mut self) -> Option<revocations::Page> {
        let gateway = self.edge.gateway();
        let page = tokio::select! {
            biased;
            () = gateway.streams_end() => return None,
            page = self.ask() => page?,
        };
        match page {
            Ok(page) => {
                self.cursor = page.cursor;
                Some(page)
            }
            Err(failure) => {
                tracing::debug!(%failure, "a reader of revocations was sent away");
                None
            }
        }
    }

    /// Asks what came; whoever hears nothing waits before he asks again. `None` when his time is over.
    async fn ask(&self) -> Option<Result<revocations::Page, Failure>> {
        let asked_at = Instant::now();
        let left = self.until.saturating_duration_since(asked_at);
        if left.is_zero() {
            return None;
        }
        let wait = u32::try_from(left.as_secs()).map_or(PIECE, |left| left.min(PIECE));
        let query = Ok(Query { after: Some(self.cursor), wait });
        let request = Request { bearer: self.edge.bearer.clone(), query };
        let page = self.edge.ask_until(asked_at + self.edge.gateway().deadline(), request).await;
        if page.as_ref().is_ok_and(|page| !tells(page)) {
            sleep_until((asked_at + PAUSE).min(self.until)).await;
        }
        Some(page)
    }

    /// One page, as soon as it tells something or the time is over.
    fn page(mut self) -> Result<Response, Failure> {
        let body = async move {
            let mut page = revocations::Page { revocations: Vec::new(), cursor: self.cursor, gap: false };
            while !tells(&page)
                && let Some(next) = self.next().await
            {
                page = next;
            }
            json::encode(&Page::of(&page)).map(Bytes::from)
        };
        Ok(streamed("application/json", Body::from_stream(stream::once(body))))
    }

    /// Every page as events, from `first` on.
    fn events(self, first: &revocations::Page) -> Result<Response, Failure> {
        // An id alone is no event, but whoever breaks off before the first one comes back to this cursor.
        let start = if tells(first) { events(first)? } else { format!("id: {}\n\n", first.cursor) };
        let body = stream::unfold((self, Some(start)), |(mut reader, start)| async move {
            if let Some(start) = start {
                return Some((Ok::<_, Infallible>(Bytes::from(start)), (reader, None)));
            }
            let page = reader.next().await?;
            let text = events(&page).ok()?;
            Some((Ok(Bytes::from(text)), (reader, None)))
        });
        let mut response = streamed("text/event-stream", Body::from_stream(body));
        response.headers_mut().insert(UNBUFFERED.0, UNBUFFERED.1);
        Ok(response)
    }
}

fn streamed(content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A page as events. The last one carries the cursor: whoever comes back with it has seen all of them, and whoever broke off
/// before it sees them again.
fn events(page: &revocations::Page) -> Result<String, Failure> {
    if !tells(page) {
        return Ok(":\n\n".to_owned());
    }
    let mut told = Vec::new();
    if page.gap {
        told.push("event: gap\ndata: {}\n".to_owned());
    }
    for revocation in &page.revocations {
        let data = json::encode(&Revocation::of(revocation)).map_err(Failure::fault)?;
        told.push(format!("event: revocation\ndata: {}\n", String::from_utf8_lossy(&data)));
    }
    Ok(format!("{}id: {}\n\n", told.join("\n"), page.cursor))
}
