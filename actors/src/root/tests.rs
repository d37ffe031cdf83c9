use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use cluster::{Cluster, Invalidation};
use crypto::seal::MasterKey;
use domain::entropy::Entropy;
use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::project::{Placement, Profile, Project, Status};
use domain::quota::Quotas;
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

/// Everything that has to be there and does next to nothing.
#[derive(Default)]
struct Nothing {
    drawn: AtomicU64,
    /// Whether the control store is out of reach.
    away: AtomicBool,
    keys_used: Mutex<Vec<(String, Timestamp)>>,
    /// A deleted project whose removal takes for ever.
    huge: Mutex<Option<Project>>,
    looked_for_moves: AtomicU64,
    /// What the control store was asked lately.
    asked: Mutex<Vec<&'static str>>,
}

impl Nothing {
    fn ask(&self, what: &'static str) -> Result<(), StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::Busy(Arc::new(std::io::Error::other("away"))));
        }
        self.asked.lock().unwrap().push(what);
        Ok(())
    }
}

impl Clock for Nothing {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(1_780_000_000)
    }
}

impl Entropy for Nothing {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill_with(|| self.drawn.fetch_add(1, Ordering::Relaxed).to_le_bytes()[0]);
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
        self.ask("latest")?;
        Ok(0)
    }

    async fn after(&self, _: i64, _: u32) -> Result<Vec<(i64, Invalidation)>, StoreError> {
        self.ask("after")?;
        Ok(Vec::new())
    }

    async fn beat(&self, _: &Gateway) -> Result<(), StoreError> {
        self.ask("beat")
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
        Ok(self.huge.lock().unwrap().take().into_iter().collect())
    }

    async fn due_promotions(&self, _: Timestamp, _: u32) -> Result<Vec<(ProjectId, Uuid)>, StoreError> {
        Ok(Vec::new())
    }

    async fn stale_moves(&self, _: Timestamp, _: u32) -> Result<Vec<ProjectId>, StoreError> {
        self.looked_for_moves.fetch_add(1, Ordering::Relaxed);
        Ok(Vec::new())
    }

    async fn due_leftovers(&self, _: Timestamp, _: u32) -> Result<Vec<Uuid>, StoreError> {
        Ok(Vec::new())
    }

    async fn keys_used(&self, used: &[(String, Timestamp)]) -> Result<(), StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::Busy(Arc::new(std::io::Error::other("away"))));
        }
        self.keys_used.lock().unwrap().extend_from_slice(used);
        Ok(())
    }

    async fn tidy(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Chores for Nothing {
    async fn purge(&self, _: &Project) -> Result<bool, Error> {
        std::future::pending().await
    }

    async fn promote(&self, _: ProjectId, _: Uuid) -> Result<(), Error> {
        Ok(())
    }

    async fn resume_move(&self, _: ProjectId) -> Result<(), Error> {
        Ok(())
    }

    async fn clear_leftover(&self, _: Uuid) -> Result<(), Error> {
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
    nothing: Arc<Nothing>,
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
        let plan =
            Plan { shared: Arc::clone(&shared), hashing, waker, courier, ledgers, chores: nothing.clone(), gateway };
        let (root, running) = spawn_root(Root::new(plan, watch::Sender::new(Health::Running))).await.unwrap();
        let (ready, started) = oneshot::channel();
        assert!(root.send(RootMessage::Ready(ready)).is_ok());
        started.await.unwrap();
        Self { nothing, shared, root, running }
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

#[tokio::test(start_paused = true)]
async fn uses_of_keys_that_cannot_be_noted_are_noted_later() {
    let World { nothing, shared, .. } = World::start().await;
    let at = nothing.now();
    nothing.away.store(true, Ordering::Relaxed);
    shared.services.books.key_used("a key", at);
    shared.write_books().await;
    nothing.away.store(false, Ordering::Relaxed);
    shared.write_books().await;
    shared.write_books().await;
    assert_eq!(*nothing.keys_used.lock().unwrap(), [("a key".to_owned(), at)]);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_was_cut_off_reads_everything_again_before_it_serves() {
    let world = World::start().await;
    let second = Duration::from_secs(1);
    tokio::time::sleep(100 * second).await;
    assert!(!world.shared.contact.is_lost(), "it is reached all the time");
    world.nothing.away.store(true, Ordering::Relaxed);
    tokio::time::sleep(10 * second).await;
    assert!(!world.shared.contact.is_lost(), "whoever changes something still waits for it");
    tokio::time::sleep(20 * second).await;
    assert!(world.shared.contact.is_lost());
    world.nothing.asked.lock().unwrap().clear();
    world.nothing.away.store(false, Ordering::Relaxed);
    tokio::time::sleep(2 * second).await;
    assert!(!world.shared.contact.is_lost());
    let asked = world.nothing.asked.lock().unwrap().clone();
    assert_eq!(asked[..2], ["beat", "latest"], "first it is waited for again, then it reads");
}

#[tokio::test(start_paused = true)]
async fn a_project_that_takes_its_time_to_be_removed_holds_no_other_work_up() {
    let World { nothing, shared, .. } = World::start().await;
    let at = nothing.now();
    *nothing.huge.lock().unwrap() = Some(Project {
        id: ProjectId(Uuid::nil()),
        project_ref: "one".parse().unwrap(),
        instance: InstanceId(Uuid::nil()),
        name: String::new(),
        status: Status::Deleting,
        profile: Profile::Compat,
        placement: Placement::Gateway,
        database_url: None,
        quotas: Quotas::default(),
        hold: None,
        purge_at: Some(at),
        created_at: at,
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(nothing.huge.lock().unwrap().is_none(), "it is being removed");
    let looked = nothing.looked_for_moves.load(Ordering::Relaxed);
    shared.services.books.key_used("a key", at);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(*nothing.keys_used.lock().unwrap(), [("a key".to_owned(), at)]);
    assert!(nothing.looked_for_moves.load(Ordering::Relaxed) > looked);
}
