//! A gateway over real databases: projects come from the control store, mail goes into a channel.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actors::{AskError, Limits, Operation, Parts, Runtime, RuntimeHandle};
use async_trait::async_trait;
use cluster::Cluster;
use crypto::seal::MasterKey;
use domain::entropy::Entropy;
use domain::operator::Operator;
use domain::quota::Quotas;
use domain::request::Caller;
use domain::time::Clock;
use flows::delivery::{Deliver, Delivery};
use flows::management::{DEFAULT_GRACE, Management, Operators, ProjectUrls, Routes};
use flows::{ControlSource, Databases, Services};
use outbound::breaches::RecordingBreaches;
use outbound::captcha::RecordingCaptcha;
use outbound::dns::RecordingTxtRecords;
use outbound::hooks::RecordingHooks;
use outbound::sms::RecordingSms;
use storage::{ControlStore, Database, OutboxRow, Placement};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{TestClock, TestEntropy, defaults, project};

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
        let place = |name: &str| Placement::Sqlite { file: folder.join(name) };
        let database = Database::connect(&place("auth.db")).await.unwrap();
        database.migrate().await.unwrap();
        let control = ControlStore::connect(&place("control.db")).await.unwrap();
        control.migrate().await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(TestClock(Instant::now()));
        let master_key = Arc::new(MasterKey::generate(&TestEntropy::default()));
        let entropy: Arc<dyn Entropy> = Arc::new(TestEntropy::starting_at(number << 32));
        let runtime = Runtime::new(Limits { changes_poll: Duration::from_millis(10), ..Limits::default() });
        let services = Arc::new(Services {
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            hasher: runtime.hasher(),
            cluster: Cluster::in_process(),
            master_key: Arc::clone(&master_key),
            outbox: runtime.outbox(),
            hooks: Arc::new(RecordingHooks::new()),
            sms: Arc::new(RecordingSms::new()),
            captcha: Arc::new(RecordingCaptcha::new()),
            breaches: Arc::new(RecordingBreaches::new()),
            providers: Arc::new(outbound::RecordingProviders::default()),
            books: Arc::default(),
        });
        let (databases, urls) = (Databases::new(database), ProjectUrls { external: "http://localhost".to_owned() });
        let source = ControlSource {
            control: control.clone(),
            master_key: Arc::clone(&master_key),
            defaults: defaults(),
            urls: urls.clone(),
            databases: databases.clone(),
        };
        let management = Management {
            control,
            master_key,
            cluster: services.cluster.clone(),
            clock,
            entropy,
            defaults: defaults(),
            urls,
            databases,
            routes: Routes::default(),
            operators: Operators::default(),
            providers: Arc::clone(&services.providers),
            dns: Arc::new(RecordingTxtRecords::default()),
            runtime: None,
            granted: Quotas::default(),
            delete_grace: DEFAULT_GRACE,
            operator: Arc::new(Operator::gateway()),
            address: None,
        };
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
