//! What a `User-Agent` header says about a device: for people who look at their sessions, and to tell a new device.

use serde::Serialize;
use woothee::parser::Parser;

/// What the parser calls the clients of programs.
const LIBRARY: &str = "HTTP Library";

/// Characters that [`key`] has at most.
const LONGEST_KEY: usize = 250;

/// A device as far as its user agent tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Device<'a> {
    /// `Firefox`, `Chrome`, ... or the product of a library, as in `curl`.
    pub browser: Option<&'a str>,
    /// `Windows 10`, `iPhone`, ...
    pub os: Option<&'a str>,
    /// `desktop`, `mobile`, `crawler` or `other`.
    pub kind: Option<&'static str>,
}

impl<'a> Device<'a> {
    /// Reads `user_agent`; what cannot be told is `None`.
    pub fn of(user_agent: &'a str) -> Self {
        let Some(parsed) = Parser::new().parse(user_agent) else { return Self::default() };
        let known = |text: &'a str| Some(text).filter(|text| !text.is_empty() && *text != "UNKNOWN");
        let kind = known(parsed.category).map(|category| match category {
            "pc" => "desktop",
            "smartphone" | "mobilephone" => "mobile",
            "crawler" => "crawler",
            _ => "other",
        });
        let browser = if parsed.name == LIBRARY { product(Some(user_agent)) } else { known(parsed.name) };
        Self { browser, os: known(parsed.os), kind }
    }
}

/// What two user agents have in common when they speak for the same device: browser, system and kind, whatever the versions.
/// Where no system is named, the first product says which it is, as in `okhttp/4.12`.
pub fn key(user_agent: Option<&str>) -> String {
    let device = user_agent.map(Device::of).unwrap_or_default();
    let parts = match device.os {
        Some(os) => [device.browser, Some(os), device.kind],
        None => [device.browser, device.kind, product(user_agent)],
    };
    parts.map(Option::unwrap_or_default).join("|").chars().take(LONGEST_KEY).collect()
}

/// How a device is called in a sentence.
pub fn name(user_agent: Option<&str>) -> String {
    let device = user_agent.map(Device::of).unwrap_or_default();
    // Every browser calls itself that first.
    let product = product(user_agent).filter(|product| *product != "Mozilla");
    match (device.browser, device.os) {
        (Some(browser), Some(os)) => format!("{browser} on {os}"),
        (None, Some(os)) => os.to_owned(),
        (browser, None) => browser.or(product).unwrap_or("an unknown device").to_owned(),
    }
}

/// The first product of a user agent (RFC 9110 §10.1.5) without its version, where it is short enough to be one.
fn product(user_agent: Option<&str>) -> Option<&str> {
    let end = |character: char| !character.is_ascii_alphanumeric() && !"-_.".contains(character);
    let product = user_agent?.split(end).next()?;
    (1..=64).contains(&product.len()).then_some(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const NEWER_FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";
    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
    const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

    #[test]
    fn common_agents_are_recognised() {
        for (agent, browser, os, kind, name) in [
            (FIREFOX, Some("Firefox"), Some("Linux"), Some("desktop"), "Firefox on Linux"),
            (CHROME, Some("Chrome"), Some("Windows 10"), Some("desktop"), "Chrome on Windows 10"),
            (SAFARI, Some("Safari"), Some("iPhone"), Some("mobile"), "Safari on iPhone"),
            ("node", None, None, None, "node"),
            ("curl/8.5.0", Some("curl"), None, Some("other"), "curl"),
            ("python-requests/2.32.0", None, None, None, "python-requests"),
            ("Wget/1.21.4", Some("Wget"), None, Some("other"), "Wget"),
            ("okhttp/4.12.0", None, None, None, "okhttp"),
            ("", None, None, None, "an unknown device"),
            ("<b>", None, None, None, "an unknown device"),
        ] {
            assert_eq!(Device::of(agent), Device { browser, os, kind }, "{agent}");
            assert_eq!(super::name(Some(agent)), name);
        }
    }

    #[test]
    fn an_update_makes_no_new_device() {
        assert_eq!(key(Some(FIREFOX)), key(Some(NEWER_FIREFOX)));
        assert_eq!(key(Some("okhttp/4.12.0")), key(Some("okhttp/5.0.0")));
        assert_eq!(key(Some("curl/8.5.0")), key(Some("curl/8.9.1")));
        assert_eq!(key(None), key(Some("")));
        let devices =
            [Some(FIREFOX), Some(CHROME), Some(SAFARI), Some("curl/8.5.0"), Some("python-requests/2.32.0"), None];
        let devices = devices.into_iter().chain([Some("node"), Some("okhttp/4.12.0")]).map(key);
        assert_eq!(devices.collect::<std::collections::BTreeSet<_>>().len(), 8);
    }
}
