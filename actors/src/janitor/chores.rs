//! What is due beside expired rows: deleted projects, keys that are to be in use, moves that nobody brings forward,
//! and what moves have left somewhere.

use std::sync::Arc;

use domain::project::Project;
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

/// Puts standby keys in use.
pub(super) async fn promotions(shared: &Shared, chores: &Arc<dyn Chores>) {
    let now = shared.services.clock.now();
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
}

/// Goes on with moves that nobody brings forward.
pub(super) async fn moves(shared: &Shared, chores: &Arc<dyn Chores>) {
    let now = shared.services.clock.now();
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

/// Removes what moves have left somewhere.
pub(super) async fn leftovers(shared: &Shared, chores: &Arc<dyn Chores>) {
    let now = shared.services.clock.now();
    match shared.control.due_leftovers(now, AT_A_TIME).await {
        Ok(due) => {
            let clear = async |left| {
                if let Err(error) = chores.clear_leftover(left).await {
                    tracing::warn!(%left, %error, "what a move has left is still there");
                }
            };
            stream::iter(due).for_each_concurrent(PURGES, clear).await;
        }
        Err(error) => tracing::debug!(%error, "what moves have left not listed"),
    }
}

/// Removes deleted projects whose time is over.
pub(super) async fn purges(shared: &Shared, chores: &Arc<dyn Chores>) {
    let now = shared.services.clock.now();
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
