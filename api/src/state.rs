//! What every handler shares, put together at composition.

use std::sync::Arc;
use std::time::Duration;

use domain::entropy::Entropy;
use ipnet::IpNet;
use tokio::sync::watch;

use crate::mail::MailStore;
use crate::metrics::{MetricSource, Metrics, Reading};
use crate::runtime::Runtime;
use crate::watchers::Watchers;

/// The parts the edge is put together from.
pub struct Parts {
    /// Answers what projects are asked.
    pub runtime: Arc<dyn Runtime>,
    /// Where mails stay while a project has no mail server; `None` = there is no mailbox.
    pub mailbox: Option<Arc<dyn MailStore>>,
    /// Makes request ids.
    pub entropy: Arc<dyn Entropy>,
    /// `{ref}.{domain}` is the host of a project.
    pub domain: String,
    /// Peers whose forwarded headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a request may take.
    pub deadline: Duration,
    /// What `/metrics` shows besides the edge's own counters.
    pub metric_sources: Vec<Arc<dyn MetricSource>>,
}

/// Shared by all handlers. Cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<Inner>);

struct Inner {
    parts: Parts,
    metrics: Metrics,
    watchers: Watchers,
    streams_end: watch::Sender<bool>,
}

impl ApiState {
    /// Puts the edge together.
    pub fn new(parts: Parts) -> Self {
        let (streams_end, _) = watch::channel(false);
        Self(Arc::new(Inner { parts, metrics: Metrics::default(), watchers: Watchers::default(), streams_end }))
    }

    /// Ends the answers that would go on for as long as somebody reads them; new ones end at once. The first step of a
    /// shutdown.
    pub fn end_streams(&self) {
        self.0.streams_end.send_replace(true);
    }

    /// Waits until [`ApiState::end_streams`] is called.
    pub(crate) async fn streams_end(&self) {
        let mut end = self.0.streams_end.subscribe();
        // It cannot fail: the sender lives as long as this state.
        let _ended = end.wait_for(|end| *end).await;
    }

    pub(crate) fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }

    pub(crate) fn runtime(&self) -> &dyn Runtime {
        &*self.0.parts.runtime
    }

    pub(crate) fn mailbox(&self) -> Option<&Arc<dyn MailStore>> {
        self.0.parts.mailbox.as_ref()
    }

    pub(crate) fn entropy(&self) -> &(dyn Entropy + 'static) {
        &*self.0.parts.entropy
    }

    pub(crate) fn domain(&self) -> &str {
        &self.0.parts.domain
    }

    pub(crate) fn trusted_proxies(&self) -> &[IpNet] {
        &self.0.parts.trusted_proxies
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.0.parts.deadline
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn readings(&self) -> Vec<Reading> {
        self.0.parts.metric_sources.iter().flat_map(|source| source.read()).collect()
    }
}
