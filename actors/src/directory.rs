//! The projects in memory. Finding one takes no message and no lock over an await.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use domain::ids::{ProjectId, ProjectRef};
use flows::Tenant;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use crate::error::{AskError, Cause};
use crate::kit::{Address, Admission, Bucket, Denied, Directory, Found, Permit};
use crate::limits::Limits;
use crate::snapshots::Recent;
use crate::tenant::TenantMessage;

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

/// A project in memory.
pub(crate) struct TenantEntry {
    pub(crate) project: ProjectRef,
    pub(crate) id: ProjectId,
    snapshot: ArcSwap<Tenant>,
    seat: ArcSwap<Seat>,
    admission: Admission,
    rate: Option<Bucket>,
    born: Instant,
    last_used: AtomicU64,
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
    pub(crate) fn new(tenant: Tenant, limits: &Limits, now: Instant) -> Self {
        Self {
            project: tenant.project.project_ref.clone(),
            id: tenant.project.id,
            snapshot: ArcSwap::from_pointee(tenant),
            seat: ArcSwap::from_pointee(Seat::Restarting),
            admission: Admission::new(limits.tenant_in_flight),
            rate: limits.tenant_rate.map(|rate| Bucket::new(rate, now)),
            born: now,
            last_used: AtomicU64::new(0),
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
        self.snapshot.load_full()
    }

    /// Serves `tenant` from now on.
    pub(crate) fn publish(&self, tenant: Tenant) {
        self.snapshot.store(Arc::new(tenant));
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
    pub(crate) fn admit(&self, now: Instant, free: usize) -> Result<Permit, NotAdmitted> {
        if self.admission.inside() > free && !matches!(*self.seat(), Seat::Leaving) {
            return Err(NotAdmitted::Refused(AskError::overloaded()));
        }
        let permit = match self.admission.enter() {
            Ok(permit) => permit,
            // The registry takes every permit at once when it lets an idle tenant go: that is not "full".
            Err(Denied::Full) if matches!(*self.seat(), Seat::Leaving) => return Err(NotAdmitted::Leaving),
            Err(Denied::Full) => return Err(NotAdmitted::Refused(AskError::overloaded())),
            Err(Denied::Closed) => return Err(NotAdmitted::Leaving),
        };
        if let Some(rate) = &self.rate {
            rate.take(now).map_err(|retry_after| NotAdmitted::Refused(AskError::Limited { retry_after }))?;
        }
        let since = u64::try_from(now.duration_since(self.born).as_millis()).unwrap_or(u64::MAX);
        self.last_used.store(since, Ordering::Relaxed);
        Ok(permit)
    }

    /// Closes the door if nobody is inside. Whether it did.
    pub(crate) fn close_if_empty(&self) -> bool {
        self.admission.close_if_empty()
    }

    /// When the last request came.
    pub(crate) fn last_used(&self) -> Instant {
        self.born + Duration::from_millis(self.last_used.load(Ordering::Relaxed))
    }
}

/// Why a project is absent.
#[derive(Clone)]
pub(crate) enum Absence {
    /// There is none.
    Unknown,
    /// It could not be loaded.
    Failing(Cause),
}

impl Absence {
    /// What a caller is told at `now` when it lasts `until`.
    pub(crate) fn refusal(self, until: Instant, now: Instant) -> AskError {
        match self {
            Self::Unknown => AskError::UnknownProject,
            Self::Failing(source) => {
                AskError::Unavailable { retry_after: until.saturating_duration_since(now), source }
            }
        }
    }
}

/// The projects in memory, and for a while those that are known not to exist.
pub(crate) struct TenantDirectory {
    entries: Directory<ProjectRef, TenantEntry, Absence>,
    refs: DashMap<ProjectId, ProjectRef>,
    recent: Recent,
    /// Grows with every invalidation: what was read before may be old.
    epoch: AtomicU64,
}

impl TenantDirectory {
    /// An empty directory.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            entries: Directory::new(limits.unknown_kept),
            refs: DashMap::new(),
            recent: Recent::default(),
            epoch: AtomicU64::new(0),
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
            Found::Resident(entry) => Some(entry),
            Found::Absent(..) | Found::Nothing => None,
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
    }

    /// Ends the residence of every project whose ref is `gone`.
    pub(crate) fn remove_where(&self, gone: impl Fn(&ProjectRef) -> bool) {
        self.refs.retain(|_, project| !gone(project));
        self.entries.remove_where(gone);
    }

    /// Notes that a project is absent until then, unless something changed since `epoch`.
    pub(crate) fn note_absent(&self, project: ProjectRef, why: Absence, until: Instant, epoch: u64) {
        if self.epoch() == epoch {
            self.entries.note_absent(project, why, until);
        }
    }

    /// Something changed somewhere: absences are doubtful, and so is what was read without a tenant to hear of changes,
    /// or is being read right now.
    pub(crate) fn invalidate(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.forget_absent();
        self.recent.forget();
    }

    /// Forgets the absences that are over.
    pub(crate) fn forget_expired(&self, now: Instant) {
        self.entries.forget_expired(now);
    }

    /// Projects that were read lately and are not in memory.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// How many invalidations there were.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
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
