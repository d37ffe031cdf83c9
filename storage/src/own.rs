//! A database of a project's own: opened when it is used, closed again when another one needs its place, and left alone for a while
//! when it is away.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use migrations::{MigrateError, Schema};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::breaker::{Breaker, Pass};
use crate::database::Placement;
use crate::error::{Result, StoreError};
use crate::pools::{self, Pools};

/// How long it may take to open a database and to bring its schema up to date.
const LONGEST_OPENING: Duration = Duration::from_secs(600);
/// How long a request waits until a database is open.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long of that for others to make room.
const ROOM: Duration = Duration::from_secs(4);
/// How long a pool that has to go is waited for.
const CLOSING: Duration = Duration::from_secs(1);

pub(crate) const AWAY: &str = "database is away and not asked for a while";
pub(crate) const OPENING: &str = "database is being opened";
pub(crate) const SLOW: &str = "database took too long to open";

const RETIRED: &str = "the rows of this database were moved or removed";

/// How many databases of projects' own are open at a time in this process. Cheap to clone.
#[derive(Clone)]
pub struct PoolBudget {
    inner: Arc<Budget>,
}

struct Budget {
    most: usize,
    taken: AtomicUsize,
    /// Who is open.
    open: Mutex<Vec<Weak<OwnPool>>>,
    /// Told when a place came free, or somebody who is open could go.
    freed: Notify,
    /// Who waits for a place, in the order of coming.
    turn: tokio::sync::Mutex<()>,
    /// Orders uses.
    uses: AtomicU64,
}

/// The right to be open.
struct Place {
    budget: Arc<Budget>,
}

/// As many databases are in use as may be open.
#[derive(Debug, thiserror::Error)]
#[error("as many databases are in use as may be open")]
struct Crowd;

/// A database that is opened on use.
pub(crate) struct OwnPool {
    /// For the log.
    name: String,
    placement: Placement,
    schema: Schema,
    budget: PoolBudget,
    breaker: Breaker,
    state: Mutex<State>,
}

struct State {
    standing: Standing,
    /// Who works with it, or waits until it is open.
    visitors: usize,
    last_used: u64,
    /// Whether the schema is known to be what this program needs.
    migrated: bool,
}

enum Standing {
    Shut,
    Opening(Opening),
    Open {
        pools: Pools,
        place: Place,
    },
    /// For good.
    Retired,
}

enum Look {
    Open(Pools),
    Opening(Opening),
}

#[derive(Clone)]
struct Opening {
    since: Instant,
    outcome: watch::Receiver<Option<Result<()>>>,
}

/// Keeps a database open while somebody works with it.
pub(crate) struct Visit {
    pub(crate) own: Arc<OwnPool>,
    pub(crate) began: Instant,
}

impl PoolBudget {
    /// At most `most` are open, and at least one.
    pub fn new(most: usize) -> Self {
        let budget = Budget {
            most: most.max(1),
            taken: AtomicUsize::new(0),
            open: Mutex::default(),
            freed: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            uses: AtomicU64::new(0),
        };
        Self { inner: Arc::new(budget) }
    }

    /// How many may be open.
    pub fn most(&self) -> usize {
        self.inner.most
    }

    /// How many are open, or are being opened.
    pub fn taken(&self) -> usize {
        self.inner.taken.load(Ordering::Acquire)
    }

    /// A place; the one that was not used for longest goes where all are taken. `Busy` when all of them are in use.
    async fn place(&self) -> Result<Place> {
        let crowd = || StoreError::Busy(Arc::new(Crowd));
        match timeout(ROOM, self.wait_for_room()).await.map_err(|_| crowd())? {
            (place, None) => Ok(place),
            (place, Some(pools)) => {
                let _closed = timeout(CLOSING, pools.close()).await;
                Ok(place)
            }
        }
    }

    async fn wait_for_room(&self) -> (Place, Option<Pools>) {
        let _turn = self.inner.turn.lock().await;
        loop {
            let mut freed = std::pin::pin!(self.inner.freed.notified());
            freed.as_mut().enable();
            if let Some(room) = self.room() {
                return room;
            }
            freed.await;
        }
    }

    /// A place, and the pools that have to be closed for it.
    fn room(&self) -> Option<(Place, Option<Pools>)> {
        let more = |taken: usize| (taken < self.inner.most).then_some(taken + 1);
        if self.inner.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok() {
            return Some((Place { budget: Arc::clone(&self.inner) }, None));
        }
        let mut open: Vec<Arc<OwnPool>> = self.inner.open().iter().filter_map(Weak::upgrade).collect();
        open.sort_by_key(|own| own.lock().last_used);
        open.iter().find_map(|own| own.vacate()).map(|(pools, place)| (place, Some(pools)))
    }

    fn now_open(&self, own: &Arc<OwnPool>) {
        let mut open = self.inner.open();
        open.retain(|other| other.upgrade().is_some_and(|other| !Arc::ptr_eq(&other, own) && other.is_open()));
        open.push(Arc::downgrade(own));
    }
}

impl Budget {
    fn open(&self) -> MutexGuard<'_, Vec<Weak<OwnPool>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(1, Ordering::AcqRel);
        self.budget.freed.notify_waiters();
    }
}

impl OwnPool {
    pub(crate) fn new(placement: Placement, schema: Schema, budget: PoolBudget) -> Self {
        let state = State { standing: Standing::Shut, visitors: 0, last_used: 0, migrated: false };
        let name = pools::name(&placement);
        Self { name, placement, schema, budget, breaker: Breaker::default(), state: Mutex::new(state) }
    }

    /// The pools, opened if need be. Who comes while it is being opened waits for that a while.
    pub(crate) async fn enter(self: &Arc<Self>) -> Result<(Pools, Visit)> {
        // From here on nobody closes it under us.
        let visit = self.visit();
        loop {
            match self.look()? {
                Look::Open(pools) => return Ok((pools, visit)),
                Look::Opening(opening) => {
                    let until = opening.since + PATIENCE;
                    opening.wait(until).await?;
                }
            }
        }
    }

    /// Opens it now, however long that takes, but waits no longer than this.
    pub(crate) async fn open_within(self: &Arc<Self>, patience: Duration) -> Result<()> {
        let (_visit, deadline) = (self.visit(), Instant::now() + patience);
        loop {
            match self.look()? {
                Look::Open(_) => return Ok(()),
                Look::Opening(opening) => opening.wait(deadline).await?,
            }
        }
    }

    fn look(self: &Arc<Self>) -> Result<Look> {
        let mut state = self.lock();
        match &state.standing {
            Standing::Open { pools, .. } => Ok(Look::Open(pools.clone())),
            Standing::Retired => Err(StoreError::busy(RETIRED)),
            Standing::Opening(opening) if !opening.is_dead() => Ok(Look::Opening(opening.clone())),
            Standing::Opening(_) | Standing::Shut => {
                if matches!(state.standing, Standing::Opening(_)) {
                    self.breaker.abandoned();
                }
                match self.breaker.pass(Instant::now()) {
                    Pass::Refused(_) => Err(StoreError::busy(AWAY)),
                    Pass::Through | Pass::Trial => Ok(Look::Opening(self.start_opening(&mut state))),
                }
            }
        }
    }

    /// Closes it for good.
    pub(crate) async fn retire(&self) {
        if let Some(pools) = self.shut_now(Standing::Retired) {
            pools.close().await;
        }
    }

    /// Whether it has connections, or may make some at once.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.lock().standing, Standing::Open { .. })
    }

    /// Somebody got a connection.
    pub(crate) fn reached(&self) {
        self.breaker.succeeded(Instant::now());
    }

    /// An attempt that began then got no connection. A database that is given up for now is opened anew afterwards: who knows what it is
    /// like when it comes back.
    pub(crate) fn missed(&self, began: Instant) {
        if self.breaker.failed(began, Instant::now()) {
            tracing::warn!(database = self.name, "a project's own database is away");
            if let Some(pools) = self.shut_now(Standing::Shut) {
                close_behind(pools);
            }
        }
    }

    fn visit(self: &Arc<Self>) -> Visit {
        let mut state = self.lock();
        state.visitors += 1;
        state.last_used = self.budget.inner.next_use();
        Visit { own: Arc::clone(self), began: Instant::now() }
    }

    fn shut_now(&self, next: Standing) -> Option<Pools> {
        let mut state = self.lock();
        state.migrated = false;
        match std::mem::replace(&mut state.standing, next) {
            Standing::Open { pools, place } => {
                drop(state);
                drop(place);
                Some(pools)
            }
            _ => None,
        }
    }

    /// Gives up pools and place, if nobody is there.
    fn vacate(&self) -> Option<(Pools, Place)> {
        let mut state = self.lock();
        if state.visitors > 0 || !matches!(state.standing, Standing::Open { .. }) {
            return None;
        }
        match std::mem::replace(&mut state.standing, Standing::Shut) {
            Standing::Open { pools, place } => Some((pools, place)),
            _ => None,
        }
    }

    /// A task of its own: a caller who leaves does not stop it, and a schema that takes its time to be brought up to date gets it.
    fn start_opening(self: &Arc<Self>, state: &mut State) -> Opening {
        let (tell, outcome) = watch::channel(None);
        let began = Instant::now();
        let opening = Opening { since: began, outcome };
        state.standing = Standing::Opening(opening.clone());
        let (own, migrated) = (Arc::clone(self), state.migrated);
        tokio::spawn(async move {
            let opened = timeout(LONGEST_OPENING, own.open(migrated)).await;
            let opened = opened.unwrap_or_else(|_| Err(StoreError::busy(SLOW)));
            tell.send_replace(Some(own.opened(began, opened)));
        });
        opening
    }

    async fn open(&self, migrated: bool) -> Result<(Pools, Place)> {
        let place = self.budget.place().await.inspect_err(|_| self.breaker.abandoned())?;
        if !migrated {
            pools::migrate(&self.placement, self.schema).await.map_err(unopened)?;
        }
        Ok((Pools::on_use(&self.placement, self.schema)?, place))
    }

    fn opened(self: &Arc<Self>, began: Instant, opened: Result<(Pools, Place)>) -> Result<()> {
        let mut state = self.lock();
        if matches!(state.standing, Standing::Retired) {
            return Err(StoreError::busy(RETIRED));
        }
        match opened {
            Ok((pools, place)) => {
                state.migrated = true;
                state.standing = Standing::Open { pools, place };
                drop(state);
                self.breaker.succeeded(Instant::now());
                self.budget.now_open(self);
                Ok(())
            }
            Err(error) => {
                state.standing = Standing::Shut;
                drop(state);
                if !error.caused_by::<Crowd>() {
                    tracing::warn!(
                        database = self.name,
                        cause = error.cause(),
                        "a project's own database cannot be opened"
                    );
                    self.breaker.failed(began, Instant::now());
                }
                Err(error)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening {
    /// Whether nobody is at it any more, although it has no outcome.
    fn is_dead(&self) -> bool {
        self.outcome.has_changed().is_err() && self.outcome.borrow().is_none()
    }

    async fn wait(mut self, until: Instant) -> Result<()> {
        match timeout_at(until, self.outcome.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Ok(())),
            Ok(Err(_)) => Err(StoreError::busy("database was not opened")),
            Err(_) => Err(StoreError::busy(OPENING)),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut state = self.own.lock();
        state.visitors -= 1;
        state.last_used = self.own.budget.inner.next_use();
        let alone = state.visitors == 0;
        drop(state);
        if alone {
            self.own.budget.inner.freed.notify_waiters();
        }
    }
}

impl Drop for OwnPool {
    fn drop(&mut self) {
        if let Some(pools) = self.shut_now(Standing::Retired) {
            close_behind(pools);
        }
    }
}

/// Says goodbye on every connection; where nothing runs any more they are just dropped.
fn close_behind(pools: Pools) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move { pools.close().await });
    }
}

/// A database that cannot be opened is away, whatever the reason.
fn unopened(error: MigrateError) -> StoreError {
    StoreError::Busy(Arc::new(error))
}
