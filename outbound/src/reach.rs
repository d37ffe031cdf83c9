//! Which addresses the gateway connects to on behalf of a project.

use std::net::IpAddr;
use std::sync::Arc;

use domain::address;

/// Which addresses may be connected to: `true` lets one through.
///
/// A project chooses its SMTP server, its hooks and its SMS endpoint; without this it could reach what only the gateway
/// can reach.
pub type Reach = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The public internet and nothing else, whatever the process allows its operator.
pub fn public() -> Reach {
    Arc::new(is_public)
}

/// Whether an address is one of the public internet, as [`domain::address::judge`] has it.
pub fn is_public(address: IpAddr) -> bool {
    address::judge(address).is_none()
}
