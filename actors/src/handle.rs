//! What the rest of the process sees of the actors.

use std::ops::Deref;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::config::Policy;
use domain::ids::{ProjectId, ProjectRef};
use domain::quota::Quota;
use domain::refusal::Refusal;
use domain::request::Caller;
use flows::Tenant;
use flows::management::{Management, ProjectUsage, UsageSource};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::directory::{Absence, NotAdmitted, Seat, Standing, TenantEntry};
use crate::error::AskError;
use crate::kit::{Address, Found, Lost, answer_by};
use crate::limits::RETRY_SOON;
use crate::operation::{Lane, Operation};
use crate::registry::{RegistryMessage, quarantined};
use crate::root::RootMessage;
use crate::runtime::Shared;
use crate::stats::RuntimeStats;
use crate::tenant::TenantMessage;
use crate::work::{Permits, Work, run_now};

/// How long a caller pauses who met an actor that is just ending.
const PAUSE: Duration = Duration::from_millis(1);

/// How long [`RuntimeHandle::refresh`] waits for a project to be read again.
const REFRESH: Duration = Duration::from_secs(5);

/// Whether the runtime lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It serves.
    Running,
    /// It was shut down.
    Stopped,
    /// Something crashed more often than it may; the process must end and say so.
    Failed,
}

/// The effective settings of a project at one version.
#[derive(Clone)]
pub struct PolicySnapshot(Kept);

#[derive(Clone)]
enum Kept {
    Whole(Arc<Tenant>),
    Policy(Arc<Policy>),
}

impl Deref for PolicySnapshot {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        match &self.0 {
            Kept::Whole(tenant) => &tenant.policy,
            Kept::Policy(policy) => policy,
        }
    }
}

/// The way to the actors. Cheap to clone.
#[derive(Clone)]
pub struct RuntimeHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) root: Address<RootMessage>,
    pub(crate) health: watch::Receiver<Health>,
    pub(crate) management: Arc<Management>,
}

impl RuntimeHandle {
    /// Asks `operation` of a project and waits for the answer until `deadline`.
    ///
    /// Every ask has exactly one answer. What is refused ([`AskError::Overloaded`], [`AskError::Limited`],
    /// [`AskError::UnknownProject`]) is refused at once and was not begun. What was begun is not cancelled by the
    /// deadline or by dropping the future; what was not begun by then never will be.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask<O: Operation>(
        &self,
        project: &ProjectRef,
        caller: Caller,
        deadline: Instant,
        operation: O,
    ) -> Result<O::Answer, AskError> {
        let stats = &self.shared.stats;
        stats.asked.count();
        let outcome = match operation.poll() {
            Some(poll) => self.ask_until(project, caller, deadline, operation, poll).await,
            None => self.ask_once(project, caller, deadline, operation).await,
        };
        match &outcome {
            Err(AskError::Overloaded { .. } | AskError::Limited { .. }) => stats.refused.count(),
            Err(AskError::Refused(refusal)) => self.count_quota(project, refusal),
            Err(AskError::Crashed) => stats.crashed.count(),
            Err(AskError::Timeout) => stats.late.count(),
            _ => {}
        }
        outcome
    }

    /// Notes which quota was used up, if `refusal` is about one.
    fn count_quota(&self, project: &ProjectRef, refusal: &Refusal) {
        let quota = match refusal {
            Refusal::QuotaBusy(quota) | Refusal::QuotaReached(quota) | Refusal::QuotaFull(quota) => *quota,
            Refusal::MailQuotaReached => Quota::MailsPerHour,
            _ => return,
        };
        self.shared.stats.refused.count();
        if let Found::Resident(entry) = self.shared.directory.find(project, Instant::now()) {
            entry.usage.count_refusal(quota);
        }
    }

    /// One question, uncounted.
    pub(crate) async fn ask_once<O: Operation>(
        &self,
        project: &ProjectRef,
        caller: Caller,
        deadline: Instant,
        operation: O,
    ) -> Result<O::Answer, AskError> {
        let permit = self.shared.admission.enter().map_err(|_| AskError::overloaded())?;
        let span = tracing::info_span!("operation", name = O::NAME, %project);
        let (work, answer) = Work::new(operation, caller, deadline, Permits::new(permit), span);
        self.hand_in(project, Box::new(work)).await?;
        match answer_by(deadline, answer).await {
            Ok(answer) => answer,
            Err(Lost::Crashed) => Err(AskError::Crashed),
            Err(Lost::Late) => Err(AskError::Timeout),
        }
    }

    /// Gives `work` to the project's tenant: one message. Who meets a tenant that is leaving looks again.
    async fn hand_in(&self, project: &ProjectRef, mut work: Box<Work>) -> Result<(), AskError> {
        let mut entry = self.find(project, work.deadline).await?;
        entry.usage.count();
        loop {
            if Instant::now() >= work.deadline {
                return Err(AskError::Timeout);
            }
            let tenant = entry.snapshot();
            let now = self.shared.services.clock.now();
            let routed = std::panic::catch_unwind(AssertUnwindSafe(|| work.route(&tenant, now)));
            routed.map_err(|_| AskError::Crashed)?;
            if !self.serves(&entry, work.lane == Lane::Snapshot, work.deadline).await? {
                entry = self.find(project, work.deadline).await?;
                continue;
            }
            match entry.admit(&tenant, &self.shared.limits, Instant::now(), self.shared.admission.free()) {
                Ok(permit) => work.permits.tenant = Some(permit),
                Err(NotAdmitted::Refused(error)) => return Err(refused(error, work.name)),
                Err(NotAdmitted::Leaving) => {
                    entry = self.find_again(&entry, work.deadline).await?;
                    continue;
                }
            }
            // Again, with the permit in hand: who publishes that nobody is served waits for everybody who was let in before.
            if !self.serves(&entry, work.lane == Lane::Snapshot, work.deadline).await? {
                work.permits.tenant = None;
                entry = self.find(project, work.deadline).await?;
                continue;
            }
            match &*entry.seat() {
                // Neither is in order with anything, so neither needs the actor; the permit keeps it.
                Seat::Serving(_) if work.lane == Lane::Snapshot => {
                    let context = self.shared.context(&entry, &mut work, None);
                    run_now(*work, context);
                    return Ok(());
                }
                Seat::Serving(_) if work.lane == Lane::Task => {
                    let context = self.shared.context(&entry, &mut work, None);
                    tokio::spawn(work.run(context));
                    return Ok(());
                }
                Seat::Serving(actor) => match actor.send(TenantMessage::Work(work)) {
                    Err(TenantMessage::Work(back)) => work = back,
                    Ok(()) | Err(_) => return Ok(()),
                },
                Seat::Restarting | Seat::Quarantined(_) if work.lane == Lane::Snapshot => {
                    let context = self.shared.context(&entry, &mut work, None);
                    run_now(*work, context);
                    return Ok(());
                }
                Seat::Quarantined(until) => return Err(quarantined(*until)),
                Seat::Restarting | Seat::Leaving => {}
            }
            work.permits.tenant = None;
            entry = self.find_again(&entry, work.deadline).await?;
        }
    }

    /// Whether `entry` serves; what only needs the snapshot (`shown`) it does while it is held, too. False: it was read again, look again.
    async fn serves(&self, entry: &TenantEntry, shown: bool, deadline: Instant) -> Result<bool, AskError> {
        match entry.standing(self.shared.services.clock.now()) {
            Standing::Serves if shown || !self.shared.contact.is_lost() => Ok(true),
            Standing::Serves => {
                Err(AskError::away(RETRY_SOON, "this gateway has not reached the control store for too long"))
            }
            Standing::Refuses(Refusal::ProjectHeld) if shown => Ok(true),
            Standing::Refuses(refusal) => Err(AskError::Refused(refusal)),
            Standing::Gone => Err(AskError::UnknownProject),
            Standing::Doubtful => {
                let left = deadline.saturating_duration_since(Instant::now());
                let number = self.shared.directory.note_change(entry.id);
                if !self.shared.settle(entry.id, number, left).await {
                    return Err(AskError::away(RETRY_SOON, "the project cannot be read again after it was held"));
                }
                Ok(false)
            }
        }
    }

    /// The project in memory, activated if need be.
    pub(crate) async fn find(&self, project: &ProjectRef, deadline: Instant) -> Result<Arc<TenantEntry>, AskError> {
        let now = Instant::now();
        match self.shared.directory.find(project, now) {
            Found::Resident(entry) => Ok(entry),
            Found::Absent(why, until) => Err(why.refusal(until, now)),
            Found::Nothing => self.activate(project, deadline).await,
        }
    }

    /// The project's next tenant, after `entry` turned out not to serve any more.
    async fn find_again(&self, entry: &Arc<TenantEntry>, deadline: Instant) -> Result<Arc<TenantEntry>, AskError> {
        let found = self.activate(&entry.project, deadline).await?;
        if Arc::ptr_eq(&found, entry) {
            // The registry has not heard of the end yet.
            tokio::time::sleep(PAUSE).await;
        }
        Ok(found)
    }

    async fn activate(&self, project: &ProjectRef, deadline: Instant) -> Result<Arc<TenantEntry>, AskError> {
        let away = || AskError::away(RETRY_SOON, "the registry is away");
        let (parked, answer) = oneshot::channel();
        let shard = self.shared.shard_of(project).ok_or_else(away)?;
        shard.send(RegistryMessage::Activate(project.clone(), parked)).map_err(|_| away())?;
        match answer_by(deadline, answer).await {
            Ok(answer) => answer,
            Err(Lost::Crashed) => Err(away()),
            Err(Lost::Late) => Err(AskError::Timeout),
        }
    }

    /// The effective settings of a project, for what must be known before it is asked anything. Takes no message when
    /// the project is in memory.
    ///
    /// # Errors
    /// As [`Self::ask`]; a paused project has settings.
    pub async fn policy(&self, project: &ProjectRef, deadline: Instant) -> Result<PolicySnapshot, AskError> {
        let found = match self.shared.directory.find(project, Instant::now()) {
            Found::Nothing => match self.activate(project, deadline).await {
                Ok(entry) => return Ok(PolicySnapshot(Kept::Whole(entry.snapshot()))),
                // Of one that is paused there is something all the same.
                Err(error) => match self.shared.directory.find(project, Instant::now()) {
                    Found::Absent(Absence::Paused(policy), _) => Ok(Kept::Policy(policy)),
                    _ => Err(error),
                },
            },
            Found::Resident(entry) => Ok(Kept::Whole(entry.snapshot())),
            Found::Absent(Absence::Paused(policy), _) => Ok(Kept::Policy(policy)),
            Found::Absent(why, until) => Err(why.refusal(until, Instant::now())),
        };
        found.map(PolicySnapshot)
    }

    /// What a project asked of this gateway since it came into memory; `None` while it is not there.
    pub fn usage(&self, project: ProjectId) -> Option<ProjectUsage> {
        UsageSource::usage(&*self.shared, project)
    }

    /// The projects in memory that asked the most of this gateway, the busiest first.
    pub fn busiest(&self, most: usize) -> Vec<(ProjectRef, ProjectUsage)> {
        let mut all = self.shared.directory.all();
        all.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.usage.requests()));
        all.truncate(most);
        all.iter().map(|entry| (entry.project.clone(), entry.usage.read(entry.inside()))).collect()
    }

    /// Whether asks are accepted: the runtime lives and no shutdown has begun.
    pub fn is_accepting(&self) -> bool {
        self.health() == Health::Running && !self.shared.admission.is_closing()
    }

    /// Creates, configures and ends projects. What it changes is what the next ask meets.
    pub fn manage(&self) -> &Management {
        &self.management
    }

    /// Reads a project again and waits until that is what the next ask meets. Whether that was so in time.
    pub async fn refresh(&self, project: ProjectId) -> bool {
        let number = self.shared.directory.note_change(project);
        self.shared.settle(project, number, REFRESH).await
    }

    /// A reading of the runtime's counters.
    pub fn stats(&self) -> RuntimeStats {
        self.shared.stats.read(self.shared.directory.residents(), self.shared.admission.inside())
    }

    /// Whether the runtime lives.
    pub fn health(&self) -> Health {
        *self.health.borrow()
    }

    /// Waits until the runtime has ended, one way or the other.
    pub async fn ended(&self) -> Health {
        let mut health = self.health.clone();
        let ended = health.wait_for(|health| *health != Health::Running).await;
        ended.map_or(Health::Failed, |health| *health)
    }

    /// Refuses new asks, finishes the accepted ones, then stops leaves, tenants, hashing and outbox in this order.
    /// What is not finished by `deadline` is cut off. Whether everything was.
    pub async fn shutdown(&self, deadline: Instant) -> bool {
        self.shared.leaving.send_replace(true);
        let finished = self.shared.admission.close_and_wait(deadline.saturating_duration_since(Instant::now())).await;
        let (done, told) = oneshot::channel();
        if self.root.send(RootMessage::Shutdown { deadline, done }).is_ok() {
            // The root ends in any case; whether it said so first does not matter.
            let _ended = told.await;
        }
        self.ended().await;
        self.shared.depart().await;
        finished
    }
}

/// A refresh that is over the rate is told so as a passing state: a client that hears anything else ends its session.
fn refused(error: AskError, operation: &str) -> AskError {
    match error {
        AskError::Refused(Refusal::QuotaReached(quota))
            if operation == <domain::refresh::Request as Operation>::NAME =>
        {
            AskError::Refused(Refusal::QuotaBusy(quota))
        }
        other => other,
    }
}
