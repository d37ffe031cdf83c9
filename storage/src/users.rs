//! Rows of `auth.users`.

use domain::ids::UserId;
use domain::secret::Secret;
use domain::time::Timestamp;
use domain::user::{Metadata, User};

use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::database::Tx;
use crate::error::Result;
use crate::rows::{UserRow, not_empty};
use crate::sql::{each, same};
use crate::values::At;

macro_rules! locked {
    ($database:ident) => {
        concat!(
            "select ",
            user!($database),
            ", u.encrypted_password, u.confirmation_token, u.recovery_token, u.email_change_token_new,
                 u.email_change_token_current, u.phone_change_token, u.reauthentication_token
             from auth.users as u where u.instance_id = $1 and u.id = $2"
        )
    };
}

macro_rules! find_by {
    ($database:ident, $column:literal) => {
        concat!(
            "select ",
            user!($database),
            " from auth.users as u
             where u.instance_id = $1 and ",
            $column,
            " = $2 and u.is_sso_user = false"
        )
    };
}

statements! {
    project LOCK = each(
        "select u.id from auth.users as u where u.instance_id = $1 and u.id = $2 for update",
        "select u.id from auth.users as u where u.instance_id = $1 and u.id = $2",
    );
    project READ_LOCKED = each(locked!(postgres), locked!(sqlite));
    project FIND_BY_EMAIL = each(find_by!(postgres, "u.email"), find_by!(sqlite, "u.email"));
    project FIND_BY_PHONE = each(find_by!(postgres, "u.phone"), find_by!(sqlite, "u.phone"));
    project FIND_BY_PHONE_CHANGE = each(
        concat!(find_by!(postgres, "u.phone_change"), " and u.phone_change <> ''"),
        concat!(find_by!(sqlite, "u.phone_change"), " and u.phone_change <> ''"),
    );
    project BY_EMAILS = each(
        "select u.id from auth.users as u
         where u.instance_id = $1 and u.email = any(array(select e.email from jsonb_array_elements_text($2) as e(email)))
             and u.is_sso_user = false and u.deleted_at is null",
        "select u.id from auth.users as u
         where u.instance_id = $1 and u.email in (select e.value from json_each($2) as e)
             and u.is_sso_user = false and u.deleted_at is null",
    );
    project INSERT = same(
        "insert into auth.users
             (instance_id, id, aud, role, email, phone, encrypted_password, email_confirmed_at, phone_confirmed_at, invited_at,
              raw_app_meta_data, raw_user_meta_data, is_sso_user, is_anonymous, banned_until, created_at, updated_at,
              confirmation_token, recovery_token, email_change_token_new, email_change_token_current, email_change,
              phone_change_token, phone_change, reauthentication_token, email_change_confirm_status)
         values ($1, $2, $3, $4, $5, $6, coalesce($7, ''), $8, $9, $10, $11, $12, $13, $14, $15, $16, $16,
                 '', '', '', '', '', '', '', '', 0)"
    );
    // A pair of parameters for each column that may be NULL: whether it changes, and to what.
    project UPDATE = same(
        "update auth.users as u set
             updated_at = $3,
             role = coalesce($4, u.role),
             email_change = coalesce($5, u.email_change),
             email_change_confirm_status = coalesce($6, u.email_change_confirm_status),
             phone_change = coalesce($7, u.phone_change),
             raw_app_meta_data = coalesce($8, u.raw_app_meta_data),
             raw_user_meta_data = coalesce($9, u.raw_user_meta_data),
             is_anonymous = coalesce($10, u.is_anonymous),
             confirmation_token = coalesce($11, u.confirmation_token),
             recovery_token = coalesce($12, u.recovery_token),
             email_change_token_new = coalesce($13, u.email_change_token_new),
             email_change_token_current = coalesce($14, u.email_change_token_current),
             phone_change_token = coalesce($15, u.phone_change_token),
             reauthentication_token = coalesce($16, u.reauthentication_token),
             email = case when $17 then $18 else u.email end,
             phone = case when $19 then $20 else u.phone end,
             encrypted_password = case when $21 then $22 else u.encrypted_password end,
             email_confirmed_at = case when $23 then $24 else u.email_confirmed_at end,
             phone_confirmed_at = case when $25 then $26 else u.phone_confirmed_at end,
             invited_at = case when $27 then $28 else u.invited_at end,
             confirmation_sent_at = case when $29 then $30 else u.confirmation_sent_at end,
             recovery_sent_at = case when $31 then $32 else u.recovery_sent_at end,
             email_change_sent_at = case when $33 then $34 else u.email_change_sent_at end,
             phone_change_sent_at = case when $35 then $36 else u.phone_change_sent_at end,
             reauthentication_sent_at = case when $37 then $38 else u.reauthentication_sent_at end,
             last_sign_in_at = case when $39 then $40 else u.last_sign_in_at end,
             banned_until = case when $41 then $42 else u.banned_until end
         where u.instance_id = $1 and u.id = $2"
    );
    project DELETE = same("delete from auth.users as u where u.instance_id = $1 and u.id = $2");
}

#[derive(FromRow)]
struct LockedRow {
    #[sqlx(flatten)]
    user: UserRow,
    encrypted_password: Option<String>,
    confirmation_token: Option<String>,
    recovery_token: Option<String>,
    email_change_token_new: Option<String>,
    email_change_token_current: Option<String>,
    phone_change_token: Option<String>,
    reauthentication_token: Option<String>,
}

impl From<LockedRow> for Locked {
    fn from(row: LockedRow) -> Self {
        Self {
            user: row.user.into(),
            password_hash: not_empty(row.encrypted_password).map(Secret::new),
            tokens: UserTokens {
                confirmation: row.confirmation_token.unwrap_or_default(),
                recovery: row.recovery_token.unwrap_or_default(),
                email_change_new: row.email_change_token_new.unwrap_or_default(),
                email_change_current: row.email_change_token_current.unwrap_or_default(),
                phone_change: row.phone_change_token.unwrap_or_default(),
                reauthentication: row.reauthentication_token.unwrap_or_default(),
            },
        }
    }
}

/// An account that is made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The `sub` claim.
    pub id: UserId,
    /// Audience.
    pub aud: String,
    /// PostgreSQL role.
    pub role: String,
    /// Lower-case address.
    pub email: Option<String>,
    /// E.164 digits without `+`.
    pub phone: Option<String>,
    /// `None` for accounts without password.
    pub password_hash: Option<Secret<String>>,
    /// Set when the address counts as proven.
    pub email_confirmed_at: Option<Timestamp>,
    /// Set when the number counts as proven.
    pub phone_confirmed_at: Option<Timestamp>,
    /// Set when the account is invited.
    pub invited_at: Option<Timestamp>,
    /// Metadata only the project may write.
    pub app_metadata: Metadata,
    /// Metadata the user may write.
    pub user_metadata: Metadata,
    /// The account comes from SSO.
    pub is_sso_user: bool,
    /// The account has no identity.
    pub is_anonymous: bool,
    /// The account is refused until then.
    pub banned_until: Option<Timestamp>,
}

/// Columns to be overwritten; `None` leaves a column as it is, `Some(None)` makes it NULL.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    /// PostgreSQL role.
    pub role: Option<String>,
    /// Address.
    pub email: Option<Option<String>>,
    /// Number.
    pub phone: Option<Option<String>>,
    /// Password.
    pub password_hash: Option<Option<Secret<String>>>,
    /// Address proven.
    pub email_confirmed_at: Option<Option<Timestamp>>,
    /// Number proven.
    pub phone_confirmed_at: Option<Option<Timestamp>>,
    /// Invited.
    pub invited_at: Option<Option<Timestamp>>,
    /// Confirmation sent.
    pub confirmation_sent_at: Option<Option<Timestamp>>,
    /// Recovery sent.
    pub recovery_sent_at: Option<Option<Timestamp>>,
    /// Pending address, empty = none.
    pub email_change: Option<String>,
    /// Address change sent.
    pub email_change_sent_at: Option<Option<Timestamp>>,
    /// How much of an address change is confirmed.
    pub email_change_confirm_status: Option<i16>,
    /// Pending number, empty = none.
    pub phone_change: Option<String>,
    /// Number change sent.
    pub phone_change_sent_at: Option<Option<Timestamp>>,
    /// Nonce sent.
    pub reauthentication_sent_at: Option<Option<Timestamp>>,
    /// Last sign-in.
    pub last_sign_in_at: Option<Option<Timestamp>>,
    /// Metadata only the project may write.
    pub app_metadata: Option<Metadata>,
    /// Metadata the user may write.
    pub user_metadata: Option<Metadata>,
    /// No identity.
    pub is_anonymous: Option<bool>,
    /// Refused until then.
    pub banned_until: Option<Option<Timestamp>>,
    /// Token column, empty = none.
    pub confirmation_token: Option<String>,
    /// Token column, empty = none.
    pub recovery_token: Option<String>,
    /// Token column, empty = none.
    pub email_change_token_new: Option<String>,
    /// Token column, empty = none.
    pub email_change_token_current: Option<String>,
    /// Token column, empty = none.
    pub phone_change_token: Option<String>,
    /// Token column, empty = none.
    pub reauthentication_token: Option<String>,
}

impl UserChanges {
    /// Blanks every token column.
    pub fn clear_tokens(&mut self) {
        self.confirmation_token = Some(String::new());
        self.recovery_token = Some(String::new());
        self.email_change_token_new = Some(String::new());
        self.email_change_token_current = Some(String::new());
        self.phone_change_token = Some(String::new());
        self.reauthentication_token = Some(String::new());
    }

    /// Blanks every token column and the instants they were sent at, as a new password does (`contract/core.md` §16.2).
    pub fn clear_tokens_and_times(&mut self) {
        self.clear_tokens();
        self.confirmation_sent_at = Some(None);
        self.recovery_sent_at = Some(None);
        self.email_change_sent_at = Some(None);
        self.phone_change_sent_at = Some(None);
        self.reauthentication_sent_at = Some(None);
    }

    /// Ends every change of contact that was begun: what somebody else may have asked for must not be taken up again.
    pub fn forget_pending_contacts(&mut self) {
        self.email_change = Some(String::new());
        self.email_change_confirm_status = Some(0);
        self.phone_change = Some(String::new());
    }
}

/// Hashes in the token columns of a user, empty = none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserTokens {
    /// Sign-up, invitation, SMS code.
    pub confirmation: String,
    /// Recovery, magic link.
    pub recovery: String,
    /// Sent to the new address.
    pub email_change_new: String,
    /// Sent to the current address.
    pub email_change_current: String,
    /// Sent to the new number.
    pub phone_change: String,
    /// The nonce of a reauthentication.
    pub reauthentication: String,
}

/// A user that no other transaction can change.
#[derive(Clone, Debug)]
pub struct Locked {
    /// The user.
    pub user: User,
    /// The stored hash; `None` for accounts without password.
    pub password_hash: Option<Secret<String>>,
    /// The token columns.
    pub tokens: UserTokens,
}

/// Works on users.
pub struct Users<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl Users<'_> {
    /// The user, locked until the transaction ends.
    pub async fn lock(&mut self, user: UserId) -> Result<Option<Locked>> {
        let locked = fetch!(&mut self.tx.work, fetch_optional, (Uuid,), LOCK, self.tx.instance.0, user.0)?;
        if locked.is_none() {
            return Ok(None);
        }
        // Read after the lock is had: what the locking statement itself saw of identities and factors may be older.
        let row = fetch!(&mut self.tx.work, fetch_optional, LockedRow, READ_LOCKED, self.tx.instance.0, user.0)?;
        Ok(row.map(Locked::from))
    }

    /// The user as this transaction sees him.
    pub async fn read(&mut self, user: UserId) -> Result<Option<User>> {
        Ok(self.tx.read_user(user, None).await?.map(|found| found.user))
    }

    /// The account with this address, whatever its audience; SSO accounts are not found.
    pub async fn find_by_email(&mut self, email: &str) -> Result<Option<User>> {
        let row = fetch!(&mut self.tx.work, fetch_optional, UserRow, FIND_BY_EMAIL, self.tx.instance.0, email)?;
        Ok(row.map(User::from))
    }

    /// The accounts with one of these addresses, whatever their audience; SSO and deleted accounts are not found. Only ASCII
    /// letters are equal in either case.
    pub async fn by_emails(&mut self, emails: &[String]) -> Result<Vec<UserId>> {
        let emails: Vec<String> = emails.iter().map(|email| email.to_ascii_lowercase()).collect();
        let rows = fetch!(&mut self.tx.work, fetch_all, (Uuid,), BY_EMAILS, self.tx.instance.0, Json(&emails))?;
        let mut users: Vec<UserId> = rows.into_iter().map(|(user,)| UserId(user)).collect();
        // Sorted here: SQLite would go through all users in the order of their ids rather than use the index of the addresses.
        users.sort();
        Ok(users)
    }

    /// The account with this number, whatever its audience.
    pub async fn find_by_phone(&mut self, phone: &str) -> Result<Option<User>> {
        let row = fetch!(&mut self.tx.work, fetch_optional, UserRow, FIND_BY_PHONE, self.tx.instance.0, phone)?;
        Ok(row.map(User::from))
    }

    /// The accounts that are about to change to this number, oldest first; SSO accounts are not found.
    pub async fn find_by_phone_change(&mut self, phone: &str) -> Result<Vec<User>> {
        let rows = fetch!(&mut self.tx.work, fetch_all, UserRow, FIND_BY_PHONE_CHANGE, self.tx.instance.0, phone)?;
        let mut users: Vec<User> = rows.into_iter().map(User::from).collect();
        // Sorted here: SQLite would go through all users in that order rather than use the index of the numbers.
        users.sort_by_key(|user| (user.created_at, user.id));
        Ok(users)
    }

    /// Makes an account; a taken address, number or id is a conflict.
    pub async fn insert(&mut self, user: &NewUser, now: Timestamp) -> Result<()> {
        execute!(
            &mut self.tx.work,
            INSERT,
            self.tx.instance.0,
            user.id.0,
            &user.aud,
            &user.role,
            not_empty(user.email.clone()),
            not_empty(user.phone.clone()),
            user.password_hash.as_ref().map(|hash| hash.expose().as_str()),
            user.email_confirmed_at.map(At),
            user.phone_confirmed_at.map(At),
            user.invited_at.map(At),
            Json(&user.app_metadata),
            Json(&user.user_metadata),
            user.is_sso_user,
            user.is_anonymous,
            user.banned_until.map(At),
            At(now),
        )?;
        Ok(())
    }

    /// Overwrites columns. False when the user is gone; a taken address or number is a conflict.
    pub async fn update(&mut self, user: UserId, changes: UserChanges, now: Timestamp) -> Result<bool> {
        let at = |change: Option<Option<Timestamp>>| (change.is_some(), change.flatten().map(At));
        let text = |change: Option<Option<String>>| (change.is_some(), not_empty(change.flatten()));
        let json = |change: Option<Metadata>| change.map(|map| Json(Value::Object(map)));
        let (email_changes, email) = text(changes.email);
        let (phone_changes, phone) = text(changes.phone);
        let (hash_changes, hash) = text(changes.password_hash.map(|hash| hash.map(Secret::into_inner)));
        let (email_confirmed_changes, email_confirmed_at) = at(changes.email_confirmed_at);
        let (phone_confirmed_changes, phone_confirmed_at) = at(changes.phone_confirmed_at);
        let (invited_changes, invited_at) = at(changes.invited_at);
        let (confirmation_sent_changes, confirmation_sent_at) = at(changes.confirmation_sent_at);
        let (recovery_sent_changes, recovery_sent_at) = at(changes.recovery_sent_at);
        let (email_change_sent_changes, email_change_sent_at) = at(changes.email_change_sent_at);
        let (phone_change_sent_changes, phone_change_sent_at) = at(changes.phone_change_sent_at);
        let (reauthentication_sent_changes, reauthentication_sent_at) = at(changes.reauthentication_sent_at);
        let (last_sign_in_changes, last_sign_in_at) = at(changes.last_sign_in_at);
        let (banned_changes, banned_until) = at(changes.banned_until);
        let touched = execute!(
            &mut self.tx.work,
            UPDATE,
            self.tx.instance.0,
            user.0,
            At(now),
            changes.role,
            changes.email_change,
            changes.email_change_confirm_status,
            changes.phone_change,
            json(changes.app_metadata),
            json(changes.user_metadata),
            changes.is_anonymous,
            changes.confirmation_token,
            changes.recovery_token,
            changes.email_change_token_new,
            changes.email_change_token_current,
            changes.phone_change_token,
            changes.reauthentication_token,
            email_changes,
            email,
            phone_changes,
            phone,
            hash_changes,
            hash,
            email_confirmed_changes,
            email_confirmed_at,
            phone_confirmed_changes,
            phone_confirmed_at,
            invited_changes,
            invited_at,
            confirmation_sent_changes,
            confirmation_sent_at,
            recovery_sent_changes,
            recovery_sent_at,
            email_change_sent_changes,
            email_change_sent_at,
            phone_change_sent_changes,
            phone_change_sent_at,
            reauthentication_sent_changes,
            reauthentication_sent_at,
            last_sign_in_changes,
            last_sign_in_at,
            banned_changes,
            banned_until,
        )?;
        Ok(touched == 1)
    }

    /// Removes the user and all that is his, flows that wait for a code included. False when he was gone.
    pub async fn delete(&mut self, user: UserId) -> Result<bool> {
        self.tx.flow_states().delete_all(user).await?;
        Ok(execute!(&mut self.tx.work, DELETE, self.tx.instance.0, user.0)? == 1)
    }
}
