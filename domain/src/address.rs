//! Which addresses are part of the public internet (IANA's special-purpose registries, RFC 6890), and where a URL leads
//! that somebody set for the gateway to call (`contract/mfa-passkeys-oauth.md` §6.5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Said of every address that is neither globally routable nor of a kind with a text of its own.
const PRIVATE: &str = "URL cannot resolve to private network addresses";

/// Why `address` is not globally routable; `None` where it is. An IPv6 address that maps an IPv4 address is judged as that one.
pub fn judge(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => judge_v4(address),
        IpAddr::V6(address) => judge_v6(address),
    }
}

fn judge_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    if address.is_loopback() {
        return Some("URL cannot resolve to loopback addresses");
    }
    if address.is_link_local() || (a, b, c) == (224, 0, 0) {
        return Some("URL cannot resolve to link-local addresses");
    }
    if address.is_multicast() {
        return Some("URL cannot resolve to multicast addresses");
    }
    if address.is_unspecified() {
        return Some("URL cannot resolve to unspecified addresses");
    }
    let special = address.is_private()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    special.then_some(PRIVATE)
}

fn judge_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [first, second, ..] = address.segments();
    if address.is_loopback() {
        return Some("URL cannot resolve to loopback addresses");
    }
    if first & 0xffc0 == 0xfe80 || first == 0xff02 {
        return Some("URL cannot resolve to link-local addresses");
    }
    if address.is_multicast() {
        return Some("URL cannot resolve to multicast addresses");
    }
    if address.is_unspecified() {
        return Some("URL cannot resolve to unspecified addresses");
    }
    // 2000::/3 is what is routed; of it, documentation, benchmarks and the tunnels that lead to IPv4 addresses are not.
    let routed = first & 0xe000 == 0x2000;
    let special = (first == 0x2001 && (second < 0x0200 || second == 0x0db8)) || first == 0x2002 || first == 0x3fff;
    (!routed || special).then_some(PRIVATE)
}

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A name, which is to be resolved and whose addresses are to be judged.
    Name(String),
    /// An address that is globally routable.
    Address(IpAddr),
}

/// The place of a URL that the gateway is to call on a project's behalf: `https`, a host, nothing that leads to this machine
/// or a private network.
///
/// # Errors
/// The contract's text.
pub fn place(text: &str) -> Result<Place, &'static str> {
    const UNREADABLE: &str = "Invalid URL format";
    const NO_HOST: &str = "URL must have a valid hostname";
    const OWN: &str = "URL cannot point to localhost or loopback addresses";
    if text.chars().any(|letter| letter.is_control() || letter.is_whitespace() || letter == '\\') {
        return Err(UNREADABLE);
    }
    let rest = text.strip_prefix("https:").ok_or("URL must use HTTPS")?;
    let rest = rest.strip_prefix("//").ok_or(NO_HOST)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with(':') {
        return Err(NO_HOST);
    }
    if authority.contains('@') {
        return Err(UNREADABLE);
    }
    // Parsed as the HTTP client parses it: the place that is judged is the place that is called.
    let url = Url::parse(text).map_err(|_| UNREADABLE)?;
    let address = match url.host().ok_or(NO_HOST)? {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            if name == "localhost" || name.ends_with(".localhost") {
                return Err(OWN);
            }
            return if name.is_empty() { Err(NO_HOST) } else { Ok(Place::Name(name.to_owned())) };
        }
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
    };
    let own = [IpAddr::V4(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into()];
    if own.contains(&address) || address == IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
        return Err(OWN);
    }
    judge(address).map_or(Ok(Place::Address(address)), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(address: &str) -> Option<&'static str> {
        judge(address.parse().unwrap()).and_then(|text| text.split(' ').nth(4))
    }

    #[test]
    fn addresses_of_the_public_internet_and_of_no_other_place() {
        for (address, expected) in [
            ("8.8.8.8", None),
            ("1.1.1.1", None),
            ("100.63.255.255", None),
            ("100.128.0.0", None),
            ("172.32.0.1", None),
            ("2606:4700::1111", None),
            ("::ffff:8.8.8.8", None),
            ("127.0.0.1", Some("loopback")),
            ("127.9.9.9", Some("loopback")),
            ("::1", Some("loopback")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("10.1.2.3", Some("private")),
            ("172.16.0.1", Some("private")),
            ("172.31.255.255", Some("private")),
            ("192.168.1.1", Some("private")),
            ("fc00::1", Some("private")),
            ("fd12::1", Some("private")),
            ("::ffff:10.0.0.1", Some("private")),
            ("169.254.169.254", Some("link-local")),
            ("::ffff:169.254.169.254", Some("link-local")),
            ("fe80::1", Some("link-local")),
            ("febf::1", Some("link-local")),
            ("224.0.0.1", Some("link-local")),
            ("ff02::1", Some("link-local")),
            ("224.0.1.1", Some("multicast")),
            ("239.1.1.1", Some("multicast")),
            ("ff05::1", Some("multicast")),
            ("0.0.0.0", Some("unspecified")),
            ("::", Some("unspecified")),
            // Not named by the contract, and not routable either.
            ("0.1.2.3", Some("private")),
            ("100.64.0.1", Some("private")),
            ("100.127.255.255", Some("private")),
            ("192.0.0.192", Some("private")),
            ("192.0.2.1", Some("private")),
            ("192.88.99.1", Some("private")),
            ("198.18.0.1", Some("private")),
            ("198.51.100.1", Some("private")),
            ("203.0.113.1", Some("private")),
            ("240.0.0.1", Some("private")),
            ("255.255.255.255", Some("private")),
            ("64:ff9b::7f00:1", Some("private")),
            ("64:ff9b:1::a00:1", Some("private")),
            ("100::1", Some("private")),
            ("2001:db8::1", Some("private")),
            ("2001::1", Some("private")),
            ("2002:7f00:1::", Some("private")),
            ("3fff::1", Some("private")),
            ("fec0::1", Some("private")),
            ("5f00::1", Some("private")),
            ("::127.0.0.1", Some("private")),
        ] {
            assert_eq!(kind(address), expected, "{address}");
        }
    }

    #[test]
    fn urls_that_lead_to_a_public_place() {
        for (url, expected) in [
            ("https://idp.example.com/x?y#z", Place::Name("idp.example.com".to_owned())),
            ("https://IDP.example.com.:8443", Place::Name("idp.example.com".to_owned())),
            ("https://xn--bcher-kva.example/", Place::Name("xn--bcher-kva.example".to_owned())),
            ("https://8.8.8.8/x", Place::Address([8, 8, 8, 8].into())),
            ("https://0x08080808/x", Place::Address([8, 8, 8, 8].into())),
            ("https://[2606:4700::1111]/x", Place::Address("2606:4700::1111".parse().unwrap())),
        ] {
            assert_eq!(place(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn urls_that_lead_elsewhere() {
        let own = "URL cannot point to localhost or loopback addresses";
        for (url, expected) in [
            ("", "URL must use HTTPS"),
            ("idp.example.com/x", "URL must use HTTPS"),
            ("//idp.example.com/x", "URL must use HTTPS"),
            ("http://8.8.8.8/token", "URL must use HTTPS"),
            ("HTTPS://8.8.8.8/token", "URL must use HTTPS"),
            ("ftp://8.8.8.8/token", "URL must use HTTPS"),
            ("javascript:alert(1)", "URL must use HTTPS"),
            ("https:///token", "URL must have a valid hostname"),
            ("https:/8.8.8.8/token", "URL must have a valid hostname"),
            ("https://:443/x", "URL must have a valid hostname"),
            ("https://", "URL must have a valid hostname"),
            ("https://a b/x", "Invalid URL format"),
            ("https://a\n.example/x", "Invalid URL format"),
            ("https://a\\b/x", "Invalid URL format"),
            ("https://a:port/x", "Invalid URL format"),
            ("https://[::1/x", "Invalid URL format"),
            ("https://8.8.8.8@10.0.0.1/x", "Invalid URL format"),
            ("https://1.2.3.4.5/x", "Invalid URL format"),
            ("https://localhost/token", own),
            ("https://LOCALHOST./token", own),
            ("https://app.localhost/token", own),
            ("https://127.0.0.1:8443/token", own),
            ("https://0.0.0.0/token", own),
            ("https://[::1]/token", own),
            ("https://[::]/token", own),
            ("https://2130706433/token", own),
            ("https://0x7f.1/token", own),
            ("https://0177.0.0.1/token", own),
            ("https://127.1.2.3/token", "URL cannot resolve to loopback addresses"),
            ("https://[::ffff:127.0.0.1]/token", "URL cannot resolve to loopback addresses"),
            ("https://10.1.2.3/token", "URL cannot resolve to private network addresses"),
            ("https://0xa.1/token", "URL cannot resolve to private network addresses"),
            ("https://[fd00::1]/token", "URL cannot resolve to private network addresses"),
            ("https://169.254.169.254/latest", "URL cannot resolve to link-local addresses"),
            ("https://[fe80::1]/x", "URL cannot resolve to link-local addresses"),
            ("https://[ff05::1]/x", "URL cannot resolve to multicast addresses"),
            ("https://100.64.0.1/x", PRIVATE),
            ("https://[64:ff9b::a9fe:a9fe]/x", PRIVATE),
        ] {
            assert_eq!(place(url), Err(expected), "{url}");
        }
    }
}
