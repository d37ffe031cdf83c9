//! What is due beside expired rows: deleted projects, keys that are to be in use, moves that nobody brings forward.

use std::sync::Arc;

use domain::project::Project;
use domain::time::Timestamp;
use futures::stream::{self, StreamExt};

use crate::control::Chores;
use crate::runtime::Shared;

/// Deleted projects, keys and moves of one step.
const AT_A_TIME: u32 = 8;

/// How long a purge has its project, in seconds. One that takes longer is gone on with by whoever claims it next.
const LEASE: i64 = 900;

/// Age of the last sign of life of a move that somebody else goes on with, in seconds.
const STALE: i64 = 60;

/// Side by side.
const PURGES: usize = 2;

/// Does what is due.
pub(super) async fn step(shared: &Shared, chores: &Arc<dyn Chores>) {
    let now = shared.services.clock.now();
    purges(shared, chores, now).await;
    match shared.control.due_promotions(now, AT_A_TIME).await {
        Ok(due) => {
            for (project, key) in due {
                if let Err(error) = chores.promote(project, key).await {
                    tracing::warn!(%project, %key, %error, "signing key not put in use");
                }
            }
        }
        Err(error) => tracing::debug!(%error, "keys that are to be in use not listed"),
    }
    match shared.control.stale_moves(now.plus_seconds(-STALE), AT_A_TIME).await {
        Ok(stale) => {
            for project in stale {
                if let Err(error) = chores.resume_move(project).await {
                    tracing::warn!(%project, %error, "move not resumed");
                }
            }
        }
        Err(error) => tracing::debug!(%error, "moves not listed"),
    }
}

async fn purges(shared: &Shared, chores: &Arc<dyn Chores>, now: Timestamp) {
    match shared.control.claim_purges(now, now.plus_seconds(LEASE), AT_A_TIME).await {
        Ok(due) => stream::iter(due).for_each_concurrent(PURGES, |project| purge(chores, project)).await,
        Err(error) => tracing::debug!(%error, "deleted projects not listed"),
    }
}

async fn purge(chores: &Arc<dyn Chores>, project: Project) {
    match chores.purge(&project).await {
        Ok(true) => tracing::info!(project = %project.project_ref, "deleted project removed"),
        Ok(false) => tracing::debug!(project = %project.project_ref, "deleted project not removed yet"),
        Err(error) => tracing::error!(project = %project.project_ref, %error, "deleted project not removed"),
    }
}
