//! The table of the Management API.

mod auth;
mod gateway;
mod place;

use axum::routing::get;

use crate::management::document::{self, own};
use crate::management::table::Table;

/// All of it.
pub(super) fn all() -> Table {
    let table = Table::default().open("/openapi.json", get(document::handle), own("This document").gives_any());
    let parts = [
        gateway::gateway,
        gateway::organizations,
        gateway::projects,
        auth::configuration,
        auth::keys,
        auth::issuers,
        auth::people,
        place::place,
        place::addresses,
        place::beside,
    ];
    parts.into_iter().fold(table, |table, part| part(table))
}
