//! What a gateway of these tests is put together from, whatever its projects come from.

use std::sync::Arc;

use actors::Runtime;
use cluster::Cluster;
use crypto::seal::MasterKey;
use domain::entropy::Entropy;
use domain::operator::Operator;
use domain::quota::Quotas;
use domain::time::Clock;
use flows::management::{DEFAULT_GRACE, Management, Operators, ProjectUrls, Routes};
use flows::{Databases, Services};
use outbound::breaches::RecordingBreaches;
use outbound::captcha::RecordingCaptcha;
use outbound::dns::RecordingTxtRecords;
use outbound::hooks::RecordingHooks;
use outbound::sms::RecordingSms;
use storage::ControlStore;

use super::defaults;

/// Services whose outside only takes notes, in a cluster of their own.
pub(super) fn services(
    runtime: &Runtime,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    master_key: MasterKey,
) -> Arc<Services> {
    Arc::new(Services {
        clock,
        entropy,
        hasher: runtime.hasher(),
        cluster: Cluster::in_process(),
        master_key: Arc::new(master_key),
        outbox: runtime.outbox(),
        hooks: Arc::new(RecordingHooks::new()),
        sms: Arc::new(RecordingSms::new()),
        captcha: Arc::new(RecordingCaptcha::new()),
        breaches: Arc::new(RecordingBreaches::new()),
        providers: Arc::new(outbound::RecordingProviders::default()),
        books: Arc::default(),
    })
}

/// The operator's hand of a gateway with these services.
pub(super) fn management(services: &Services, control: ControlStore, databases: Databases) -> Management {
    Management {
        control,
        master_key: Arc::clone(&services.master_key),
        cluster: services.cluster.clone(),
        clock: Arc::clone(&services.clock),
        entropy: Arc::clone(&services.entropy),
        defaults: defaults(),
        urls: urls(),
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
    }
}

/// Where the gateway's projects are.
pub(super) fn urls() -> ProjectUrls {
    ProjectUrls { external: "http://localhost".to_owned() }
}
