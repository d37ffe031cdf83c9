//! The HTTP edge of Tenantry: it finds the project of a request, turns the request into a typed question to the project's
//! actor, and writes the answer as the contract has it. No decision about an account is taken here.

mod api_key;
mod auth;
mod client_ip;
mod cors;
mod edge;
pub mod failure;
mod input;
mod layers;
pub mod mail;
mod management;
pub mod metrics;
mod output;
mod project;
mod router;
pub mod runtime;
mod state;
mod state_cookie;
mod watchers;
mod wire;

pub use auth::routes::served as auth_routes;
pub use cors::Cors;
pub use management::{ManagementRoute, management_routes};
pub use router::{admin_router, combined_router, router};
pub use state::{ApiState, Parts};
