//! Forms of text fields (`contract/management.md` §1.5).

use chrono::DateTime;
use serde_json::Value;
use url::Url;

use crate::email;
use crate::hook::{function_path, is_sql_name};
use crate::redirect;

/// The form of a text. An empty text means "none" wherever the form does not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// Anything.
    Plain,
    /// An absolute URL without comma, not empty: http, https, or a scheme of an app's own.
    SiteUrl,
    /// One or more characters, no comma.
    OneUrl,
    /// An absolute http or https URL.
    HttpUrl,
    /// A comma list of redirect targets, globs allowed.
    AllowList,
    /// A comma list of words of letters, digits, `_` and `-`.
    Tags,
    /// `phone=code` pairs with commas between.
    TestOtps,
    /// An RFC 3339 instant.
    DateTime,
    /// An address.
    Email,
    /// A port number as text.
    Port,
    /// `pg-functions://`, `https://`, or `http://` to this machine.
    HookUri,
    /// `v1,whsec_<base64>`, several with `|` between.
    HookSecrets,
    /// A comma list of origins of pages and of Android apps.
    Origins,
    /// A domain, as credentials are bound to.
    Domain,
    /// A comma list of origins, or `*`, or `derived`.
    CorsOrigins,
    /// A comma list of some of these words.
    Words(&'static [&'static str]),
    /// A comma list.
    List,
}

/// The parts of a comma list, trimmed, without empty ones.
pub(crate) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

impl Format {
    /// What the text should be, where it is not.
    pub(crate) fn demand(self, text: &str) -> Option<String> {
        if text.contains('\0') {
            return Some("must not contain NUL characters".to_owned());
        }
        if text.is_empty() && !matches!(self, Self::SiteUrl | Self::OneUrl) {
            return None;
        }
        match self {
            Self::AllowList => return allow_list_demand(text),
            Self::Words(words) => return unknown_word(text, words),
            _ => {}
        }
        if self.holds(text) { None } else { Some(self.sentence().to_owned()) }
    }

    fn holds(self, text: &str) -> bool {
        match self {
            Self::Plain | Self::List | Self::AllowList | Self::Words(_) => true,
            Self::SiteUrl => is_site_url(text),
            Self::OneUrl => !text.is_empty() && !text.contains(','),
            Self::HttpUrl => Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https")),
            Self::Tags => text.split(',').map(str::trim).all(is_tag_or_empty) && !text.trim_start().starts_with(','),
            Self::TestOtps => test_otps(text).is_some(),
            Self::DateTime => DateTime::parse_from_rfc3339(text).is_ok(),
            Self::Email => email::validate(text).is_ok(),
            Self::Port => text.parse::<u16>().is_ok_and(|port| port != 0),
            Self::HookUri => is_hook_uri(text),
            Self::HookSecrets => are_hook_secrets(text),
            Self::Origins => list(text).all(|part| is_origin(part) || is_android_app(part)),
            Self::Domain => is_domain(text),
            Self::CorsOrigins => list(text).all(|part| matches!(part, "*" | "derived") || is_origin(part)),
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Plain | Self::List | Self::AllowList | Self::Words(_) => "must be a text",
            Self::SiteUrl => "must be one absolute URL without a comma: http, https, or a scheme of an app's own",
            Self::OneUrl => "must be one URL without a comma",
            Self::HttpUrl => "must be an absolute http or https URL",
            Self::Tags => "must be a comma list of words of letters, digits, _ and -",
            Self::TestOtps => "must be phone=code pairs of digits with commas between",
            Self::DateTime => "must be an RFC 3339 timestamp",
            Self::Email => "must be an email address",
            Self::Port => "must be a port number from 1 to 65535 as text",
            Self::HookUri => {
                "must be pg-functions://<database>/<schema>/<function> or an https URL; plain http only to this machine"
            }
            Self::HookSecrets => "must be v1,whsec_<base64 of 32 or more characters>, several with | between",
            Self::Origins => {
                "must be a comma list of origins such as https://app.example.com or android:apk-key-hash:<base64url of 32 bytes>"
            }
            Self::Domain => "must be a domain in lower case without scheme, port and path, such as example.com",
            Self::CorsOrigins => "must be a comma list of origins, or *, or derived",
        }
    }
}

fn allow_list_demand(text: &str) -> Option<String> {
    for (place, entry) in text.split(',').enumerate() {
        let place = place + 1;
        if let Err(problem) = redirect::Pattern::parse(entry) {
            return Some(format!("entry {place} must be a URL or a glob: {problem}"));
        }
        if let Some((scheme, _)) = entry.split_once(':').filter(|(scheme, _)| redirect::is_dangerous(scheme.trim())) {
            return Some(format!("entry {place} must not be of the scheme {}", scheme.trim()));
        }
    }
    None
}

/// Whether browsers can be sent to `text` by default: one absolute URL of the web, or of a scheme of an app's own. What runs as a
/// script, holds its own page or opens files is none, nor is what no browser opens as a page.
pub fn is_site_url(text: &str) -> bool {
    if text.contains(',') || text.trim() != text || text.contains(char::is_control) {
        return false;
    }
    let Ok(url) = Url::parse(text) else { return false };
    match url.scheme() {
        "http" | "https" => url.has_host(),
        "ftp" | "ws" | "wss" => false,
        scheme => !redirect::is_dangerous(scheme),
    }
}

fn unknown_word(text: &str, words: &[&str]) -> Option<String> {
    if list(text).all(|word| words.contains(&word)) {
        return None;
    }
    Some(format!("must be a comma list of {}", words.join(", ")))
}

fn is_tag_or_empty(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The numbers and codes of `sms_test_otp`, `None` where the text is not of that form.
pub(crate) fn test_otps(text: &str) -> Option<Vec<(String, String)>> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let pair = |pair: &str| {
        let (phone, code) = pair.split_once('=')?;
        (digits(phone) && phone.len() <= 15 && digits(code)).then(|| (phone.to_owned(), code.to_owned()))
    };
    let text = text.strip_suffix(',').unwrap_or(text);
    if text.is_empty() { Some(Vec::new()) } else { text.split(',').map(pair).collect() }
}

/// What an Android app signs in place of an origin: the SHA-256 of its certificate.
fn is_android_app(text: &str) -> bool {
    let hash = text.strip_prefix("android:apk-key-hash:").map(str::as_bytes);
    hash.is_some_and(|hash| hash.len() == 43 && hash.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)))
}

/// An address is no domain (Web Authentication §5.1.2).
fn is_domain(text: &str) -> bool {
    matches!(url::Host::parse(text), Ok(url::Host::Domain(domain)) if domain == text)
}

fn is_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    // Apps in a shell have origins of their own scheme (`capacitor://localhost`), which have no path either.
    url.has_host() && matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none()
}

fn is_hook_uri(text: &str) -> bool {
    if let Some(path) = function_path(text) {
        let mut parts = path.split('/');
        let database = parts.next().is_some_and(|part| !part.is_empty());
        let schema = parts.next().is_some_and(is_sql_name);
        let function = parts.next().is_some_and(is_sql_name);
        return database && schema && function;
    }
    let Ok(url) = Url::parse(text) else { return false };
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => true,
        ("http", Some(host)) => matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "host.docker.internal"),
        _ => false,
    }
}

/// One secret or more; empty ones do not count (`contract/platform.md` §4.1).
fn are_hook_secrets(text: &str) -> bool {
    let mut secrets = text.split('|').filter(|secret| !secret.is_empty()).peekable();
    secrets.peek().is_some() && secrets.all(is_hook_secret)
}

/// The contract looks at how a secret begins only.
fn is_hook_secret(text: &str) -> bool {
    let letters =
        |part: &str| part.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')).count();
    if let Some(secret) = text.strip_prefix("v1,whsec_") {
        return letters(secret) >= 32;
    }
    let Some((public, private)) = text.strip_prefix("v1a,whpk_").and_then(|rest| rest.split_once(":whsk_")) else {
        return false;
    };
    public.len() >= 44 && letters(public) == public.len() && letters(private) >= 44
}

/// A given value, short enough for an error message.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 80 {
        return text;
    }
    let start: String = text.chars().take(77).collect();
    format!("{start}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(format: Format, text: &str) -> bool {
        format.demand(text).is_none()
    }

    #[test]
    fn empty_texts_mean_none_except_for_urls_that_must_be_there() {
        assert!(accepted(Format::Email, "") && accepted(Format::HookUri, "") && accepted(Format::AllowList, ""));
        assert!(!accepted(Format::SiteUrl, "") && !accepted(Format::OneUrl, ""));
    }

    #[test]
    fn nul_is_refused_everywhere() {
        assert!(!accepted(Format::Plain, "a\0b"));
    }

    #[test]
    fn hook_uris() {
        for good in [
            "https://example.com/hook",
            "http://localhost:9000/x",
            "http://127.0.0.1:18026/hooks/send-sms",
            "http://[::1]/x",
            "http://host.docker.internal/x",
            "pg-functions://postgres/public/on_sign_up",
            "pg-functions://postgres/public/f/g",
            "PG-Functions://postgres/public/on_sign_up",
            "HTTPS://example.com/hook",
            "HTTP://localhost:9000/x",
        ] {
            assert!(accepted(Format::HookUri, good), "{good}");
        }
        for bad in [
            "http://example.com/hook",
            "ftp://example.com",
            "example.com",
            "pg-functions://postgres/public",
            "pg-functions://postgres/public/drop table",
            "pg-functions://postgres/public/f$1",
            "HTTP://example.com/hook",
            "pg-functions:///public/f",
            "http://localhost.example.com/",
        ] {
            assert!(!accepted(Format::HookUri, bad), "{bad}");
        }
    }

    #[test]
    fn hook_secrets() {
        let secret = format!("v1,whsec_{}", "a".repeat(32));
        assert!(accepted(Format::HookSecrets, &secret));
        assert!(accepted(Format::HookSecrets, &format!("{secret}|{secret}")));
        assert!(accepted(Format::HookSecrets, &format!("|{secret}||{secret}|")), "empty parts are dropped");
        for end in [&"a".repeat(60), " and more"] {
            assert!(accepted(Format::HookSecrets, &format!("{secret}{end}")), "{end}");
        }
        assert!(accepted(Format::HookSecrets, &format!("v1a,whpk_{0}:whsk_{0}", "a".repeat(44))));
        let dashed = format!("v1,whsec_{}-{}", "a".repeat(16), "a".repeat(16));
        let short = format!("v1a,whpk_{0}:whsk_{0}", "a".repeat(43));
        for bad in ["whsec_abc", "v1,whsec_short", "|", &format!("{secret}|x"), &dashed, &short] {
            assert!(!accepted(Format::HookSecrets, bad), "{bad}");
        }
    }

    #[test]
    fn test_otps_are_pairs_of_digits() {
        assert_eq!(test_otps("15550000001=123456,4=5,").unwrap().len(), 2);
        for bad in ["15550000001", "155=", "=1", "1=2,,", "+1=2", "1234567890123456=1", "1=2;3=4"] {
            assert!(!accepted(Format::TestOtps, bad), "{bad}");
        }
    }

    #[test]
    fn tags() {
        assert!(accepted(Format::Tags, " web , mobile_2,a-b ,"));
        assert!(!accepted(Format::Tags, "a b") && !accepted(Format::Tags, ",a"));
    }

    #[test]
    fn ports_origins_words_and_times() {
        assert!(accepted(Format::Port, "587") && !accepted(Format::Port, "0") && !accepted(Format::Port, "65536"));
        assert!(accepted(Format::Origins, "http://localhost:3000, https://app.example.com"));
        let app = "android:apk-key-hash:q2zuXl3rJ0xkXn5l9VqkI0hV2Kz1X8Q7yZr4wB6eT-c";
        assert!(accepted(Format::Origins, app) && !accepted(Format::CorsOrigins, app));
        assert!(!accepted(Format::Origins, "android:apk-key-hash:short"));
        for domain in ["localhost", "example.com", "auth.example.co.uk"] {
            assert!(accepted(Format::Domain, domain), "{domain}");
        }
        for none in
            ["https://example.com", "Example.com", "a b", "example.com:443", "example.com/", "127.0.0.1", "[::1]"]
        {
            assert!(!accepted(Format::Domain, none), "{none}");
        }
        assert!(accepted(Format::CorsOrigins, "derived, capacitor://localhost"));
        assert!(!accepted(Format::Origins, "https://app.example.com/path") && !accepted(Format::Origins, "*"));
        assert!(accepted(Format::Words(&["a", "b"]), "b,a") && !accepted(Format::Words(&["a", "b"]), "a,c"));
        assert!(accepted(Format::DateTime, "2026-01-01T00:00:00Z") && !accepted(Format::DateTime, "2026-01-01"));
    }

    #[test]
    fn site_urls_are_absolute() {
        for good in [
            "http://localhost:3000",
            "https://site.example.com:8443/home?from=site",
            "HTTPS://site.example.com",
            "com.app://home",
            "exp://192.168.1.5:8081",
            "myapp:home",
        ] {
            assert!(accepted(Format::SiteUrl, good), "{good}");
        }
        for bad in ["example.com", "/home", "https://a.example,https://b.example", " https://a.example", "https://"] {
            assert!(!accepted(Format::SiteUrl, bad), "{bad}");
        }
    }

    #[test]
    fn no_browser_is_sent_to_a_script_a_file_or_a_page_of_its_own() {
        for bad in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "java\nscript:alert(1)",
            "\tjavascript:alert(1)",
            " javascript:alert(1)",
            "javascript://example.com/%0aalert(1)",
            "data:text/html,<script>alert(1)</script>",
            "vbscript:msgbox(1)",
            "file:///etc/passwd",
            "blob:https://example.com/1",
            "filesystem:https://example.com/x",
            "about:blank",
            "view-source:https://example.com",
            "ftp://example.com",
            "ws://example.com",
        ] {
            assert!(!accepted(Format::SiteUrl, bad), "{bad}");
        }
        for bad in ["javascript:alert(1)", "https://a.example,DATA:text/html", "file:///**", " javascript:**"] {
            assert!(!accepted(Format::AllowList, bad), "{bad}");
        }
        assert!(accepted(Format::AllowList, "https://a.example/**,com.app://cb,data.app://cb,**"));
    }

    #[test]
    fn long_values_are_cut_in_messages() {
        assert_eq!(shown(&Value::from("x".repeat(200))).chars().count(), 80);
        assert_eq!(shown(&Value::from(7)), "7");
    }
}
