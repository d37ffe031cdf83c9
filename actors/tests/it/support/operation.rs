//! Operations that are closures.

use std::future::Future;
use std::sync::Arc;

use actors::{Lane, Operation};
use domain::ids::SessionId;
use domain::time::Timestamp;
use flows::{Context, Tenant};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Runs a closure in a lane.
pub(crate) struct Do<F> {
    lane: Lane,
    run: F,
}

impl<F, Fut, T> Operation for Do<F>
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = flows::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    type Answer = T;
    const NAME: &'static str = "test";

    fn lane(&self, _: &Tenant, _: Timestamp) -> Lane {
        self.lane.clone()
    }

    fn run(self, ctx: Context) -> impl Future<Output = flows::Result<T>> + Send {
        (self.run)(ctx)
    }
}

/// `run` in `lane`.
pub(crate) fn on<F, Fut>(lane: Lane, run: F) -> Do<F>
where
    F: FnOnce(Context) -> Fut,
{
    Do { lane, run }
}

/// Answers `value` at once.
pub(crate) fn ready<T: Send + 'static>(lane: Lane, value: T) -> impl Operation<Answer = T> {
    on(lane, move |_| async move { Ok(value) })
}

/// Panics when it runs.
pub(crate) fn panicking(lane: Lane) -> impl Operation<Answer = ()> {
    on(lane, |_| async { panic!("injected") })
}

/// Panics when it is dropped without having run: a defect that hits whoever turns it away, a supervisor.
pub(crate) struct Poison {
    lane: Lane,
    armed: bool,
}

impl Poison {
    /// Poison for whoever turns it away in `lane`.
    pub(crate) fn new(lane: Lane) -> Self {
        Self { lane, armed: true }
    }
}

impl Drop for Poison {
    fn drop(&mut self) {
        assert!(!self.armed || std::thread::panicking(), "injected");
    }
}

impl Operation for Poison {
    type Answer = ();
    const NAME: &'static str = "poison";

    fn lane(&self, _: &Tenant, _: Timestamp) -> Lane {
        self.lane.clone()
    }

    async fn run(mut self, _: Context) -> flows::Result<()> {
        self.armed = false;
        Ok(())
    }
}

/// Holds operations until it is opened.
#[derive(Clone)]
pub(crate) struct Latch {
    entered: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Latch {
    /// A closed one.
    pub(crate) fn new() -> Self {
        Self { entered: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    /// An operation that waits for the latch.
    pub(crate) fn hold(&self, lane: Lane) -> impl Operation<Answer = ()> + use<> {
        let latch = self.clone();
        on(lane, move |_| async move {
            latch.entered.add_permits(1);
            latch.open.acquire().await.unwrap().forget();
            Ok(())
        })
    }

    /// Waits until one more operation is held.
    pub(crate) async fn entered(&self) {
        self.entered.acquire().await.unwrap().forget();
    }

    /// Lets all go.
    pub(crate) fn open(&self) {
        self.open.add_permits(1_000_000);
    }
}

/// The lane of a session by number.
pub(crate) fn session(number: u128) -> Lane {
    Lane::Session(SessionId(Uuid::from_u128(number)))
}

/// Runs a closure in a lane, beside others of its kind that queued with it.
pub(crate) struct Beside<F>(pub(crate) Do<F>);

impl<F, Fut, T> Operation for Beside<F>
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = flows::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    type Answer = T;
    const NAME: &'static str = "beside";
    const BESIDE_ITS_LIKE: bool = true;

    fn lane(&self, tenant: &Tenant, now: Timestamp) -> Lane {
        self.0.lane(tenant, now)
    }

    fn run(self, ctx: Context) -> impl Future<Output = flows::Result<T>> + Send {
        self.0.run(ctx)
    }
}
