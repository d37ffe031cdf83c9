//! A server whose latencies are known, and that stalls once: does the report tell the truth about it?
//!
//! While a server stalls, clients that wait for it send nothing. Counted from when they are sent, a stall of a second shows in as
//! many requests as there are clients; but everybody who should have been served meanwhile had to wait. The report must
//! show the second (no coordinated omission).

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fake::{ANON_KEY, Fake, SERVICE_KEY, State};

const QUICK: Duration = Duration::from_millis(20);
/// One read in ten takes so long.
const SLOW: Duration = Duration::from_millis(200);
const STALL: Duration = Duration::from_secs(1);
/// From the first read to the stall.
const BEFORE: Duration = Duration::from_secs(1);

/// What stands between the clients and the server.
#[derive(Default)]
struct Between {
    stalls: bool,
    first_read: Mutex<Option<Instant>>,
    reads: AtomicUsize,
    /// Reads that were sent into the stall.
    held: AtomicUsize,
}

impl Between {
    /// Holds a request up; each of them is small enough to come in one piece.
    async fn hold(&self, request: &[u8]) {
        if !request.starts_with(b"GET ") {
            return;
        }
        let now = Instant::now();
        let first = *self.first_read.lock().unwrap().get_or_insert(now);
        let number = self.reads.fetch_add(1, Ordering::Relaxed);
        let stall = first + BEFORE..first + BEFORE + STALL;
        if self.stalls && stall.contains(&now) {
            self.held.fetch_add(1, Ordering::Relaxed);
            sleep_until(stall.end).await;
        }
        sleep(if number % 10 == 9 { SLOW } else { QUICK }).await;
    }
}

/// Puts itself before a server; gives the address to go to.
async fn stand_before(fake: &Fake, between: Arc<Between>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let (server, path) = fake.url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let url = format!("http://{here}/{path}");
    let server = server.to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let upstream = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(pass_on(client, upstream, Arc::clone(&between)));
        }
    });
    url
}

async fn pass_on(client: TcpStream, server: TcpStream, between: Arc<Between>) -> io::Result<()> {
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut piece = [0; 16 * 1024];
    loop {
        let length = from_client.read(&mut piece).await?;
        if length == 0 {
            answers.abort();
            return Ok(());
        }
        between.hold(&piece[..length]).await;
        to_server.write_all(&piece[..length]).await?;
    }
}

/// What became of the reads of a run.
async fn reads(url: &str, rest: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_tenantry-load"))
        .args(["run", "user-read", "--url", url, "--key", SERVICE_KEY, "--anon-key", ANON_KEY])
        .args(["--warm-up", "0", "--no-report", "--json"])
        .args(rest)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["runs"][0]["operations"][0].take()
}

fn seconds(row: &Value, percentile: &str) -> f64 {
    row["latency_ms"][percentile].as_f64().unwrap() / 1_000.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_shows_in_all_that_should_have_been_served_meanwhile() {
    let fake = Fake::start(State::default()).await;
    let between = Arc::new(Between { stalls: true, ..Between::default() });
    let url = stand_before(&fake, Arc::clone(&between)).await;
    let row = reads(&url, &["--rate", "100", "--clients", "8", "--duration", "4"]).await;

    let held = between.held.load(Ordering::Relaxed);
    assert!((1..=8).contains(&held), "one per client went into the stall: {held}");
    let count = row["requests"].as_u64().unwrap();
    assert!(count > 350, "{row}");
    // Of 400, the 100 of the stalled second waited for its end, a whole second to nothing: 40 of them for 0.6 s or more.
    assert!(seconds(&row, "p90") > 0.5, "{row}");
    assert!(seconds(&row, "p99") > 0.9, "{row}");
    assert!(seconds(&row, "max") > 0.98, "{row}");
    assert!(seconds(&row, "p50") < 0.5, "most had nothing to do with it: {row}");
    // Counted from when they are sent, those that were held would be too few to show in nine of ten requests.
    assert!((held as f64) < 0.05 * count as f64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latencies_are_those_of_the_server() {
    let fake = Fake::start(State::default()).await;
    let url = stand_before(&fake, Arc::new(Between::default())).await;
    let row = reads(&url, &["--rate", "100", "--clients", "64", "--duration", "2"]).await;
    assert!((QUICK.as_secs_f64()..SLOW.as_secs_f64()).contains(&seconds(&row, "p50")), "{row}");
    // One in ten.
    assert!(seconds(&row, "p99") >= SLOW.as_secs_f64(), "{row}");
}
