//! The root: starts everything in order, starts again what crashes, ends the process when that happens too often, and
//! stops everything in reverse order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use storage::control::Gateway;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::control::Chores;
use crate::handle::Health;
use crate::hashing::{Hashing, HashingPool};
use crate::invalidation::Listener;
use crate::janitor::Janitor;
use crate::kit::{Address, Behaviour, ChildId, Crashes, Death, Ended, Lifeline, Verdict, spawn_child};
use crate::limits::SERVICE;
use crate::outbox::{Courier, Ledgers, Outbox, Waker};
use crate::registry::Registry;
use crate::runtime::{SHARDS, Shared};

/// The least time each stage of a shutdown gets, even when the deadline has passed.
const GRACE: Duration = Duration::from_secs(1);

/// What the root starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Hashing,
    Outbox,
    Registry(usize),
    Listener,
    Janitor,
}

/// What the root is told.
pub(crate) enum RootMessage {
    /// Answer when everything has been started.
    Ready(oneshot::Sender<()>),
    /// Stop everything.
    Shutdown { deadline: Instant, done: oneshot::Sender<()> },
}

/// What the root needs to start its services.
pub(crate) struct Plan {
    pub(crate) shared: Arc<Shared>,
    pub(crate) hashing: Hashing,
    pub(crate) waker: Waker,
    pub(crate) courier: Courier,
    pub(crate) ledgers: Ledgers,
    pub(crate) chores: Arc<dyn Chores>,
    pub(crate) gateway: Gateway,
}

/// The root.
pub(crate) struct Root {
    plan: Plan,
    children: HashMap<ChildId, (Service, Lifeline)>,
    crashes: Crashes,
    health: watch::Sender<Health>,
    closing: bool,
}

impl Root {
    /// A root that has started nothing yet.
    pub(crate) fn new(plan: Plan, health: watch::Sender<Health>) -> Self {
        Self { plan, children: HashMap::new(), crashes: Crashes::default(), health, closing: false }
    }

    async fn start(&mut self, me: &Address<RootMessage>, service: Service) -> Result<(), Death> {
        let shared = &self.plan.shared;
        let lifeline = match service {
            Service::Hashing => {
                let (limits, services) = (&shared.limits, &shared.services);
                let (entropy, stats) = (Arc::clone(&services.entropy), Arc::clone(&shared.stats));
                let pool = HashingPool::new(limits.hashing_workers, limits.hashing_queue, entropy, stats);
                let address = spawn_child(me, pool).await?;
                self.plan.hashing.post.hold(address.clone());
                address.lifeline()
            }
            Service::Outbox => {
                let (courier, ledgers) = (self.plan.courier.clone(), Arc::clone(&self.plan.ledgers));
                let address = spawn_child(me, Outbox::new(courier, ledgers, shared.limits.outbox_sweep)).await?;
                self.plan.waker.post.hold(address.clone());
                address.lifeline()
            }
            Service::Registry(number) => {
                let address = spawn_child(me, Registry::new(Arc::clone(shared), number)).await?;
                if let Some(post) = shared.shard(number) {
                    post.hold(address.clone());
                }
                address.lifeline()
            }
            Service::Listener => {
                let listener =
                    Listener::new(Arc::clone(shared), Arc::clone(&self.plan.chores), self.plan.gateway.clone());
                spawn_child(me, listener).await?.lifeline()
            }
            Service::Janitor => {
                let janitor = Janitor::new(Arc::clone(shared), Arc::clone(&self.plan.chores));
                spawn_child(me, janitor).await?.lifeline()
            }
        };
        self.children.insert(lifeline.id(), (service, lifeline));
        Ok(())
    }

    /// Drains the services that `which` names, side by side, and waits for them.
    async fn stop(&self, deadline: Instant, which: impl Fn(Service) -> bool) {
        let limit = deadline.saturating_duration_since(Instant::now()).max(GRACE);
        let chosen = || self.children.values().filter(|(service, _)| which(*service));
        for (_, lifeline) in chosen() {
            lifeline.drain();
        }
        for (service, lifeline) in chosen() {
            if !lifeline.gone(limit).await {
                tracing::warn!(?service, "did not stop in time");
            }
        }
    }
}

impl Behaviour for Root {
    type Message = RootMessage;

    async fn started(&mut self, me: &Address<RootMessage>) -> Result<(), Death> {
        self.start(me, Service::Hashing).await?;
        self.start(me, Service::Outbox).await?;
        for number in 0..SHARDS {
            self.start(me, Service::Registry(number)).await?;
        }
        self.start(me, Service::Listener).await?;
        self.start(me, Service::Janitor).await
    }

    async fn handle(&mut self, me: &Address<RootMessage>, message: RootMessage) -> Result<(), Death> {
        match message {
            RootMessage::Ready(told) => {
                if told.send(()).is_err() {
                    tracing::debug!("nobody waited for the start");
                }
            }
            RootMessage::Shutdown { deadline, done } => {
                self.closing = true;
                self.stop(deadline, |service| matches!(service, Service::Listener | Service::Janitor)).await;
                // A shard drains its tenants, a tenant its supervisors, a supervisor its leaves.
                self.stop(deadline, |service| matches!(service, Service::Registry(_))).await;
                self.stop(deadline, |service| service == Service::Hashing).await;
                self.stop(deadline, |service| service == Service::Outbox).await;
                self.health.send_replace(Health::Stopped);
                if done.send(()).is_err() {
                    tracing::debug!("nobody waited for the end");
                }
                me.drain();
            }
        }
        Ok(())
    }

    async fn child_ended(&mut self, me: &Address<RootMessage>, child: ChildId, how: Ended) -> Result<(), Death> {
        let Some((service, _)) = self.children.remove(&child) else { return Ok(()) };
        let Ended::Crashed(reason) = how else { return Ok(()) };
        self.plan.shared.stats.actor_crashes.count();
        tracing::error!(?service, reason, "service crashed");
        if self.closing {
            return Ok(());
        }
        match self.crashes.record(&SERVICE, Instant::now()) {
            Verdict::Again(_) => self.start(me, service).await,
            Verdict::GiveUp => Err("its services keep crashing".into()),
        }
    }
}

#[cfg(test)]
mod tests;
