//! Which addresses the gateway may connect to on behalf of an operator's settings: public ones, and private ones that the
//! process was told to allow. Without this, a project's SMTP host or hook could reach what only the gateway can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use outbound::reach::is_public;

/// The private ranges that may be reached: those of the setting, else loopback while the gateway is local itself.
pub(crate) fn allowed(setting: Option<&[IpNet]>, listen: SocketAddr) -> Vec<IpNet> {
    match setting {
        Some(ranges) => ranges.to_vec(),
        None if listen.ip().is_loopback() => {
            vec![Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(), Ipv6Net::from(Ipv6Addr::LOCALHOST).into()]
        }
        None => Vec::new(),
    }
}

/// Whether `address` may be connected to.
pub(crate) fn may_reach(address: IpAddr, allowed: &[IpNet]) -> bool {
    let address = address.to_canonical();
    allowed.iter().any(|range| range.contains(&address)) || is_public(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(address: &str, allowed: &[&str]) -> bool {
        let allowed: Vec<IpNet> = allowed.iter().map(|range| range.parse().unwrap()).collect();
        may_reach(address.parse().unwrap(), &allowed)
    }

    #[test]
    fn allowed_ranges_open_themselves_and_nothing_else() {
        assert!(reach("10.0.3.4", &["10.0.0.0/16"]));
        assert!(reach("::ffff:10.0.3.4", &["10.0.0.0/16"]));
        assert!(!reach("10.1.3.4", &["10.0.0.0/16"]));
    }

    #[test]
    fn a_local_gateway_reaches_its_machine_and_a_public_one_does_not() {
        let local = allowed(None, "127.0.0.1:1".parse().unwrap());
        assert!(may_reach("127.0.0.1".parse().unwrap(), &local));
        assert!(may_reach("::1".parse().unwrap(), &local));
        assert!(allowed(None, "0.0.0.0:1".parse().unwrap()).is_empty());
        assert!(allowed(Some(&[]), "127.0.0.1:1".parse().unwrap()).is_empty());
    }
}
