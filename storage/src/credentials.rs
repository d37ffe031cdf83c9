//! Finding the account that a sign-in or a sign-up names.

use domain::contact::Contact;
use domain::ids::UserId;
use domain::secret::Secret;
use domain::user::User;

use sqlx::FromRow;

use crate::database::TenantStore;
use crate::error::Result;
use crate::rows::{UserRow, not_empty};
use crate::sql::{each, same};

/// The accounts that may sign in by themselves.
macro_rules! usable {
    () => {
        "u.instance_id = $1 and u.aud = $2 and u.is_sso_user = false and u.deleted_at is null"
    };
}

macro_rules! find_by {
    ($database:ident, $column:literal) => {
        concat!(
            "select ",
            user!($database),
            ", u.encrypted_password from auth.users as u
             where ",
            usable!(),
            " and ",
            $column,
            " = $3
             order by u.created_at limit 1"
        )
    };
}

/// Identities whose provider keeps its own address space do not count.
macro_rules! find_account_by_email {
    ($database:ident) => {
        concat!(
            "with candidate as (
                 select i.user_id, 0 as rank, i.created_at
                 from auth.identities as i
                 join auth.users as u on ",
            usable!(),
            " and u.id = i.user_id
                 where i.instance_id = $1 and i.email = $3 and i.provider not like 'sso:%'
                 union all
                 select u.id, 1, u.created_at from auth.users as u where ",
            usable!(),
            " and u.email = $3
                 order by 2, 3
                 limit 1
             )
             select ",
            user!($database),
            ", u.encrypted_password
             from candidate as c
             join auth.users as u on u.instance_id = $1 and u.id = c.user_id"
        )
    };
}

statements! {
    project FIND_BY_EMAIL = each(find_by!(postgres, "u.email"), find_by!(sqlite, "u.email"));
    project FIND_BY_PHONE = each(find_by!(postgres, "u.phone"), find_by!(sqlite, "u.phone"));
    project FIND_ACCOUNT_BY_EMAIL = each(find_account_by_email!(postgres), find_account_by_email!(sqlite));
    project FIND_PASSWORD = same("select u.encrypted_password from auth.users as u where u.instance_id = $1 and u.id = $2");
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    user: UserRow,
    encrypted_password: Option<String>,
}

impl From<Row> for Credentials {
    fn from(row: Row) -> Self {
        Self { user: row.user.into(), password_hash: not_empty(row.encrypted_password).map(Secret::new) }
    }
}

/// An account and what its password is checked against.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// The stored hash; `None` for accounts without password.
    pub password_hash: Option<Secret<String>>,
}

impl TenantStore {
    /// The account with this very address or number and audience; SSO and soft-deleted accounts are not found.
    pub async fn find_credentials(&self, contact: &Contact, aud: &str) -> Result<Option<Credentials>> {
        let (sql, value) = match contact {
            Contact::Email(email) => (FIND_BY_EMAIL, email),
            Contact::Phone(phone) => (FIND_BY_PHONE, phone),
        };
        let row = fetch_now!(self.backend(), fetch_optional, Row, sql, self.instance.0, aud, value)?;
        Ok(row.map(Credentials::from))
    }

    /// As `find_credentials`, but an address also names the account that has an identity with it (`contract/core.md` §12.1 step 13).
    pub async fn find_account(&self, contact: &Contact, aud: &str) -> Result<Option<Credentials>> {
        let (sql, value) = match contact {
            Contact::Email(email) => (FIND_ACCOUNT_BY_EMAIL, email),
            Contact::Phone(phone) => (FIND_BY_PHONE, phone),
        };
        let row = fetch_now!(self.backend(), fetch_optional, Row, sql, self.instance.0, aud, value)?;
        Ok(row.map(Credentials::from))
    }

    /// The stored hash of a user's password.
    pub async fn find_password(&self, user: UserId) -> Result<Option<Secret<String>>> {
        let row =
            fetch_now!(self.backend(), fetch_optional, (Option<String>,), FIND_PASSWORD, self.instance.0, user.0)?;
        Ok(row.and_then(|(hash,)| not_empty(hash)).map(Secret::new))
    }
}
