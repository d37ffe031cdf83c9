//! The versions of a configuration.

use serde_json::Value;

use super::config_path;
use crate::cli::connection::{Management, query};
use crate::cli::failure::Failure;
use crate::cli::output::{self, field};

const COLUMNS: [&str; 4] = ["version", "created_at", "changed_by", "note"];

/// Lists versions.
pub(super) async fn history(
    gateway: &Management,
    reference: &str,
    limit: u32,
    before: Option<u64>,
    json: bool,
) -> Result<(), Failure> {
    let versions = read(gateway, reference, limit, before).await?;
    if json {
        return output::json(&versions);
    }
    output::table(&COLUMNS, output::rows(&COLUMNS, output::list(&versions)))
}

async fn read(gateway: &Management, reference: &str, limit: u32, before: Option<u64>) -> Result<Value, Failure> {
    let page = query(&[("limit", Some(limit.to_string())), ("before", before.map(|version| version.to_string()))]);
    gateway.get(&format!("{}/history{page}", config_path(reference))).await
}

/// Shows one version.
pub(super) async fn show(gateway: &Management, reference: &str, version: u64, json: bool) -> Result<(), Failure> {
    let found = gateway.get(&format!("{}/history/{version}", config_path(reference))).await?;
    if json {
        return output::json(&found);
    }
    super::print(found.get("values").unwrap_or(&found))
}

/// What is different between two versions: without `to` the newest, without `from` the one before `to`.
pub(super) async fn diff(
    gateway: &Management,
    reference: &str,
    from: Option<u64>,
    to: Option<u64>,
) -> Result<Value, Failure> {
    let to = match to {
        Some(to) => to,
        None => newest(gateway, reference, None).await?,
    };
    let from = match from {
        Some(from) => from,
        None => newest(gateway, reference, Some(to)).await?,
    };
    let pair = query(&[("from", Some(from.to_string())), ("to", Some(to.to_string()))]);
    gateway.get(&format!("{}/diff{pair}", config_path(reference))).await
}

/// What going back to `version` would change.
pub(super) async fn diff_to(gateway: &Management, reference: &str, version: u64) -> Result<Value, Failure> {
    let newest = newest(gateway, reference, None).await?;
    let pair = query(&[("from", Some(newest.to_string())), ("to", Some(version.to_string()))]);
    gateway.get(&format!("{}/diff{pair}", config_path(reference))).await
}

/// The newest version, or the newest before another.
async fn newest(gateway: &Management, reference: &str, before: Option<u64>) -> Result<u64, Failure> {
    let versions = read(gateway, reference, 1, before).await?;
    let version = output::list(&versions).first().map(|version| field(version, "version"));
    version.and_then(|version| version.parse().ok()).ok_or_else(|| {
        Failure::new("there is nothing to compare", format!("{reference} has no earlier version"))
            .next(format!("`tenantry config history {reference}` lists those there are"))
    })
}
