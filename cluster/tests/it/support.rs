//! Fresh identifiers, a Redis of our own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use cluster::{Cluster, Counters, Event, Events, Hit, RedisOptions, SessionEntry, Take, Unavailable};
use domain::ids::{ProjectId, SessionId, UserId};
use domain::secret::Secret;
use domain::time::Timestamp;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

#[expect(clippy::disallowed_methods, reason = "a shared server needs keys that no other run uses")]
pub(crate) fn uuid() -> Uuid {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    Uuid::from_bytes(bytes)
}

pub(crate) fn project() -> ProjectId {
    ProjectId(uuid())
}

/// An instant `seconds` after a fixed one.
pub(crate) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_unix(1_700_000_000).plus(TimeDelta::microseconds((seconds * 1e6).round() as i64))
}

pub(crate) fn entry(user: UserId, session: SessionId, last_used: Timestamp) -> SessionEntry {
    SessionEntry {
        session,
        user,
        created_at: at(-60.0),
        last_used,
        ip: Some("192.0.2.7".to_owned()),
        user_agent: Some("tests: a \"client\" \u{1f980}".to_owned()),
    }
}

/// Two gateways over the shared test server, with keys and a channel of their own, whose counters are asked by turns: counts
/// that were not kept in Redis would not add up.
pub(crate) async fn two_gateways() -> Cluster {
    let prefix = format!("test-{}", uuid());
    let (one, other) = (redis_with(&prefix).await, redis_with(&prefix).await);
    let counters =
        ByTurns { gateways: [one.counters, other.counters], takes: AtomicUsize::new(0), hits: AtomicUsize::new(0) };
    Cluster { counters: Arc::new(counters), ..one }
}

struct ByTurns {
    gateways: [Arc<dyn Counters>; 2],
    takes: AtomicUsize,
    hits: AtomicUsize,
}

impl ByTurns {
    fn next(&self, calls: &AtomicUsize) -> &dyn Counters {
        let [one, other] = &self.gateways;
        if calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { one.as_ref() } else { other.as_ref() }
    }
}

#[async_trait]
impl Counters for ByTurns {
    async fn take(&self, p: ProjectId, b: &str, c: u32, r: f64, now: Timestamp) -> Result<Take, Unavailable> {
        self.next(&self.takes).take(p, b, c, r, now).await
    }

    async fn hit(&self, p: ProjectId, k: &str, l: u32, w: Duration, now: Timestamp) -> Result<Hit, Unavailable> {
        self.next(&self.hits).hit(p, k, l, w, now).await
    }

    async fn clear(&self, p: ProjectId, k: &str) -> Result<(), Unavailable> {
        self.next(&self.hits).clear(p, k).await
    }

    async fn count(&self, p: ProjectId, k: &str, w: Duration, now: Timestamp) -> Result<u32, Unavailable> {
        self.next(&self.hits).count(p, k, w, now).await
    }

    async fn forget_project(&self, p: ProjectId) -> Result<(), Unavailable> {
        self.next(&self.hits).forget_project(p).await
    }
}

pub(crate) async fn redis_with(prefix: &str) -> Cluster {
    let url = std::env::var("TENANTRY_TEST_REDIS_URL").expect("TENANTRY_TEST_REDIS_URL is set");
    connect(&url, prefix).await
}

pub(crate) async fn connect(url: &str, prefix: &str) -> Cluster {
    let options = RedisOptions {
        prefix: prefix.to_owned(),
        first_connection: Duration::from_secs(10),
        ..RedisOptions::default()
    };
    let cluster = Cluster::redis(&Secret::new(url.to_owned()), options).await.unwrap();
    assert!(cluster.bus.healthy(), "redis is not reachable");
    cluster
}

/// Far longer than anything here takes: only a hanging test meets it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn next(events: &mut Events) -> Event {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event in time").expect("the bus lives")
}

/// Passes over other events until `wanted` comes.
pub(crate) async fn until(events: &mut Events, wanted: &Event) {
    while next(events).await != *wanted {}
}

/// Asks again and again until `condition` holds.
pub(crate) async fn eventually(condition: impl AsyncFn() -> bool) {
    let asking = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the condition holds in time");
}

/// A redis-server process of one test.
pub(crate) struct Server {
    process: Child,
    port: u16,
    arguments: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let mut all = vec!["--dir".to_owned(), folder.path().display().to_string()];
        all.extend(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"].map(str::to_owned));
        all.extend(["--port".to_owned(), port.to_string()]);
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        Self { process: launch(&all), port, arguments: all, _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many keys it holds.
    pub(crate) fn keys(&self) -> u64 {
        use std::io::{Read, Write};

        let mut connection = std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.write_all(b"DBSIZE\r\nQUIT\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.lines().next().and_then(|line| line.strip_prefix(':')).unwrap().parse().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.process = launch(&self.arguments);
    }

    /// Stops or continues the process as a debugger would: its sockets stay open.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A forwarded port that can be closed: an outage for those who use it, and for nobody else.
pub(crate) struct Way {
    from: u16,
    to: u16,
    forwarding: JoinHandle<()>,
}

impl Way {
    pub(crate) async fn to(to: u16) -> Self {
        let listener = listen(0).await;
        let from = listener.local_addr().unwrap().port();
        Self { from, to, forwarding: tokio::spawn(forward(listener, to)) }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.from)
    }

    pub(crate) async fn close(&mut self) {
        self.forwarding.abort();
        let stopped = (&mut self.forwarding).await;
        assert!(stopped.is_err_and(|error| error.is_cancelled()));
    }

    pub(crate) async fn open(&mut self) {
        self.forwarding = tokio::spawn(forward(listen(self.from).await, self.to));
    }
}

async fn listen(port: u16) -> tokio::net::TcpListener {
    tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap()
}

async fn forward(listener: tokio::net::TcpListener, to: u16) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
        connections.spawn(async move { copy_bidirectional(&mut client, &mut server).await });
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn launch(arguments: &[String]) -> Child {
    let binary = std::env::var_os("TENANTRY_TEST_REDIS_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from);
    let mut process = Command::new(binary)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-server is on PATH or named by TENANTRY_TEST_REDIS_SERVER");
    let output = BufReader::new(process.stdout.take().unwrap());
    let ready = output.lines().map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
    assert!(ready, "redis-server did not start");
    process
}
