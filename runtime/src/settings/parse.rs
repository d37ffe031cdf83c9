//! From the text of a setting to its value. The errors finish the sentence "`value` ...".

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use domain::secret::Secret;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::LogFormat;

/// `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000` or `:8000` (every interface).
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let host_and_port = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match host_and_port {
        Some(("localhost", port)) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Some(("", port)) => Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        _ => Err("is no address and port such as 127.0.0.1:8000".to_owned()),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn postgres_url(text: &str) -> Result<Secret<String>, String> {
    of_scheme(text, &["postgres", "postgresql"], "postgres://user@host:5432/database")
}

pub(super) fn redis_url(text: &str) -> Result<Secret<String>, String> {
    let schemes = [
        "redis",
        "rediss",
        "redis-cluster",
        "rediss-cluster",
        "redis-sentinel",
        "rediss-sentinel",
        "valkey",
        "valkeys",
    ];
    of_scheme(text, &schemes, "redis://host:6379")
}

fn of_scheme(text: &str, schemes: &[&str], example: &str) -> Result<Secret<String>, String> {
    let url = Url::parse(text).map_err(|error| format!("is no URL such as {example}: {error}"))?;
    if !schemes.contains(&url.scheme()) {
        return Err(format!("has the scheme `{}`; a URL such as {example} is wanted", url.scheme()));
    }
    Ok(Secret::new(text.to_owned()))
}

pub(super) fn connections(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count @ 2..=10_000) => Ok(count),
        _ => Err("is no number of connections from 2 to 10000".to_owned()),
    }
}

pub(super) fn open_databases(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=10_000) => Ok(count),
        _ => Err("is no number of databases from 1 to 10000".to_owned()),
    }
}

pub(super) fn grace(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(seconds @ 0..=31_536_000) => Ok(seconds),
        _ => Err("is no number of seconds from 0 to 31536000".to_owned()),
    }
}

pub(super) fn domain(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('.').to_ascii_lowercase();
    let good_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if text.split('.').all(good_label) {
        Ok(text)
    } else {
        Err("is no domain such as auth.example.com (no scheme, no port)".to_owned())
    }
}

/// An `http` or `https` URL without query and fragment; the path loses its last slash.
pub(super) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is no URL such as https://auth.example.com: {error}"))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !plain || url.password().is_some() {
        return Err("is no http or https URL without user, query and fragment".to_owned());
    }
    Ok(url)
}

/// Addresses and ranges, comma separated. `none` is the empty list.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)))
        .collect::<Result<_, _>>()
        .map_err(|_| "is no list of addresses and ranges such as 127.0.0.1,10.0.0.0/8".to_owned())
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(count @ 0..=3600) => Ok(Duration::from_secs(count)),
        _ => Err("is no number of seconds from 0 to 3600".to_owned()),
    }
}

/// The limits of the field `jwt_exp`, without the zero that would make every token stale at once.
pub(super) fn token_lifetime(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(seconds @ 1..=604_800) => Ok(seconds),
        _ => Err("is no number of seconds from 1 to 604800".to_owned()),
    }
}

pub(super) fn site_url(text: &str) -> Result<String, String> {
    if domain::config::is_site_url(text) {
        return Ok(text.to_owned());
    }
    Err("is no URL such as http://localhost:3000, of http, https or a scheme of an app's own".to_owned())
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "on" => Ok(true),
        "false" | "f" | "0" | "no" | "off" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is neither text nor json".to_owned()),
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text)
        .map_err(|error| format!("is no list of log directives such as info,sqlx=warn: {error}"))?;
    Ok(text.to_owned())
}
