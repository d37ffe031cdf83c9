//! One request on its way: what to do, until when, the permits it holds and where the answer goes.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use domain::request::Caller;
use domain::time::Timestamp;
use flows::{Context, Tenant};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::error::AskError;
use crate::kit::Permit;
use crate::operation::{Lane, Operation};

/// What the pools know of the work that asks them.
#[derive(Clone, Copy)]
struct Current {
    deadline: Instant,
    hashing: Option<u32>,
}

tokio::task_local! {
    static CURRENT: Current;
}

/// Until when the work of this task has an interested caller; `None` outside of work.
pub(crate) fn current_deadline() -> Option<Instant> {
    CURRENT.try_with(|current| current.deadline).ok()
}

/// How many hashing jobs the project of this task's work may have waiting, where it has a quota of its own.
pub(crate) fn current_hashing_quota() -> Option<usize> {
    CURRENT.try_with(|current| current.hashing).ok().flatten().and_then(|quota| usize::try_from(quota).ok())
}

/// The rights to be in flight; they go home before the answer does, so that who has the answer may ask again.
pub(crate) struct Permits {
    _global: Permit,
    pub(crate) tenant: Option<Permit>,
    pub(crate) entity: Option<Permit>,
}

impl Permits {
    pub(crate) fn new(global: Permit) -> Self {
        Self { _global: global, tenant: None, entity: None }
    }
}

/// How work ended, as far as an actor's memory is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The outcome is known.
    Known,
    /// A write may or may not have happened: what is remembered must be read again.
    Unknown,
}

/// An operation and where its answer goes, with their types hidden.
trait Job: Send {
    fn lane(&self, tenant: &Tenant, now: Timestamp) -> Lane;
    fn is_abandoned(&self) -> bool;
    fn refuse(self: Box<Self>, error: AskError);
    fn run(self: Box<Self>, context: Context, permits: Permits) -> BoxFuture<'static, Ending>;
}

struct Asked<O: Operation> {
    operation: O,
    reply: oneshot::Sender<Result<O::Answer, AskError>>,
}

impl<O: Operation> Job for Asked<O> {
    fn lane(&self, tenant: &Tenant, now: Timestamp) -> Lane {
        self.operation.lane(tenant, now)
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn refuse(self: Box<Self>, error: AskError) {
        answer(self.reply, Err(error));
    }

    fn run(self: Box<Self>, context: Context, permits: Permits) -> BoxFuture<'static, Ending> {
        let Self { operation, reply } = *self;
        async move {
            let outcome = operation.run(context).await;
            let ending = match &outcome {
                Err(flows::Error::Unknown(_)) => Ending::Unknown,
                _ => Ending::Known,
            };
            drop(permits);
            answer(reply, outcome.map_err(AskError::from));
            ending
        }
        .boxed()
    }
}

fn answer<T>(reply: oneshot::Sender<T>, answer: T) {
    if reply.send(answer).is_err() {
        tracing::debug!("the caller left before the answer");
    }
}

/// The caller's end of a reply.
pub(crate) type Answer<O> = oneshot::Receiver<Result<<O as Operation>::Answer, AskError>>;

/// One request on its way.
pub(crate) struct Work {
    job: Box<dyn Job>,
    pub(crate) name: &'static str,
    beside_its_like: bool,
    pub(crate) caller: Caller,
    pub(crate) lane: Lane,
    pub(crate) deadline: Instant,
    pub(crate) permits: Permits,
    pub(crate) span: Span,
}

impl Work {
    /// Work for `operation`, and where its answer will come.
    pub(crate) fn new<O: Operation>(
        operation: O,
        caller: Caller,
        deadline: Instant,
        permits: Permits,
        span: Span,
    ) -> (Self, Answer<O>) {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Asked { operation, reply });
        let (name, beside_its_like) = (O::NAME, O::BESIDE_ITS_LIKE);
        (Self { job, name, beside_its_like, caller, lane: Lane::Task, deadline, permits, span }, answer)
    }

    /// Asks the operation where it runs.
    pub(crate) fn route(&mut self, tenant: &Tenant, now: Timestamp) {
        self.lane = self.job.lane(tenant, now);
    }

    /// Whether an actor may do it and `other` at once.
    pub(crate) fn may_run_beside(&self, other: &Self) -> bool {
        self.beside_its_like && self.name == other.name
    }

    /// Whether nobody waits any more: it must not be begun.
    pub(crate) fn is_stale(&self) -> bool {
        self.job.is_abandoned() || Instant::now() >= self.deadline
    }

    /// Answers that it was not done.
    pub(crate) fn refuse(self, error: AskError) {
        let Self { job, permits, .. } = self;
        drop(permits);
        job.refuse(error);
    }

    /// Does it and answers. If the future is dropped or panics, the caller sees a crash.
    pub(crate) fn run(self, context: Context) -> impl Future<Output = Ending> + Send + 'static {
        let Self { job, deadline, permits, span, .. } = self;
        let current = Current { deadline, hashing: context.tenant.project.quotas.hashing };
        CURRENT.scope(current, job.run(context, permits)).instrument(span)
    }
}

/// Runs work that does not wait, here and now. A panic costs its caller only. Work that waits after all goes on in a task.
pub(crate) fn run_now(work: Work, context: Context) {
    let name = work.name;
    let mut running = Box::pin(AssertUnwindSafe(work.run(context)).catch_unwind());
    match (&mut running).now_or_never() {
        Some(Ok(_)) => {}
        Some(Err(_)) => tracing::error!(operation = name, "operation panicked"),
        None => drop(tokio::spawn(running)),
    }
}
