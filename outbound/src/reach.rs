//! Which addresses the gateway connects to on behalf of a project.

use std::net::IpAddr;
use std::sync::Arc;

/// Which addresses may be connected to: `true` lets one through.
///
/// A project chooses its SMTP server, its hooks and its SMS endpoint; without this it could reach what only the gateway
/// can reach.
pub type Reach = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;
