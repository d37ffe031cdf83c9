use super::*;
use crate::fixtures::policy;

fn project(entry: &str, exact: bool) -> Policy {
    Policy {
        site_url: "https://app.example.com".to_owned(),
        uri_allow_list: vec![entry.to_owned()],
        redirect_exact_match: exact,
        ..policy()
    }
}

fn reasons(entry: &str, exact: bool) -> Vec<String> {
    let [site, found] = review(&project(entry, exact)).try_into().unwrap();
    assert!(site.safe, "{site:?}");
    assert_eq!((found.entry.as_str(), found.safe), (entry, found.reasons.is_empty()));
    found.reasons
}

fn check(entries: &[(&str, &str)], exact: bool) {
    for (entry, part) in entries {
        let found = reasons(entry, exact);
        assert!(found.iter().any(|reason| reason.contains(part)), "{entry}: {found:?}");
    }
}

#[test]
fn what_leads_to_ones_own_places_is_safe() {
    for entry in [
        "https://app.example.com/cb",
        "https://app.example.com",
        "https://app.example.com/**",
        "https://*.example.com/cb",
        "https://*-preview.example.com/**",
        "https://app[0-9].example.com/cb",
        "https://app.example.com/v?/cb",
        "https://app.example.com/[!a]",
        "https://app.example.com/{x}",
        "https://app.example.com/a\\*b",
        "https://my-team.vercel.app/**",
        "https://*.my-team.vercel.app/**",
        "https://*.example.co.uk/**",
        "http://localhost:3000/**",
        "http://localhost:*/**",
        "http://app.localhost:3000/cb",
        "http://127.0.0.1:3000/cb",
        "http://[::1]:3000/cb",
        "com.example.app://*",
        "com.example.app://login",
        "myapp://**",
        "exp://u.exp.host/--/cb",
    ] {
        assert_eq!(reasons(entry, false), Vec::<String>::new(), "{entry}");
    }
}

#[test]
fn what_strangers_can_match_is_told() {
    check(
        &[
            ("**", "every web address"),
            ("https://**", "anybody can register one"),
            ("https://*/**", "anybody can register one"),
            ("https://*.com/**", "anybody can register one"),
            ("https://example.*/**", "anybody can register one"),
            ("https://*example.com/**", "anybody can register one"),
            ("https://example.com*/**", "anybody can register one"),
            ("https://app-?.com/cb", "anybody can register one"),
            ("https://*.co.uk/**", "anybody can get a host below co.uk"),
            ("https://*.vercel.app/**", "anybody can get a host below vercel.app"),
            ("https://my-app-*.vercel.app/**", "anybody can get a host below vercel.app"),
            ("https://*.s3.amazonaws.com/**", "anybody can get a host below s3.amazonaws.com"),
            ("https://**.example.com/cb", "** in the host"),
            ("https://**-preview.example.com/**", "** in the host"),
            ("https://app.example.com:*/cb", "wildcard in the port"),
            ("http://app.example.com/cb", "in clear"),
            ("http://*.example.com/cb", "in clear"),
            ("exp://**", "Expo Go"),
        ],
        false,
    );
    assert_eq!(reasons("http://**.example.com:*/cb", false).len(), 3);
}

#[test]
fn what_lets_nobody_in_is_told() {
    check(
        &[
            ("*", "no scheme"),
            ("", "no scheme"),
            ("app.example.com/**", "no scheme"),
            ("/cb", "no scheme"),
            ("*://app.example.com/cb", "a scheme has no wildcards"),
            ("http*://app.example.com/cb", "a scheme has no wildcards"),
            ("HTTPS://app.example.com/cb", "in lower case"),
            ("https://10.0.0.1:*/**", "addresses other than this machine's own"),
            ("https://10.0.0.1:3000/**", "addresses other than this machine's own"),
            ("http://[fd00::1]/cb", "addresses other than this machine's own"),
            ("https://app.example.com/cb#top", "fragments"),
            ("com.example.app://cb#top", "fragments"),
            ("https://", "no address of a browser"),
            ("https:app.example.com", "no address of a browser"),
            ("https://app.example.com:port/cb", "no address of a browser"),
            ("https://app.example.com/{a", "no address of a browser"),
            ("javascript:**", "no address of an app"),
            ("https://app.example.com/[", "character class"),
            ("https://app.example.com/\\", "backslash"),
        ],
        false,
    );
}

#[test]
fn an_exact_project_knows_no_patterns() {
    for entry in [
        "https://app.example.com/cb",
        "com.example.app://cb",
        "http://127.0.0.1/native",
        "http://[::1]/native",
        "http://localhost:3000/",
    ] {
        assert_eq!(reasons(entry, true), Vec::<String>::new(), "{entry}");
    }
    check(
        &[
            ("https://app.example.com/**", "exact addresses alone"),
            ("https://app.example.com/[a]", "exact addresses alone"),
            ("http://[::1]/[a]", "exact addresses alone"),
            ("http://[a-f]/cb", "exact addresses alone"),
            ("http*://[::1]/cb", "exact addresses alone"),
            ("app.example.com/cb", "no scheme"),
            ("https://app.example.com/cb#top", "fragments"),
            ("http://app.example.com/cb", "in clear"),
        ],
        true,
    );
}

#[test]
fn the_site_is_judged_too() {
    let site = |url: &str| {
        let policy = Policy { site_url: url.to_owned(), uri_allow_list: Vec::new(), ..policy() };
        review(&policy).remove(0)
    };
    assert!(site("https://app.example.com").safe && site("http://localhost:3000").safe && site("myapp://x").safe);
    for (url, part) in [("http://app.example.com", "in clear"), ("app.example.com", "no address"), ("", "no address")] {
        let found = site(url);
        assert!(!found.safe && found.reasons[0].contains(part), "{found:?}");
    }
}
