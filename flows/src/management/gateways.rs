//! The gateways that serve these projects.

use domain::time::Timestamp;
use uuid::Uuid;

use super::{Management, Result};

/// A gateway as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayView {
    /// Of this process.
    pub id: Uuid,
    /// Its host, or what its operator calls it.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last gave a sign of life.
    pub seen_at: Timestamp,
    /// How many of the changes there are it does not serve by yet.
    pub events_behind: i64,
}

impl Management {
    /// All gateways, oldest first; those too that were not seen for a while and are not forgotten yet.
    pub async fn gateways(&self) -> Result<Vec<GatewayView>> {
        let latest = self.control.events().latest().await?;
        let view = |gateway: storage::control::Gateway| GatewayView {
            id: gateway.id,
            name: gateway.name,
            version: gateway.version,
            started_at: gateway.started_at,
            seen_at: gateway.seen_at,
            events_behind: (latest - gateway.seq).max(0),
        };
        Ok(self.control.gateways().list().await?.into_iter().map(view).collect())
    }
}
