//! The end of an account whose row stays, and of what a user signs in with besides a password.

use domain::ids::{IdentityId, UserId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::sql::same;
use crate::users::Users;
use crate::values::At;

statements! {
    project SOFT_DELETE = same(
        "update auth.users as u set
             email = $3, phone = $4, email_change = $5, phone_change = $6, encrypted_password = null, confirmation_token = '',
             recovery_token = '', email_change_token_current = '', email_change_token_new = '', phone_change_token = '',
             raw_user_meta_data = '{}', raw_app_meta_data = '{}', deleted_at = $7, updated_at = $7
         where u.instance_id = $1 and u.id = $2 and u.deleted_at is null"
    );
    project OBFUSCATE_IDENTITY = same(
        "update auth.identities as i set provider_id = $4, identity_data = '{}', updated_at = $5
         where i.instance_id = $1 and i.user_id = $2 and i.id = $3"
    );
    project DELETE_FACTORS = same("delete from auth.mfa_factors as f where f.instance_id = $1 and f.user_id = $2");
    project DELETE_PASSKEYS = same("delete from auth.webauthn_credentials as c where c.instance_id = $1 and c.user_id = $2");
    project DELETE_CEREMONIES = same("delete from auth.webauthn_challenges as c where c.instance_id = $1 and c.user_id = $2");
    project DELETE_RECOVERY_CODES = same("delete from auth.mfa_recovery_codes as r where r.instance_id = $1 and r.user_id = $2");
    project DELETE_DEVICES = same("delete from auth.known_devices as k where k.instance_id = $1 and k.user_id = $2");
}

/// What takes the place of the personal data of a soft-deleted account (`contract/core.md` §17.6).
#[derive(Clone, Debug)]
pub struct SoftDelete {
    /// In place of the address.
    pub email: String,
    /// In place of the number.
    pub phone: String,
    /// In place of the pending address.
    pub email_change: String,
    /// In place of the pending number.
    pub phone_change: String,
    /// In place of each identity's subject.
    pub identities: Vec<(IdentityId, String)>,
    /// The current instant.
    pub now: Timestamp,
}

impl Users<'_> {
    /// Makes the account unusable and its data unreadable; sessions, one-time tokens, flows that wait for a code, factors, recovery
    /// codes and passkeys go. False when the user is gone or soft-deleted already.
    pub async fn soft_delete(&mut self, user: UserId, replacement: SoftDelete) -> Result<bool> {
        let now = At(replacement.now);
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let touched = execute!(
            work,
            SOFT_DELETE,
            instance,
            user.0,
            &replacement.email,
            &replacement.phone,
            &replacement.email_change,
            &replacement.phone_change,
            now,
        )?;
        if touched == 0 {
            return Ok(false);
        }
        for (identity, provider_id) in &replacement.identities {
            execute!(work, OBFUSCATE_IDENTITY, instance, user.0, identity.0, provider_id, now)?;
        }
        self.forget_credentials(user).await?;
        self.tx.one_time_tokens().clear(user).await?;
        self.tx.flow_states().delete_all(user).await?;
        self.tx.sessions().delete_all(user).await?;
        Ok(true)
    }

    /// Removes what the user signs in with besides a password and identities, and what he was seen with: factors, passkeys with
    /// ceremonies that have begun, recovery codes, known devices.
    pub async fn forget_credentials(&mut self, user: UserId) -> Result<()> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        execute!(work, DELETE_FACTORS, instance, user.0)?;
        execute!(work, DELETE_PASSKEYS, instance, user.0)?;
        execute!(work, DELETE_CEREMONIES, instance, user.0)?;
        execute!(work, DELETE_RECOVERY_CODES, instance, user.0)?;
        execute!(work, DELETE_DEVICES, instance, user.0)?;
        Ok(())
    }
}
