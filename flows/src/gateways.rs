//! Waiting for the other gateways.

use std::time::Duration;

use domain::time::{Clock, Timestamp};
use storage::{ControlStore, StoreError};
use tokio::time::Instant;

/// How long a gateway counts as alive that gives no sign of life, in seconds: whoever relies on a change waits for it so long. One that
/// cannot give any stops serving well before.
pub const ALIVE: i64 = 45;

/// After how many seconds without a sign of life a gateway may be gone: each gives one every ten.
const SILENT: i64 = 20;

/// How often it is looked how far they are.
const LOOK: Duration = Duration::from_millis(50);

/// Whether every gateway that lives has acknowledged the change of that number before `patience` is over.
pub(crate) async fn all_acknowledge(
    control: &ControlStore,
    clock: &dyn Clock,
    change: i64,
    patience: Duration,
) -> Result<bool, StoreError> {
    let deadline = Instant::now() + patience;
    loop {
        if control.gateways().all_reached(change, clock.now().plus_seconds(-ALIVE)).await? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a gateway has fallen silent of which it is not known yet that it serves nobody any more.
pub(crate) async fn any_silent(control: &ControlStore, now: Timestamp) -> Result<bool, StoreError> {
    let gateways = control.gateways().list().await?;
    Ok(gateways.iter().any(|gateway| (SILENT..=ALIVE).contains(&(now.unix() - gateway.seen_at.unix()))))
}
