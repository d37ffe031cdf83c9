//! Starting the runtime.

use std::sync::Arc;

use domain::project::Placement;
use domain::quota::Quotas;
use flows::delivery::Deliver;
use flows::management::{Management, UsageSource};
use flows::{Hasher, OutboxWake, Services, TenantSource};
use storage::Database;
use storage::control::Gateway;
use tokio::sync::{oneshot, watch};

use crate::control::Control;
use crate::handle::{Health, RuntimeHandle};
use crate::hashing::Hashing;
use crate::invalidation::ReadYourWrites;
use crate::kit::{Death, spawn_root};
use crate::limits::Limits;
use crate::outbox::{Courier, Ledger, Place, Waker};
use crate::root::{Plan, Root, RootMessage};
use crate::runtime::Shared;
use crate::snapshots::Snapshots;
use crate::stats::Stats;

/// The runtime could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the actors did not start")]
pub struct StartError(#[source] Death);

/// What the actors work with.
pub struct Parts {
    /// The services of the process, with the runtime's own [`Runtime::hasher`] and [`Runtime::outbox`].
    pub services: Arc<Services>,
    /// Where projects come from.
    pub source: Arc<dyn TenantSource>,
    /// Delivers outbox rows.
    pub deliver: Arc<dyn Deliver>,
    /// The operator's hand on the projects.
    pub management: Management,
}

/// A runtime that is being put together: it lends out the services that it implements itself, then starts.
pub struct Runtime {
    limits: Limits,
    hashing: Hashing,
    waker: Waker,
    snapshots: Snapshots,
    name: String,
}

impl Runtime {
    /// A runtime within `limits`.
    pub fn new(limits: Limits) -> Self {
        let (hashing, waker, snapshots) = (Hashing::default(), Waker::default(), Snapshots::default());
        Self { limits, hashing, waker, snapshots, name: "gateway".to_owned() }
    }

    /// The same under a name that tells it from other gateways of its control store.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Hashes passwords in the pool, once the runtime has been started.
    pub fn hasher(&self) -> Arc<dyn Hasher> {
        Arc::new(self.hashing.clone())
    }

    /// Wakes the deliverer, once the runtime has been started.
    pub fn outbox(&self) -> Arc<dyn OutboxWake> {
        Arc::new(self.waker.clone())
    }

    /// Gives projects as they are served, once the runtime has been started.
    pub fn snapshots(&self) -> Arc<dyn flows::Snapshots> {
        Arc::new(self.snapshots.clone())
    }

    /// Starts the actors. No project is loaded before somebody asks for it.
    ///
    /// # Errors
    /// Fails when the root could not start its services.
    pub async fn start(self, parts: Parts) -> Result<RuntimeHandle, StartError> {
        let Parts { services, source, deliver, mut management } = parts;
        let stats = Arc::new(Stats::default());
        let (clock, entropy) = (Arc::clone(&services.clock), Arc::clone(&services.entropy));
        let courier = Courier::new(deliver, clock, entropy, Arc::clone(&stats), &self.limits);
        let now = services.clock.now();
        let gateway = Gateway {
            id: services.entropy.uuid(),
            name: self.name,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            seen_at: now,
            seq: 0,
        };
        management.granted =
            Quotas { database: management.databases.share(Placement::Gateway, None), ..granted(&self.limits) };
        let control = (Arc::new(management.control.clone()) as Arc<dyn Control>, gateway.id);
        let shared = Arc::new(Shared::new(self.limits, stats, services, source, control));
        self.snapshots.hold(Arc::clone(&shared));
        management.cluster.bus = Arc::new(ReadYourWrites { bus: management.cluster.bus, shared: Arc::clone(&shared) });
        management.runtime = Some(Arc::clone(&shared) as Arc<dyn UsageSource>);
        let databases = management.databases.clone();
        let gateways_own = management.databases.gateway().key();
        let ledger = move |database: Database| {
            let own = database.key() != gateways_own;
            let place = if own { Place::Own(database.key()) } else { Place::Gateway };
            (place, Arc::new(database) as Arc<dyn Ledger>)
        };
        let plan = Plan {
            shared: Arc::clone(&shared),
            hashing: self.hashing,
            waker: self.waker,
            courier,
            ledgers: Arc::new(move || databases.in_use().into_iter().map(ledger).collect()),
            chores: Arc::new(management.clone()),
            gateway,
        };
        let (health, observed) = watch::channel(Health::Running);
        let (root, running) = spawn_root(Root::new(plan, health.clone())).await.map_err(StartError)?;
        tokio::spawn(async move {
            let ended = running.await;
            tracing::debug!(?ended, "the root has ended");
            health.send_if_modified(|health| {
                let failed = *health == Health::Running;
                if failed {
                    *health = Health::Failed;
                }
                failed
            });
        });
        let (ready, started) = oneshot::channel();
        let sent = root.send(RootMessage::Ready(ready)).is_ok();
        if !sent || started.await.is_err() {
            return Err(StartError("the root died while it started its services".into()));
        }
        Ok(RuntimeHandle { shared, root, health: observed, management: Arc::new(management) })
    }
}

/// What a project gets that has no quota of its own.
fn granted(limits: &Limits) -> Quotas {
    Quotas {
        in_flight: Some(limits.tenant_in_flight),
        requests_per_second: limits.tenant_rate.map(|rate| rate.per_second),
        hashing: u32::try_from(limits.hashing_queue).ok(),
        ..Quotas::default()
    }
}
