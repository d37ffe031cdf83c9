//! The janitor: removes what has expired, in every project, a little at a time.
//!
//! It walks the control store's projects in the order of their refs, one page a step, and rests when it has been everywhere.
//! Gateways that share counters share the work; without them each does all of it, and passes over what another one holds.

mod walk;

use std::sync::Arc;
use std::time::Duration;

use domain::ids::ProjectRef;
use tokio::time::Instant;

use crate::kit::{Address, Behaviour, Death, Timer};
use crate::runtime::Shared;

/// Age at which the changes that gateways follow are forgotten, in seconds.
const DAY: i64 = 24 * 3600;

/// What the janitor is told.
pub(crate) enum JanitorMessage {
    /// Go on where you stopped.
    Step,
    /// The step is over; the last project it saw, `None` = all have been seen.
    Stepped(Option<ProjectRef>),
}

/// Walks from project to project.
pub(crate) struct Janitor {
    shared: Arc<Shared>,
    at_work: bool,
    after: Option<ProjectRef>,
    /// When the round began, and until when there is rest after it.
    began: Option<Instant>,
    rest: Option<Instant>,
    steps: Option<Timer>,
}

impl Janitor {
    /// A janitor that has not begun.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, at_work: false, after: None, began: None, rest: None, steps: None }
    }

    fn step(&mut self, me: &Address<JanitorMessage>) {
        let now = Instant::now();
        if self.at_work || self.rest.is_some_and(|until| now < until) {
            return;
        }
        self.at_work = true;
        self.rest = None;
        self.began.get_or_insert(now);
        let mut done = StepDone { janitor: me.clone(), after: self.after.clone() };
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            if let Ok(last) = walk::step(&shared, done.after.as_ref()).await {
                done.reached(last);
            }
        });
    }

    fn stepped(&mut self, last: Option<ProjectRef>) {
        self.at_work = false;
        self.after = last;
        if self.after.is_none()
            && let Some(began) = self.began.take()
        {
            self.rest = Some(began + self.shared.limits.janitor_sweep);
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                let before = shared.services.clock.now().plus_seconds(-DAY);
                if let Err(error) = shared.control.forget_before(before).await {
                    tracing::warn!(%error, "old changes not forgotten");
                }
            });
        }
    }
}

impl Behaviour for Janitor {
    type Message = JanitorMessage;

    async fn started(&mut self, me: &Address<JanitorMessage>) -> Result<(), Death> {
        let period = self.shared.limits.janitor_step.max(Duration::from_millis(1));
        self.steps = Some(me.every(period, || JanitorMessage::Step));
        Ok(())
    }

    async fn handle(&mut self, me: &Address<JanitorMessage>, message: JanitorMessage) -> Result<(), Death> {
        match message {
            JanitorMessage::Step => self.step(me),
            JanitorMessage::Stepped(last) => self.stepped(last),
        }
        Ok(())
    }
}

/// Says that a step is over, however it ended: one that crashed is made again.
struct StepDone {
    janitor: Address<JanitorMessage>,
    after: Option<ProjectRef>,
}

impl StepDone {
    fn reached(&mut self, last: Option<ProjectRef>) {
        self.after = last;
    }
}

impl Drop for StepDone {
    fn drop(&mut self) {
        self.janitor.cast(JanitorMessage::Stepped(self.after.take()));
    }
}
