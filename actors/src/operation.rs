//! What can be asked of a project.

use std::future::Future;

use domain::ids::SessionId;
use domain::time::Timestamp;
use flows::{Context, Tenant};

use crate::poll::Poll;

/// Where an operation runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// In the tenant actor, from the snapshot, at once. Never for work that waits.
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
