//! What every handler shares, put together at composition.

use std::sync::Arc;
use std::time::Duration;

use domain::entropy::Entropy;
use ipnet::IpNet;

use crate::mail::MailStore;
use crate::metrics::{MetricSource, Metrics, Reading};
use crate::runtime::Runtime;

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
}

impl ApiState {
    /// Puts the edge together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, metrics: Metrics::default() }))
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
