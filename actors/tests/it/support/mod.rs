//! A gateway without HTTP: real actors, projects that exist because a test says so, operations that are closures.

pub(crate) mod facts;
mod operation;
mod parts;
mod source;
mod whole;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actors::{AskError, Document, Limits, Operation, Parts, Runtime, RuntimeHandle};
use async_trait::async_trait;
use crypto::seal::MasterKey;
use domain::config::Defaults;
use domain::entropy::Entropy;
use domain::ids::ProjectRef;
use domain::request::Caller;
use domain::time::{Clock, Timestamp};
use flows::delivery::{Deliver, Delivery};
use flows::{Databases, Services};
use storage::{ControlStore, Database, OutboxRow, Placement};
use tokio::time::Instant;

pub(crate) use operation::{Beside, Latch, Poison, on, panicking, ready, session};
pub(crate) use source::FakeSource;
pub(crate) use whole::Whole;

/// A clock that follows tokio's, so that paused time moves it.
pub(crate) struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(1_780_000_000).plus_seconds(self.0.elapsed().as_secs().try_into().unwrap())
    }
}

/// Bytes that never repeat and are the same in every run.
#[derive(Default)]
pub(crate) struct TestEntropy(AtomicU64);

impl TestEntropy {
    /// Others than those of an entropy that starts elsewhere.
    pub(crate) fn starting_at(number: u64) -> Self {
        Self(AtomicU64::new(number))
    }

    /// How much was drawn.
    pub(crate) fn used(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Entropy for TestEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            chunk.iter_mut().zip(next).for_each(|(byte, random)| *byte = random);
        }
    }
}

struct NoMail;

#[async_trait]
impl Deliver for NoMail {
    async fn deliver(&self, _: &OutboxRow) -> Delivery {
        Delivery::Done
    }
}

/// A started runtime and what it was given.
pub(crate) struct Gateway {
    pub(crate) handle: RuntimeHandle,
    pub(crate) source: Arc<FakeSource>,
    pub(crate) services: Arc<Services>,
    pub(crate) entropy: Arc<TestEntropy>,
    _folder: tempfile::TempDir,
}

impl Gateway {
    /// A gateway whose time runs.
    pub(crate) async fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| Placement::Sqlite { file: folder.path().join(name) };
        let database = Database::connect(&place("auth.db")).await.unwrap();
        let control = ControlStore::connect(&place("control.db")).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(TestClock(Instant::now()));
        let drawn = Arc::new(TestEntropy::default());
        let entropy: Arc<dyn Entropy> = Arc::clone(&drawn) as Arc<dyn Entropy>;
        let master_key = MasterKey::generate(&*entropy);
        let runtime = Runtime::new(limits);
        let services = parts::services(&runtime, clock, entropy, master_key);
        let source = Arc::new(FakeSource::new(database.clone()));
        let parts = Parts {
            services: Arc::clone(&services),
            source: Arc::clone(&source) as Arc<dyn flows::TenantSource>,
            deliver: Arc::new(NoMail),
            management: parts::management(&services, control, Databases::new(database)),
        };
        let handle = runtime.start(parts).await.unwrap();
        Self { handle, source, services, entropy: drawn, _folder: folder }
    }

    /// A gateway whose time moves only when everybody waits for it.
    pub(crate) async fn paused(limits: Limits) -> Self {
        let gateway = Self::start(limits).await;
        tokio::time::pause();
        gateway
    }

    /// Asks with half a minute of patience.
    pub(crate) async fn ask<O: Operation>(&self, name: &str, operation: O) -> Result<O::Answer, AskError> {
        self.ask_within(Duration::from_secs(30), name, operation).await
    }

    /// Asks with this much patience.
    pub(crate) async fn ask_within<O: Operation>(
        &self,
        patience: Duration,
        name: &str,
        operation: O,
    ) -> Result<O::Answer, AskError> {
        self.handle.ask(&project(name), Caller::default(), Instant::now() + patience, operation).await
    }

    /// Asks in the background.
    pub(crate) fn spawn<O: Operation>(
        &self,
        name: &str,
        operation: O,
    ) -> tokio::task::JoinHandle<Result<O::Answer, AskError>> {
        let (handle, project) = (self.handle.clone(), project(name));
        let deadline = Instant::now() + Duration::from_secs(30);
        tokio::spawn(async move { handle.ask(&project, Caller::default(), deadline, operation).await })
    }

    /// A document that comes from the snapshot.
    pub(crate) async fn settings(&self, name: &str) -> Result<domain::discovery::Answer, AskError> {
        self.ask(name, Document::Settings).await
    }
}

/// A project by name.
pub(crate) fn project(name: &str) -> ProjectRef {
    name.parse().unwrap()
}

/// Defaults of the process.
pub(crate) fn defaults() -> Defaults {
    Defaults { jwt_exp: 3600, site_url: "http://localhost:3000".to_owned(), mailer_autoconfirm: true }
}

/// Lets every task run that can.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
