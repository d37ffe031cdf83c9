//! What the actors of one gateway share.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use domain::ids::ProjectRef;
use domain::time::Timestamp;
use flows::{Context, Services, Tenant, TenantSource, WarmSession};
use futures::FutureExt;
use tokio::sync::{Notify, Semaphore, watch};
use uuid::Uuid;

use crate::changes::Reading;
use crate::contact::Contact;
use crate::control::Control;
use crate::directory::{Snapshot, TenantDirectory, TenantEntry};
use crate::due::Due;
use crate::error::Cause;
use crate::kit::{Admission, Post};
use crate::limits::Limits;
use crate::registry::RegistryMessage;
use crate::stats::Stats;
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
    /// Whether the control store was reached lately.
    pub(crate) contact: Contact,
    /// Who this gateway is among those of its control store.
    pub(crate) gateway: Uuid,
    /// Projects whose rows may expire.
    pub(crate) due: Due,
    /// Rung when the list of changes is worth a look.
    pub(crate) changed: Notify,
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
        control: (Arc<dyn Control>, Uuid),
    ) -> Self {
        Self {
            directory: TenantDirectory::new(&limits),
            admission: Admission::new(limits.in_flight),
            reloads: Semaphore::new(RELOADS),
            leaving: watch::Sender::new(false),
            due: Due::default(),
            changed: Notify::new(),
            contact: Contact::new(limits.contact),
            shards: (0..SHARDS).map(|_| Post::default()).collect(),
            limits,
            stats,
            services,
            gateway: control.1,
            control: control.0,
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

    /// Reads a project. A panic in the source is a failure like any other, and so is one that takes too long.
    pub(crate) async fn load(&self, project: &ProjectRef) -> Result<Option<Box<Tenant>>, Cause> {
        self.stats.loads.count();
        let load = AssertUnwindSafe(self.source.load(project)).catch_unwind();
        match tokio::time::timeout(self.limits.load_time, load).await {
            Ok(Ok(Ok(found))) => Ok(found.map(Box::new)),
            Ok(Ok(Err(error))) => Err(Arc::new(error)),
            Ok(Err(_)) => Err(cause("loading the project panicked")),
            Err(_) => Err(cause("loading the project took too long")),
        }
    }

    /// Reads a project, and knows which changes that certainly shows.
    pub(crate) async fn look_up(&self, project: &ProjectRef) -> Loaded {
        let (reading, read_at) = (self.directory.changes().begin(), self.services.clock.now());
        let strangers = self.directory.strangers();
        let found = self.load(project).await;
        Loaded { found, read_at, strangers, reading }
    }
}

/// A project that was read.
pub(crate) struct Loaded {
    pub(crate) found: Result<Option<Box<Tenant>>, Cause>,
    /// The directory's count of them before.
    pub(crate) strangers: u64,
    read_at: Timestamp,
    /// Not over before what was read has its place.
    reading: Reading,
}

impl Loaded {
    /// Whether what was read may be old by now.
    pub(crate) fn is_doubtful(&self, directory: &TenantDirectory) -> bool {
        match &self.found {
            Ok(Some(tenant)) => directory.changes().since(tenant.project.id, self.reading.number()),
            Ok(None) | Err(_) => directory.strangers() != self.strangers,
        }
    }

    /// The number of the last change that was certainly seen.
    pub(crate) fn number(&self) -> u64 {
        self.reading.number()
    }

    /// `tenant` as it is published.
    pub(crate) fn snapshot(&self, tenant: Box<Tenant>) -> Snapshot {
        Snapshot { tenant: Arc::new(*tenant), read_at: self.read_at, number: self.reading.number() }
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
