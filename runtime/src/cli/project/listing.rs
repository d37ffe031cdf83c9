//! `tenantry project list`: page by page, so that any number of projects can be listed.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::cli::connection::{Body, Management, query};
use crate::cli::failure::Failure;
use crate::cli::output;

/// Which projects are listed.
#[derive(Args)]
pub(in crate::cli) struct Wanted {
    /// Only those whose ref or name begins with this text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those in this state [default: active and paused ones]
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Only those whose ref comes behind this one
    #[arg(long, value_name = "REF")]
    after: Option<String>,
    /// How many [default: all]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// What a project can be.
#[derive(Clone, Copy, ValueEnum)]
enum Status {
    /// Served
    Active,
    /// Kept, not served
    Paused,
    /// Deleted, and not yet removed
    Deleted,
}

impl Status {
    /// The word of the Management API.
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE_HEALTHY",
            Self::Paused => "INACTIVE",
            Self::Deleted => "GOING_DOWN",
        }
    }
}

/// The most that one request gives.
const PAGE: usize = 1000;
const COLUMNS: [&str; 4] = ["ref", "name", "status", "created_at"];

/// Prints the list.
pub(super) async fn run(gateway: &Management, wanted: Wanted, json: bool) -> Result<(), Failure> {
    let projects = read(gateway, wanted).await?;
    if json {
        return output::json(&Value::from(projects));
    }
    output::table(&COLUMNS, output::rows(&COLUMNS, &projects))
}

async fn read(gateway: &Management, wanted: Wanted) -> Result<Vec<Value>, Failure> {
    let limit = wanted.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let mut projects: Vec<Value> = Vec::new();
    let mut after = wanted.after;
    loop {
        let page = query(&[
            ("limit", Some((limit - projects.len()).min(PAGE).to_string())),
            ("after", after.take()),
            ("search", wanted.search.clone()),
            ("statuses", wanted.status.map(|status| status.as_str().to_owned())),
        ]);
        let answer = gateway.send(reqwest::Method::GET, &format!("/v1/projects{page}"), Body::Nothing, &[]).await?;
        let found = answer.json();
        projects.extend(output::list(&found).iter().cloned());
        let more = answer.header("link").is_some_and(|link| link.contains("rel=\"next\""));
        after = output::list(&found).last().map(|project| output::field(project, "ref"));
        if !more || after.is_none() || projects.len() >= limit {
            return Ok(projects);
        }
    }
}
