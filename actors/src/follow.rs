//! Follows the control store's list of changes, and says how far: who changes a project asks that of every gateway before he
//! relies on the change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cluster::Invalidation;
use domain::ids::ProjectId;
use storage::StoreError;
use storage::control::Gateway;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

use crate::invalidation::Heard;
use crate::kit::Address;
use crate::runtime::Shared;

/// Changes read at a time.
const AT_A_TIME: u32 = 256;

/// Changes that may be on their way to their tenants while further ones are read.
const MOST_UNDER_WAY: usize = 4096;

/// How long a change may take until it is asked whether its project can be read at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a gateway says that it lives, at least.
const BEAT: Duration = Duration::from_secs(10);

/// Follows the list of changes.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    listener: Address<Heard>,
    gateway: Gateway,
    /// The last change that was read; `None` = what happened until now was missed.
    read: Option<i64>,
    /// Changes that have not arrived everywhere: the first one of each task.
    under_way: BTreeMap<i64, usize>,
    tasks: JoinSet<i64>,
    beaten: Option<(i64, Instant)>,
    returning: Option<Return>,
}

/// The way back of a gateway whose contact was lost.
struct Return {
    /// When the last sign of life was begun: since the first one this gateway is waited for again.
    beaten: Instant,
    /// The change that has to have arrived.
    number: i64,
}

impl Follower {
    /// A follower that speaks for `gateway`.
    pub(crate) fn new(shared: Arc<Shared>, listener: Address<Heard>, gateway: Gateway) -> Self {
        let (under_way, tasks) = (BTreeMap::new(), JoinSet::new());
        Self { shared, listener, gateway, read: None, under_way, tasks, beaten: None, returning: None }
    }

    /// Follows for as long as it is let.
    pub(crate) async fn follow(mut self) {
        let mut tick = tokio::time::interval(self.shared.limits.changes_poll.max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        loop {
            tokio::select! {
                _ = tick.tick() => self.look().await,
                () = shared.changed.notified() => self.look().await,
                Some(arrived) = self.tasks.join_next() => self.arrived(arrived),
            }
            while let Some(arrived) = self.tasks.try_join_next() {
                self.arrived(arrived);
            }
            self.beat().await;
        }
    }

    async fn look(&mut self) {
        if self.shared.contact.is_lost()
            && let Err(error) = self.come_back().await
        {
            tracing::debug!(%error, "the control store is not reached");
            return;
        }
        let looked = match self.read {
            Some(number) => self.read_on(number).await,
            None => self.begin().await,
        };
        if let Err(error) = looked {
            tracing::debug!(%error, "list of changes not read");
        }
    }

    /// After the contact was lost projects may have changed without anybody having waited. First this gateway says that it lives, so that
    /// it is waited for again; then everything is read again, and only when that has arrived it serves.
    async fn come_back(&mut self) -> Result<(), StoreError> {
        if self.returning.as_ref().is_some_and(|way| way.beaten.elapsed() < self.shared.contact.lasts()) {
            return Ok(());
        }
        self.returning = None;
        let began = Instant::now();
        self.gateway.seq = self.reached().unwrap_or(self.gateway.seq);
        self.gateway.seen_at = self.shared.services.clock.now();
        self.shared.control.beat(&self.gateway).await?;
        self.beaten = Some((self.gateway.seq, began));
        self.begin().await?;
        self.returning = self.read.map(|number| Return { beaten: began, number });
        tracing::warn!("the control store is reached again; everything is read again before anybody is served");
        Ok(())
    }

    /// Begins at the newest change. Whatever is in memory may be older.
    async fn begin(&mut self) -> Result<(), StoreError> {
        let latest = self.shared.control.latest().await?;
        let number = self.shared.directory.note_all_changed();
        self.listener.cast(Heard::MayHaveMissed);
        for entry in self.shared.directory.all() {
            self.spread(entry.id, number, latest);
        }
        self.read = Some(latest);
        Ok(())
    }

    async fn read_on(&mut self, mut last: i64) -> Result<(), StoreError> {
        while self.under_way.len() < MOST_UNDER_WAY {
            let changes = self.shared.control.after(last, AT_A_TIME).await?;
            let more = changes.len() >= AT_A_TIME as usize;
            let mut first: HashMap<ProjectId, i64> = HashMap::new();
            for (change, invalidation) in changes {
                last = change;
                if let Invalidation::Config(project) | Invalidation::Project(project) = invalidation {
                    first.entry(project).or_insert(change);
                }
            }
            for (project, change) in first {
                let number = self.shared.directory.note_change(project);
                self.spread(project, number, change);
            }
            self.read = Some(last);
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Brings a change to those it concerns.
    fn spread(&mut self, project: ProjectId, number: u64, change: i64) {
        *self.under_way.entry(change).or_default() += 1;
        let shared = Arc::clone(&self.shared);
        let _running = self.tasks.spawn(async move {
            while !shared.acknowledge(project, number, PATIENCE).await {
                shared.evict(project, number);
            }
            change
        });
    }

    fn arrived(&mut self, change: Result<i64, JoinError>) {
        let change = match change {
            Ok(change) => change,
            // Its change stays under way: the gateway does not claim what it does not know.
            Err(error) => return tracing::error!(%error, "a change of a project was not brought to it"),
        };
        if let Some(tasks) = self.under_way.get_mut(&change) {
            *tasks -= 1;
            if *tasks == 0 {
                self.under_way.remove(&change);
            }
        }
    }

    /// The last change that has arrived with all before it.
    fn reached(&self) -> Option<i64> {
        let read = self.read?;
        Some(self.under_way.first_key_value().map_or(read, |(first, _)| read.min(first - 1)))
    }

    async fn beat(&mut self) {
        let Some(reached) = self.reached() else { return };
        if let Some(way) = self.returning.take_if(|way| reached >= way.number) {
            self.shared.contact.restore(way.beaten);
        }
        let often = BEAT.min(self.shared.contact.lasts() / 3);
        if self.beaten.is_some_and(|(last, at)| last == reached && at.elapsed() < often) {
            return;
        }
        let began = Instant::now();
        self.gateway.seq = reached;
        self.gateway.seen_at = self.shared.services.clock.now();
        match self.shared.control.beat(&self.gateway).await {
            Ok(()) => {
                self.beaten = Some((reached, Instant::now()));
                match &mut self.returning {
                    None => self.shared.contact.keep(began),
                    Some(way) if way.beaten.elapsed() < self.shared.contact.lasts() => way.beaten = began,
                    Some(_) => {}
                }
            }
            Err(error) => tracing::debug!(%error, "the gateway's progress is not noted"),
        }
    }
}
