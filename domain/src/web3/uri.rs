//! Addresses in messages, as far as they are looked at.

use serde_json::{Value, json};

/// An address with a scheme, or a path from the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    text: String,
    scheme: String,
    /// Host and port as they are written.
    authority: String,
    /// What follows the authority, or the scheme where there is none.
    rest: String,
}

impl Uri {
    /// `None` where the text is neither of the two (RFC 3986 §3).
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.chars().any(char::is_control) {
            return None;
        }
        let (scheme, after) = match text.starts_with('/') {
            true => ("", text),
            false => text.split_once(':').filter(|(scheme, _)| is_scheme(scheme))?,
        };
        let (authority, rest) = match after.strip_prefix("//") {
            Some(after) if !scheme.is_empty() => {
                let (authority, rest) = after.split_at_checked(after.find(['/', '?']).unwrap_or(after.len()))?;
                let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
                (is_user(user) && is_place(place)).then_some((place, rest))?
            }
            _ => ("", after),
        };
        let path = rest.split('?').next().unwrap_or_default();
        has_whole_escapes(path).then(|| Self {
            text: text.to_owned(),
            scheme: scheme.to_ascii_lowercase(),
            authority: authority.to_owned(),
            rest: rest.to_owned(),
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Lower case, empty for a path.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Host and port as they are written.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host alone.
    pub fn host(&self) -> &str {
        match self.authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
            None => self.authority.split(':').next().unwrap_or_default(),
        }
    }

    /// Its parts, as audit rows have them (`contract/mfa-passkeys-oauth.md` §7.4).
    pub fn parts(&self) -> Value {
        let rest = self.rest.split('#').next().unwrap_or_default();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        json!({
            "Scheme": self.scheme, "Opaque": "", "User": null, "Host": self.authority, "Path": path, "RawPath": "",
            "OmitHost": false, "ForceQuery": false, "RawQuery": query, "Fragment": "", "RawFragment": "",
        })
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// What may stand before the host (RFC 3986 §3.2.1).
fn is_user(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte))
}

/// A host, perhaps with a port.
fn is_place(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let Some((host, after)) = bracketed.split_once(']') else { return false };
            let Some(port) = after.strip_prefix(':').or(after.is_empty().then_some("")) else { return false };
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("", port)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    host.bytes().all(sound) && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Every `%` begins two hexadecimal digits.
fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address() {
        for (text, scheme, authority, host) in [
            ("https://app.example.com", "https", "app.example.com", "app.example.com"),
            ("HTTPS://app.example.com:8443/x?y=/#z", "https", "app.example.com:8443", "app.example.com"),
            ("https://app.example.com?x@evil.example", "https", "app.example.com", "app.example.com"),
            ("https://u:p@app.example.com/x", "https", "app.example.com", "app.example.com"),
            ("http://[::1]:3000/x", "http", "[::1]:3000", "::1"),
            ("ipfs://bafy/x y", "ipfs", "bafy", "bafy"),
            ("urn:isbn:1", "urn", "", ""),
            ("/path", "", "", ""),
            ("//app.example.com/x", "", "", ""),
        ] {
            let uri = Uri::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((uri.as_str(), uri.scheme(), uri.authority(), uri.host()), (text, scheme, authority, host));
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "not an address",
            "app.example.com",
            "1https://x",
            ":x",
            "https://a b/",
            "https://app.example.com#x",
            "https://app.example.com\\@evil.example/",
            "https://[::1/",
            "https://[x]/",
            "https://[::1]x/",
            "https://app.example.com:80x/",
            "https://app.example.com/%zz",
            "https://app.example.com/\u{1}",
            "https://app.ex\u{e4}mple.com/",
        ] {
            assert_eq!(Uri::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn parts_are_those_of_the_address() {
        let parts = Uri::parse("https://u:p@app.example.com:8443/a/b?x=1#y").unwrap().parts();
        let told = (&parts["Scheme"], &parts["Host"], &parts["Path"], &parts["RawQuery"], &parts["User"]);
        assert_eq!(
            told,
            (&json!("https"), &json!("app.example.com:8443"), &json!("/a/b"), &json!("x=1"), &Value::Null)
        );
    }
}
