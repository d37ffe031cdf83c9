//! The cookie that binds the `state` of a sign-in at a provider to the browser it was given to (`security/advisor.md` §1.4).
//! It holds no identity, and the marks of several sign-ins that were begun, each as
//! good as its state: a callback leaves it alone. Browsers keep a `__Host-` cookie for the very host that set it, and send it over TLS only.

use domain::authorize::StateCookie;
use domain::ids::ProjectRef;
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, InvalidHeaderValue, SET_COOKIE};

/// What the browser shows of it; empty when it has none.
pub(crate) fn read(headers: &HeaderMap, project: &ProjectRef) -> String {
    let name = name(project);
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// Has the browser keep `cookie`.
///
/// # Errors
/// Fails for a value that no header can carry.
pub(crate) fn set(
    headers: &mut HeaderMap,
    project: &ProjectRef,
    cookie: &StateCookie,
) -> Result<(), InvalidHeaderValue> {
    let StateCookie { value, cross_site, max_age } = cookie;
    let (name, same_site) = (name(project), if *cross_site { "None" } else { "Lax" });
    let cookie = format!("{name}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite={same_site}");
    headers.append(SET_COOKIE, HeaderValue::try_from(cookie)?);
    Ok(())
}

/// Projects that share a host have cookies of their own.
fn name(project: &ProjectRef) -> String {
    format!("__Host-tn-state-{project}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> ProjectRef {
        "acme".parse().unwrap()
    }

    fn shown(lines: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        read(&headers, &acme())
    }

    #[test]
    fn only_the_projects_own_cookie_is_read() {
        assert_eq!(shown(&["a=b; __Host-tn-state-acme=x.y_z-1; c=d"]), "x.y_z-1");
        assert_eq!(shown(&["a=b", "__Host-tn-state-acme=second"]), "second");
        for other in [
            "",
            "__Host-tn-state-acme",
            "__Host-tn-state=x",
            "tn-state-acme=x",
            "__Host-tn-state-acme2=x",
            "__host-tn-state-acme=x",
        ] {
            assert_eq!(shown(&[other]), "", "{other}");
        }
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn it_is_kept_for_this_host_alone_and_from_scripts() {
        let mut headers = HeaderMap::new();
        let cookie = StateCookie { value: "v".to_owned(), cross_site: false, max_age: 300 };
        set(&mut headers, &acme(), &cookie).unwrap();
        let kept = "__Host-tn-state-acme=v; Path=/; Max-Age=300; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(headers[SET_COOKIE], kept);
        let mut headers = HeaderMap::new();
        set(&mut headers, &acme(), &StateCookie { cross_site: true, ..cookie }).unwrap();
        assert_eq!(headers[SET_COOKIE], kept.replace("Lax", "None"));
    }

    #[test]
    fn a_value_that_could_split_the_header_is_an_error() {
        let cookie = StateCookie { value: "v\r\nx: y".to_owned(), cross_site: false, max_age: 1 };
        assert!(set(&mut HeaderMap::new(), &acme(), &cookie).is_err());
    }
}
