//! The projects in memory. Finding one takes no message and no lock over an await.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use domain::config::Policy;
use domain::ids::{ProjectId, ProjectRef};
use domain::project::Status;
use domain::quota::Quota;
use domain::refusal::Refusal;
use domain::time::Timestamp;
use flows::Tenant;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use crate::changes::Changes;
use crate::error::{AskError, Cause};
use crate::kit::{Address, Admission, Bucket, Denied, Directory, Found, Permit};
use crate::limits::{Limits, Rate};
use crate::snapshots::Recent;
use crate::tenant::TenantMessage;
use crate::usage::Usage;

/// Who answers for a project right now.
pub(crate) enum Seat {
    /// Its tenant actor.
    Serving(Address<TenantMessage>),
    /// Nobody: the tenant crashed and starts again in a moment.
    Restarting,
    /// Nobody until then: the tenant crashed too often.
    Quarantined(Instant),
    /// Nobody: the tenant leaves memory, the next one is not there yet.
    Leaving,
}

/// A project as it was read.
pub(crate) struct Snapshot {
    pub(crate) tenant: Arc<Tenant>,
    /// The time before it was read.
    pub(crate) read_at: Timestamp,
    /// The number of the last change that it certainly shows.
    pub(crate) number: u64,
}

impl Snapshot {
    /// Whether it says that nobody may be served just now: held, or not active at all.
    fn serves_nobody(&self) -> bool {
        let project = &self.tenant.project;
        project.status != Status::Active || project.is_held(self.read_at)
    }
}

/// What a snapshot says about serving at a moment.
pub(crate) enum Standing {
    /// It serves.
    Serves,
    /// It does not.
    Refuses(Refusal),
    /// There is no such project any more.
    Gone,
    /// It was held until just now: where its rows are must be read again.
    Doubtful,
}

/// A project in memory.
pub(crate) struct TenantEntry {
    pub(crate) project: ProjectRef,
    pub(crate) id: ProjectId,
    pub(crate) usage: Usage,
    snapshot: ArcSwap<Snapshot>,
    seat: ArcSwap<Seat>,
    admission: Admission,
    rate: Bucket,
    born: Instant,
    last_used: AtomicU64,
    /// When it was last put down for the janitor, as [`Self::last_used`].
    put_down: AtomicU64,
    ended: Notify,
}

/// Why a request does not get into a project.
pub(crate) enum NotAdmitted {
    /// Tell the caller.
    Refused(AskError),
    /// The tenant is leaving: look again.
    Leaving,
}

impl TenantEntry {
    /// An entry whose seat is empty.
    pub(crate) fn new(snapshot: Snapshot, now: Instant) -> Self {
        let project = &snapshot.tenant.project;
        Self {
            project: project.project_ref.clone(),
            id: project.id,
            usage: Usage::default(),
            snapshot: ArcSwap::from_pointee(snapshot),
            seat: ArcSwap::from_pointee(Seat::Restarting),
            admission: Admission::new(u32::MAX),
            rate: Bucket::new(now),
            born: now,
            last_used: AtomicU64::new(0),
            put_down: AtomicU64::new(u64::MAX),
            ended: Notify::new(),
        }
    }

    /// Sessions of the project have ended, or may have.
    pub(crate) fn note_ended_sessions(&self) {
        self.ended.notify_waiters();
    }

    /// The next time that is noted.
    pub(crate) fn sessions_ended(&self) -> Notified<'_> {
        self.ended.notified()
    }

    /// The project as it is served now.
    pub(crate) fn snapshot(&self) -> Arc<Tenant> {
        Arc::clone(&self.snapshot.load().tenant)
    }

    /// Serves `snapshot` from now on, unless a newer one is served already.
    pub(crate) fn publish(&self, mut snapshot: Snapshot) {
        if let Some(tenant) = Arc::get_mut(&mut snapshot.tenant) {
            tenant.learn_from(&self.snapshot());
        }
        let snapshot = Arc::new(snapshot);
        self.snapshot.rcu(|served| {
            let newer = snapshot.number >= served.number;
            if newer { Arc::clone(&snapshot) } else { Arc::clone(served) }
        });
    }

    /// The project was not there any more as of that change: what is shown of it until it leaves cannot become truer.
    pub(crate) fn retire(&self, number: u64) {
        self.snapshot.rcu(|served| Snapshot {
            tenant: Arc::clone(&served.tenant),
            read_at: served.read_at,
            number: number.max(served.number),
        });
    }

    /// The number of the last change that what is served certainly shows.
    pub(crate) fn number(&self) -> u64 {
        self.snapshot.load().number
    }

    /// Whether what is served says that nobody may be served.
    pub(crate) fn serves_nobody(&self) -> bool {
        self.snapshot.load().serves_nobody()
    }

    /// Whether the project serves at `now`.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        let snapshot = self.snapshot.load();
        let project = &snapshot.tenant.project;
        match project.status {
            Status::Paused => Standing::Refuses(Refusal::ProjectPaused),
            Status::Deleting => Standing::Gone,
            Status::Active if project.is_held(now) => Standing::Refuses(Refusal::ProjectHeld),
            Status::Active if project.is_held(snapshot.read_at) => Standing::Doubtful,
            Status::Active => Standing::Serves,
        }
    }

    /// Who answers now.
    pub(crate) fn seat(&self) -> Arc<Seat> {
        self.seat.load_full()
    }

    /// Changes who answers; only the registry does.
    pub(crate) fn set_seat(&self, seat: Seat) {
        self.seat.store(Arc::new(seat));
    }

    /// Lets one request in. A project holds no more than what is still `free` in the whole process: however many projects
    /// are flooded or wait for slow hooks, there is room left for the others.
    pub(crate) fn admit(
        &self,
        tenant: &Tenant,
        limits: &Limits,
        now: Instant,
        free: usize,
    ) -> Result<Permit, NotAdmitted> {
        let quotas = &tenant.project.quotas;
        if self.admission.inside() > free && !matches!(*self.seat(), Seat::Leaving) {
            return Err(NotAdmitted::Refused(AskError::overloaded()));
        }
        let most = quotas.in_flight.unwrap_or(limits.tenant_in_flight);
        let permit = match self.admission.enter_within(most) {
            Ok(permit) => permit,
            Err(Denied::Full) => {
                return Err(NotAdmitted::Refused(AskError::Refused(Refusal::QuotaBusy(Quota::InFlight))));
            }
            Err(Denied::Closed) => return Err(NotAdmitted::Leaving),
        };
        let granted = |per_second: u32| Rate { per_second, burst: per_second.saturating_mul(2) };
        if let Some(rate) = quotas.requests_per_second.map(granted) {
            let reached = || NotAdmitted::Refused(AskError::Refused(Refusal::QuotaReached(Quota::RequestsPerSecond)));
            self.rate.take(rate, now).map_err(|_| reached())?;
        } else if let Some(rate) = limits.tenant_rate {
            let limited = |retry_after| NotAdmitted::Refused(AskError::Limited { retry_after });
            self.rate.take(rate, now).map_err(limited)?;
        }
        self.last_used.store(self.since_birth(now), Ordering::Relaxed);
        Ok(permit)
    }

    /// How many requests are in.
    pub(crate) fn inside(&self) -> usize {
        self.admission.inside()
    }

    /// Closes the door if nobody is inside. Whether it did.
    pub(crate) fn close_if_empty(&self) -> bool {
        self.admission.close_if_empty()
    }

    /// Waits, at most for `limit`, for a moment in which nobody is inside. Whether there was one.
    pub(crate) async fn emptied(&self, limit: Duration) -> bool {
        self.admission.emptied(limit).await
    }

    /// When the last request came.
    pub(crate) fn last_used(&self) -> Instant {
        self.born + Duration::from_millis(self.last_used.load(Ordering::Relaxed))
    }

    /// Whether it is to be put down for the janitor: it was never, or it was used `after` it was put down last.
    pub(crate) fn put_down(&self, now: Instant, after: Duration) -> bool {
        let (last, used) = (self.put_down.load(Ordering::Relaxed), self.last_used.load(Ordering::Relaxed));
        let again = last.saturating_add(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        let wanted = last == u64::MAX || used > again;
        if wanted {
            self.put_down.store(self.since_birth(now), Ordering::Relaxed);
        }
        wanted
    }

    fn since_birth(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Why a project is absent.
#[derive(Clone)]
pub(crate) enum Absence {
    /// There is none.
    Unknown,
    /// It is paused: all that is kept of it is how it answers.
    Paused(Arc<Policy>),
    /// It could not be loaded.
    Failing(Cause),
}

impl Absence {
    /// What a caller is told at `now` when it lasts `until`.
    pub(crate) fn refusal(self, until: Instant, now: Instant) -> AskError {
        match self {
            Self::Unknown => AskError::UnknownProject,
            Self::Paused(_) => AskError::Refused(Refusal::ProjectPaused),
            Self::Failing(source) => {
                AskError::Unavailable { retry_after: until.saturating_duration_since(now), source }
            }
        }
    }

    /// How a project is absent that need not be in memory; gives it back if it has to.
    pub(crate) fn of(tenant: Box<Tenant>) -> Result<Self, Box<Tenant>> {
        match tenant.project.status {
            Status::Active => Err(tenant),
            Status::Paused => Ok(Self::Paused(Arc::new(tenant.policy))),
            Status::Deleting => Ok(Self::Unknown),
        }
    }
}

/// The projects in memory, and for a while those that need not be.
pub(crate) struct TenantDirectory {
    entries: Directory<ProjectRef, TenantEntry, Absence>,
    refs: DashMap<ProjectId, ProjectRef>,
    recent: Recent,
    changes: Arc<Changes>,
    /// Grows with every change of a project that is not in memory: an absence that was read before may be old.
    strangers: AtomicU64,
    /// Projects that left memory while somebody was inside.
    departing: Mutex<Vec<Arc<TenantEntry>>>,
}

impl TenantDirectory {
    /// An empty directory.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            entries: Directory::new(limits.unknown_kept),
            refs: DashMap::new(),
            recent: Recent::default(),
            changes: Arc::default(),
            strangers: AtomicU64::new(0),
            departing: Mutex::default(),
        }
    }

    /// What is known about a project.
    pub(crate) fn find(&self, project: &ProjectRef, now: Instant) -> Found<TenantEntry, Absence> {
        self.entries.find(project, now)
    }

    /// A resident project by its id.
    pub(crate) fn find_by_id(&self, id: ProjectId) -> Option<Arc<TenantEntry>> {
        let project = self.refs.get(&id)?.clone();
        match self.entries.find(&project, Instant::now()) {
            Found::Resident(entry) if entry.id == id => Some(entry),
            Found::Resident(_) | Found::Absent(..) | Found::Nothing => None,
        }
    }

    /// Makes a project resident.
    pub(crate) fn insert(&self, entry: Arc<TenantEntry>) {
        self.refs.insert(entry.id, entry.project.clone());
        self.entries.insert(entry.project.clone(), entry);
    }

    /// Ends a project's residence.
    pub(crate) fn remove(&self, entry: &Arc<TenantEntry>) {
        self.entries.remove(&entry.project, entry);
        self.refs.remove_if(&entry.id, |_, project| *project == entry.project);
        if entry.inside() > 0 {
            self.departing().push(Arc::clone(entry));
        }
    }

    /// Ends the residence of every project whose ref is `gone`.
    pub(crate) fn remove_where(&self, gone: impl Fn(&ProjectRef) -> bool) {
        let occupied = self.entries.all().into_iter().filter(|entry| gone(&entry.project) && entry.inside() > 0);
        self.departing().extend(occupied);
        self.refs.retain(|_, project| !gone(project));
        self.entries.remove_where(gone);
    }

    /// Projects with this id that left memory while somebody was inside, and still is.
    pub(crate) fn departing_of(&self, project: ProjectId) -> Vec<Arc<TenantEntry>> {
        let mut departing = self.departing();
        departing.retain(|entry| entry.inside() > 0);
        departing.iter().filter(|entry| entry.id == project).map(Arc::clone).collect()
    }

    fn departing(&self) -> std::sync::MutexGuard<'_, Vec<Arc<TenantEntry>>> {
        self.departing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a project is absent until then, unless one that is not in memory changed since `strangers`.
    pub(crate) fn note_absent(&self, project: ProjectRef, why: Absence, until: Instant, strangers: u64) {
        if self.strangers() == strangers {
            self.entries.note_absent(project, why, until);
        }
    }

    /// A project changed: what was read of it without a tenant to hear of changes, or is being read right now, may be old, and
    /// so may absences where it is not in memory. The number of the change.
    pub(crate) fn note_change(&self, project: ProjectId) -> u64 {
        let number = self.changes.note(project);
        self.recent.forget(project);
        if self.find_by_id(project).is_none() {
            self.strangers.fetch_add(1, Ordering::AcqRel);
            self.entries.forget_absent();
        }
        number
    }

    /// Every project may have changed. The number of the change.
    pub(crate) fn note_all_changed(&self) -> u64 {
        let number = self.changes.note_all();
        self.strangers.fetch_add(1, Ordering::AcqRel);
        self.entries.forget_absent();
        self.recent.forget_all();
        number
    }

    /// Forgets the absences that are over.
    pub(crate) fn forget_expired(&self, now: Instant) {
        self.entries.forget_expired(now);
    }

    /// Projects that were read lately and are not in memory.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// What changed.
    pub(crate) fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    /// How many changes there were of projects that are not in memory.
    pub(crate) fn strangers(&self) -> u64 {
        self.strangers.load(Ordering::Acquire)
    }

    /// How many projects are in memory.
    pub(crate) fn residents(&self) -> usize {
        self.entries.residents()
    }

    /// Every project in memory.
    pub(crate) fn all(&self) -> Vec<Arc<TenantEntry>> {
        self.entries.all()
    }
}
