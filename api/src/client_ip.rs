//! Whose address a request comes from, and over what. A forwarded header is a claim: it counts only when the peer that sends it is one of
//! the operator's proxies, and then what the nearest untrusted hop claims (`contract/core.md` §1.4, `--trusted-proxies`).

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

const SB_FORWARDED_FOR: &str = "sb-forwarded-for";
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The client's address. `None` when a trusted proxy gave no valid one, or no peer is known at all.
pub(crate) fn of(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &[IpNet],
    sb_forwarded_for_enabled: bool,
) -> Option<IpAddr> {
    let peer = peer?.to_canonical();
    if !is_trusted(peer, trusted) {
        return Some(peer);
    }
    if sb_forwarded_for_enabled && let Some(address) = leftmost(headers, SB_FORWARDED_FOR) {
        return Some(address);
    }
    forwarded(headers, trusted)
}

/// Whether the client came over https, as one of the operator's proxies says: what strangers say does not count.
pub(crate) fn over_https(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
    let told = || Some(headers.get(FORWARDED_PROTO)?.to_str().ok()?.split(',').next()?.trim());
    peer.is_some_and(|peer| is_trusted(peer.to_canonical(), trusted))
        && told().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

fn leftmost(headers: &HeaderMap, name: &str) -> Option<IpAddr> {
    address(headers.get(name)?.to_str().ok()?.split(',').next()?)
}

/// Walks from the nearest hop outwards past the operator's own proxies. Beyond an unreadable hop nothing can be believed.
fn forwarded(headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or("?")).collect();
    let mut client = None;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(hop) = address(hop) else { return client };
        client = Some(hop);
        if !is_trusted(hop, trusted) {
            break;
        }
    }
    client
}

/// Reads an address, also with a port, as some proxies write it.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn client(peer: Option<&str>, headers: &[(&'static str, &'static str)], sb: bool) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        of(peer.map(|peer| peer.parse().unwrap()), &map, &trusted, sb).map(|address| address.to_string())
    }

    fn some(address: &str) -> Option<String> {
        Some(address.to_owned())
    }

    #[test]
    fn what_strangers_forward_is_ignored() {
        let headers = [("x-forwarded-for", "198.51.100.1"), ("sb-forwarded-for", "198.51.100.2")];
        assert_eq!(client(Some("203.0.113.9"), &headers, true), some("203.0.113.9"));
        assert_eq!(client(Some("::ffff:203.0.113.9"), &headers, true), some("203.0.113.9"));
        assert_eq!(client(None, &headers, true), None);
    }

    #[test]
    fn sb_forwarded_for_counts_where_the_project_enables_it() {
        let headers = [("x-forwarded-for", "198.51.100.1"), ("sb-forwarded-for", "198.51.100.2, 192.0.2.1")];
        assert_eq!(client(Some(PROXY), &headers, true), some("198.51.100.2"));
        assert_eq!(client(Some(PROXY), &headers, false), some("198.51.100.1"));
        let invalid = [("x-forwarded-for", "198.51.100.1"), ("sb-forwarded-for", "unknown")];
        assert_eq!(client(Some(PROXY), &invalid, true), some("198.51.100.1"));
    }

    #[test]
    fn the_nearest_untrusted_hop_is_the_client() {
        for (value, expected) in [
            ("198.51.100.1", some("198.51.100.1")),
            // Whoever writes the left end could write anything.
            ("1.1.1.1, 198.51.100.1", some("198.51.100.1")),
            ("198.51.100.1, 10.2.3.4", some("198.51.100.1")),
            ("198.51.100.1:4711", some("198.51.100.1")),
            ("[2001:db8::1]:443", some("2001:db8::1")),
            ("10.9.9.9", some("10.9.9.9")),
            ("198.51.100.1, _hidden, 10.2.3.4", some("10.2.3.4")),
            ("198.51.100.1, unknown", None),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(client(Some(PROXY), &[("x-forwarded-for", value)], false), expected, "{value}");
        }
        assert_eq!(client(Some("::1"), &[], true), None);
    }

    #[test]
    fn https_is_what_a_trusted_proxy_says() {
        let https = |peer: &str, proto: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_PROTO, HeaderValue::from_static(proto));
            over_https(Some(peer.parse().unwrap()), &headers, &["10.0.0.0/8".parse().unwrap()])
        };
        assert!(https(PROXY, "https") && https(PROXY, "HTTPS, http"));
        assert!(!https(PROXY, "http") && !https("203.0.113.9", "https"));
        assert!(!over_https(Some(PROXY.parse().unwrap()), &HeaderMap::new(), &["10.0.0.0/8".parse().unwrap()]));
    }

    #[test]
    fn several_header_lines_are_one_list() {
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.1, 10.1.1.1")];
        assert_eq!(client(Some(PROXY), &lines, false), some("198.51.100.1"));
    }
}
