//! A redirect target taken apart as RFC 3986 has it, strictly: what browsers read in another way is refused.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Schemes that never lead back to an application.
const DANGEROUS: [&str; 8] = ["about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source"];

/// A parsed target.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// As it was given.
    pub(super) given: String,
    /// As it was spelled.
    pub(super) spelled_scheme: String,
    /// What follows the scheme's colon up to the fragment, as it was given.
    pub(super) after_scheme: String,
    /// Lower case.
    pub(super) scheme: String,
    /// What stands between `//` and the next `/`; `None` where there is no `//`.
    pub(super) authority: Option<String>,
    host: String,
    port: String,
    /// Path and query.
    pub(super) rest: String,
    fragment: Option<String>,
}

impl Candidate {
    /// `None` where the text is no absolute URL that leads somewhere.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.chars().any(|letter| letter.is_control()) {
            return None;
        }
        let given = text;
        let (text, fragment) = match text.split_once('#') {
            Some((text, fragment)) => (text, Some(fragment)),
            None => (text, None),
        };
        let (spelled_scheme, after) = text.split_once(':')?;
        let scheme = spelled_scheme.to_ascii_lowercase();
        if !is_scheme(&scheme) || is_dangerous(&scheme) {
            return None;
        }
        let (authority, rest) = match after.strip_prefix("//") {
            Some(after) => {
                let end = after.find(['/', '?']).unwrap_or(after.len());
                let (authority, rest) = after.split_at_checked(end)?;
                (Some(authority), rest)
            }
            None => (None, after),
        };
        let path = rest.split('?').next().unwrap_or_default();
        if !has_whole_escapes(path) || fragment.is_some_and(|fragment| !has_whole_escapes(fragment)) {
            return None;
        }
        let (host, port) = host_and_port(authority.unwrap_or_default())?;
        let candidate = Self {
            given: given.to_owned(),
            spelled_scheme: spelled_scheme.to_owned(),
            after_scheme: after.to_owned(),
            scheme,
            authority: authority.map(str::to_owned),
            host: host.to_owned(),
            port: port.to_owned(),
            rest: encoded(rest),
            fragment: fragment.map(encoded),
        };
        Some(candidate).filter(|candidate| !candidate.is_web() || candidate.host_or_address_is_sound())
    }

    pub(super) fn is_web(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https")
    }

    /// Without brackets and port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// As a source of a content security policy.
    pub(super) fn policy_source(&self) -> String {
        let Self { scheme, host, port, .. } = self;
        match (self.is_web() && !host.contains(':'), port.as_str()) {
            (false, _) => format!("{scheme}:"),
            (true, "") => format!("{scheme}://{host}"),
            (true, port) => format!("{scheme}://{host}:{port}"),
        }
    }

    fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Browsers take a host whose last label is a number for an IPv4 address, in any of its spellings.
    fn host_or_address_is_sound(&self) -> bool {
        if self.address().is_some() {
            return true;
        }
        let host = self.host.as_bytes();
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        ends(host.first()) && ends(host.last()) && host.iter().all(inner) && !ends_in_a_number(&self.host)
    }

    /// The same host, scheme and port as the site; on loopback hosts the port does not count.
    pub(super) fn is_same_origin(&self, site: &Self) -> bool {
        let any_port = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1" | "0.0.0.0" | "::")
            || self.host.ends_with(".localhost");
        self.host == site.host && self.scheme == site.scheme && (any_port || self.port == site.port)
    }

    /// Whether an address is this machine's; `None` for names, which patterns decide about.
    pub(super) fn is_own_machine(&self) -> Option<bool> {
        let is_number = !self.host.is_empty() && self.host.bytes().all(|b| b.is_ascii_digit());
        self.address().map(is_loopback).or(is_number.then_some(false))
    }

    /// The target without the parameter by which auth-js tells its own parallel flows apart.
    pub(super) fn without_flow_id(mut self) -> Self {
        if let Some((path, query)) = self.rest.split_once('?') {
            let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("sb_flow_id=")).collect();
            let mark = if kept.is_empty() { "" } else { "?" };
            self.rest = format!("{path}{mark}{}", kept.join("&"));
        }
        self
    }

    pub(super) fn without_fragment(&self) -> String {
        match &self.authority {
            Some(authority) => format!("{}://{authority}{}", self.scheme, self.rest),
            None => format!("{}:{}", self.scheme, self.rest),
        }
    }

    /// The target without its fragment, its scheme as it was given.
    pub(super) fn as_spelled(&self) -> String {
        let rest = self.without_fragment();
        let rest = rest.strip_prefix(&self.scheme).unwrap_or(&rest);
        format!("{}{rest}", self.spelled_scheme)
    }

    /// The target without its port, where it is `http` to a literal loopback address with one.
    pub(super) fn without_loopback_port(&self) -> Option<String> {
        let literal = match self.host.as_str() {
            "127.0.0.1" => "127.0.0.1",
            "::1" => "[::1]",
            _ => return None,
        };
        let plain = self.authority.as_deref() == Some(&format!("{literal}:{}", self.port));
        (self.scheme == "http" && plain).then(|| format!("http://{literal}{}", self.rest))
    }
}

/// With every letter that a URL cannot hold percent-encoded.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_fragment())?;
        match &self.fragment {
            Some(fragment) => write!(f, "#{fragment}"),
            None => Ok(()),
        }
    }
}

/// Whether addresses of a scheme never lead back to an application.
pub(super) fn is_dangerous(scheme: &str) -> bool {
    DANGEROUS.iter().any(|dangerous| scheme.eq_ignore_ascii_case(dangerous))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Every `%` begins two hexadecimal digits.
fn has_whole_escapes(text: &str) -> bool {
    let whole = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    text.split('%').skip(1).all(whole)
}

/// Host without brackets and port of an authority; `None` where it holds what no authority may.
fn host_and_port(authority: &str) -> Option<(&str, &str)> {
    let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    if !user.chars().all(is_user_letter) {
        return None;
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':').or((after.is_empty()).then_some(""))?)
        }
        None => place.rsplit_once(':').unwrap_or((place, "")),
    };
    let sound = |letter: char| letter.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:".contains(letter);
    (host.chars().all(sound) && port.bytes().all(|b| b.is_ascii_digit())).then_some((host, port))
}

fn is_user_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:%@".contains(letter)
}

fn ends_in_a_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()),
    }
}

fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(address.is_loopback(), |mapped| mapped.is_loopback()),
    }
}

/// Letters that a URL cannot hold are percent-encoded; escapes that are there stay.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii_graphic() && !"\"<>\\^`{|}".contains(letter) {
            encoded.push(letter);
            continue;
        }
        for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
