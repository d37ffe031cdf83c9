//! Rows of `auth.identities`.

use domain::ids::{IdentityId, UserId};
use domain::time::Timestamp;
use domain::user::{Identity, Metadata};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::database::Tx;
use crate::error::Result;
use crate::rows::metadata;
use crate::sql::same;
use crate::values::At;

statements! {
    project INSERT = same(
        "insert into auth.identities
             (instance_id, id, user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)"
    );
    project UPDATE_DATA = same(
        "update auth.identities as i set identity_data = $3, updated_at = $4 where i.instance_id = $1 and i.id = $2"
    );
    project LIST = same(
        "select i.id, i.user_id, i.provider, i.provider_id, i.identity_data, i.last_sign_in_at, i.created_at, i.updated_at
         from auth.identities as i where i.instance_id = $1 and i.user_id = $2 order by i.created_at, i.id"
    );
    project DELETE = same("delete from auth.identities as i where i.instance_id = $1 and i.id = $2");
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    provider: String,
    provider_id: String,
    identity_data: Json<Value>,
    last_sign_in_at: Option<At>,
    created_at: Option<At>,
    updated_at: Option<At>,
}

impl From<Row> for Identity {
    fn from(row: Row) -> Self {
        let epoch = Timestamp::from_unix(0);
        Self {
            id: IdentityId(row.id),
            user_id: UserId(row.user_id),
            provider: row.provider,
            provider_id: row.provider_id,
            data: metadata(Some(row.identity_data)),
            last_sign_in_at: row.last_sign_in_at.map(|at| at.0),
            created_at: row.created_at.map_or(epoch, |at| at.0),
            updated_at: row.updated_at.map_or(epoch, |at| at.0),
        }
    }
}

/// A way of signing in that is added to an account.
#[derive(Clone, Debug)]
pub struct NewIdentity {
    /// The row.
    pub id: IdentityId,
    /// Whose it is.
    pub user_id: UserId,
    /// `email`, `phone`, `google`, ...
    pub provider: String,
    /// The provider's stable subject; the user id as text for `email` and `phone`.
    pub provider_id: String,
    /// Claims.
    pub data: Metadata,
    /// When it was last used.
    pub last_sign_in_at: Option<Timestamp>,
}

/// Works on identities.
pub struct Identities<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl Identities<'_> {
    /// Adds an identity; a subject that belongs to an account already is a conflict.
    pub async fn insert(&mut self, identity: &NewIdentity, now: Timestamp) -> Result<()> {
        execute!(
            &mut self.tx.work,
            INSERT,
            self.tx.instance.0,
            identity.id.0,
            identity.user_id.0,
            &identity.provider,
            &identity.provider_id,
            Json(&identity.data),
            identity.last_sign_in_at.map(At),
            At(now),
        )?;
        Ok(())
    }

    /// Replaces the claims. False when the identity is gone.
    pub async fn update_data(&mut self, id: IdentityId, data: &Metadata, now: Timestamp) -> Result<bool> {
        let touched = execute!(&mut self.tx.work, UPDATE_DATA, self.tx.instance.0, id.0, Json(data), At(now))?;
        Ok(touched == 1)
    }

    /// The user's identities, oldest first.
    pub async fn list(&mut self, user: UserId) -> Result<Vec<Identity>> {
        let rows = fetch!(&mut self.tx.work, fetch_all, Row, LIST, self.tx.instance.0, user.0)?;
        Ok(rows.into_iter().map(Identity::from).collect())
    }

    /// Removes an identity. False when it was gone.
    pub async fn delete(&mut self, id: IdentityId) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, DELETE, self.tx.instance.0, id.0)? == 1)
    }
}
