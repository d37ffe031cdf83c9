//! What one project asked of this gateway since it came into memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::ids::ProjectId;
use domain::quota::Quota;
use flows::management::{ProjectUsage, UsageSource};

use crate::runtime::Shared;

/// The counters of one project.
#[derive(Default)]
pub(crate) struct Usage {
    requests: AtomicU64,
    refused: [AtomicU64; Quota::ALL.len()],
}

impl Usage {
    /// A request came.
    pub(crate) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused for want of `quota`.
    pub(crate) fn count_refusal(&self, quota: Quota) {
        let place = Quota::ALL.iter().position(|other| *other == quota);
        if let Some(refused) = place.and_then(|place| self.refused.get(place)) {
            refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// All counters, with how many requests are under way.
    pub(crate) fn read(&self, in_flight: usize) -> ProjectUsage {
        let refused = Quota::ALL.into_iter().zip(&self.refused);
        let refused: BTreeMap<Quota, u64> =
            refused.map(|(quota, refused)| (quota, refused.load(Ordering::Relaxed))).collect();
        ProjectUsage { requests: self.requests(), in_flight: in_flight as u64, refused }
    }
}

impl UsageSource for Shared {
    fn usage(&self, project: ProjectId) -> Option<ProjectUsage> {
        self.directory.find_by_id(project).map(|entry| entry.usage.read(entry.inside()))
    }
}
