//! Ends of sessions as resource servers read them.

use domain::ids::{SessionId, UserId};
use domain::revocations;
use domain::time::Timestamp;
use serde::Serialize;

/// A page of the feed. Its cursor is text: nobody is to count with it.
#[derive(Serialize)]
pub(crate) struct Page {
    revocations: Vec<Revocation>,
    cursor: String,
    gap: bool,
}

impl Page {
    /// The shape of `page`.
    pub(crate) fn of(page: &revocations::Page) -> Self {
        let revocations = page.revocations.iter().map(Revocation::of).collect();
        Self { revocations, cursor: page.cursor.to_string(), gap: page.gap }
    }
}

/// The end of a session.
#[derive(Serialize)]
pub(crate) struct Revocation {
    session_id: SessionId,
    user_id: UserId,
    revoked_at: Timestamp,
}

impl Revocation {
    /// The shape of `revocation`.
    pub(crate) fn of(revocation: &revocations::Revocation) -> Self {
        let revocations::Revocation { session, user, at } = *revocation;
        Self { session_id: session, user_id: user, revoked_at: at }
    }
}
