//! `/v1/projects/{ref}/quotas` and `/usage`, Tenantry's own: what of all that projects share one of them may have, and what it has.

use std::collections::BTreeMap;

use actors::management::{QuotasView, UsageView};
use axum::response::Response;
use domain::quota;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, refused};

/// The quotas of a project. Each has `in_flight`, `requests_per_second`, `hashing`, `database`, `users` and `mails_per_hour`.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectQuotas)]
pub(super) struct Quotas {
    /// Its own; `null` = as much as every project.
    #[schema(value_type = Object)]
    quotas: quota::Quotas,
    /// What every project gets; `null` = no limit.
    #[schema(value_type = Object)]
    defaults: quota::Quotas,
    /// What is used now, where that can be counted.
    used: BTreeMap<&'static str, u64>,
}

/// How much a project is used. What gateways count, this one has counted since the project came into its memory.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectUsage)]
pub(super) struct Usage {
    users: u64,
    sessions: u64,
    mails_last_hour: u64,
    /// `null` = the project is not in this gateway's memory.
    requests: Option<u64>,
    in_flight: Option<u64>,
    /// Requests that a quota refused, by quota.
    refused: BTreeMap<&'static str, u64>,
}

impl From<QuotasView> for Quotas {
    fn from(view: QuotasView) -> Self {
        let QuotasView { quotas, granted, used } = view;
        Self { quotas, defaults: granted, used: named(used) }
    }
}

impl From<UsageView> for Usage {
    fn from(view: UsageView) -> Self {
        let UsageView { users, sessions, mails_last_hour, requests, in_flight, refused } = view;
        Self { users, sessions, mails_last_hour, requests, in_flight, refused: named(refused) }
    }
}

fn named(counts: BTreeMap<quota::Quota, u64>) -> BTreeMap<&'static str, u64> {
    counts.into_iter().map(|(quota, count)| (quota.as_str(), count)).collect()
}

/// `GET .../quotas`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let view = operator.management().quotas(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Quotas::from(view))
}

/// `PATCH .../quotas`.
pub(super) async fn set(operator: Operator) -> Result<Response, Failure> {
    let patch = operator.members()?;
    let view = operator.management().set_quotas(&operator.project()?, &patch).await.map_err(refused)?;
    answer(StatusCode::OK, &Quotas::from(view))
}

/// `GET .../usage`.
pub(super) async fn usage(operator: Operator) -> Result<Response, Failure> {
    let view = operator.management().usage(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Usage::from(view))
}
