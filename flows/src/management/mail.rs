//! A project's outbox as its operator sees it: what waits, what was given up.

use domain::ids::ProjectRef;
use domain::time::Timestamp;
use uuid::Uuid;

use super::{Error, Management, Result};
/// The most dead letters of one answer.
const MOST: u32 = 1000;

/// A message that was given up. Its content stays sealed.
#[derive(Clone, Debug)]
pub struct DeadLetterView {
    /// The message; also in its `Message-ID`.
    pub id: Uuid,
    /// How it was to be delivered.
    pub kind: String,
    /// How often that was tried.
    pub attempts: i32,
    /// Why the last attempt failed.
    pub last_error: String,
    /// When it was promised.
    pub created_at: Timestamp,
}

/// A project's outbox.
#[derive(Clone, Debug)]
pub struct OutboxView {
    /// Messages that wait to be delivered, or to be tried again.
    pub pending: u64,
    /// Messages that were given up, whether listed here or not.
    pub dead: u64,
    /// Messages that were given up, newest first.
    pub dead_letters: Vec<DeadLetterView>,
}

impl Management {
    /// What lies in the project's outbox, with at most `limit` of the messages that were given up, after `offset` of them.
    pub async fn outbox(&self, project: &ProjectRef, limit: u32, offset: u32) -> Result<OutboxView> {
        if limit > MOST {
            return Err(Error::Invalid(format!("limit must not be over {MOST}")));
        }
        let store = self.rows(&self.bundle(project).await?)?;
        let depth = store.outbox_depth().await?;
        let dead = store.dead_letters(limit, offset).await?;
        let view = |letter: storage::DeadLetter| DeadLetterView {
            id: letter.id,
            kind: letter.kind,
            attempts: letter.attempts,
            last_error: letter.last_error,
            created_at: letter.created_at,
        };
        Ok(OutboxView { pending: depth.pending, dead: depth.dead, dead_letters: dead.into_iter().map(view).collect() })
    }

    /// Lets a message that was given up be delivered after all: it is due now, with all its attempts before it.
    pub async fn retry_dead_letter(&self, project: &ProjectRef, id: Uuid) -> Result<()> {
        found(self.writable(project).await?.1.retry_dead(id, self.now()).await?)
    }

    /// Removes a message that was given up.
    pub async fn discard_dead_letter(&self, project: &ProjectRef, id: Uuid) -> Result<()> {
        found(self.writable(project).await?.1.discard_dead(id).await?)
    }
}

fn found(found: bool) -> Result<()> {
    if found { Ok(()) } else { Err(Error::NotFound) }
}
