use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::entropy::Entropy;
use domain::time::Clock;
use flows::delivery::{Deliver, Delivery};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::courier::longest_pause_after;
use super::*;
use crate::kit::spawn_root;
use crate::limits::Limits;
use crate::stats::Stats;

/// A row and when it is due; `None` = given up.
struct Row {
    project: u128,
    due: Option<Timestamp>,
    attempts: i32,
    reason: String,
}

#[derive(Default)]
struct FakeLedger {
    rows: Mutex<BTreeMap<Uuid, Row>>,
    claims: AtomicUsize,
    /// Deliveries cannot be noted.
    deaf: std::sync::atomic::AtomicBool,
}

impl FakeLedger {
    fn put(&self, number: u128, now: Timestamp) {
        self.put_for(0, number, now);
    }

    fn put_for(&self, project: u128, number: u128, now: Timestamp) {
        let row = Row { project, due: Some(now), attempts: 0, reason: String::new() };
        self.rows.lock().unwrap().insert(Uuid::from_u128(number), row);
    }

    fn left(&self) -> usize {
        self.rows.lock().unwrap().len()
    }

    fn claims(&self) -> usize {
        self.claims.load(Ordering::SeqCst)
    }

    fn change(&self, id: Uuid, due: Option<Timestamp>, reason: &str) {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.get_mut(&id).unwrap();
        row.due = due;
        row.reason = reason.to_owned();
    }
}

#[async_trait]
impl Ledger for FakeLedger {
    async fn claim(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
        except: &[InstanceId],
    ) -> Result<Vec<OutboxRow>, StoreError> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        let mut rows = self.rows.lock().unwrap();
        let due = rows.iter_mut().filter(|(_, row)| {
            row.due.is_some_and(|due| due <= now) && !except.contains(&InstanceId(Uuid::from_u128(row.project)))
        });
        Ok(due
            .take(limit as usize)
            .map(|(id, row)| {
                row.due = Some(lease_until);
                row.attempts += 1;
                OutboxRow {
                    id: *id,
                    instance: InstanceId(Uuid::from_u128(row.project)),
                    kind: "mail".to_owned(),
                    payload: String::new(),
                    attempts: row.attempts,
                }
            })
            .collect())
    }

    async fn finish(&self, id: Uuid) -> Result<(), StoreError> {
        if self.deaf.load(Ordering::SeqCst) {
            return Err(StoreError::Conflict);
        }
        self.rows.lock().unwrap().remove(&id);
        Ok(())
    }

    async fn retry(&self, id: Uuid, at: Timestamp, reason: &str) -> Result<(), StoreError> {
        self.change(id, Some(at), reason);
        Ok(())
    }

    async fn bury(&self, id: Uuid, reason: &str) -> Result<(), StoreError> {
        self.change(id, None, reason);
        Ok(())
    }

    async fn depth(&self) -> Result<OutboxDepth, StoreError> {
        let rows = self.rows.lock().unwrap();
        let dead = rows.values().filter(|row| row.due.is_none()).count() as u64;
        Ok(OutboxDepth { pending: rows.len() as u64 - dead, dead, next_due: None })
    }
}

/// Answers every attempt with the next of its script, then with success; waits while its door is shut.
struct Scripted {
    script: Mutex<Vec<fn() -> Delivery>>,
    attempts: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    door: Semaphore,
    /// Projects whose server never answers; the delivery gives up after twenty seconds.
    hanging: Vec<u128>,
    delivered: Mutex<Vec<Uuid>>,
}

impl Scripted {
    fn new(script: Vec<fn() -> Delivery>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script),
            attempts: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            door: Semaphore::new(1_000_000),
            hanging: Vec::new(),
            delivered: Mutex::default(),
        })
    }

    fn hanging(projects: impl IntoIterator<Item = u128>) -> Arc<Self> {
        let mut scripted = Arc::into_inner(Self::new(Vec::new())).unwrap();
        scripted.hanging = projects.into_iter().collect();
        Arc::new(scripted)
    }

    fn shut() -> Arc<Self> {
        let scripted = Self::new(Vec::new());
        scripted.door.forget_permits(1_000_000);
        scripted
    }

    fn attempts(&self) -> usize {
        self.attempts.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Deliver for Scripted {
    async fn deliver(&self, row: &OutboxRow) -> Delivery {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if self.hanging.contains(&row.instance.0.as_u128()) {
            pass(20).await;
            return Delivery::Retry("no answer".to_owned());
        }
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.door.acquire().await.unwrap().forget();
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let mut script = self.script.lock().unwrap();
        if script.is_empty() {
            self.delivered.lock().unwrap().push(row.id);
            return Delivery::Done;
        }
        let next = script.remove(0);
        drop(script);
        next()
    }
}

struct TokioClock(Instant);

/// Always the same.
struct Dull;

impl Entropy for Dull {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(1_780_000_000 + i64::try_from(self.0.elapsed().as_secs()).unwrap())
    }
}

struct World {
    ledger: Arc<FakeLedger>,
    deliver: Arc<Scripted>,
    clock: Arc<TokioClock>,
    stats: Arc<Stats>,
    outbox: Address<OutboxMessage>,
    running: tokio::task::JoinHandle<()>,
}

impl World {
    async fn start(deliver: Arc<Scripted>, rows: u128) -> Self {
        let ledger = Arc::new(FakeLedger::default());
        let clock = Arc::new(TokioClock(Instant::now()));
        for number in 0..rows {
            ledger.put(number, clock.now());
        }
        let stats = Arc::new(Stats::default());
        let limits = Limits { deliveries: 16, deliveries_per_project: 4, delivery_attempts: 3, ..Limits::default() };
        let courier = Courier::new(
            Arc::clone(&deliver) as Arc<dyn Deliver>,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(Dull),
            Arc::clone(&stats),
            &limits,
        );
        let all = Arc::clone(&ledger) as Arc<dyn Ledger>;
        let ledgers: Ledgers = Arc::new(move || vec![(Place::Gateway, Arc::clone(&all))]);
        let (outbox, running) = spawn_root(Outbox::new(courier, ledgers, limits.outbox_sweep)).await.unwrap();
        Self { ledger, deliver, clock, stats, outbox, running }
    }

    fn wake(&self) {
        self.outbox.cast(OutboxMessage::Wake(Place::Gateway, Arc::clone(&self.ledger) as Arc<dyn Ledger>));
    }

    fn reason(&self, number: u128) -> String {
        self.ledger.rows.lock().unwrap()[&Uuid::from_u128(number)].reason.clone()
    }
}

/// Lets so many seconds of virtual time go by, and all happen that is due in them.
async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_left_behind_is_delivered_at_the_start() {
    let world = World::start(Scripted::new(Vec::new()), 10).await;
    settle().await;
    assert_eq!((world.ledger.left(), world.deliver.attempts(), world.stats.delivered.read()), (0, 10, 10));
    assert!(world.deliver.most_at_once.load(Ordering::SeqCst) <= 4);
}

#[tokio::test(start_paused = true)]
async fn a_commit_wakes_the_deliverer_at_once() {
    let world = World::start(Scripted::new(Vec::new()), 0).await;
    settle().await;
    world.ledger.put(1, world.clock.now());
    world.wake();
    settle().await;
    assert_eq!(world.ledger.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_woke_it_for_is_found_by_the_sweep() {
    let world = World::start(Scripted::new(Vec::new()), 0).await;
    settle().await;
    world.ledger.put(1, world.clock.now());
    pass(20).await;
    assert_eq!(world.ledger.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_commit_during_a_delivery_is_not_missed_and_many_cost_one_more_look() {
    let world = World::start(Scripted::shut(), 1).await;
    settle().await;
    world.wake();
    settle().await;
    let claims = world.ledger.claims();
    world.ledger.put(2, world.clock.now());
    world.deliver.door.add_permits(1_000_000);
    for _ in 0..100 {
        world.wake();
    }
    settle().await;
    assert_eq!(world.ledger.left(), 0);
    assert!(world.ledger.claims() - claims <= 4, "{} looks", world.ledger.claims() - claims);
}

#[tokio::test(start_paused = true)]
async fn a_failed_delivery_is_tried_again_later_and_given_up_at_last() {
    let fails: fn() -> Delivery = || Delivery::Retry("451 try later".to_owned());
    let world = World::start(Scripted::new(vec![fails; 3]), 1).await;
    settle().await;
    assert_eq!(world.deliver.attempts(), 1);
    world.wake();
    settle().await;
    assert_eq!(world.deliver.attempts(), 1, "not before its pause is over");
    pass(60).await;
    assert_eq!((world.deliver.attempts(), world.ledger.left()), (3, 1), "given up, not removed");
    assert_eq!(world.reason(0), "451 try later");
    pass(86_400).await;
    assert_eq!(world.deliver.attempts(), 3);
    assert_eq!((world.stats.delivery_retries.read(), world.stats.deliveries_dead.read()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_permanent_refusal_is_given_up_at_once() {
    let world = World::start(Scripted::new(vec![|| Delivery::Dead("550 no such user".to_owned())]), 1).await;
    pass(3600).await;
    assert_eq!((world.deliver.attempts(), world.ledger.left()), (1, 1));
    assert_eq!(world.reason(0), "550 no such user");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_delivery_is_a_failed_attempt_and_hurts_no_other_row() {
    let world = World::start(Scripted::new(vec![|| panic!("injected")]), 3).await;
    settle().await;
    assert_eq!(world.ledger.left(), 1);
    pass(30).await;
    assert_eq!(world.ledger.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_was_claimed_is_delivered_and_nothing_more_is_claimed() {
    let world = World::start(Scripted::shut(), 10).await;
    settle().await;
    assert_eq!(world.deliver.attempts(), 4);
    world.outbox.drain();
    settle().await;
    assert!(!world.running.is_finished(), "it waits for the deliveries in hand");
    world.deliver.door.add_permits(1_000_000);
    world.running.await.unwrap();
    assert_eq!((world.ledger.left(), world.deliver.attempts()), (6, 4));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_noted_is_delivered_again_under_the_same_id() {
    let world = World::start(Scripted::new(Vec::new()), 1).await;
    world.ledger.deaf.store(true, Ordering::SeqCst);
    settle().await;
    assert_eq!((world.deliver.attempts(), world.ledger.left()), (1, 1), "sent, not marked");
    world.ledger.deaf.store(false, Ordering::SeqCst);
    pass(300).await;
    assert_eq!(world.ledger.left(), 0);
    assert_eq!(*world.deliver.delivered.lock().unwrap(), [Uuid::nil(), Uuid::nil()]);
}

#[tokio::test(start_paused = true)]
async fn a_project_whose_server_hangs_delays_nobody_else() {
    let world = World::start(Scripted::hanging([1]), 0).await;
    let now = world.clock.now();
    (0..500).for_each(|number| world.ledger.put_for(1, number, now));
    (500..510).for_each(|number| world.ledger.put_for(2, number, now));
    world.wake();
    pass(1).await;
    assert_eq!(world.ledger.left(), 500, "all of the other project's, though 500 older ones hang");
    // Much later it still hangs, with one delivery at a time, and others' mail still leaves at once.
    pass(600).await;
    world.ledger.put_for(3, 1000, world.clock.now());
    world.wake();
    pass(1).await;
    assert_eq!(world.ledger.left(), 500);
}

#[tokio::test(start_paused = true)]
async fn many_projects_whose_servers_hang_leave_room_for_the_others() {
    let world = World::start(Scripted::hanging(1..=100), 0).await;
    let now = world.clock.now();
    (0..1000).for_each(|number| world.ledger.put_for(1 + number % 100, number, now));
    world.wake();
    // By now every one of them has failed.
    pass(900).await;
    for number in 0..20 {
        world.ledger.put_for(200 + number, 5000 + number, world.clock.now());
    }
    world.wake();
    pass(2).await;
    assert_eq!(world.ledger.left(), 1000, "the mail of those that work has left");
}

#[tokio::test(start_paused = true)]
async fn when_a_server_is_back_everything_arrives() {
    let fails: fn() -> Delivery = || Delivery::Retry("connection refused".to_owned());
    let world = World::start(Scripted::new(vec![fails; 2]), 50).await;
    pass(120).await;
    assert_eq!(world.ledger.left(), 0);
    let mut delivered = world.deliver.delivered.lock().unwrap().clone();
    delivered.sort_unstable();
    delivered.dedup();
    assert_eq!(delivered.len(), 50);
}

#[test]
fn pauses_between_attempts_grow_to_half_an_hour() {
    let pauses: Vec<i64> = (1..=12).map(longest_pause_after).collect();
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800, 1800]);
}

#[tokio::test(start_paused = true)]
async fn the_line_of_a_projects_own_database_ends_when_nothing_is_due() {
    let deliver = Scripted::new(vec![|| Delivery::Retry("not now".to_owned())]);
    let ledger = Arc::new(FakeLedger::default());
    let clock = Arc::new(TokioClock(Instant::now()));
    ledger.put(1, clock.now());
    let (stats, limits) = (Arc::new(Stats::default()), Limits::default());
    let courier = Courier::new(Arc::clone(&deliver) as Arc<dyn Deliver>, clock, Arc::new(Dull), stats, &limits);
    let bell = Arc::new(Notify::new());
    let line = Line::new(courier, Arc::clone(&ledger) as Arc<dyn Ledger>, bell, true);
    tokio::time::timeout(Duration::from_secs(60), line.work()).await.unwrap();
    assert_eq!((ledger.left(), deliver.attempts()), (0, 2), "not before what failed once was delivered");
}
