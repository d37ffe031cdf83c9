//! The projects under load: given with their keys, or made on a gateway for the run and removed with it.

mod gateway;

use anyhow::Context as _;

use crate::args::TargetArguments;
use crate::client::{Http, Project};
use crate::guard::Guard;

pub(crate) use gateway::Gateway;

/// Where the load goes.
pub(crate) struct Target {
    pub(crate) projects: Vec<Project>,
    /// The Management API, where one was named.
    pub(crate) gateway: Option<Gateway>,
}

impl Target {
    /// Whether the projects are made for the run.
    pub(crate) fn makes_projects(arguments: &TargetArguments) -> bool {
        arguments.url.is_empty()
    }

    /// The given projects, or the gateway on which some are to be made.
    pub(crate) async fn open(arguments: &TargetArguments, http: &Http, guard: &Guard) -> anyhow::Result<Self> {
        if Self::makes_projects(arguments) {
            return Ok(Self { projects: Vec::new(), gateway: Some(Gateway::find(arguments, http, guard).await?) });
        }
        for url in &arguments.url {
            guard.admit(url).await?;
        }
        let gateway = match arguments.gateway {
            Some(_) => Some(Gateway::find(arguments, http, guard).await?),
            None => None,
        };
        let count = arguments.url.len();
        anyhow::ensure!(arguments.key.len() == count, "{count} --url need as many --key (TENANTRY_LOAD_KEY)");
        let anon_keys = if arguments.anon_key.is_empty() { &arguments.key } else { &arguments.anon_key };
        anyhow::ensure!(anon_keys.len() == count, "{count} --url need as many --anon-key, or none");
        let keys = arguments.key.iter().zip(anon_keys);
        let projects = arguments.url.iter().zip(keys);
        let projects = projects.map(|(url, (key, anon))| Project::new(http.clone(), url, key, anon, None)).collect();
        Ok(Self { projects, gateway })
    }

    /// The gateway's Management API.
    pub(crate) fn gateway(&self) -> anyhow::Result<&Gateway> {
        self.gateway.as_ref().context("this needs a gateway's Management API: --gateway and --token")
    }
}
