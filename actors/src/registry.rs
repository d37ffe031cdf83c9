//! The registry: sixteen shards, the only writers of the directory. A shard starts tenants, starts them again after a
//! crash, quarantines those that keep crashing and lets idle ones go. It does no I/O: loads run in tasks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::ProjectRef;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::directory::{Absence, Seat, Snapshot, TenantEntry};
use crate::error::AskError;
use crate::kit::{Address, Behaviour, ChildId, Crashes, Death, Ended, Found, Timer, Verdict, spawn_child};
use crate::limits::{DRAIN, LOAD, TENANT};
use crate::runtime::{Loaded, SHARDS, Shared, shard_number};
use crate::tenant::{Done, TenantActor, TenantMessage, tell};

/// Who waits for a tenant to serve.
pub(crate) type Parked = oneshot::Sender<Result<Arc<TenantEntry>, AskError>>;

/// What a shard is told.
pub(crate) enum RegistryMessage {
    /// Answer when this project's tenant serves, and start it if need be.
    Activate(ProjectRef, Parked),
    /// A project was read.
    Loaded(ProjectRef, Box<Loaded>),
    /// A pause is over: start this tenant again.
    Revive(ProjectRef),
    /// This project is not served any more.
    Gone(Gone),
    /// Look for idle tenants.
    Sweep,
}

/// A project that is not served any more.
pub(crate) struct Gone {
    pub(crate) entry: Arc<TenantEntry>,
    pub(crate) why: Absence,
    /// The number of the last change of which that is known.
    pub(crate) number: u64,
    pub(crate) waiting: Vec<Done>,
}

/// How often a load is repeated because something changed while it ran.
const LOADS_AGAIN: usize = 3;

/// Failures in a row are remembered for at most this many projects per shard.
const FAILURES_KEPT: usize = 4096;

enum Standing {
    Loading {
        parked: Vec<Parked>,
        loads: usize,
    },
    Serving(Tenancy),
    Restarting {
        entry: Arc<TenantEntry>,
        crashes: Crashes,
        parked: Vec<Parked>,
        _pause: Timer,
    },
    Quarantined {
        entry: Arc<TenantEntry>,
        crashes: Crashes,
        until: Instant,
        _pause: Timer,
    },
    /// Its successor waits until the actor is gone, so that a project never has two.
    Leaving {
        parked: Vec<Parked>,
    },
}

struct Tenancy {
    entry: Arc<TenantEntry>,
    actor: Address<TenantMessage>,
    crashes: Crashes,
}

/// One shard.
pub(crate) struct Registry {
    shared: Arc<Shared>,
    number: usize,
    tenants: HashMap<ProjectRef, Standing>,
    children: HashMap<ChildId, ProjectRef>,
    failures: HashMap<ProjectRef, usize>,
    loading: usize,
    sweep: Option<Timer>,
}

impl Registry {
    /// Shard `number`, without tenants.
    pub(crate) fn new(shared: Arc<Shared>, number: usize) -> Self {
        Self {
            shared,
            number,
            tenants: HashMap::new(),
            children: HashMap::new(),
            failures: HashMap::new(),
            loading: 0,
            sweep: None,
        }
    }

    fn activate(&mut self, me: &Address<RegistryMessage>, project: ProjectRef, caller: Parked) {
        let most_parked = self.shared.limits.parked;
        match self.tenants.get_mut(&project) {
            Some(Standing::Serving(tenancy)) => reply(caller, Ok(Arc::clone(&tenancy.entry))),
            Some(Standing::Quarantined { until, .. }) => reply(caller, Err(quarantined(*until))),
            Some(
                Standing::Loading { parked, .. } | Standing::Restarting { parked, .. } | Standing::Leaving { parked },
            ) => {
                if parked.len() >= most_parked {
                    parked.retain(|caller| !caller.is_closed());
                }
                if parked.len() >= most_parked {
                    return reply(caller, Err(AskError::overloaded()));
                }
                parked.push(caller);
            }
            None => {
                let now = Instant::now();
                if let Found::Absent(why, until) = self.shared.directory.find(&project, now) {
                    return reply(caller, Err(why.refusal(until, now)));
                }
                if self.loading >= self.shared.limits.loads {
                    return reply(caller, Err(AskError::overloaded()));
                }
                self.load(me, project, vec![caller], 1);
            }
        }
    }

    fn load(&mut self, me: &Address<RegistryMessage>, project: ProjectRef, parked: Vec<Parked>, loads: usize) {
        self.tenants.insert(project.clone(), Standing::Loading { parked, loads });
        self.loading += 1;
        let (shared, me) = (Arc::clone(&self.shared), me.clone());
        tokio::spawn(async move {
            let loaded = shared.look_up(&project).await;
            me.cast(RegistryMessage::Loaded(project, Box::new(loaded)));
        });
    }

    async fn loaded(&mut self, me: &Address<RegistryMessage>, project: ProjectRef, mut loaded: Loaded) {
        let Some(Standing::Loading { parked, loads }) = self.tenants.remove(&project) else { return };
        self.loading -= 1;
        if loads < LOADS_AGAIN && loaded.is_doubtful(&self.shared.directory) {
            return self.load(me, project, parked, loads + 1);
        }
        let now = Instant::now();
        let found = std::mem::replace(&mut loaded.found, Ok(None));
        let absent = match found.map(|found| found.map_or(Ok(Absence::Unknown), Absence::of)) {
            Ok(Err(tenant)) => {
                self.failures.remove(&project);
                return self.enter(me, loaded.snapshot(tenant), now, parked).await;
            }
            Ok(Ok(absent)) => Ok(absent),
            Err(error) => Err(error),
        };
        let (why, until) = match absent {
            Ok(absent) => {
                self.failures.remove(&project);
                (absent, now + self.shared.limits.unknown_for)
            }
            Err(error) => {
                tracing::warn!(%project, %error, "project not loaded");
                if self.failures.len() >= FAILURES_KEPT {
                    self.failures.clear();
                }
                let failures = self.failures.entry(project.clone()).or_default();
                *failures += 1;
                (Absence::Failing(error), now + LOAD.pause_after(*failures))
            }
        };
        self.shared.directory.note_absent(project, why.clone(), until, loaded.strangers);
        for caller in parked {
            reply(caller, Err(why.clone().refusal(until, now)));
        }
    }

    /// Lets a project into memory.
    async fn enter(&mut self, me: &Address<RegistryMessage>, snapshot: Snapshot, now: Instant, parked: Vec<Parked>) {
        let number = snapshot.number;
        let entry = Arc::new(TenantEntry::new(snapshot, now));
        self.make_room(now);
        self.serve(me, Arc::clone(&entry), Crashes::default(), parked).await;
        self.shared.put_down(&entry, now);
        // A change that came too late for the load may have come too early for the directory.
        if self.shared.directory.changes().since(entry.id, number) {
            read_again(&entry);
        }
    }

    /// Starts the tenant of `entry` and lets everybody in who waits for it.
    async fn serve(
        &mut self,
        me: &Address<RegistryMessage>,
        entry: Arc<TenantEntry>,
        crashes: Crashes,
        parked: Vec<Parked>,
    ) {
        let actor = match spawn_child(me, TenantActor::new(Arc::clone(&self.shared), Arc::clone(&entry))).await {
            Ok(actor) => actor,
            Err(error) => {
                tracing::debug!(error, "tenant not started");
                self.shared.directory.remove(&entry);
                self.tenants.remove(&entry.project);
                return parked.into_iter().for_each(|caller| reply(caller, Err(AskError::overloaded())));
            }
        };
        self.shared.stats.activations.count();
        self.children.insert(actor.id(), entry.project.clone());
        entry.set_seat(Seat::Serving(actor.clone()));
        self.shared.directory.insert(Arc::clone(&entry));
        for caller in parked {
            reply(caller, Ok(Arc::clone(&entry)));
        }
        self.tenants.insert(entry.project.clone(), Standing::Serving(Tenancy { entry, actor, crashes }));
    }

    /// Lets a tenant go if nobody is inside, or for good if its project is `gone`: those inside are served to the end.
    fn dismiss(&mut self, project: &ProjectRef, gone: bool) {
        let Some(Standing::Serving(tenancy)) = self.tenants.remove(project) else { return };
        let entry = &tenancy.entry;
        // In this order: who finds no permit now looks at the seat and comes back to us.
        entry.set_seat(Seat::Leaving);
        if !entry.close_if_empty() && !gone {
            entry.set_seat(Seat::Serving(tenancy.actor.clone()));
            self.tenants.insert(project.clone(), Standing::Serving(tenancy));
            return;
        }
        self.shared.put_down_last(entry, Instant::now());
        self.shared.directory.remove(entry);
        tenancy.actor.drain();
        self.shared.stats.passivations.count();
        self.tenants.insert(project.clone(), Standing::Leaving { parked: Vec::new() });
    }

    /// Keeps the number of residents below the limit: the least recently used ones leave, some at a time.
    fn make_room(&mut self, now: Instant) {
        let most = (self.shared.limits.resident_tenants / SHARDS).max(1);
        if self.children.len() < most {
            return;
        }
        let mut by_use: Vec<(Duration, ProjectRef)> = Vec::new();
        for (project, standing) in &self.tenants {
            if let Standing::Serving(tenancy) = standing {
                by_use.push((now.saturating_duration_since(tenancy.entry.last_used()), project.clone()));
            }
        }
        by_use.sort_unstable_by_key(|(unused, _)| std::cmp::Reverse(*unused));
        for (_, project) in by_use.into_iter().take(1 + most / 32) {
            self.dismiss(&project, false);
        }
    }

    fn sweep(&mut self) {
        let now = Instant::now();
        let mut idle = Vec::new();
        for (project, standing) in &self.tenants {
            let Standing::Serving(tenancy) = standing else { continue };
            self.shared.put_down(&tenancy.entry, now);
            if now.saturating_duration_since(tenancy.entry.last_used()) >= self.shared.limits.tenant_idle {
                idle.push(project.clone());
            }
        }
        for project in idle {
            self.dismiss(&project, false);
        }
        if self.number == 0 {
            self.shared.directory.forget_expired(now);
        }
    }

    fn gone(&mut self, gone: Gone) {
        let Gone { entry, why, number, waiting } = gone;
        let current = match self.tenants.get(&entry.project) {
            Some(Standing::Serving(tenancy)) => Arc::ptr_eq(&tenancy.entry, &entry),
            _ => false,
        };
        if current {
            let strangers = self.shared.directory.strangers();
            let until = Instant::now() + self.shared.limits.unknown_for;
            self.dismiss(&entry.project, true);
            let directory = &self.shared.directory;
            // A change from now on finds nothing in memory and forgets this.
            if !directory.changes().since(entry.id, number) {
                directory.note_absent(entry.project.clone(), why, until, strangers);
            }
        }
        tell(waiting);
    }

    async fn revive(&mut self, me: &Address<RegistryMessage>, project: &ProjectRef) {
        match self.tenants.remove(project) {
            Some(Standing::Restarting { entry, crashes, parked, .. }) => {
                self.restart(me, entry, crashes, parked).await;
            }
            Some(Standing::Quarantined { entry, crashes, .. }) => {
                self.restart(me, entry, crashes, Vec::new()).await;
            }
            Some(other) => drop(self.tenants.insert(project.clone(), other)),
            None => {}
        }
    }

    /// Serves again from the last snapshot, at once; what it was made of is read again behind it.
    async fn restart(
        &mut self,
        me: &Address<RegistryMessage>,
        entry: Arc<TenantEntry>,
        crashes: Crashes,
        parked: Vec<Parked>,
    ) {
        self.serve(me, Arc::clone(&entry), crashes, parked).await;
        read_again(&entry);
    }

    fn crashed(&mut self, me: &Address<RegistryMessage>, mut tenancy: Tenancy, reason: &str) {
        let (now, project) = (Instant::now(), tenancy.entry.project.clone());
        self.shared.stats.actor_crashes.count();
        tracing::error!(%project, reason, "tenant actor crashed");
        let standing = match tenancy.crashes.record(&TENANT, now) {
            Verdict::Again(pause) => {
                tenancy.entry.set_seat(Seat::Restarting);
                Standing::Restarting {
                    entry: tenancy.entry,
                    crashes: tenancy.crashes,
                    parked: Vec::new(),
                    _pause: me.after(pause, RegistryMessage::Revive(project.clone())),
                }
            }
            Verdict::GiveUp => {
                let until = now + self.shared.limits.quarantine;
                tracing::error!(%project, "tenant quarantined");
                self.shared.stats.quarantines.count();
                tenancy.entry.set_seat(Seat::Quarantined(until));
                Standing::Quarantined {
                    entry: tenancy.entry,
                    crashes: tenancy.crashes,
                    until,
                    _pause: me.after(self.shared.limits.quarantine, RegistryMessage::Revive(project.clone())),
                }
            }
        };
        self.tenants.insert(project, standing);
    }
}

/// Lets the tenant of `entry` read its project again.
fn read_again(entry: &TenantEntry) {
    if let Seat::Serving(actor) = &*entry.seat() {
        actor.cast(TenantMessage::Reload(None));
    }
}

/// The answer to whatever is asked of a quarantined project.
pub(crate) fn quarantined(until: Instant) -> AskError {
    AskError::away(until.saturating_duration_since(Instant::now()), "the project's tenant keeps crashing")
}

fn reply(caller: Parked, answer: Result<Arc<TenantEntry>, AskError>) {
    if caller.send(answer).is_err() {
        tracing::trace!("the caller left before its tenant was ready");
    }
}

impl Behaviour for Registry {
    type Message = RegistryMessage;

    async fn started(&mut self, me: &Address<RegistryMessage>) -> Result<(), Death> {
        let number = self.number;
        // A predecessor that crashed took its tenants with it.
        self.shared.directory.remove_where(|project| shard_number(project) == number);
        let period = (self.shared.limits.tenant_idle / 8).clamp(Duration::from_millis(1), Duration::from_secs(30));
        self.sweep = Some(me.every(period, || RegistryMessage::Sweep));
        Ok(())
    }

    async fn handle(&mut self, me: &Address<RegistryMessage>, message: RegistryMessage) -> Result<(), Death> {
        match message {
            RegistryMessage::Activate(project, caller) => self.activate(me, project, caller),
            RegistryMessage::Loaded(project, loaded) => self.loaded(me, project, *loaded).await,
            RegistryMessage::Revive(project) => self.revive(me, &project).await,
            RegistryMessage::Gone(gone) => self.gone(gone),
            RegistryMessage::Sweep => self.sweep(),
        }
        Ok(())
    }

    async fn child_ended(&mut self, me: &Address<RegistryMessage>, child: ChildId, how: Ended) -> Result<(), Death> {
        let Some(project) = self.children.remove(&child) else { return Ok(()) };
        match (self.tenants.remove(&project), how) {
            (Some(Standing::Leaving { parked }), _) => {
                let parked: Vec<Parked> = parked.into_iter().filter(|caller| !caller.is_closed()).collect();
                if !parked.is_empty() {
                    self.load(me, project, parked, 1);
                }
            }
            (Some(Standing::Serving(tenancy)), Ended::Crashed(reason)) => self.crashed(me, tenancy, &reason),
            (Some(Standing::Serving(tenancy)), Ended::Left) => self.shared.directory.remove(&tenancy.entry),
            (Some(other), _) => drop(self.tenants.insert(project, other)),
            (None, _) => {}
        }
        Ok(())
    }

    async fn stopping(&mut self, me: &Address<RegistryMessage>) {
        me.drain_children(DRAIN).await;
    }
}
