//! Waiting for the other gateways.

use std::time::Duration;

use domain::time::Clock;
use storage::{ControlStore, StoreError};

/// How long a gateway counts as alive that gives no sign of life, in seconds.
pub(crate) const ALIVE: i64 = 30;

/// How often it is looked how far they are.
const LOOK: Duration = Duration::from_millis(50);

/// Whether every gateway that lives has acknowledged the change of that number before `patience` is over.
pub(crate) async fn all_acknowledge(
    control: &ControlStore,
    clock: &dyn Clock,
    change: i64,
    patience: Duration,
) -> Result<bool, StoreError> {
    let looks = patience.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        if control.gateways().all_reached(change, clock.now().plus_seconds(-ALIVE)).await? {
            return Ok(true);
        }
        tokio::time::sleep(LOOK).await;
    }
    control.gateways().all_reached(change, clock.now().plus_seconds(-ALIVE)).await
}
