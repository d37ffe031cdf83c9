//! What a `User-Agent` header says about a device, for people who look at their list of sessions.

use serde::Serialize;
use woothee::parser::Parser;

/// A device as far as its user agent tells.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Device<'a> {
    browser: Option<&'a str>,
    os: Option<&'a str>,
    /// `desktop`, `mobile`, `crawler` or `other`.
    kind: Option<&'static str>,
}

impl<'a> Device<'a> {
    /// Reads `user_agent`; what cannot be told is `None`.
    pub(crate) fn of(user_agent: &'a str) -> Self {
        let Some(parsed) = Parser::new().parse(user_agent) else { return Self::default() };
        let known = |text: &'a str| Some(text).filter(|text| !text.is_empty() && *text != "UNKNOWN");
        let kind = known(parsed.category).map(|category| match category {
            "pc" => "desktop",
            "smartphone" | "mobilephone" => "mobile",
            "crawler" => "crawler",
            _ => "other",
        });
        Self { browser: known(parsed.name), os: known(parsed.os), kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_agents_are_recognised() {
        for (agent, browser, os, kind) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                Some("Firefox"),
                Some("Linux"),
                Some("desktop"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
                Some("Chrome"),
                Some("Windows 10"),
                Some("desktop"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                Some("Safari"),
                Some("iPhone"),
                Some("mobile"),
            ),
            ("node", None, None, None),
            ("", None, None, None),
        ] {
            assert_eq!(Device::of(agent), Device { browser, os, kind }, "{agent}");
        }
    }
}
