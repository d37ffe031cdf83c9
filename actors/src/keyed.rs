//! Strict order per key: one leaf actor per session or challenge, found or started by its supervisor.
//!
//! The supervisor does no work; a leaf does nothing but work, one piece after the other. The tenant is the only one
//! who sends to a supervisor, and the supervisor the only one who sends to its leaves.
//!
//! What may run beside its like ([`Operation::BESIDE_ITS_LIKE`](crate::Operation::BESIDE_ITS_LIKE)) and has queued up behind the
//! leaf's last piece of work does: the first ahead, the others together.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flows::WarmSession;
use futures::future::join_all;
use tokio::time::Instant;

use crate::directory::TenantEntry;
use crate::error::AskError;
use crate::kit::{Address, Admission, Behaviour, ChildId, Crashes, Death, Ended, Timer, Verdict, spawn_child};
use crate::limits::{DRAIN, LEAF, LEAF_REFUSED, Limits};
use crate::runtime::Shared;
use crate::stats::{Gauge, Stats};
use crate::work::{Ending, Work};

/// A kind of leaf.
pub(crate) trait Kind: Send + Sync + 'static {
    /// What a leaf stands for.
    type Key: Clone + Eq + Hash + Debug + Send + 'static;

    /// How long an unused leaf stays.
    fn idle(limits: &Limits) -> Duration;

    /// A fresh memory, for kinds that remember something between two requests.
    fn memory() -> Option<WarmSession>;

    /// How many leaves of this kind live.
    fn gauge(stats: &Stats) -> &Gauge;
}

/// What a supervisor is told.
pub(crate) enum SupervisorMessage<Key> {
    /// Do this in the leaf of this key.
    Work(Key, Box<Work>),
    /// The memories of these leaves are old.
    Forget(Vec<Key>),
    /// The memories of all leaves are old.
    ForgetAll,
    /// Look for idle leaves.
    Sweep,
}

/// Tells the tenant that a supervisor has no leaf left, and the number of the last message it has heard.
pub(crate) type Idle = Box<dyn Fn(u64) + Send>;

struct Seat {
    leaf: Address<LeafMessage>,
    queue: Queue,
    admission: Admission,
    last_used: Instant,
    /// Set while the leaf leaves: what came meanwhile waits for the next one, bounded by the leaf's permits.
    parked: Option<Vec<Work>>,
}

/// Finds and starts leaves.
pub(crate) struct Supervisor<K: Kind> {
    shared: Arc<Shared>,
    entry: Arc<TenantEntry>,
    idle: Idle,
    heard: u64,
    seats: HashMap<K::Key, Seat>,
    keys: HashMap<ChildId, K::Key>,
    crashes: HashMap<K::Key, Crashes>,
    refused: HashMap<K::Key, Instant>,
    sweep: Option<Timer>,
}

impl<K: Kind> Supervisor<K> {
    /// A supervisor without leaves, which calls `idle` when it has none left. Its first message is number `heard + 1`.
    pub(crate) fn new(shared: Arc<Shared>, entry: Arc<TenantEntry>, heard: u64, idle: Idle) -> Self {
        Self {
            shared,
            entry,
            idle,
            heard,
            seats: HashMap::new(),
            keys: HashMap::new(),
            crashes: HashMap::new(),
            refused: HashMap::new(),
            sweep: None,
        }
    }

    async fn hand_on(&mut self, me: &Address<SupervisorMessage<K::Key>>, key: K::Key, mut work: Box<Work>) {
        if work.is_stale() {
            return work.refuse(AskError::Timeout);
        }
        let now = Instant::now();
        if let Some(until) = self.refused.get(&key).filter(|until| now < **until) {
            return work.refuse(AskError::away(until.duration_since(now), "it keeps crashing"));
        }
        if !self.seats.contains_key(&key) {
            if self.seats.len() >= self.shared.limits.leaves_per_tenant {
                self.dismiss_idle(now, Duration::ZERO);
            }
            if let Err(error) = self.start(me, key.clone(), now).await {
                tracing::debug!(error, "leaf not started");
                return work.refuse(AskError::overloaded());
            }
        }
        let Some(seat) = self.seats.get_mut(&key) else { return work.refuse(AskError::Crashed) };
        let Ok(permit) = seat.admission.enter() else {
            return work.refuse(AskError::overloaded());
        };
        work.permits.entity = Some(permit);
        seat.last_used = now;
        seat.hand(work);
    }

    async fn start(&mut self, me: &Address<SupervisorMessage<K::Key>>, key: K::Key, now: Instant) -> Result<(), Death> {
        let queue = Queue::default();
        let leaf = Leaf::<K> {
            shared: Arc::clone(&self.shared),
            entry: Arc::clone(&self.entry),
            queue: queue.clone(),
            memory: K::memory(),
            kind: PhantomData,
        };
        let leaf = spawn_child(me, leaf).await?;
        self.keys.insert(leaf.id(), key.clone());
        let admission = Admission::new(self.shared.limits.entity_in_flight);
        self.seats.insert(key, Seat { leaf, queue, admission, last_used: now, parked: None });
        K::gauge(&self.shared.stats).add(1);
        Ok(())
    }

    /// Lets leaves go that have nothing to do and were not used for `idle`.
    fn dismiss_idle(&mut self, now: Instant, idle: Duration) {
        for seat in self.seats.values_mut() {
            let unused = now.duration_since(seat.last_used) >= idle && seat.admission.inside() == 0;
            if unused && seat.parked.is_none() {
                seat.parked = Some(Vec::new());
                seat.leaf.drain();
            }
        }
    }

    fn sweep(&mut self) {
        let now = Instant::now();
        self.dismiss_idle(now, K::idle(&self.shared.limits));
        self.refused.retain(|_, until| now < *until);
        self.crashes.retain(|_, crashes| !crashes.is_clean(&LEAF, now));
        if self.seats.is_empty() && self.refused.is_empty() && self.crashes.is_empty() {
            (self.idle)(self.heard);
        }
    }

    /// A leaf that keeps crashing is refused for a while.
    fn note_crash(&mut self, key: &K::Key, reason: &str) {
        self.shared.stats.actor_crashes.count();
        tracing::error!(project = %self.entry.project, reason, "leaf actor crashed");
        let now = Instant::now();
        if self.crashes.entry(key.clone()).or_default().record(&LEAF, now) == Verdict::GiveUp {
            self.refused.insert(key.clone(), now + LEAF_REFUSED);
        }
    }
}

impl Seat {
    fn hand(&mut self, work: Box<Work>) {
        match &mut self.parked {
            Some(parked) => parked.push(*work),
            None => {
                self.queue.push(Errand::Work(work));
                // The leaf has gone but its end was not heard yet: the work was not accepted and may wait.
                if self.leaf.send(LeafMessage::Look).is_err() {
                    self.parked = Some(self.queue.take_back());
                }
            }
        }
    }

    fn forget(&self) {
        self.queue.push(Errand::Forget);
        self.leaf.cast(LeafMessage::Look);
    }
}

/// What waits for a leaf, in the order in which it came: the leaf sees what stands behind the next piece of work.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<VecDeque<Errand>>>);

/// One thing for a leaf to do.
enum Errand {
    /// Do this.
    Work(Box<Work>),
    /// What is remembered is old.
    Forget,
}

impl Queue {
    fn push(&self, errand: Errand) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(errand);
    }

    /// The next errand, and all the work right behind it that may run beside it.
    fn next(&self) -> Option<(Errand, Vec<Work>)> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = waiting.pop_front()?;
        let mut beside = Vec::new();
        if let Errand::Work(first) = &first {
            let joins = |errand: &Errand| matches!(errand, Errand::Work(work) if work.may_run_beside(first));
            let joining = waiting.iter().take_while(|errand| joins(errand)).count();
            beside.extend(waiting.drain(..joining).filter_map(Errand::work));
        }
        Some((first, beside))
    }

    /// The work that waits, for somebody else.
    fn take_back(&self) -> Vec<Work> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.drain(..).filter_map(Errand::work).collect()
    }
}

impl Errand {
    fn work(self) -> Option<Work> {
        match self {
            Self::Work(work) => Some(*work),
            Self::Forget => None,
        }
    }
}

impl<K: Kind> Behaviour for Supervisor<K> {
    type Message = SupervisorMessage<K::Key>;

    async fn started(&mut self, me: &Address<Self::Message>) -> Result<(), Death> {
        let period = (K::idle(&self.shared.limits) / 2).max(Duration::from_millis(1));
        self.sweep = Some(me.every(period, || SupervisorMessage::Sweep));
        Ok(())
    }

    async fn handle(&mut self, me: &Address<Self::Message>, message: Self::Message) -> Result<(), Death> {
        match message {
            SupervisorMessage::Work(key, work) => {
                self.heard += 1;
                self.hand_on(me, key, work).await;
            }
            SupervisorMessage::Forget(keys) => {
                self.heard += 1;
                keys.iter().filter_map(|key| self.seats.get(key)).for_each(Seat::forget);
            }
            SupervisorMessage::ForgetAll => {
                self.heard += 1;
                self.seats.values().for_each(Seat::forget);
            }
            SupervisorMessage::Sweep => self.sweep(),
        }
        Ok(())
    }

    async fn child_ended(&mut self, me: &Address<Self::Message>, child: ChildId, how: Ended) -> Result<(), Death> {
        let Some(key) = self.keys.remove(&child) else { return Ok(()) };
        let seat = self.seats.remove(&key);
        K::gauge(&self.shared.stats).add(-1);
        if let Ended::Crashed(reason) = how {
            self.note_crash(&key, &reason);
        }
        for work in seat.and_then(|seat| seat.parked).unwrap_or_default() {
            self.hand_on(me, key.clone(), Box::new(work)).await;
        }
        Ok(())
    }

    async fn stopping(&mut self, me: &Address<Self::Message>) {
        me.drain_children(DRAIN).await;
        K::gauge(&self.shared.stats).add(-i64::try_from(self.keys.len()).unwrap_or(0));
        self.keys.clear();
    }
}

impl<K: Kind> Drop for Supervisor<K> {
    fn drop(&mut self) {
        // After a crash the leaves die with their supervisor, unheard.
        K::gauge(&self.shared.stats).add(-i64::try_from(self.keys.len()).unwrap_or(0));
    }
}

/// What a leaf is told.
pub(crate) enum LeafMessage {
    /// There is something in its queue; there may be nothing any more, if it ran beside what was before it.
    Look,
}

/// One session or challenge: does its work in order.
struct Leaf<K> {
    shared: Arc<Shared>,
    entry: Arc<TenantEntry>,
    queue: Queue,
    memory: Option<WarmSession>,
    kind: PhantomData<K>,
}

impl<K: Kind> Leaf<K> {
    /// Does one piece of work with a memory of its own.
    async fn run(&self, mut work: Work, memory: Option<WarmSession>) -> Ending {
        if work.is_stale() {
            work.refuse(AskError::Timeout);
            return Ending::Known;
        }
        let context = self.shared.context(&self.entry, &mut work, memory);
        work.run(context).await
    }

    /// Does work that may run together. Each piece remembers for itself; the newest memory stays.
    async fn run_together(&mut self, work: Vec<Work>) -> Ending {
        let memories: Vec<_> = work.iter().map(|_| self.memory.as_ref().map(WarmSession::copy)).collect();
        let endings =
            join_all(work.into_iter().zip(memories.iter().cloned()).map(|(work, memory)| self.run(work, memory)));
        let unknown = endings.await.contains(&Ending::Unknown);
        self.memory = memories.into_iter().flatten().reduce(WarmSession::newer);
        if unknown { Ending::Unknown } else { Ending::Known }
    }
}

impl<K: Kind> Behaviour for Leaf<K> {
    type Message = LeafMessage;

    async fn handle(&mut self, me: &Address<LeafMessage>, LeafMessage::Look: LeafMessage) -> Result<(), Death> {
        let (first, beside) = match self.queue.next() {
            Some((Errand::Work(first), beside)) => (first, beside),
            Some((Errand::Forget, _)) => {
                self.memory = K::memory();
                return Ok(());
            }
            None => return Ok(()),
        };
        // Most often what the first one does changes what the others find: alone it does so once.
        let mut ending = self.run(*first, self.memory.clone()).await;
        if !beside.is_empty() {
            if ending == Ending::Unknown {
                self.memory = K::memory();
            }
            let together = self.run_together(beside).await;
            ending = if ending == Ending::Unknown { ending } else { together };
        }
        if ending == Ending::Unknown {
            // Whatever is remembered may be wrong. The queue is worked off without a memory, the next leaf reads again.
            self.memory = K::memory();
            me.drain();
        }
        Ok(())
    }
}
