//! HTTP/1.1 on a TCP listener: what hyper must be told that axum's own server does not let one say, and the drain.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A client that does not finish the head of its request in this time, or sends none, is hung up on.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections open at a time; further ones wait in the backlog of the operating system.
const MAX_CONNECTIONS: usize = 16_384;

/// How long accepting rests when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `stop`; then answers what was accepted, until `deadline` says how long.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    deadline: impl FnOnce() -> Instant,
) -> Drained {
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let connection = connection(stream, peer, router.clone(), connections.watcher());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // From here on a new connection is refused by the operating system.
    drop(listener);
    match timeout_at(deadline(), connections.shutdown()).await {
        Ok(()) => Drained::Whole,
        Err(_) => Drained::CutOff,
    }
}

/// Whether every accepted request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// All were.
    Whole,
    /// The deadline passed before.
    CutOff,
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, %peer, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        ended: tokio::task::JoinHandle<Drained>,
    }

    async fn start(router: Router, patience: Duration) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let ended = tokio::spawn(serve(listener, router, stop.clone(), move || Instant::now() + patience));
        Server { address, stop, ended }
    }

    /// A route that says when it was entered and answers when it may.
    fn slow(entered: &Arc<Notify>, leave: &Arc<Notify>) -> Router {
        let (entered, leave) = (Arc::clone(entered), Arc::clone(leave));
        Router::new().route(
            "/",
            axum::routing::get(move || async move {
                entered.notify_one();
                leave.notified().await;
                "done"
            }),
        )
    }

    async fn send(address: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        stream
    }

    #[tokio::test]
    async fn a_drain_answers_what_was_accepted_and_refuses_the_rest() {
        let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let server = start(slow(&entered, &leave), Duration::from_secs(20)).await;
        let mut stream = send(server.address).await;
        entered.notified().await;
        server.stop.cancel();
        leave.notify_one();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
        assert_eq!(server.ended.await.unwrap(), Drained::Whole);
        assert!(TcpStream::connect(server.address).await.is_err());
    }

    #[tokio::test]
    async fn a_drain_ends_at_its_deadline() {
        let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let server = start(slow(&entered, &leave), Duration::from_millis(20)).await;
        let _stream = send(server.address).await;
        entered.notified().await;
        server.stop.cancel();
        assert_eq!(server.ended.await.unwrap(), Drained::CutOff);
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_up_a_drain() {
        let server = start(Router::new(), Duration::from_secs(20)).await;
        let mut stream = send(server.address).await;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        server.stop.cancel();
        assert_eq!(server.ended.await.unwrap(), Drained::Whole);
    }
}
