//! What the actors of one gateway share.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ProjectId, ProjectRef};
use flows::{Context, Services, Tenant, TenantSource, WarmSession};
use futures::FutureExt;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;

use crate::directory::{Seat, TenantDirectory, TenantEntry};
use crate::error::Cause;
use crate::invalidation::Control;
use crate::kit::{Admission, Post, answer_by};
use crate::limits::Limits;
use crate::registry::RegistryMessage;
use crate::stats::Stats;
use crate::tenant::TenantMessage;
use crate::work::Work;

/// Registry shards: a storm of activations in one delays only a sixteenth of the projects.
pub(crate) const SHARDS: usize = 16;

/// How many tenants read their configuration anew at a time.
const RELOADS: usize = 32;

/// What the actors of one gateway share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) stats: Arc<Stats>,
    pub(crate) directory: TenantDirectory,
    pub(crate) admission: Admission,
    pub(crate) services: Arc<Services>,
    pub(crate) reloads: Semaphore,
    /// Whether a shutdown has begun: who only waits is sent away.
    pub(crate) leaving: watch::Sender<bool>,
    pub(crate) control: Arc<dyn Control>,
    source: Arc<dyn TenantSource>,
    shards: Vec<Post<RegistryMessage>>,
}

impl Shared {
    /// Nothing in memory yet.
    pub(crate) fn new(
        limits: Limits,
        stats: Arc<Stats>,
        services: Arc<Services>,
        source: Arc<dyn TenantSource>,
        control: Arc<dyn Control>,
    ) -> Self {
        Self {
            directory: TenantDirectory::new(&limits),
            admission: Admission::new(limits.in_flight),
            reloads: Semaphore::new(RELOADS),
            leaving: watch::Sender::new(false),
            shards: (0..SHARDS).map(|_| Post::default()).collect(),
            limits,
            stats,
            services,
            control,
            source,
        }
    }

    /// The registry shard of a number.
    pub(crate) fn shard(&self, shard: usize) -> Option<&Post<RegistryMessage>> {
        self.shards.get(shard)
    }

    /// The registry shard that a project belongs to.
    pub(crate) fn shard_of(&self, project: &ProjectRef) -> Option<&Post<RegistryMessage>> {
        self.shard(shard_number(project))
    }

    /// What the operation of `work` runs with: the snapshot and the time of this moment.
    pub(crate) fn context(&self, entry: &TenantEntry, work: &mut Work, warm: Option<WarmSession>) -> Context {
        Context {
            tenant: entry.snapshot(),
            services: Arc::clone(&self.services),
            caller: std::mem::take(&mut work.caller),
            now: self.services.clock.now(),
            warm,
        }
    }

    /// Lets a project be read again and waits, at most for `limit`, until that is what is served. Whether it is.
    pub(crate) async fn refresh(&self, project: ProjectId, limit: Duration) -> bool {
        self.directory.invalidate();
        let Some(entry) = self.directory.find_by_id(project) else { return true };
        let Seat::Serving(actor) = &*entry.seat() else { return false };
        let (done, told) = oneshot::channel();
        actor.cast(TenantMessage::Reload(Some(done)));
        answer_by(Instant::now() + limit, told).await.is_ok()
    }

    /// Reads a project. A panic in the source is a failure like any other, and so is one that takes too long.
    pub(crate) async fn load(&self, project: &ProjectRef) -> Result<Option<Tenant>, Cause> {
        self.stats.loads.count();
        let load = AssertUnwindSafe(self.source.load(project)).catch_unwind();
        match tokio::time::timeout(self.limits.load_time, load).await {
            Ok(Ok(Ok(found))) => Ok(found),
            Ok(Ok(Err(error))) => Err(Arc::new(error)),
            Ok(Err(_)) => Err(cause("loading the project panicked")),
            Err(_) => Err(cause("loading the project took too long")),
        }
    }
}

fn cause(reason: &'static str) -> Cause {
    Box::<dyn std::error::Error + Send + Sync>::from(reason).into()
}

/// The number of the shard a project belongs to (FNV-1a, so that it is the same in every process).
pub(crate) fn shard_number(project: &ProjectRef) -> usize {
    let hash = project
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % SHARDS as u64).unwrap_or(0)
}
