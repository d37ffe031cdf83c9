//! A gateway's Management API, as far as a run needs it.

use std::fs;

use anyhow::Context as _;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::TargetArguments;
use crate::client::{Failure, Http, Project, send, send_json};
use crate::guard::Guard;

/// The gateway under test. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    http: Http,
    guard: Guard,
    url: String,
    token: String,
}

impl Gateway {
    /// The gateway that the arguments, or the files of its data directory, name.
    pub(crate) async fn find(arguments: &TargetArguments, http: &Http, guard: &Guard) -> anyhow::Result<Self> {
        let file = |name: &str| {
            let path = arguments.data_dir.join(name);
            let text = fs::read_to_string(&path).with_context(|| {
                format!(
                    "no gateway was found ({}): start one with `tenantry serve`, or give --gateway and --token, \
                     or a project with --url and --key",
                    path.display()
                )
            });
            text.map(|text| text.trim().to_owned())
        };
        let url = arguments.gateway.clone().map_or_else(|| file("admin-url"), Ok)?;
        let token = arguments.token.clone().map_or_else(|| file("operator-token"), Ok)?;
        guard.admit(&url).await?;
        Ok(Self { guard: guard.clone(), ..Self::new(http, &url, &token) })
    }

    /// The gateway at `url`.
    pub(crate) fn new(http: &Http, url: &str, token: &str) -> Self {
        let guard = Guard::default();
        Self { http: http.clone(), guard, url: url.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A request of the operator.
    pub(crate) fn managed(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Makes a project with this configuration.
    pub(crate) async fn create(&self, name: &str, configuration: &Value) -> Result<Project, Failure> {
        #[derive(Deserialize)]
        struct Created {
            #[serde(rename = "ref")]
            reference: String,
            url: String,
            anon_key: String,
            service_role_key: String,
        }
        let body = json!({"name": name, "config": configuration});
        let made: Created = send_json(self.managed(Method::POST, "/v1/projects").json(&body)).await?;
        if self.guard.admit(&made.url).await.is_err() {
            // Known to nobody else: it goes at once.
            self.remove(&made.reference).await?;
            return Err(Failure(format!("the gateway's projects are at {}, which needs --i-own-this-host", made.url)));
        }
        let (key, anon) = (&made.service_role_key, &made.anon_key);
        Ok(Project::new(self.http.clone(), &made.url, key, anon, Some(&made.reference)))
    }

    /// Removes a project for good.
    pub(crate) async fn remove(&self, reference: &str) -> Result<(), Failure> {
        send(self.managed(Method::DELETE, &format!("/v1/projects/{reference}?grace=0"))).await.map(|_| ())
    }
}
