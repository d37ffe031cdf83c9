//! How much a project is used.

use std::collections::BTreeMap;

use domain::ids::ProjectRef;
use domain::quota::Quota;
use storage::control::Bundle;

use super::{Management, Result};
use crate::limits;

/// More than that of anything nobody counts.
const MOST: u32 = 10_000_000;

/// How much a project is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageView {
    /// Accounts.
    pub users: u64,
    /// Sessions that were not ended, whether they are still used or not.
    pub sessions: u64,
    /// Mails of the last hour, counted by all gateways together.
    pub mails_last_hour: u64,
    /// Requests to this gateway since the project came into its memory; `None` while it is not there.
    pub requests: Option<u64>,
    /// Requests under way at this gateway; `None` while the project is not in its memory.
    pub in_flight: Option<u64>,
    /// Refusals by this gateway since the project came into its memory, by quota.
    pub refused: BTreeMap<Quota, u64>,
}

impl Management {
    /// How much a project is used now.
    pub async fn usage(&self, project: &ProjectRef) -> Result<UsageView> {
        let bundle = self.bundle(project).await?;
        self.usage_of(&bundle).await
    }

    pub(super) async fn usage_of(&self, bundle: &Bundle) -> Result<UsageView> {
        let rows = self.rows(bundle)?;
        let here = self.runtime.as_ref().and_then(|runtime| runtime.usage(bundle.project.id));
        Ok(UsageView {
            users: rows.count_users(MOST).await?.into(),
            sessions: rows.count_sessions(MOST).await?.into(),
            mails_last_hour: limits::mails_last_hour(&self.cluster, bundle.project.id, self.now()).await,
            requests: here.as_ref().map(|here| here.requests),
            in_flight: here.as_ref().map(|here| here.in_flight),
            refused: here.map(|here| here.refused).unwrap_or_default(),
        })
    }
}
