//! Which addresses the gateway may connect to on behalf of an operator's settings: public ones, and private ones that the
//! process was told to allow. Without this, a project's SMTP host or hook could reach what only the gateway can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

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

/// Whether an address is one of the public internet (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // 2000::/3 is what is routed; of it, documentation, benchmarks and the tunnels that lead to IPv4 addresses are not.
    let routed = first & 0xe000 == 0x2000;
    let special = (first == 0x2001 && (second < 0x0200 || second == 0x0db8)) || first == 0x2002 || first == 0x3fff;
    routed && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(address: &str, allowed: &[&str]) -> bool {
        let allowed: Vec<IpNet> = allowed.iter().map(|range| range.parse().unwrap()).collect();
        may_reach(address.parse().unwrap(), &allowed)
    }

    #[test]
    fn public_addresses_are_reached_and_special_ones_are_not() {
        for address in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::8a"] {
            assert!(reach(address, &[]), "{address}");
        }
        let special = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
        ];
        for address in special {
            assert!(!reach(address, &[]), "{address}");
        }
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
