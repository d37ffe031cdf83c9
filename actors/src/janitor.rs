//! The janitor: does what is due. Every step asks the control store's indexes what that is: projects whose rows expire, deleted
//! projects whose time is over, keys that are to be in use. It never walks through projects, and gateways share the work, because
//! whoever takes some of it has it alone for a while.

mod chores;
mod sweep;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::control::Chores;
use crate::kit::{Address, Behaviour, Death, Timer};
use crate::runtime::Shared;

/// How long a step goes on with expired rows before it looks what else is due.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the janitor is told.
pub(crate) enum JanitorMessage {
    /// Look for what is due.
    Step,
    /// That work has nothing to do for now.
    Over(Work),
}

/// Work of which no kind waits for another: a project with many rows takes its time to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// The gateway's own books, keys that are to be in use, expired rows.
    Usual,
    /// Deleted projects.
    Purges,
    /// Moves that nobody brings forward.
    Moves,
    /// What moves have left.
    Leftovers,
}

impl Work {
    const ALL: [Self; 4] = [Self::Usual, Self::Purges, Self::Moves, Self::Leftovers];
}

/// Does what is due.
pub(crate) struct Janitor {
    shared: Arc<Shared>,
    chores: Arc<dyn Chores>,
    at_work: HashSet<Work>,
    /// When the gateway's own books were tidied last.
    tidied: Option<Instant>,
    steps: Option<Timer>,
}

impl Janitor {
    /// A janitor that has not begun.
    pub(crate) fn new(shared: Arc<Shared>, chores: Arc<dyn Chores>) -> Self {
        Self { shared, chores, at_work: HashSet::new(), tidied: None, steps: None }
    }

    fn step(&mut self, me: &Address<JanitorMessage>) {
        for work in Work::ALL {
            if !self.at_work.insert(work) {
                continue;
            }
            let tidy = work == Work::Usual && self.is_untidy();
            let done = Done(me.clone(), work);
            let (shared, chores) = (Arc::clone(&self.shared), Arc::clone(&self.chores));
            tokio::spawn(async move {
                let _done = done;
                match work {
                    Work::Usual => usual(&shared, &chores, tidy).await,
                    Work::Purges => chores::purges(&shared, &chores).await,
                    Work::Moves => chores::moves(&shared, &chores).await,
                    Work::Leftovers => chores::leftovers(&shared, &chores).await,
                }
            });
        }
    }

    /// Whether the gateway's own books are to be tidied now.
    fn is_untidy(&mut self) -> bool {
        let now = Instant::now();
        let untidy = self.tidied.is_none_or(|last| now.duration_since(last) >= self.shared.limits.janitor_sweep);
        if untidy {
            self.tidied = Some(now);
        }
        untidy
    }
}

async fn usual(shared: &Arc<Shared>, chores: &Arc<dyn Chores>, tidy: bool) {
    shared.write_books().await;
    chores::promotions(shared, chores).await;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match sweep::step(shared).await {
            // As long as much is due there is no pause.
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::debug!(%error, "projects that are due not listed");
                break;
            }
        }
    }
    if tidy && let Err(error) = shared.control.tidy(shared.services.clock.now()).await {
        tracing::debug!(%error, "old changes not forgotten");
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
            JanitorMessage::Over(work) => {
                self.at_work.remove(&work);
            }
        }
        Ok(())
    }
}

/// Says that some work is over, however it ended.
struct Done(Address<JanitorMessage>, Work);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.cast(JanitorMessage::Over(self.1));
    }
}
