//! Removing what has expired: the projects that are due, and when each of them is due again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::config::Policy;
use domain::project::{Placement, Project, Status};
use domain::time::Timestamp;
use flows::Tenant;
use futures::stream::{self, StreamExt};
use storage::{Database, DatabaseKey, Earliest, ProjectSweep, StoreError, Sweep, Swept};
use tokio::time::Instant;

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

/// How long a step has the projects it took, in seconds; then another gateway takes them.
const LEASE: i64 = 600;

/// When a project is looked at again that could not be swept, in seconds.
const AGAIN: i64 = 900;

const DAY: i64 = 24 * 3600;

/// How long a session's row outlives its fixed end (`contract/platform.md` §10).
const SESSION_AFTERLIFE: i64 = 3 * DAY;

/// How long anonymous accounts stay (`contract/platform.md` §10).
const ANONYMOUS: i64 = 30 * DAY;

/// How long an operator can look at mail that was given up.
const DEAD_LETTERS: i64 = 30 * DAY;

/// How long a device that nobody signs in with stays a known one.
const KNOWN_DEVICES: i64 = 365 * DAY;

/// Sweeps projects that are due. Whether there may be more of them.
pub(super) async fn step(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    let now = shared.services.clock.now();
    let lease = now.plus_seconds(LEASE);
    let page = shared.control.claim_sweeps(now, lease, PAGE).await?;
    let full = page.len() >= PAGE as usize;
    let mut places: HashMap<DatabaseKey, Vec<Arc<Tenant>>> = HashMap::new();
    let mut read =
        std::pin::pin!(stream::iter(page).map(|project| read(shared, project)).buffer_unordered(SIDE_BY_SIDE));
    while let Some((project, tenant)) = read.next().await {
        match tenant {
            Read::Served(tenant) => places.entry(tenant.store.database().key()).or_default().push(tenant),
            // Whoever deletes or restores it sees to its rows.
            Read::Gone => note(shared, &project, lease, None).await,
            Read::Failed => note(shared, &project, lease, Some(now.plus_seconds(AGAIN))).await,
        }
    }
    let sweeps = places.into_values().map(|tenants| sweep(shared, tenants, lease));
    stream::iter(sweeps).for_each_concurrent(SIDE_BY_SIDE, |sweep| sweep).await;
    Ok(full)
}

/// A project as it is to be swept.
enum Read {
    Served(Arc<Tenant>),
    Gone,
    Failed,
}

async fn read(shared: &Arc<Shared>, project: Project) -> (Project, Read) {
    if project.status == Status::Deleting {
        return (project, Read::Gone);
    }
    let tenant = match shared.peek(&project.project_ref).await {
        Ok(Some(tenant)) if tenant.project.id == project.id => Read::Served(tenant),
        Ok(_) => Read::Gone,
        Err(error) => {
            tracing::debug!(project = %project.project_ref, %error, "project not swept");
            Read::Failed
        }
    };
    (project, tenant)
}

async fn note(shared: &Shared, project: &Project, lease: Timestamp, next: Option<Timestamp>) {
    if let Err(error) = shared.control.swept(project.id, lease, next).await {
        // It comes back with the end of the lease.
        tracing::debug!(project = %project.project_ref, %error, "sweep not noted");
    }
}

async fn sweep(shared: &Arc<Shared>, tenants: Vec<Arc<Tenant>>, lease: Timestamp) {
    let now = shared.services.clock.now();
    let Some(first) = tenants.first() else { return };
    let whole = match expired(shared, first.store.database(), &tenants, now).await {
        Ok(whole) => whole,
        Err(error) => {
            // Nothing else can be done there now.
            tracing::warn!(%error, project = %first.project.project_ref, "expired rows not removed");
            for tenant in &tenants {
                note(shared, &tenant.project, lease, Some(now.plus_seconds(AGAIN))).await;
            }
            return;
        }
    };
    for tenant in &tenants {
        // Two gateways, or two moves of one, must not work on rows that are changing their place.
        let next = match if tenant.project.is_held(now) { Ok(None) } else { over(shared, tenant, now).await.map(Some) }
        {
            Ok(Some(done)) => next(shared, tenant, now, whole && done).await,
            Ok(None) => Ok(Some(now.plus_seconds(AGAIN))),
            Err(error) => Err(error),
        };
        let next = next.unwrap_or_else(|error| {
            tracing::warn!(%error, project = %tenant.project.project_ref, "expired rows not removed");
            Some(now.plus_seconds(AGAIN))
        });
        note(shared, &tenant.project, lease, next).await;
    }
}

/// When the project is due again; `None` = nothing of it will expire. `done`: nothing is left over.
async fn next(
    shared: &Arc<Shared>,
    tenant: &Arc<Tenant>,
    now: Timestamp,
    done: bool,
) -> Result<Option<Timestamp>, StoreError> {
    if !done {
        return Ok(Some(now));
    }
    let earliest = tenant.store.earliest().await?;
    let mut next = due_again(&earliest, &common(now), &by_settings(&tenant.policy, now), now);
    if tenant.project.placement != Placement::Gateway {
        // Nobody else looks into its outbox unless somebody asks for the project.
        shared.services.outbox.wake(tenant);
        let mail = tenant.store.database().outbox_depth().await?.next_due;
        next = [next, mail].into_iter().flatten().min();
    }
    let soonest = now.plus_seconds(crate::limits::seconds(shared.limits.janitor_sweep));
    Ok(next.map(|next| next.max(soonest)))
}

/// When the earliest of what may expire does.
fn due_again(earliest: &Earliest, common: &Sweep, own: &ProjectSweep, now: Timestamp) -> Option<Timestamp> {
    let before = Some(common.before);
    let kinds = [
        (earliest.refresh_tokens, before),
        (earliest.flow_states, before),
        (earliest.relay_states, before),
        (earliest.client_states, before),
        (earliest.mfa_challenges, before),
        (earliest.passkey_challenges, before),
        (earliest.web3_signatures, before),
        (earliest.sessions_end, Some(common.sessions_ended_before)),
        (earliest.one_time_tokens, own.one_time_tokens),
        (earliest.unverified_factors, own.unverified_factors),
        (earliest.anonymous_users, own.anonymous_users),
        (earliest.sessions_begun, own.sessions_begun),
        (earliest.sessions_begun, own.sessions_idle),
        (earliest.audit, own.audit),
        (earliest.dead_letters, own.dead_letters),
        (earliest.revocations, own.revocations),
        (earliest.known_devices, own.known_devices),
    ];
    let due = |(at, limit): (Option<Timestamp>, Option<Timestamp>)| {
        let (at, limit) = (at?, limit?);
        // One second more: what is compared is older than the limit, not as old.
        Some(now.plus_seconds(at.unix().saturating_sub(limit.unix()).saturating_add(1)))
    };
    kinds.into_iter().filter_map(due).min()
}

/// What is over for every project after the same time.
fn common(now: Timestamp) -> Sweep {
    Sweep {
        before: now.plus_seconds(-DAY),
        sessions_ended_before: now.plus_seconds(-SESSION_AFTERLIFE),
        limit: AT_A_TIME,
    }
}

/// Removes what is over for every project after the same time: one statement a kind for all of them. Whether all of it went.
async fn expired(
    shared: &Arc<Shared>,
    database: &Database,
    tenants: &[Arc<Tenant>],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let served = tenants.iter().filter(|tenant| !tenant.project.is_held(now));
    let instances: Vec<_> = served.map(|tenant| tenant.project.instance).collect();
    let until = Instant::now() + PATIENCE;
    loop {
        let gone = database.sweep_expired(&instances, common(now)).await?;
        shared.stats.swept.add(gone);
        if gone < u64::from(AT_A_TIME) || Instant::now() >= until {
            return Ok(gone < u64::from(AT_A_TIME));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes what is over by the project's own settings. Whether all of it went.
async fn over(shared: &Arc<Shared>, tenant: &Tenant, now: Timestamp) -> Result<bool, StoreError> {
    let sweep = by_settings(&tenant.policy, now);
    let until = Instant::now() + PATIENCE;
    loop {
        let gone = tenant.store.sweep(sweep).await?;
        shared.stats.swept.add(gone.total());
        if !may_be_more(gone) || Instant::now() >= until {
            return Ok(!may_be_more(gone));
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
    fn a_project_is_due_again_when_the_earliest_of_its_rows_expires() {
        let now = Timestamp::from_unix(NOW);
        let own = settings(json!({ "audit_log_retention_days": 10 }));
        let due = |earliest: Earliest| due_again(&earliest, &common(now), &own, now);
        let ago = |seconds: i64| Some(now.plus_seconds(-seconds));
        assert_eq!(due(Earliest::default()), None, "nothing of it will expire");
        let both = Earliest { flow_states: ago(3600), audit: ago(8 * DAY), ..Earliest::default() };
        assert_eq!(due(both), Some(now.plus_seconds(23 * 3600 + 1)), "the flow state comes before the audit row");
        let ended = Earliest { sessions_end: ago(-5), ..Earliest::default() };
        assert_eq!(due(ended), Some(now.plus_seconds(3 * DAY + 6)));
        let kept = Earliest { anonymous_users: ago(40 * DAY), ..Earliest::default() };
        let keeps = settings(json!({ "external_anonymous_users_enabled": false }));
        assert_eq!(due_again(&kept, &common(now), &keeps, now), None, "no setting ends them");
    }

    #[test]
    fn a_full_portion_of_any_kind_is_followed_by_another() {
        assert!(may_be_more(Swept { audit: u64::from(AT_A_TIME), ..Swept::default() }));
        assert!(!may_be_more(Swept { audit: 1, sessions: 7, ..Swept::default() }));
    }
}
