//! One step of the janitor: the projects of one page.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::config::Policy;
use domain::ids::ProjectRef;
use domain::project::{Project, Status};
use domain::time::Timestamp;
use flows::Tenant;
use futures::stream::{self, StreamExt};
use storage::{Database, ProjectSweep, StoreError, Sweep, Swept};
use tokio::time::Instant;

use crate::placement::Place;
use crate::runtime::Shared;

/// Projects of one step.
const PAGE: u32 = 32;

/// Projects that are read, and databases that are swept, side by side.
const SIDE_BY_SIDE: usize = 4;

/// Rows of a project and kind that go at a time.
const AT_A_TIME: u32 = 200;

/// How long a step works on one project, or on what a page has in common, while there is more to remove.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause between two portions of the same rows: others get in between.
const PAUSE: Duration = Duration::from_millis(20);

const DAY: i64 = 24 * 3600;

/// How long a session's row outlives its fixed end (`contract/platform.md` §10).
const SESSION_AFTERLIFE: i64 = 3 * DAY;

/// How long anonymous accounts stay (`contract/platform.md` §10).
const ANONYMOUS: i64 = 30 * DAY;

/// How long an operator can look at mail that was given up.
const DEAD_LETTERS: i64 = 30 * DAY;

/// How long a device that nobody signs in with stays a known one.
const KNOWN_DEVICES: i64 = 365 * DAY;

/// Sweeps the page of projects after `after`. Gives the last project of the page, `None` when it was the last page.
pub(super) async fn step(shared: &Arc<Shared>, after: Option<&ProjectRef>) -> Result<Option<ProjectRef>, StoreError> {
    let page = match shared.control.page(after, PAGE).await {
        Ok(page) => page,
        Err(error) => {
            tracing::debug!(%error, "projects not listed");
            return Err(error);
        }
    };
    let full = page.len() >= PAGE as usize;
    let last = page.last().filter(|_| full).map(|project| project.project_ref.clone());
    let mine = stream::iter(page).map(|project| mine(shared, project)).buffer_unordered(SIDE_BY_SIDE);
    let mut places: HashMap<Place, Vec<Arc<Tenant>>> = HashMap::new();
    let mut mine = std::pin::pin!(mine);
    while let Some(tenant) = mine.next().await {
        if let Some(tenant) = tenant {
            places.entry(Place::of(&tenant)).or_default().push(tenant);
        }
    }
    let sweeps = places.into_values().map(|tenants| sweep(shared, tenants));
    stream::iter(sweeps).for_each_concurrent(SIDE_BY_SIDE, |sweep| sweep).await;
    Ok(last)
}

/// The project as it is served, if it is to be swept, and by this gateway.
async fn mine(shared: &Arc<Shared>, project: Project) -> Option<Arc<Tenant>> {
    if project.status == Status::Deleting || !is_ours(shared, &project).await {
        return None;
    }
    match shared.peek(&project.project_ref).await {
        Ok(tenant) => tenant,
        Err(error) => {
            tracing::debug!(project = %project.project_ref, %error, "project not swept");
            None
        }
    }
}

/// Whether no other gateway has swept the project in this round.
async fn is_ours(shared: &Arc<Shared>, project: &Project) -> bool {
    let per_second = 1.0 / shared.limits.janitor_sweep.mul_f64(0.8).as_secs_f64();
    let counters = &shared.services.cluster.counters;
    let take = counters.take(project.id, "cleanup", 1, per_second, shared.services.clock.now()).await;
    // Twice is better than never.
    take.map_or(true, cluster::Take::granted)
}

async fn sweep(shared: &Arc<Shared>, tenants: Vec<Arc<Tenant>>) {
    let now = shared.services.clock.now();
    if let Some(first) = tenants.first() {
        let outcome = expired(shared, first.store.database(), &tenants, now).await;
        if let Err(error) = outcome {
            // Nothing else can be done there now.
            tracing::warn!(%error, project = %first.project.project_ref, "expired rows not removed");
            return;
        }
    }
    for tenant in &tenants {
        if let Err(error) = over(shared, tenant, now).await {
            tracing::warn!(%error, project = %tenant.project.project_ref, "expired rows not removed");
        }
    }
}

/// What is over for every project after the same time: one statement a kind for all of them.
async fn expired(
    shared: &Arc<Shared>,
    database: &Database,
    tenants: &[Arc<Tenant>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let instances: Vec<_> = tenants.iter().map(|tenant| tenant.project.instance).collect();
    let sweep = Sweep {
        before: now.plus_seconds(-DAY),
        sessions_ended_before: now.plus_seconds(-SESSION_AFTERLIFE),
        limit: AT_A_TIME,
    };
    let until = Instant::now() + PATIENCE;
    loop {
        let gone = database.sweep_expired(&instances, sweep).await?;
        shared.stats.swept.add(gone);
        if gone < u64::from(AT_A_TIME) || Instant::now() >= until {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What is over by the project's own settings.
async fn over(shared: &Arc<Shared>, tenant: &Tenant, now: Timestamp) -> Result<(), StoreError> {
    let sweep = by_settings(&tenant.policy, now);
    let until = Instant::now() + PATIENCE;
    loop {
        let gone = tenant.store.sweep(sweep).await?;
        shared.stats.swept.add(gone.total());
        if !may_be_more(gone) || Instant::now() >= until {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn may_be_more(gone: Swept) -> bool {
    let accounts =
        [gone.one_time_tokens, gone.unverified_factors, gone.anonymous_users, gone.sessions, gone.known_devices];
    let notes = [gone.audit, gone.dead_letters, gone.revocations];
    accounts.into_iter().chain(notes).any(|gone| gone >= u64::from(AT_A_TIME))
}

/// What is over in a project with this policy (`contract/platform.md` §10; `contract/core.md` §19).
fn by_settings(policy: &Policy, now: Timestamp) -> ProjectSweep {
    let ago = |seconds: i64| now.plus_seconds(-seconds);
    let longest_code = policy.mailer_otp_exp.max(policy.mailer_invite_exp).max(policy.sms.otp_exp);
    let limits = policy.session_limits;
    let a_day_after = |seconds: i64| ago(seconds.saturating_add(DAY));
    let days = policy.audit_log_retention_days;
    ProjectSweep {
        one_time_tokens: Some(ago(longest_code.saturating_add(DAY))),
        unverified_factors: Some(ago(DAY)),
        anonymous_users: policy.external_anonymous_users_enabled.then(|| ago(ANONYMOUS)),
        sessions_begun: limits.timebox.map(|life| a_day_after(life.num_seconds())),
        sessions_idle: limits.inactivity.map(|life| a_day_after(life.num_seconds())),
        audit: (days > 0).then(|| ago(days.saturating_mul(DAY))),
        dead_letters: Some(ago(DEAD_LETTERS)),
        // Who remembers a token needs to hear of the end of its session for as long as the token is good.
        revocations: Some(ago(policy.jwt_exp.max(DAY))),
        known_devices: Some(ago(KNOWN_DEVICES)),
        limit: AT_A_TIME,
    }
}

#[cfg(test)]
mod tests {
    use domain::config::{Defaults, Explicit};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_780_000_000;

    fn settings(explicit: serde_json::Value) -> ProjectSweep {
        let defaults = Defaults { jwt_exp: 3600, site_url: "http://localhost".to_owned(), mailer_autoconfirm: false };
        let explicit = Explicit::from_map(explicit.as_object().cloned().unwrap());
        by_settings(&Policy::from_explicit(&explicit, &defaults), Timestamp::from_unix(NOW))
    }

    #[test]
    fn what_no_setting_ends_stays() {
        let sweep = settings(json!({ "external_anonymous_users_enabled": false, "audit_log_retention_days": 0 }));
        assert_eq!(
            (sweep.anonymous_users, sweep.sessions_begun, sweep.sessions_idle, sweep.audit),
            (None, None, None, None)
        );
    }

    #[test]
    fn settings_end_what_they_name() {
        let sweep = settings(json!({
            "external_anonymous_users_enabled": true,
            "audit_log_retention_days": 90,
            "sessions_timebox": 2,
            "sessions_inactivity_timeout": 1,
            "mailer_otp_exp": 7200,
            "jwt_exp": 604_800,
        }));
        let ago = |seconds| Some(Timestamp::from_unix(NOW - seconds));
        assert_eq!(sweep.anonymous_users, ago(30 * DAY));
        assert_eq!(sweep.audit, ago(90 * DAY));
        assert_eq!(sweep.sessions_begun, ago(2 * 3600 + DAY));
        assert_eq!(sweep.sessions_idle, ago(3600 + DAY));
        assert_eq!(sweep.one_time_tokens, ago(7200 + DAY), "codes a day after their life");
        assert_eq!(sweep.known_devices, ago(365 * DAY));
        assert_eq!(sweep.revocations, ago(604_800), "as long as the longest token");
        assert_eq!(settings(json!({})).revocations, ago(DAY), "and a day at least");
    }

    #[test]
    fn a_full_portion_of_any_kind_is_followed_by_another() {
        assert!(may_be_more(Swept { audit: u64::from(AT_A_TIME), ..Swept::default() }));
        assert!(!may_be_more(Swept { audit: 1, sessions: 7, ..Swept::default() }));
    }
}
