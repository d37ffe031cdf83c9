//! `tenantry gateways`: the processes that serve the same projects.

use super::connection::Arguments;
use super::failure::Failure;
use super::output;

const COLUMNS: [&str; 6] = ["id", "name", "version", "started_at", "seen_at", "events_behind"];

/// Runs `tenantry gateways`.
pub(super) async fn run(connection: &Arguments) -> Result<(), Failure> {
    let gateways = connection.gateway()?.get("/v1/gateways").await?;
    if connection.json {
        return output::json(&gateways);
    }
    output::table(&COLUMNS, output::rows(&COLUMNS, output::list(&gateways)))
}
