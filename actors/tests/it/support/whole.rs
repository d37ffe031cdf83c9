//! A gateway over real databases: projects come from the control store, mail goes into a channel.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actors::{AskError, Limits, Operation, Parts, Runtime, RuntimeHandle};
use async_trait::async_trait;
use crypto::seal::MasterKey;
use domain::entropy::Entropy;
use domain::request::Caller;
use domain::time::Clock;
use flows::delivery::{Deliver, Delivery};
use flows::{ControlSource, Databases};
use storage::{ControlStore, Database, OutboxRow, Placement};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{TestClock, TestEntropy, defaults, parts, project};

struct IntoChannel(mpsc::UnboundedSender<OutboxRow>);

#[async_trait]
impl Deliver for IntoChannel {
    async fn deliver(&self, row: &OutboxRow) -> Delivery {
        self.0.send(row.clone()).unwrap();
        Delivery::Done
    }
}

/// A gateway over the databases of a folder.
pub(crate) struct Whole {
    pub(crate) handle: RuntimeHandle,
    pub(crate) delivered: mpsc::UnboundedReceiver<OutboxRow>,
}

impl Whole {
    /// Starts one with a cluster of its own; `number` tells its randomness from another gateway's.
    pub(crate) async fn start(folder: &Path, number: u64) -> Self {
        Self::within(folder, number, Limits::default()).await
    }

    /// The same within other limits.
    pub(crate) async fn within(folder: &Path, number: u64, limits: Limits) -> Self {
        let place = |name: &str| Placement::Sqlite { file: folder.join(name) };
        let database = Database::connect(&place("auth.db")).await.unwrap();
        database.migrate().await.unwrap();
        let control = ControlStore::connect(&place("control.db")).await.unwrap();
        control.migrate().await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(TestClock(Instant::now()));
        let master_key = MasterKey::generate(&TestEntropy::default());
        let entropy: Arc<dyn Entropy> = Arc::new(TestEntropy::starting_at(number << 32));
        let runtime = Runtime::new(Limits { changes_poll: Duration::from_millis(10), ..limits });
        let services = parts::services(&runtime, clock, entropy, master_key);
        let databases = Databases::new(database);
        let source = ControlSource {
            control: control.clone(),
            master_key: Arc::clone(&services.master_key),
            defaults: defaults(),
            urls: parts::urls(),
            databases: databases.clone(),
        };
        let management = parts::management(&services, control, databases);
        let (deliver, delivered) = mpsc::unbounded_channel();
        let parts = Parts { services, source: Arc::new(source), deliver: Arc::new(IntoChannel(deliver)), management };
        Self { handle: runtime.start(parts).await.unwrap(), delivered }
    }

    /// Asks with ten seconds of patience.
    pub(crate) async fn ask<O: Operation>(&self, name: &str, operation: O) -> Result<O::Answer, AskError> {
        let deadline = Instant::now() + Duration::from_secs(10);
        self.handle.ask(&project(name), Caller::default(), deadline, operation).await
    }
}
