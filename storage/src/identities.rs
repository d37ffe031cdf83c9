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
use crate::sql::{each, same};
use crate::values::At;

macro_rules! columns {
    () => {
        "i.id, i.user_id, i.provider, i.provider_id, i.identity_data, i.last_sign_in_at, i.created_at, i.updated_at"
    };
}

/// `$2` the subject, `$3` the provider, `$4` the provider in lower case. An issuer's URL is another issuer's when a letter differs.
macro_rules! find {
    ($lower:literal) => {
        concat!(
            "select ",
            columns!(),
            " from auth.identities as i
             where i.instance_id = $1 and i.provider_id = $2
                 and (i.provider = $3 or (i.provider not like '%://%' and ",
            $lower,
            " = $4))
             order by (i.provider = $3) desc, i.created_at, i.id limit 1"
        )
    };
}

statements! {
    project INSERT = same(
        "insert into auth.identities
             (instance_id, id, user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)"
    );
    project UPDATE_DATA = same(
        "update auth.identities as i set identity_data = $3, updated_at = $4 where i.instance_id = $1 and i.id = $2"
    );
    project USED = same(
        "update auth.identities as i set identity_data = $3, last_sign_in_at = $4, updated_at = $4
         where i.instance_id = $1 and i.id = $2"
    );
    project LIST = same(concat!(
        "select ", columns!(), " from auth.identities as i
         where i.instance_id = $1 and i.user_id = $2 order by i.created_at, i.id"
    ));
    project FIND = each(find!("lower(i.provider collate \"C\")"), find!("lower(i.provider)"));
    project BY_EMAILS = each(
        concat!(
            "select ", columns!(), " from auth.identities as i
             where i.instance_id = $1 and i.email = any(array(select lower(e.email) from jsonb_array_elements_text($2) as e(email)))
             order by i.created_at, i.id"
        ),
        concat!(
            "select ", columns!(), " from auth.identities as i
             where i.instance_id = $1 and i.email in (select lower(e.value) from json_each($2) as e)
             order by i.created_at, i.id"
        ),
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

    /// Replaces the claims after a sign-in. False when the identity is gone.
    pub async fn used(&mut self, id: IdentityId, data: &Metadata, now: Timestamp) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, USED, self.tx.instance.0, id.0, Json(data), At(now))? == 1)
    }

    /// The identity of a provider's subject, not locked. Names of providers are compared without regard to ASCII case, the exact
    /// one first; URLs, which stand for issuers, exactly.
    pub async fn find(&mut self, provider: &str, provider_id: &str) -> Result<Option<Identity>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let lower = provider.to_ascii_lowercase();
        let row = fetch!(work, fetch_optional, Row, FIND, instance, provider_id, provider, &lower)?;
        Ok(row.map(Identity::from))
    }

    /// The identities with one of these addresses, whoever's, oldest first. Only ASCII letters are equal in either case.
    pub async fn by_emails(&mut self, emails: &[String]) -> Result<Vec<Identity>> {
        let emails: Vec<String> = emails.iter().map(|email| email.to_ascii_lowercase()).collect();
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let rows = fetch!(work, fetch_all, Row, BY_EMAILS, instance, Json(&emails))?;
        // PostgreSQL's column knows more pairs of letters.
        let asked_for = |found: &Identity| found.email().is_some_and(|email| emails.contains(&email));
        Ok(rows.into_iter().map(Identity::from).filter(asked_for).collect())
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
