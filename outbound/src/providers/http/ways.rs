//! By which client an address is called.

use domain::provider::{Connection, Kind};
use url::Url;

use super::super::endpoints::Endpoints;
use crate::http::{Call, HttpClient};

/// The clients of a process.
#[derive(Clone)]
pub(super) struct Ways {
    /// For what operators chose.
    pub(super) own: HttpClient,
    /// For what projects chose: the public internet only.
    pub(super) public: HttpClient,
    /// Where the servers are.
    pub(super) endpoints: Endpoints,
}

impl Ways {
    /// The client for addresses that a project chose, or an operator.
    pub(super) fn client(&self, foreign: bool) -> &HttpClient {
        if foreign { &self.public } else { &self.own }
    }

    /// The same for calls with credentials: what holds them goes nowhere else, and what comes back is the provider's own word.
    pub(super) fn direct(&self, foreign: bool) -> HttpClient {
        self.client(foreign).without_redirects()
    }

    /// A `GET` of an address.
    pub(super) fn get(&self, url: &str, foreign: bool) -> Call {
        self.client(foreign).get(&self.endpoints.at(url)).header("accept", "application/json")
    }
}

/// Whether the addresses of a connection were chosen by a project.
pub(super) fn is_foreign(connection: &Connection) -> bool {
    matches!(connection.kind, Kind::Custom(_))
}

/// Whether an address may be called, or a browser sent there: what a project chose must be encrypted.
pub(super) fn is_usable(url: &str, foreign: bool) -> bool {
    Url::parse(url).is_ok_and(|url| match url.scheme() {
        "https" => url.has_host(),
        "http" => url.has_host() && !foreign,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_project_chose_is_encrypted_and_nothing_is_a_script() {
        assert!(is_usable("https://idp.example/token", true) && is_usable("http://idp.internal/token", false));
        for url in ["http://idp.example/token", "javascript:alert(1)", "data:text/html,x", "idp.example", "https:"] {
            assert!(!is_usable(url, true), "{url}");
        }
        assert!(!is_usable("javascript:alert(1)", false));
    }
}
