//! What can be asked of a project.

use std::future::Future;

use domain::ids::SessionId;
use domain::time::Timestamp;
use flows::{Context, Tenant};

use crate::poll::Poll;

/// Where an operation runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Where it is asked, from the snapshot, at once. Never for work that waits.
    Snapshot,
    /// In a task of its own: order does not matter.
    Task,
    /// In the session's actor: one at a time, in the order of arrival.
    Session(SessionId),
    /// In the actor of this challenge: one at a time, in the order of arrival.
    Challenge(String),
}

/// One thing that can be asked of a project: the request's type says which.
pub trait Operation: Send + 'static {
    /// What it answers.
    type Answer: Send + 'static;
    /// Its name in logs, traces and metrics.
    const NAME: &'static str;
    /// Whether several that queue for one actor may run at once, the first of them ahead: where the order of those that came together
    /// is nobody's, and the guards of the writes hold without it.
    const BESIDE_ITS_LIKE: bool = false;

    /// Where it runs. Decides about order only, never about permission: the claims it looks at may be anybody's.
    fn lane(&self, tenant: &Tenant, now: Timestamp) -> Lane;

    /// How it is asked again while its answer is not worth giving; `None` = it is asked once.
    fn poll(&self) -> Option<Poll<Self>>
    where
        Self: Sized,
    {
        None
    }

    /// Does it.
    fn run(self, ctx: Context) -> impl Future<Output = Result<Self::Answer, flows::Error>> + Send;
}
