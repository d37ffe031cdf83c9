use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cluster::{Cluster, Invalidation};
use crypto::seal::MasterKey;
use domain::entropy::Entropy;
use domain::ids::{ProjectId, ProjectRef};
use domain::project::Project;
use domain::time::{Clock, Timestamp};
use flows::delivery::{Deliver, Delivery};
use flows::management::Error;
use flows::{Services, Tenant, TenantSource};
use outbound::breaches::RecordingBreaches;
use outbound::captcha::RecordingCaptcha;
use outbound::hooks::RecordingHooks;
use outbound::providers::RecordingProviders;
use outbound::sms::RecordingSms;
use storage::{OutboxRow, StoreError};
use uuid::Uuid;

use super::*;
use crate::control::{Chores, Control};
use crate::error::AskError;
use crate::kit::spawn_root;
use crate::limits::Limits;
use crate::registry::RegistryMessage;
use crate::runtime::shard_number;
use crate::stats::Stats;

/// Everything that has to be there and does nothing.
#[derive(Default)]
struct Nothing(AtomicU64);

impl Clock for Nothing {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(1_780_000_000)
    }
}

impl Entropy for Nothing {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes()[0]);
    }
}

#[async_trait]
impl TenantSource for Nothing {
    async fn load(&self, _: &ProjectRef) -> flows::Result<Option<Tenant>> {
        Ok(None)
    }

    async fn project_ref(&self, _: ProjectId) -> flows::Result<Option<ProjectRef>> {
        Ok(None)
    }
}

#[async_trait]
impl Control for Nothing {
    async fn latest(&self) -> Result<i64, StoreError> {
        Ok(0)
    }

    async fn after(&self, _: i64, _: u32) -> Result<Vec<(i64, Invalidation)>, StoreError> {
        Ok(Vec::new())
    }

    async fn beat(&self, _: &Gateway) -> Result<(), StoreError> {
        Ok(())
    }

    async fn leave(&self, _: Uuid) -> Result<(), StoreError> {
        Ok(())
    }

    async fn schedule_sweeps(&self, _: &[ProjectId], _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn claim_sweeps(&self, _: Timestamp, _: Timestamp, _: u32) -> Result<Vec<Project>, StoreError> {
        Ok(Vec::new())
    }

    async fn swept(&self, _: ProjectId, _: Timestamp, _: Option<Timestamp>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn claim_purges(&self, _: Timestamp, _: Timestamp, _: u32) -> Result<Vec<Project>, StoreError> {
        Ok(Vec::new())
    }

    async fn due_promotions(&self, _: Timestamp, _: u32) -> Result<Vec<(ProjectId, Uuid)>, StoreError> {
        Ok(Vec::new())
    }

    async fn stale_moves(&self, _: Timestamp, _: u32) -> Result<Vec<ProjectId>, StoreError> {
        Ok(Vec::new())
    }

    async fn keys_used(&self, _: &[(String, Timestamp)]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn tidy(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Chores for Nothing {
    async fn purge(&self, _: &Project) -> Result<bool, Error> {
        Ok(true)
    }

    async fn promote(&self, _: ProjectId, _: Uuid) -> Result<(), Error> {
        Ok(())
    }

    async fn resume_move(&self, _: ProjectId) -> Result<(), Error> {
        Ok(())
    }

    fn forget_answers(&self) {}
}

#[async_trait]
impl Deliver for Nothing {
    async fn deliver(&self, _: &OutboxRow) -> Delivery {
        Delivery::Done
    }
}

struct World {
    shared: Arc<Shared>,
    root: Address<RootMessage>,
    running: tokio::task::JoinHandle<()>,
}

impl World {
    async fn start() -> Self {
        let nothing = Arc::new(Nothing::default());
        let (hashing, waker) = (Hashing::default(), Waker::default());
        let services = Arc::new(Services {
            clock: Arc::clone(&nothing) as Arc<dyn Clock>,
            entropy: Arc::clone(&nothing) as Arc<dyn Entropy>,
            hasher: Arc::new(hashing.clone()),
            cluster: Cluster::in_process(),
            master_key: Arc::new(MasterKey::generate(&*nothing)),
            outbox: Arc::new(waker.clone()),
            hooks: Arc::new(RecordingHooks::new()),
            sms: Arc::new(RecordingSms::new()),
            captcha: Arc::new(RecordingCaptcha::new()),
            breaches: Arc::new(RecordingBreaches::new()),
            providers: Arc::new(RecordingProviders::default()),
            books: Arc::default(),
        });
        let (limits, stats) = (Limits::default(), Arc::new(Stats::default()));
        let deliver = Arc::clone(&nothing) as Arc<dyn Deliver>;
        let (clock, entropy) = (Arc::clone(&services.clock), Arc::clone(&services.entropy));
        let courier = Courier::new(deliver, clock, entropy, Arc::clone(&stats), &limits);
        let source = Arc::clone(&nothing) as Arc<dyn TenantSource>;
        let control = (Arc::clone(&nothing) as Arc<dyn Control>, Uuid::nil());
        let shared = Arc::new(Shared::new(limits, stats, services, source, control));
        let now = Timestamp::from_unix(0);
        let (name, version) = (String::new(), String::new());
        let gateway = Gateway { id: Uuid::nil(), name, version, started_at: now, seen_at: now, seq: 0 };
        let ledgers: Ledgers = Arc::new(Vec::new);
        let plan = Plan { shared: Arc::clone(&shared), hashing, waker, courier, ledgers, chores: nothing, gateway };
        let (root, running) = spawn_root(Root::new(plan, watch::Sender::new(Health::Running))).await.unwrap();
        let (ready, started) = oneshot::channel();
        assert!(root.send(RootMessage::Ready(ready)).is_ok());
        started.await.unwrap();
        Self { shared, root, running }
    }

    async fn activate(&self, project: &ProjectRef) -> Option<AskError> {
        let (parked, answer) = oneshot::channel();
        let post = self.shared.shard_of(project).unwrap();
        assert!(post.send(RegistryMessage::Activate(project.clone(), parked)).is_ok(), "nobody serves the shard");
        answer.await.unwrap().err()
    }

    /// Kills one of the root's children.
    async fn kill_shard(&self, number: usize) {
        let crashes = self.shared.stats.actor_crashes.read();
        self.shared.shard(number).unwrap().address().unwrap().lifeline().gone(Duration::ZERO).await;
        while self.shared.stats.actor_crashes.read() == crashes {
            tokio::task::yield_now().await;
        }
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_shard_that_crashes_is_started_again() {
    let world = World::start().await;
    let project: ProjectRef = "one".parse().unwrap();
    for _ in 0..3 {
        assert!(matches!(world.activate(&project).await, Some(AskError::UnknownProject)));
        world.kill_shard(shard_number(&project)).await;
    }
    assert!(matches!(world.activate(&project).await, Some(AskError::UnknownProject)));
    assert!(!world.running.is_finished());
    world.root.drain();
    world.running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_root_ends_when_its_services_keep_crashing() {
    let world = World::start().await;
    for number in 0..9 {
        world.kill_shard(number).await;
        assert!(!world.running.is_finished(), "crash {number}");
    }
    world.kill_shard(9).await;
    world.running.await.unwrap();
    assert!(
        world.shared.shard(0).unwrap().address().is_some_and(|shard| !shard.is_open()),
        "nothing outlives the root"
    );
}

#[tokio::test(start_paused = true)]
async fn crashes_that_lie_far_apart_end_nothing() {
    let world = World::start().await;
    for number in 0..15 {
        world.kill_shard(number).await;
        tokio::time::sleep(Duration::from_secs(61)).await;
    }
    assert!(!world.running.is_finished());
}
