//! Calls over HTTP: where they go, how long they take, how much they read.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::secret::Secret;
use outbound::{HttpClient, HttpError};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::smtp_server::{Identity, Tls};
use crate::stand_in::{Reply, StandIn, client, client_within, json, redirect, reply};

fn except(forbidden: &str) -> HttpClient {
    let forbidden: IpAddr = forbidden.parse().unwrap();
    client_within(Arc::new(move |address: IpAddr| address != forbidden))
}

fn nowhere() -> HttpClient {
    client_within(Arc::new(|_: IpAddr| false))
}

#[tokio::test]
async fn a_form_arrives_and_the_answer_comes_back() {
    let server = StandIn::giving([reply(418, &[("x-kind", "tea")], b"short and stout")]).await;
    let call = client().post(&server.url("/pot?size=1")).form(&[("a", "1&2"), ("b", "\u{e4} b")]);
    let answer = call.basic_auth("user", &Secret::new("p:4ss".to_owned())).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.header("x-kind").as_deref()), (418, Some("tea")));
    assert_eq!(answer.read(100).await.unwrap(), b"short and stout");
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/pot?size=1"));
    assert_eq!(request.body(), "a=1%262&b=%C3%A4+b");
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.header("authorization"), Some("Basic dXNlcjpwOjRzcw=="));
    assert!(request.header("user-agent").unwrap().starts_with("Tenantry/"));
    assert_eq!(request.header("accept-encoding"), None);
}

#[tokio::test]
async fn a_cookie_is_not_kept() {
    let server = StandIn::giving([reply(200, &[("set-cookie", "a=b")], b"")]).await;
    let client = client();
    for _ in 0..2 {
        client.get(&server.url("/")).send().await.unwrap();
    }
    assert!(server.requests().iter().all(|request| request.header("cookie").is_none()));
}

#[tokio::test]
async fn an_address_in_the_url_that_may_not_be_reached_is_not_called() {
    let server = StandIn::giving([json("{}")]).await;
    let port = server.address.port();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "[::1]"] {
        let error = nowhere().get(&format!("http://{host}:{port}/")).send().await.unwrap_err();
        assert_eq!(error, HttpError::Forbidden, "{host}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_name_that_leads_to_an_address_that_may_not_be_reached_is_not_called() {
    let server = StandIn::giving([json("{}")]).await;
    let url = format!("http://localhost:{}/", server.address.port());
    assert_eq!(nowhere().get(&url).send().await.unwrap_err(), HttpError::Forbidden);
    assert_eq!(server.requests().len(), 0);
    // Other addresses of the same name stay.
    except("::1").get(&url).send().await.unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_redirect_to_a_place_that_may_not_be_reached_is_not_followed() {
    let inner = StandIn::giving([json("{}")]).await;
    let by_name = format!("http://localhost:{}/", inner.address.port());
    for target in [inner.url("/metadata"), by_name] {
        let outer = StandIn::at("127.0.0.2", move |_, _| redirect(302, &target)).await;
        let only_outer = client_within(Arc::new(|address: IpAddr| address.to_string() == "127.0.0.2"));
        let error = only_outer.post(&outer.url("/")).send().await.unwrap_err();
        assert_eq!(error, HttpError::Forbidden);
        assert_eq!(outer.requests().len(), 1);
    }
    assert_eq!(inner.requests().len(), 0);
}

#[tokio::test]
async fn redirects_change_the_method_as_in_go() {
    for (status, method, body) in
        [(301, "GET", ""), (302, "GET", ""), (303, "GET", ""), (307, "POST", "a=b"), (308, "POST", "a=b")]
    {
        let server = StandIn::giving([redirect(status, "/next"), json("{}")]).await;
        let call = client().post(&server.url("/start")).form(&[("a", "b")]);
        assert_eq!(call.send().await.unwrap().status(), 200);
        let [_, second] = &server.requests()[..] else { panic!("two requests") };
        assert_eq!((second.method.as_str(), second.target.as_str(), second.body()), (method, "/next", body));
        assert_eq!(second.header("content-type").is_some(), method == "POST", "{status}");
        assert_eq!(second.header("referer"), None);
    }
}

#[tokio::test]
async fn credentials_stay_with_the_host_they_are_for() {
    let other = StandIn::at("127.0.0.2", |_, _| json("{}")).await;
    let target = other.url("/");
    let server = StandIn::at("127.0.0.1", move |_, _| redirect(307, &target)).await;
    let call = client().post(&server.url("/")).authorization("Bearer", &Secret::new("t0k3n".to_owned()));
    call.send().await.unwrap();
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer t0k3n"));
    assert_eq!(other.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn who_follows_no_redirect_is_given_it_as_the_answer() {
    for status in [301, 302, 303, 307, 308] {
        let server = StandIn::giving([redirect(status, "/next"), json("{}")]).await;
        let call = client().without_redirects().post(&server.url("/start")).form(&[("a", "b")]);
        assert_eq!(call.send().await.unwrap().status(), status);
        assert_eq!(server.requests().len(), 1);
    }
    let server = StandIn::giving([json("{}")]).await;
    assert_eq!(nowhere().without_redirects().get(&server.url("/")).send().await.unwrap_err(), HttpError::Forbidden);
}

#[tokio::test]
async fn redirects_end_after_ten() {
    let server = StandIn::at("127.0.0.1", |number, _| match number {
        10 => json("{}"),
        _ => redirect(302, "/again"),
    });
    let server = server.await;
    assert_eq!(client().get(&server.url("/")).send().await.unwrap().status(), 200);
    let circle = StandIn::giving([redirect(302, "/?secret=1")]).await;
    let error = client().get(&circle.url("/")).send().await.unwrap_err();
    assert!(matches!(&error, HttpError::Network { timed_out: false, detail } if detail.contains("too many redirects")));
    assert_eq!(circle.requests().len(), 11);
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn only_http_is_called() {
    for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "nonsense", "", "http://"] {
        assert_eq!(client().get(url).send().await.unwrap_err(), HttpError::Url, "{url}");
    }
    let server = StandIn::giving([redirect(302, "gopher://127.0.0.1/passwd")]).await;
    assert_eq!(client().get(&server.url("/")).send().await.unwrap_err(), HttpError::Url);
    // What is no URL that can be asked for is not followed: the redirect itself is the answer.
    let server = StandIn::giving([redirect(302, "file:///etc/passwd")]).await;
    assert_eq!(client().get(&server.url("/")).send().await.unwrap().status(), 302);
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_no_panic() {
    let server = StandIn::giving([json("{}")]).await;
    let call = client().get(&server.url("/")).authorization("Bearer", &Secret::new("a\nb".to_owned()));
    assert_eq!(call.send().await.unwrap_err(), HttpError::Url);
    assert_eq!(client().get(&server.url("/")).header("x", "a\r\nb").send().await.unwrap_err(), HttpError::Url);
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn errors_hold_no_part_of_the_url() {
    let free = StandIn::giving([Reply::Raw(b"SSH-2.0-what\r\n".to_vec())]).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for address in [free.address, closed] {
        let url = format!("http://us3r:p4ss@{address}/p4th?t0k3n=1");
        let error = client().get(&url).send().await.unwrap_err();
        assert!(matches!(error, HttpError::Network { timed_out: false, .. }), "{error:?}");
        for part in ["us3r", "p4ss", "p4th", "t0k3n"] {
            assert!(!format!("{error} {error:?}").contains(part), "{error:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_costs_the_time_limit_and_no_more() {
    let server = StandIn::giving([Reply::Silence]).await;
    let start = Instant::now();
    assert_eq!(client().get(&server.url("/")).send().await.unwrap_err(), HttpError::Timeout);
    assert_eq!(start.elapsed().as_secs(), 10);
    let start = Instant::now();
    let call = client().get(&server.url("/")).deadline(start + Duration::from_secs(3));
    assert_eq!(call.send().await.unwrap_err(), HttpError::Timeout);
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_costs_the_time_limit_and_no_more() {
    let head = b"HTTP/1.1 200 x\r\ncontent-length: 100000\r\n\r\n";
    let server = StandIn::giving([Reply::Drip(head.to_vec())]).await;
    let start = Instant::now();
    let answer = client().get(&server.url("/")).send().await.unwrap();
    assert_eq!(answer.read(1_000_000).await.unwrap_err(), HttpError::Timeout);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit() {
    let server = StandIn::giving([reply(200, &[], &[b'x'; 1000])]).await;
    let read = async |limit| client().get(&server.url("/")).send().await.unwrap().read(limit).await;
    assert_eq!(read(1000).await.unwrap().len(), 1000);
    assert_eq!(read(999).await.unwrap_err(), HttpError::TooLarge(999));
    let flood = StandIn::giving([Reply::Flood(b"HTTP/1.1 200 x\r\n\r\n".to_vec())]).await;
    let answer = client().get(&flood.url("/")).send().await.unwrap();
    assert_eq!(answer.read(50_000).await.unwrap_err(), HttpError::TooLarge(50_000));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_body() {
    let server = StandIn::giving([Reply::Raw(b"HTTP/1.1 200 x\r\ncontent-length: 10\r\n\r\nhalf".to_vec())]).await;
    let answer = client().get(&server.url("/")).send().await.unwrap();
    assert!(matches!(answer.read(100).await.unwrap_err(), HttpError::Network { .. }));
}

#[tokio::test]
async fn a_certificate_of_nobody_known_is_not_accepted() {
    let Tls::AtOnce(acceptor) = Identity::new().at_once() else { panic!("encrypts at once") };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/?t0k3n=1", listener.local_addr().unwrap().port());
    let server = async { acceptor.accept(listener.accept().await.unwrap().0).await.map(|_| ()) };
    let (error, handshake) = tokio::join!(except("::1").get(&url).send(), server);
    let error = error.unwrap_err();
    assert!(matches!(&error, HttpError::Network { detail, .. } if detail.contains("certificate")), "{error:?}");
    assert!(handshake.is_err() && !error.to_string().contains("t0k3n"), "{error}");
}
