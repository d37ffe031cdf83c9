//! A project under test.

use std::sync::Arc;

use reqwest::{Method, RequestBuilder};

use super::Http;

/// The auth API of a project. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Project {
    http: Http,
    facts: Arc<Facts>,
}

struct Facts {
    reference: Option<String>,
    auth: String,
    service_key: String,
    anon_key: String,
}

impl Project {
    /// The project at `url`; `reference` is known where we made it on a gateway.
    pub(crate) fn new(http: Http, url: &str, service_key: &str, anon_key: &str, reference: Option<&str>) -> Self {
        let facts = Facts {
            reference: reference.map(str::to_owned),
            auth: auth_url(url),
            service_key: service_key.to_owned(),
            anon_key: anon_key.to_owned(),
        };
        Self { http, facts: Arc::new(facts) }
    }

    /// Its ref, where it was made for this run.
    pub(crate) fn reference(&self) -> Option<&str> {
        self.facts.reference.as_deref()
    }

    /// Its URL up to and with `/auth/v1`.
    pub(crate) fn auth_url(&self) -> &str {
        &self.facts.auth
    }

    /// The same project for a client that has this key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self::new(self.http.clone(), &self.facts.auth, key, key, None)
    }

    /// A request of the project's operator.
    pub(crate) fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        let key = &self.facts.service_key;
        self.http.request(method, format!("{}/admin/{path}", self.facts.auth)).header("apikey", key).bearer_auth(key)
    }

    /// A request of a user.
    pub(crate) fn public(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/{path}", self.facts.auth)).header("apikey", &self.facts.anon_key)
    }
}

fn auth_url(url: &str) -> String {
    let url = url.trim_end_matches('/');
    format!("{}/auth/v1", url.strip_suffix("/auth/v1").unwrap_or(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_url_may_end_as_people_paste_it() {
        for url in ["http://h/p/r", "http://h/p/r/", "http://h/p/r/auth/v1", "http://h/p/r/auth/v1/"] {
            assert_eq!(auth_url(url), "http://h/p/r/auth/v1");
        }
    }
}
