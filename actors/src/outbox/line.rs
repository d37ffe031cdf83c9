//! The line of one database: claims what is due and has it delivered, fairly among projects.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::InstanceId;
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::Ledger;
use super::courier::{Claimed, Courier, Outcome};
use super::hands::Hands;
use crate::limits::seconds;

/// Works through the outbox of one database, until the courier closes.
pub(super) struct Line {
    courier: Courier,
    ledger: Arc<dyn Ledger>,
    /// Rung when there may be something due.
    bell: Arc<Notify>,
    /// Whether it ends when nothing is in hand and nothing is known to be due.
    ends: bool,
    hands: Hands,
    /// Deliveries on their way. Tasks of their own: what waits for a connection here must not keep one from them.
    running: JoinSet<Outcome>,
    projects: HashMap<Id, InstanceId>,
    /// When something that was put back is due again.
    next_due: Option<Instant>,
    /// Projects that the last claim passed over.
    passed_over: Vec<InstanceId>,
}

impl Line {
    /// A line that looks at once, and whenever `bell` is rung; if it `ends`, until there is nothing to do.
    pub(super) fn new(courier: Courier, ledger: Arc<dyn Ledger>, bell: Arc<Notify>, ends: bool) -> Self {
        let hands = Hands::new(courier.at_a_time, courier.per_project);
        let (running, projects) = (JoinSet::new(), HashMap::new());
        Self { courier, ledger, bell, ends, hands, running, projects, next_due: None, passed_over: Vec::new() }
    }

    /// Delivers what is due, until nothing is left where the line ends, or until no further rows are to be claimed and those on their way have arrived.
    pub(super) async fn work(mut self) {
        let closing = self.courier.closing.clone();
        let mut look = true;
        while !closing.is_cancelled() {
            if look && self.hands.room() > 0 {
                look = self.claim().await;
            }
            self.start();
            if look && self.hands.room() > 0 {
                continue;
            }
            if self.ends && self.running.is_empty() && self.next_due.is_none() && self.hands.is_empty() {
                return;
            }
            tokio::select! {
                () = closing.cancelled() => {}
                () = self.bell.notified() => look = true,
                () = due(self.next_due) => {
                    self.next_due = None;
                    look = true;
                }
                Some(arrived) = self.running.join_next_with_id() => {
                    if let Some((project, outcome)) = self.identify(arrived) {
                        look |= self.passed_over.contains(&project);
                        self.settle(project, outcome).await;
                    }
                }
            }
        }
        for claimed in self.hands.surrender_all() {
            self.give_back(&claimed, Duration::ZERO, "the gateway was shut down").await;
        }
        while self.running.join_next().await.is_some() {}
    }

    /// Whose delivery has arrived. One that crashed outside of the attempt itself has failed.
    fn identify(&mut self, arrived: Result<(Id, Outcome), JoinError>) -> Option<(InstanceId, Outcome)> {
        let (id, outcome) = arrived.unwrap_or_else(|crash| (crash.id(), Outcome::Failed(self.courier.first_pause())));
        self.projects.remove(&id).map(|project| (project, outcome))
    }

    /// Takes what is due as far as there is room. Whether there may be more.
    async fn claim(&mut self) -> bool {
        let room = self.hands.room();
        self.passed_over = self.hands.full(Instant::now());
        let now = self.courier.clock.now();
        let (lease, limit) = (self.courier.lease, u32::try_from(room).unwrap_or(u32::MAX));
        let until = Instant::now() + lease;
        let claimed = self.ledger.claim(now, now.plus_seconds(seconds(lease)), limit, &self.passed_over).await;
        let rows = match claimed {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "outbox not read");
                return false;
            }
        };
        let more = rows.len() >= room;
        rows.into_iter().for_each(|row| self.hands.take(Claimed { row, until }));
        more
    }

    fn start(&mut self) {
        while let Some((claimed, failing)) = self.hands.next() {
            let (courier, ledger) = (self.courier.clone(), Arc::clone(&self.ledger));
            let project = claimed.row.instance;
            let task = self.running.spawn(async move { courier.deliver(&*ledger, claimed, failing).await });
            self.projects.insert(task.id(), project);
        }
    }

    async fn settle(&mut self, project: InstanceId, outcome: Outcome) {
        self.hands.let_go(project);
        match outcome {
            Outcome::Settled => self.hands.note_success(project),
            Outcome::Crowded => {}
            Outcome::Failed(pause) => {
                self.hands.note_failure(project, Instant::now());
                self.due_after(pause);
                for claimed in self.hands.surrender(project) {
                    let pause = self.courier.first_pause();
                    self.give_back(&claimed, pause, "another message of the project could not be delivered").await;
                    self.due_after(pause);
                }
            }
        }
    }

    async fn give_back(&self, claimed: &Claimed, pause: Duration, reason: &str) {
        self.courier.give_back(&*self.ledger, &claimed.row, pause, reason).await;
    }

    fn due_after(&mut self, pause: Duration) {
        // Whole seconds on the ledger's clock: a moment later it is certainly due.
        let at = Instant::now() + pause + Duration::from_millis(100);
        self.next_due = Some(self.next_due.map_or(at, |due| due.min(at)));
    }
}

/// Waits until then; for ever where there is no such instant.
async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
