//! The feed of sessions that ended, as pages and as events.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use domain::ids::{SessionId, UserId};
use domain::refusal::Refusal;
use domain::revocations::{Page, Query, Request, Revocation};
use http::Response;
use http_body_util::BodyExt;
use tokio::time::Instant;
use uuid::Uuid;

use crate::examples;
use crate::support::{Answered, FakeRuntime, TestEdge};

const ADMIN: (&str, &str) = ("authorization", "Bearer admin");
const EVENTS: (&str, &str) = ("accept", "text/event-stream");

const END: &str = r#"{"session_id":"00000000-0000-0000-0000-000000000001","user_id":"00000000-0000-0000-0000-000000000002","revoked_at":"2023-11-14T22:13:20Z"}"#;

fn ended() -> Revocation {
    Revocation { session: SessionId(Uuid::from_u128(1)), user: UserId(Uuid::from_u128(2)), at: examples::at() }
}

fn page(cursor: i64, ends: usize) -> Page {
    Page { revocations: vec![ended(); ends], cursor, gap: false }
}

/// What was asked, and how long after the start.
type Asked = Arc<Mutex<Vec<(Query, Duration)>>>;

/// A feed that answers as `answer` says, without ever waiting itself.
fn feed(mut answer: impl FnMut(Query, Duration) -> Result<Page, Refusal> + Send + 'static) -> (TestEdge, Asked) {
    let asked = Asked::default();
    let (start, noted) = (Instant::now(), Arc::clone(&asked));
    let runtime = FakeRuntime::default().on(move |call, request: Request| {
        request.bearer.0.ok_or(Refusal::NoAuthorization)?;
        let query = request.query?;
        assert!(call.deadline > Instant::now() + Duration::from_secs(query.wait.into()), "there is time to wait");
        noted.lock().unwrap().push((query, start.elapsed()));
        Ok(answer(query, start.elapsed())?)
    });
    (TestEdge::new(runtime), asked)
}

async fn read(edge: &TestEdge, query: &str) -> Answered {
    edge.ask("GET", &format!("/admin/revocations{query}"), &[ADMIN], "").await
}

async fn begin(edge: &TestEdge, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = http::Request::get("/p/acme/auth/v1/admin/revocations?cursor=5");
    for (name, value) in headers.iter().chain([&ADMIN]) {
        request = request.header(*name, *value);
    }
    edge.begin("127.0.0.1:4711", request.body(Body::empty()).unwrap()).await
}

async fn next(response: &mut Response<Body>) -> Option<String> {
    let frame = response.body_mut().frame().await?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn a_page_tells_what_ended_after_a_cursor() {
    let (edge, asked) = feed(|query, _| Ok(page(query.after.unwrap_or(7), usize::from(query.after.is_some()))));
    let start = read(&edge, "").await;
    assert_eq!(start.text, r#"{"revocations":[],"cursor":"7","gap":false}"#);
    assert_eq!(start.header("cache-control"), Some("no-store"));
    assert_eq!(read(&edge, "?cursor=&wait=").await.text, start.text);
    let later = read(&edge, "?cursor=9&wait=20").await;
    assert_eq!(later.text, format!(r#"{{"revocations":[{END}],"cursor":"9","gap":false}}"#));
    assert!(asked.lock().unwrap().iter().all(|(query, _)| query.wait == 0), "there was no need to wait");
}

#[tokio::test(start_paused = true)]
async fn a_page_is_waited_for_past_the_time_of_a_request() {
    let (edge, asked) = feed(|query, time| {
        let ends = usize::from(time >= Duration::from_secs(21));
        Ok(page(query.after.unwrap_or(7) + i64::try_from(ends).unwrap(), ends))
    });
    let answer = read(&edge, "?wait=25").await;
    assert_eq!(answer.json()["cursor"], "8");
    assert_eq!(answer.json()["revocations"].as_array().unwrap().len(), 1);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0].0.after, None);
    assert!(asked[1..].iter().all(|(query, _)| query.after == Some(7) && query.wait <= 8), "{asked:?}");
    assert!(asked.len() < 30, "whoever hears nothing does not ask again at once: {}", asked.len());
}

#[tokio::test(start_paused = true)]
async fn a_page_is_empty_when_the_wait_is_over() {
    let (edge, asked) = feed(|query, _| Ok(page(query.after.unwrap(), 0)));
    let start = Instant::now();
    assert_eq!(read(&edge, "?cursor=5&wait=3").await.text, r#"{"revocations":[],"cursor":"5","gap":false}"#);
    assert_eq!(start.elapsed().as_secs(), 3);
    assert!(asked.lock().unwrap().iter().all(|(query, _)| query.wait <= 3));
}

#[tokio::test]
async fn a_gap_is_told_at_once() {
    let (edge, _) = feed(|_, _| Ok(Page { gap: true, ..page(12, 0) }));
    assert_eq!(read(&edge, "?cursor=1&wait=25").await.text, r#"{"revocations":[],"cursor":"12","gap":true}"#);
    let mut events = begin(&edge, &[EVENTS]).await;
    assert_eq!(next(&mut events).await.unwrap(), "event: gap\ndata: {}\nid: 12\n\n");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_behind_the_token() {
    let (edge, asked) = feed(|_, _| Ok(page(1, 0)));
    for query in ["?cursor=x", "?cursor=-1", "?cursor=%ff", "?wait=26", "?wait=-1", "?wait=x", "?wait=%00"] {
        assert_eq!(read(&edge, query).await.refusal(), (400, "validation_failed".to_owned()), "{query}");
        let stranger = edge.get(&format!("/admin/revocations{query}")).await;
        assert_eq!(stranger.refusal(), (401, "no_authorization".to_owned()), "{query}");
    }
    for seen in ["x", "-1"] {
        assert_eq!(begin(&edge, &[EVENTS, ("last-event-id", seen)]).await.status(), 400, "{seen}");
    }
    assert!(asked.lock().unwrap().is_empty());
    assert_eq!(edge.post("/admin/revocations", "").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn events_come_as_they_happen_and_carry_the_cursor() {
    let (edge, asked) = feed(|query, time| match (query.after, time.as_secs()) {
        (Some(5), 0) => Ok(page(5, 0)),
        (Some(5), _) => Ok(page(8, 2)),
        (after, _) => Ok(page(after.unwrap(), 0)),
    });
    let mut events = begin(&edge, &[EVENTS]).await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(events.headers()["cache-control"], "no-store");
    assert_eq!(next(&mut events).await.unwrap(), "id: 5\n\n");
    assert_eq!(next(&mut events).await.unwrap(), ":\n\n");
    let one = format!("event: revocation\ndata: {END}\n");
    assert_eq!(next(&mut events).await.unwrap(), format!("{one}\n{one}id: 8\n\n"));
    assert_eq!(next(&mut events).await.unwrap(), ":\n\n");
    assert_eq!(asked.lock().unwrap().last().unwrap().0.after, Some(8));
}

#[tokio::test]
async fn whoever_comes_back_goes_on_where_he_was() {
    let (edge, asked) = feed(|query, _| Ok(page(query.after.unwrap(), 1)));
    for (headers, cursor) in [
        (&[EVENTS, ("last-event-id", "9")][..], 9),
        (&[EVENTS, ("last-event-id", "")], 5),
        (&[("accept", "text/html, Text/Event-Stream;q=0.9"), ("last-event-id", "9")], 9),
    ] {
        let mut events = begin(&edge, headers).await;
        let first = next(&mut events).await.unwrap();
        assert!(first.ends_with(&format!("\nid: {cursor}\n\n")), "{first}");
    }
    // A page is asked for in the query alone.
    let page = begin(&edge, &[("last-event-id", "9"), ("accept", "application/json")]).await;
    assert_eq!(page.headers()["content-type"], "application/json");
    assert_eq!(asked.lock().unwrap().last().unwrap().0.after, Some(5));
}

#[tokio::test(start_paused = true)]
async fn events_end_after_a_while_at_shutdown_and_with_the_token() {
    let (edge, _) = feed(|query, _| Ok(page(query.after.unwrap(), 0)));
    let start = Instant::now();
    let mut events = begin(&edge, &[EVENTS]).await;
    while next(&mut events).await.is_some() {}
    assert_eq!(start.elapsed().as_secs(), 300);

    let mut events = begin(&edge, &[EVENTS]).await;
    next(&mut events).await.unwrap();
    edge.end_streams();
    let start = Instant::now();
    assert_eq!(next(&mut events).await, None);
    assert_eq!(read(&edge, "?cursor=5&wait=25").await.json()["cursor"], "5");
    assert!(start.elapsed().is_zero(), "nobody is waited for any more");

    let (edge, _) = feed(|query, time| match time.as_secs() {
        0..4 => Ok(page(query.after.unwrap(), 0)),
        _ => Err(Refusal::BadJwt("token is expired".to_owned())),
    });
    let mut events = begin(&edge, &[EVENTS]).await;
    while next(&mut events).await.is_some() {}
    assert_eq!(begin(&edge, &[EVENTS]).await.status(), 403);
}

#[tokio::test]
async fn readers_who_wait_leave_room_for_others() {
    let (edge, _) = feed(|query, _| Ok(page(query.after.unwrap(), 0)));
    let mut waiting = Vec::new();
    for _ in 0..100 {
        waiting.push(begin(&edge, &[EVENTS]).await);
    }
    assert!(waiting.iter().all(|response| response.status() == 200));
    let crowded = read(&edge, "?cursor=5&wait=5").await;
    assert_eq!(crowded.refusal(), (429, "over_request_rate_limit".to_owned()));
    assert_eq!(crowded.header("retry-after"), Some("5"));
    assert_eq!(read(&edge, "?cursor=5").await.status, 200, "who does not wait needs no room");
    drop(waiting.pop());
    assert_eq!(begin(&edge, &[EVENTS]).await.status(), 200);
}
