//! What came in before it was known whose account it is goes (`security/reference-weaknesses.md`, "Whose account").

use domain::account::Unproven;
use domain::ids::SessionId;
use domain::user::User;
use storage::{Tx, UserChanges};

use crate::error::Result;

/// Removes `lost` from the account of `user`, which is locked. The caller writes `changes` and tells of the sessions that ended.
pub(crate) async fn clean_up(
    tx: &mut Tx,
    user: &User,
    lost: &Unproven,
    changes: &mut UserChanges,
) -> Result<Vec<SessionId>> {
    for identity in &lost.identities {
        tx.identities().delete(*identity).await?;
    }
    if lost.phone {
        changes.phone = Some(None);
        changes.phone_confirmed_at = Some(None);
    }
    if lost.credentials {
        tx.users().forget_credentials(user.id).await?;
    }
    if lost.password && changes.password_hash.is_none() {
        changes.password_hash = Some(None);
    }
    if !lost.sessions {
        return Ok(Vec::new());
    }
    changes.forget_pending_contacts();
    Ok(tx.sessions().delete_all(user.id).await?)
}
