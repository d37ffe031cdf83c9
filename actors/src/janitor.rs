//! The janitor: does what is due. Every step asks the control store's indexes what that is: projects whose rows expire, deleted
//! projects whose time is over, keys that are to be in use. It never walks through projects, and gateways share the work, because
//! whoever takes some of it has it alone for a while.

mod chores;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::control::Chores;
use crate::kit::{Address, Behaviour, Death, Timer};
use crate::runtime::Shared;

/// How long one step goes on with expired rows before it looks for what else is due.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the janitor is told.
pub(crate) enum JanitorMessage {
    /// Look for what is due.
    Step,
    /// The step is over.
    Stepped,
}

/// Does what is due.
pub(crate) struct Janitor {
    shared: Arc<Shared>,
    chores: Arc<dyn Chores>,
    at_work: bool,
    /// When the gateway's own books were tidied last.
    tidied: Option<Instant>,
    steps: Option<Timer>,
}

impl Janitor {
    /// A janitor that has not begun.
    pub(crate) fn new(shared: Arc<Shared>, chores: Arc<dyn Chores>) -> Self {
        Self { shared, chores, at_work: false, tidied: None, steps: None }
    }

    fn step(&mut self, me: &Address<JanitorMessage>) {
        if self.at_work {
            return;
        }
        self.at_work = true;
        let now = Instant::now();
        let tidy = self.tidied.is_none_or(|last| now.duration_since(last) >= self.shared.limits.janitor_sweep);
        if tidy {
            self.tidied = Some(now);
        }
        let stepped = StepDone(me.clone());
        let (shared, chores) = (Arc::clone(&self.shared), Arc::clone(&self.chores));
        tokio::spawn(async move {
            let _stepped = stepped;
            step(&shared, &chores, tidy).await;
        });
    }
}

async fn step(shared: &Arc<Shared>, chores: &Arc<dyn Chores>, tidy: bool) {
    shared.write_books().await;
    chores::step(shared, chores).await;
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
            JanitorMessage::Stepped => self.at_work = false,
        }
        Ok(())
    }
}

/// Says that a step is over, however it ended.
struct StepDone(Address<JanitorMessage>);

impl Drop for StepDone {
    fn drop(&mut self) {
        self.0.cast(JanitorMessage::Stepped);
    }
}
