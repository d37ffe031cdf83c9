//! The tenant actor: every request of a project that is in order with others is one message to it. It never waits: it hands down to
//! a session's or challenge's actor. What is in order with nothing goes past it (`RuntimeHandle::ask`).

use std::collections::HashMap;
use std::sync::Arc;

use domain::ids::SessionId;
use flows::Tenant;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::challenge::Challenges;
use crate::directory::{Absence, TenantEntry};
use crate::error::AskError;
use crate::keyed::{Kind, Supervisor, SupervisorMessage};
use crate::kit::{Address, Behaviour, ChildId, Crashes, Death, Ended, Timer, Verdict, spawn_child};
use crate::limits::{DRAIN, LOAD, SUPERVISOR};
use crate::operation::Lane;
use crate::registry::{Gone, RegistryMessage};
use crate::runtime::{Loaded, Shared};
use crate::session::Sessions;
use crate::work::{Work, run_now};

/// Told when a reload is over.
pub(crate) type Done = oneshot::Sender<()>;

/// Which of a tenant's supervisors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Branch {
    Sessions,
    Challenges,
}

/// What a tenant is told.
pub(crate) enum TenantMessage {
    /// A request.
    Work(Box<Work>),
    /// These sessions have ended or changed elsewhere.
    Forget(Vec<SessionId>),
    /// All sessions may have changed elsewhere.
    ForgetAll,
    /// Configuration or keys changed: read them again.
    Reload(Option<Done>),
    /// They were read.
    Reloaded(Box<Loaded>),
    /// A supervisor has no leaf left and has heard up to that message.
    Idle(Branch, u64),
}

/// A supervisor of this tenant, started when it is first needed.
struct Lazy<K: Kind> {
    supervisor: Option<Address<SupervisorMessage<K::Key>>>,
    branch: Branch,
    /// Messages sent to it and its predecessors: as many heard means that nothing is on its way.
    sent: u64,
    crashes: Crashes,
}

/// One project that lives in memory.
pub(crate) struct TenantActor {
    shared: Arc<Shared>,
    entry: Arc<TenantEntry>,
    sessions: Lazy<Sessions>,
    challenges: Lazy<Challenges>,
    branches: HashMap<ChildId, Branch>,
    reload: Reload,
}

/// At most one load at a time; what is asked for meanwhile is served by the next one.
#[derive(Default)]
struct Reload {
    /// Who waits for the load that runs, if one does.
    reading: Option<Vec<Done>>,
    /// Who waits for the next one.
    asked: Vec<Done>,
    again: bool,
    failures: usize,
    retry: Option<Timer>,
}

impl TenantActor {
    /// The actor of `entry`.
    pub(crate) fn new(shared: Arc<Shared>, entry: Arc<TenantEntry>) -> Self {
        Self {
            shared,
            entry,
            sessions: Lazy::new(Branch::Sessions),
            challenges: Lazy::new(Branch::Challenges),
            branches: HashMap::new(),
            reload: Reload::default(),
        }
    }

    async fn dispatch(&mut self, me: &Address<TenantMessage>, mut work: Box<Work>) {
        if work.is_stale() {
            return work.refuse(AskError::Timeout);
        }
        match work.lane.clone() {
            Lane::Snapshot => {
                let context = self.shared.context(&self.entry, &mut work, None);
                run_now(*work, context);
            }
            Lane::Task => {
                let context = self.shared.context(&self.entry, &mut work, None);
                tokio::spawn(work.run(context));
            }
            Lane::Session(session) => {
                self.ensure(me, Branch::Sessions).await;
                self.sessions.hand_down(session, work);
            }
            Lane::Challenge(key) => {
                self.ensure(me, Branch::Challenges).await;
                self.challenges.hand_down(key, work);
            }
        }
    }

    /// Starts the supervisor of a branch if it does not live.
    async fn ensure(&mut self, me: &Address<TenantMessage>, branch: Branch) {
        let (shared, entry) = (&self.shared, &self.entry);
        let started = match branch {
            Branch::Sessions => self.sessions.ensure(me, shared, entry).await,
            Branch::Challenges => self.challenges.ensure(me, shared, entry).await,
        };
        if let Some(child) = started {
            self.branches.insert(child, branch);
        }
    }

    fn reload(&mut self, me: &Address<TenantMessage>, done: Option<Done>) {
        self.reload.asked.extend(done);
        if self.reload.reading.is_some() {
            self.reload.again = true;
            return;
        }
        self.reload.again = false;
        self.reload.retry = None;
        self.reload.reading = Some(std::mem::take(&mut self.reload.asked));
        let (shared, entry, me) = (Arc::clone(&self.shared), Arc::clone(&self.entry), me.clone());
        tokio::spawn(async move {
            let _turn = shared.reloads.acquire().await;
            let loaded = shared.look_up(&entry.project).await;
            me.cast(TenantMessage::Reloaded(Box::new(loaded)));
        });
    }

    fn reloaded(&mut self, me: &Address<TenantMessage>, mut loaded: Loaded) {
        let waiting = self.reload.reading.take().unwrap_or_default();
        // Deleted and made anew under the same ref is deleted.
        let same = |tenant: &Tenant| tenant.project.id == self.entry.id;
        let found = std::mem::replace(&mut loaded.found, Ok(None)).map(|found| found.filter(|tenant| same(tenant)));
        match found.map(|found| found.map_or(Ok(Absence::Unknown), Absence::of)) {
            Ok(Err(tenant)) => {
                self.reload.failures = 0;
                self.entry.publish(loaded.snapshot(tenant));
                self.shared.stats.reloads.count();
                tell(waiting);
            }
            Ok(Ok(why)) => {
                if let Some(shard) = self.shared.shard_of(&self.entry.project) {
                    let (entry, number) = (Arc::clone(&self.entry), loaded.number());
                    shard.cast(RegistryMessage::Gone(Gone { entry, why, number, waiting }));
                }
            }
            Err(error) => {
                self.reload.failures += 1;
                let pause = LOAD.pause_after(self.reload.failures);
                tracing::warn!(project = %self.entry.project, %error, "reload failed, the last snapshot serves on");
                self.reload.asked.extend(waiting);
                self.reload.retry = Some(me.after(pause, TenantMessage::Reload(None)));
                return;
            }
        }
        if self.reload.again {
            self.reload(me, None);
        }
    }

    fn note_crash(&mut self, branch: Branch, child: ChildId, reason: &str) -> Result<(), Death> {
        self.shared.stats.actor_crashes.count();
        tracing::error!(project = %self.entry.project, ?branch, reason, "supervisor crashed");
        let verdict = match branch {
            Branch::Sessions => self.sessions.crashed(child),
            Branch::Challenges => self.challenges.crashed(child),
        };
        match verdict {
            Verdict::Again(_) => Ok(()),
            Verdict::GiveUp => Err(format!("its supervisor of {branch:?} keeps crashing").into()),
        }
    }
}

/// Tells everybody who waits.
pub(crate) fn tell(waiting: Vec<Done>) {
    for done in waiting {
        if done.send(()).is_err() {
            tracing::trace!("nobody waits for the reload any more");
        }
    }
}

impl<K: Kind> Lazy<K> {
    fn new(branch: Branch) -> Self {
        Self { supervisor: None, branch, sent: 0, crashes: Crashes::default() }
    }

    /// Starts the supervisor if there is none; gives its id if it did.
    async fn ensure(
        &mut self,
        me: &Address<TenantMessage>,
        shared: &Arc<Shared>,
        entry: &Arc<TenantEntry>,
    ) -> Option<ChildId> {
        if self.supervisor.as_ref().is_some_and(Address::is_open) {
            return None;
        }
        let (tenant, branch) = (me.clone(), self.branch);
        let idle = Box::new(move |heard| tenant.cast(TenantMessage::Idle(branch, heard)));
        let supervisor = Supervisor::<K>::new(Arc::clone(shared), Arc::clone(entry), self.sent, idle);
        match spawn_child(me, supervisor).await {
            Ok(supervisor) => {
                let id = supervisor.id();
                self.supervisor = Some(supervisor);
                Some(id)
            }
            Err(error) => {
                tracing::debug!(error, "supervisor not started");
                None
            }
        }
    }

    fn hand_down(&mut self, key: K::Key, work: Box<Work>) {
        let Some(supervisor) = &self.supervisor else {
            return work.refuse(AskError::overloaded());
        };
        self.sent += 1;
        if let Err(SupervisorMessage::Work(_, work)) = supervisor.send(SupervisorMessage::Work(key, work)) {
            work.refuse(AskError::Crashed);
        }
    }

    /// Passes a hint on; without a supervisor nobody needs it.
    fn pass_on(&mut self, hint: SupervisorMessage<K::Key>) {
        if let Some(supervisor) = &self.supervisor {
            self.sent += 1;
            supervisor.cast(hint);
        }
    }

    /// Lets a supervisor without leaves go, unless a message is on its way to it.
    fn dismiss(&mut self, heard: u64) {
        if heard == self.sent
            && let Some(supervisor) = self.supervisor.take()
        {
            supervisor.drain();
        }
    }

    fn crashed(&mut self, child: ChildId) -> Verdict {
        if self.supervisor.as_ref().is_some_and(|supervisor| supervisor.id() == child) {
            self.supervisor = None;
        }
        self.crashes.record(&SUPERVISOR, Instant::now())
    }
}

impl Behaviour for TenantActor {
    type Message = TenantMessage;

    async fn handle(&mut self, me: &Address<TenantMessage>, message: TenantMessage) -> Result<(), Death> {
        match message {
            TenantMessage::Work(work) => self.dispatch(me, work).await,
            TenantMessage::Forget(sessions) => self.sessions.pass_on(SupervisorMessage::Forget(sessions)),
            TenantMessage::ForgetAll => self.sessions.pass_on(SupervisorMessage::ForgetAll),
            TenantMessage::Reload(done) => self.reload(me, done),
            TenantMessage::Reloaded(loaded) => self.reloaded(me, *loaded),
            TenantMessage::Idle(Branch::Sessions, heard) => self.sessions.dismiss(heard),
            TenantMessage::Idle(Branch::Challenges, heard) => self.challenges.dismiss(heard),
        }
        Ok(())
    }

    async fn child_ended(&mut self, _: &Address<TenantMessage>, child: ChildId, how: Ended) -> Result<(), Death> {
        let Some(branch) = self.branches.remove(&child) else { return Ok(()) };
        match how {
            Ended::Left => Ok(()),
            Ended::Crashed(reason) => self.note_crash(branch, child, &reason),
        }
    }

    async fn stopping(&mut self, me: &Address<TenantMessage>) {
        me.drain_children(DRAIN).await;
    }
}
