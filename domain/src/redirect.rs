//! Where a flow may send the browser back to (`contract/core.md` §4.1 to §4.3). Nothing is refused with an error: what
//! is not allowed becomes the next candidate, and in the end the site URL.

mod candidate;
mod pattern;
mod review;

use std::net::Ipv6Addr;

use crate::config::Policy;
use candidate::Candidate;
pub use pattern::{InvalidPattern, Pattern};
pub use review::{Review, review};

/// The target as it was given, where it is allowed. It is compared as it would be read, and kept as it is written.
pub fn allowed(candidate: &str, policy: &Policy) -> Option<String> {
    let candidate = Candidate::parse(candidate)?;
    let allowed =
        if policy.redirect_exact_match { is_listed(candidate.clone(), policy) } else { is_covered(&candidate, policy) };
    allowed.then_some(candidate.given)
}

/// `target` with every letter that a URL cannot hold percent-encoded, as it is written beside further parameters.
pub fn encoded(target: &str) -> String {
    Candidate::parse(target).map_or_else(|| target.to_owned(), |candidate| candidate.to_string())
}

/// The target a flow returns to: the first candidate that is allowed, else the site URL.
pub fn choose(candidates: &[String], policy: &Policy) -> String {
    let allowed = candidates.iter().find_map(|candidate| allowed(candidate, policy));
    allowed.unwrap_or_else(|| policy.site_url.clone())
}

/// Whether an entry of the allow list holds what a pattern reads as a wildcard. The brackets of an IPv6 host are none.
pub(crate) fn has_wildcard(entry: &str) -> bool {
    let is_wild = |text: &str| text.contains(['*', '[', '{', '\\']);
    match around_ipv6(entry) {
        Some((before, after)) => is_wild(before) || is_wild(after),
        None => is_wild(entry),
    }
}

/// What stands before and after the host, where it is an IPv6 address in brackets.
fn around_ipv6(entry: &str) -> Option<(&str, &str)> {
    let (before, rest) = entry.split_once("://[")?;
    let (address, after) = rest.split_once(']')?;
    address.parse::<Ipv6Addr>().is_ok().then_some((before, after))
}

/// The host of `url` as people read it; the whole text where it has none.
pub fn host(url: &str) -> String {
    let host = Candidate::parse(url).map(|candidate| candidate.host().to_owned());
    host.filter(|host| !host.is_empty()).unwrap_or_else(|| url.to_owned())
}

/// Whether `scheme` is one that no browser may be sent to: `javascript`, `data`, `file` and their like.
pub(crate) fn is_dangerous(scheme: &str) -> bool {
    candidate::is_dangerous(scheme)
}

/// The place of `target` as a content security policy names it: the origin of a web address, the scheme of any other.
/// `None` where `target` cannot be parsed.
pub fn policy_source(target: &str) -> Option<String> {
    Candidate::parse(target).map(|candidate| candidate.policy_source())
}

/// Any path of the site's origin, any loopback address, and what an entry matches. Entries that are no pattern match
/// nothing.
fn is_covered(candidate: &Candidate, policy: &Policy) -> bool {
    if Candidate::parse(&policy.site_url).is_some_and(|site| candidate.is_same_origin(&site)) {
        return true;
    }
    if let Some(own) = candidate.is_own_machine() {
        return own;
    }
    let matches = |entry: &String| Pattern::parse(entry).is_ok_and(|pattern| pattern.matches(candidate));
    policy.uri_allow_list.iter().any(matches)
}

/// The site URL and the entries, to the letter.
fn is_listed(candidate: Candidate, policy: &Policy) -> bool {
    let candidate = candidate.without_flow_id();
    let entries = &policy.uri_allow_list;
    let text = candidate.as_spelled();
    text == policy.site_url
        || entries.contains(&text)
        // Native apps listen on a port the system gives them (RFC 8252 §7.3).
        || candidate.without_loopback_port().is_some_and(|portless| entries.contains(&portless))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::policy;

    const SITE: &str = "https://site.example.com:8443/home?from=site";
    const LIST: &str = "https://exact.example.com/cb,https://exact.example.com,https://one.example.com/*,\
        https://deep.example.com/**,https://*.wild.example.com/cb,https://*-preview.example.com/**,\
        https://q.example.com/cb?next=*,https://class.example.com/[a-c]/cb,https://single.example.com/v?/cb,\
        http://plain.example.com/**,https://port.example.com:9000/**,com.example.app://*,myapp://auth/cb,\
        exp://*.exp.example.com/**,http://192.168.1.5:3000/**,https://user.example.com/**,http://localhost:3000/**,\
        https://esc.example.com/a\\*b,https://Case.example.com/cb,https://**.many.example.com/**";

    fn project(site: &str, list: &str, exact: bool) -> Policy {
        Policy {
            site_url: site.to_owned(),
            uri_allow_list: list.split(',').map(|entry| entry.trim().to_owned()).collect(),
            redirect_exact_match: exact,
            ..policy()
        }
    }

    fn check(policy: &Policy, good: &[&str], bad: &[&str]) {
        for candidate in good {
            assert_eq!(allowed(candidate, policy).as_deref(), Some(*candidate));
        }
        for candidate in bad {
            assert_eq!(allowed(candidate, policy), None, "{candidate:?}");
        }
    }

    fn with_patterns(good: &[&str], bad: &[&str]) {
        check(&project(SITE, LIST, false), good, bad);
    }

    #[test]
    fn a_pattern_without_wildcards_is_the_whole_address() {
        with_patterns(
            &["https://exact.example.com/cb", "https://exact.example.com", "https://Case.example.com/cb"],
            &[
                "https://exact.example.com/cb/",
                "https://exact.example.com/",
                "https://exact.example.com/CB",
                "https://exact.example.com/cb?x=1",
                "http://exact.example.com/cb",
                "https://exact.example.com:443/cb",
                "https://exact.example.com/cbx",
                "https://case.example.com/cb",
            ],
        );
    }

    #[test]
    fn one_star_stays_within_a_segment_and_stops_at_dots() {
        with_patterns(
            &[
                "https://one.example.com/",
                "https://one.example.com/cb",
                "https://one.example.com/cb?next=home",
                "https://one.example.com/cb?next=%2Fhome",
                "https://one.example.com/cb#there",
            ],
            &[
                "https://one.example.com",
                "https://one.example.com/a/b",
                "https://one.example.com/a.html",
                "https://one.example.com/cb?next=/home",
                "https://one.example.com.evil.net/cb",
                "https://xone.example.com/cb",
            ],
        );
    }

    #[test]
    fn two_stars_cross_segments_and_dots() {
        with_patterns(
            &[
                "https://deep.example.com/",
                "https://deep.example.com/a/b/c.html?x=/y#z",
                "https://deep.example.com/a%2Fb",
                "https://deep.example.com/../up",
                "http://plain.example.com/x",
                "https://port.example.com:9000/x/y",
            ],
            &[
                "https://deep.example.com",
                "http://deep.example.com/a",
                "https://deep.example.com:8443/a",
                "https://deep.example.com.evil.net/a",
                "https://deep.example.com@evil.net/a",
                "https://plain.example.com/x",
                "https://port.example.com/x",
                "https://port.example.com:9001/x",
                "https://port.example.com:09000/x",
                "https://u@deep.example.com/x",
            ],
        );
    }

    #[test]
    fn a_star_in_a_host_is_one_label() {
        with_patterns(
            &[
                "https://a.wild.example.com/cb",
                "https://my-app-preview.example.com/x/y",
                "exp://u.exp.example.com/--/x",
            ],
            &[
                "https://a.b.wild.example.com/cb",
                "https://wild.example.com/cb",
                "https://x/y.wild.example.com/cb",
                "https://evil.net?.wild.example.com/cb",
                "https://evil.net#.wild.example.com/cb",
                "https://evil.net\\.wild.example.com/cb",
                "https://a@b.wild.example.com/cb",
                "https://evil:1.wild.example.com/cb",
            ],
        );
    }

    #[test]
    fn two_stars_in_a_host_are_several_labels_and_nothing_else() {
        with_patterns(
            &["https://a.many.example.com/x", "https://a.b-c.many.example.com/x"],
            &[
                "https://evil.net/.many.example.com/x",
                "https://evil.net?.many.example.com/x",
                "https://evil.net:80.many.example.com/x",
                "https://evil.net@a.many.example.com/x",
                "https://amany.example.com/x",
            ],
        );
    }

    /// A browser reads the host as 8.8.8.8; the text as a whole matches `https://*-preview.example.com/**`.
    #[test]
    fn a_wildcard_of_the_host_never_reaches_beyond_the_host() {
        with_patterns(
            &[],
            &[
                "https://0x08080808?-preview.example.com/",
                "https://0x08080808/?-preview.example.com/",
                "https://0x08080808#-preview.example.com/",
                "https://0x08080808-preview.example.com@evil/",
            ],
        );
    }

    #[test]
    fn other_tokens_of_the_language() {
        with_patterns(
            &[
                "https://q.example.com/cb?next=home",
                "https://q.example.com/cbZnext=home",
                "https://class.example.com/b/cb",
                "https://single.example.com/v1/cb",
                "https://esc.example.com/a*b",
                "com.example.app://login-callback",
                "com.example.app://login_callback",
                "myapp://auth/cb",
            ],
            &[
                "https://q.example.com/cb/next=home",
                "https://class.example.com/d/cb",
                "https://class.example.com/ab/cb",
                "https://single.example.com/v/cb",
                "https://single.example.com/v12/cb",
                "https://single.example.com/v./cb",
                "https://esc.example.com/axb",
                "com.example.app://login/callback",
                "com.example.app://a.b",
                "myapp://auth/cb2",
            ],
        );
    }

    #[test]
    fn every_path_of_the_sites_origin_is_allowed() {
        with_patterns(
            &[
                "https://site.example.com:8443",
                "https://site.example.com:8443/",
                "https://site.example.com:8443/any/path?x=1",
                "https://user:pw@site.example.com:8443/x",
            ],
            &[
                "https://site.example.com/home",
                "http://site.example.com:8443/home",
                "https://SITE.example.com:8443/home",
                "https://site.example.com:84430/",
                "https://sub.site.example.com:8443/",
                "https://site.example.com:8443@evil.net/",
                "",
            ],
        );
    }

    #[test]
    fn localhost_needs_a_pattern_with_its_port_unless_the_site_is_there() {
        with_patterns(
            &["http://localhost:3000/", "http://localhost:3000/a/b.html"],
            &[
                "http://localhost:3001/",
                "http://localhost/",
                "https://localhost:3000/",
                "http://localhost:3000",
                "http://app.localhost:3000/",
                "http://localhost.evil.net:3000/",
            ],
        );
        check(
            &project("http://localhost:3000", "", false),
            &["http://localhost:8081/x", "http://localhost"],
            &["https://localhost:3000", "http://app.localhost:3000"],
        );
    }

    #[test]
    fn loopback_addresses_pass_and_other_addresses_never() {
        with_patterns(
            &["http://127.0.0.1:9999/cb", "http://[::1]:9999/cb", "exp://127.0.0.1:8081", "http://127.8.9.1/x"],
            &[
                "http://192.168.1.5:3000/x",
                "http://2130706433/",
                "http://0.0.0.0:3000/x",
                "exp://192.168.1.1:8081",
                "http://[::2]/",
                "http://0x7f000001/",
                "http://127.1/",
                "http://[::1/",
            ],
        );
    }

    #[test]
    fn scripts_data_and_what_cannot_be_parsed_are_refused() {
        let everything = project(SITE, "**,javascript:**,data:**,file:**,https://deep.example.com/**", false);
        check(
            &everything,
            &["https://anything.example.net/x"],
            &[
                "javascript:alert(1)",
                "javascript://127.0.0.1/%0aalert(1)",
                "JavaScript:alert(1)",
                "data:text/html,x",
                "file:///etc/passwd",
                "//deep.example.com/x",
                "/relative",
                "deep.example.com/x",
                "https:deep.example.com/x",
                "https:///deep.example.com/x",
                "http://",
                "https://deep.example.com:port/x",
                " https://deep.example.com/x",
                "https://deep.example.com\\@evil.net/x",
                "https://deep.example.com/\u{1}",
                "https://deep.example.com/\n",
                "https://deep.example.com/%zz",
                "https://deep .example.com/",
                "https://-deep.example.com/",
                "https://deep%2eexample.com/",
            ],
        );
    }

    #[test]
    fn a_target_is_kept_as_it_is_written_and_encoded_on_demand() {
        for (given, written) in [
            ("https://deep.example.com/a b?c d#e\u{e4}", "https://deep.example.com/a%20b?c%20d#e%C3%A4"),
            ("https://deep.example.com/a%20b", "https://deep.example.com/a%20b"),
            ("https://deep.example.com/\\evil.net", "https://deep.example.com/%5Cevil.net"),
        ] {
            with_patterns(&[given], &[]);
            assert_eq!(encoded(given), written);
        }
        with_patterns(&["HTTPS://site.example.com:8443/x"], &["HTTPS://deep.example.com/x"]);
    }

    #[test]
    fn an_apps_own_scheme_is_matched_as_one_text() {
        let apps = "com.example.app://*,myapp://**,exp://**,other:**";
        check(
            &project(SITE, apps, false),
            &[
                "com.example.app://cb?x=1&y=2",
                "myapp://a/b/c?x=1",
                "myapp:///path",
                "myapp://a?b",
                "myapp://a:80/x",
                "exp://u.exp.direct:80/--/cb",
                "exp://exp.host/--/x",
                "other://x",
                "other:x/y",
            ],
            &[
                "com.example.app://a/b",
                "com.example.app://a.b",
                "MyApp://a",
                "exp://10.0.0.1:8081",
                "https://x.example",
            ],
        );
    }

    #[test]
    fn exact_match_knows_no_origin_and_no_wildcard() {
        let list = "https://app.example.com/cb,http://127.0.0.1/native,http://[::1]/v6,com.app://cb,\
            https://app.example.com/*";
        check(
            &project("https://app.example.com", list, true),
            &[
                "https://app.example.com",
                "https://app.example.com/cb",
                "https://app.example.com/cb#x",
                "http://127.0.0.1/native",
                "http://127.0.0.1:4321/native",
                "http://[::1]/v6",
                "http://[::1]:4321/v6",
                "com.app://cb",
                "https://app.example.com/cb?sb_flow_id=f1",
                "https://app.example.com/cb?sb_flow_id=f1#x",
            ],
            &[
                "https://app.example.com/cb?sb_flow_id=f1&x=1",
                "https://app.example.com/",
                "https://app.example.com/other",
                "https://app.example.com/cb?x=1",
                "HTTPS://app.example.com/cb",
                "Https://app.example.com",
                "http://127.0.0.1:4321/other",
                "http://localhost:4321/native",
                "http://[::1]:4321/native",
                "com.app://cb/",
                "Com.app://cb",
            ],
        );
    }

    #[test]
    fn pages_name_hosts_and_sources() {
        for (url, name, source) in [
            ("https://site.example.com:8443/home?x=1", "site.example.com", Some("https://site.example.com:8443")),
            ("https://user:pw@site.example.com/", "site.example.com", Some("https://site.example.com")),
            ("http://127.0.0.1:3000", "127.0.0.1", Some("http://127.0.0.1:3000")),
            // The grammar of sources has no bracketed addresses.
            ("http://[::1]:3000/x", "::1", Some("http:")),
            ("com.example.app://cb;x,'y'", "cb;x,'y'", Some("com.example.app:")),
            ("com.example.app:/cb", "com.example.app:/cb", Some("com.example.app:")),
            ("not a url", "not a url", None),
        ] {
            assert_eq!((host(url).as_str(), policy_source(url).as_deref()), (name, source), "{url}");
        }
    }

    #[test]
    fn the_first_allowed_candidate_wins_else_the_site() {
        let policy = project(SITE, LIST, false);
        let choose = |candidates: &[&str]| {
            let candidates: Vec<String> = candidates.iter().map(|text| (*text).to_owned()).collect();
            super::choose(&candidates, &policy)
        };
        let (query, referer) = ("https://deep.example.com/query", "https://deep.example.com/referer");
        assert_eq!(choose(&[query, referer]), query);
        assert_eq!(choose(&["https://evil.net/", referer]), referer);
        assert_eq!(choose(&["https://evil.net/"]), SITE);
        assert_eq!(choose(&[]), SITE);
    }
}
