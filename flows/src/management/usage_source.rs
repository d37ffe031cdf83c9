//! What a project asks of this gateway, as the runtime counts it.

use std::collections::BTreeMap;

use domain::ids::ProjectId;
use domain::quota::Quota;

/// What a project asked of this gateway since it came into its memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectUsage {
    /// Requests that came.
    pub requests: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// Requests that were refused for want of each quota.
    pub refused: BTreeMap<Quota, u64>,
}

/// Knows what projects ask of this gateway.
pub trait UsageSource: Send + Sync {
    /// What the project asked; `None` while it is not in memory.
    fn usage(&self, project: ProjectId) -> Option<ProjectUsage>;
}
