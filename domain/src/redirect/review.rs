//! What is wrong with the addresses that an operator lets flows return to, told while he sets them.

use std::net::IpAddr;

use super::candidate::Candidate;
use super::pattern::Pattern;
use super::{allowed, has_wildcard};
use crate::config::Policy;

/// Domains below which everybody gets a host: of such a host it says nothing that it ends so. A short list of what applications
/// are deployed to; everything else with two labels counts as somebody's own.
const SHARED_DOMAINS: [&str; 46] = [
    "amazonaws.com",
    "amplifyapp.com",
    "app.github.dev",
    "appspot.com",
    "azurestaticapps.net",
    "azurewebsites.net",
    "bitbucket.io",
    "blogspot.com",
    "bolt.host",
    "cloudflare.dev",
    "cloudfront.net",
    "codesandbox.io",
    "csb.app",
    "deno.dev",
    "exp.direct",
    "firebaseapp.com",
    "fly.dev",
    "framer.app",
    "framer.website",
    "github.dev",
    "github.io",
    "gitlab.io",
    "gitpod.io",
    "glitch.me",
    "herokuapp.com",
    "loca.lt",
    "lovable.app",
    "myshopify.com",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.io",
    "nip.io",
    "onrender.com",
    "pages.dev",
    "replit.app",
    "replit.dev",
    "run.app",
    "sslip.io",
    "supabase.co",
    "surge.sh",
    "trycloudflare.com",
    "up.railway.app",
    "vercel.app",
    "web.app",
    "workers.dev",
];

/// Second labels below which countries give names to everybody.
const COUNTRY_LABELS: [&str; 10] = ["ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"];

/// The verdict on the site URL or one entry of the allow list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// As it is set.
    pub entry: String,
    /// There is nothing to say against it.
    pub safe: bool,
    /// What there is to say.
    pub reasons: Vec<String>,
}

/// Judges the site URL, then each entry of the allow list as the project matches it: as a pattern, or to the letter.
pub fn review(policy: &Policy) -> Vec<Review> {
    let site = verdict(&policy.site_url, site_reasons(&policy.site_url));
    let entries = policy.uri_allow_list.iter().map(|entry| {
        let reasons =
            if policy.redirect_exact_match { exact_reasons(entry, policy) } else { pattern_reasons(entry, policy) };
        verdict(entry, reasons)
    });
    std::iter::once(site).chain(entries).collect()
}

fn verdict(entry: &str, reasons: Vec<String>) -> Review {
    Review { entry: entry.to_owned(), safe: reasons.is_empty(), reasons }
}

fn site_reasons(site: &str) -> Vec<String> {
    match Candidate::parse(site) {
        None => vec!["is no address that a browser can be sent to".to_owned()],
        Some(site) if site.is_web() => in_clear(&site.scheme, site.host()).into_iter().collect(),
        Some(_) => Vec::new(),
    }
}

fn exact_reasons(entry: &str, policy: &Policy) -> Vec<String> {
    if has_wildcard(entry) {
        return vec!["matches nothing: the project takes exact addresses alone, and no wildcards".to_owned()];
    }
    if !is_reached(entry, entry, policy) {
        return vec![nothing(entry)];
    }
    Candidate::parse(entry)
        .filter(Candidate::is_web)
        .and_then(|at| in_clear(&at.scheme, at.host()))
        .into_iter()
        .collect()
}

fn pattern_reasons(entry: &str, policy: &Policy) -> Vec<String> {
    if let Err(error) = Pattern::parse(entry) {
        return vec![format!("matches nothing: {error}")];
    }
    if entry == "**" {
        return vec!["lets sign-ins be sent to every web address".to_owned()];
    }
    // Brackets of an IPv6 address are a class of letters to a pattern; addresses are not matched by patterns.
    match Candidate::parse(entry).filter(Candidate::is_web).and_then(|address| address.is_own_machine()) {
        Some(true) => return Vec::new(),
        Some(false) => {
            return vec!["matches nothing: addresses other than this machine's own are never allowed".to_owned()];
        }
        None => {}
    }
    if !is_reached(entry, &sample(entry), policy) {
        return vec![nothing(entry)];
    }
    let mut reasons = Vec::new();
    let Some((scheme, after)) = entry.split_once(':') else { return reasons };
    if scheme == "exp" && after.contains('*') {
        reasons.push(
            "exp: belongs to Expo Go, where every project that is opened receives it; for development alone".to_owned(),
        );
    }
    if let ("http" | "https", Some(after)) = (scheme, after.strip_prefix("//")) {
        let authority = after.split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, ""),
        };
        reasons.extend(in_clear(scheme, host));
        reasons.extend(host_reason(host));
        if port.contains(WILD) && !is_loopback(host) {
            reasons.push("a wildcard in the port lets any service of the host receive sign-ins".to_owned());
        }
    }
    reasons
}

const WILD: [char; 3] = ['*', '?', '['];

/// What is wrong with the wildcards of a host.
fn host_reason(host: &str) -> Option<String> {
    if !host.contains(WILD) {
        return None;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let last = labels.iter().rposition(|label| label.contains(WILD))?;
    let fixed = labels.get(last + 1..).unwrap_or_default();
    let domain = fixed.join(".");
    if domain.is_empty() || fixed.len() == 1 {
        return Some("a wildcard stands for the domain itself: anybody can register one that matches".to_owned());
    }
    if is_shared(&domain, fixed) {
        return Some(format!("anybody can get a host below {domain} that matches"));
    }
    let several =
        format!("** in the host stands for any number of labels below {domain}: one that is left behind is enough");
    host.contains("**").then_some(several)
}

/// Whether hosts below `domain` are given to everybody.
fn is_shared(domain: &str, labels: &[&str]) -> bool {
    let country = matches!(labels, [second, top] if top.len() == 2 && COUNTRY_LABELS.contains(second));
    let below_amazon = domain.strip_suffix(".amazonaws.com").is_some();
    country || below_amazon || SHARED_DOMAINS.contains(&domain)
}

/// `http` anywhere but on one's own machine.
fn in_clear(scheme: &str, host: &str) -> Option<String> {
    let reason = "http sends sign-ins over the network in clear";
    (scheme == "http" && !is_loopback(host)).then(|| reason.to_owned())
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback());
    address || host == "localhost" || host.strip_suffix(".localhost").is_some()
}

/// Whether `entry` alone lets `target` in.
fn is_reached(entry: &str, target: &str, policy: &Policy) -> bool {
    let alone = Policy {
        // A site that no target has.
        site_url: String::new(),
        uri_allow_list: vec![entry.to_owned()],
        ..policy.clone()
    };
    allowed(target, &alone).is_some()
}

/// Why an entry that compiles lets nothing in.
fn nothing(entry: &str) -> String {
    let why = match entry.split_once(':') {
        None => "it has no scheme, such as https:",
        Some((scheme, _)) if scheme.contains(WILD) => "a scheme has no wildcards",
        Some((scheme, _)) if ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) => {
            match entry.split_once("://") {
                Some((scheme, _)) if scheme.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                    "the scheme must be in lower case"
                }
                Some((_, after)) if is_address(after) => "addresses other than this machine's own are never allowed",
                _ if entry.contains('#') => "fragments are not compared",
                _ => "no address of a browser can be like it",
            }
        }
        Some(_) if entry.contains('#') => "fragments are not compared",
        Some(_) => "no address of an app can be like it",
    };
    format!("matches nothing: {why}")
}

fn is_address(after: &str) -> bool {
    let authority = after.split(['/', '?']).next().unwrap_or_default();
    let bare = authority.trim_start_matches('[').split(']').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    bare.parse::<IpAddr>().is_ok() || host.parse::<IpAddr>().is_ok()
}

/// A text that the pattern should match: each wildcard stands for one letter that it allows.
fn sample(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => {
                while letters.next_if_eq(&'*').is_some() {}
                text.push(letter_after(&text));
            }
            '?' => text.push(letter_after(&text)),
            '\\' => text.extend(letters.next()),
            '{' | '}' => {}
            '[' => {
                let negated = letters.next_if_eq(&'!').is_some();
                let class: String = letters.by_ref().take_while(|letter| *letter != ']').collect();
                let listed = class.chars().find(|letter| *letter != '\\');
                let other = || ('a'..='z').chain('0'..='9').find(|letter| !class.contains(*letter));
                text.extend(if negated { other() } else { listed });
            }
            letter => text.push(letter),
        }
    }
    text
}

/// A port is a number.
fn letter_after(text: &str) -> char {
    if text.ends_with(':') { '1' } else { 'a' }
}

#[cfg(test)]
mod tests;
