//! Rows of `auth.one_time_tokens` and the token columns of `auth.users` (`contract/core.md` §9).

use domain::ids::UserId;
use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use crate::backend::Inner;
use crate::database::Tx;
use crate::error::{Result, StoreError};
use crate::sql::{each, same};
use crate::values::{Label, Wall};

macro_rules! columns {
    () => {
        "t.id, t.user_id, t.token_type, t.token_hash, t.code_hash, t.relates_to, t.attempts, t.created_at"
    };
}

/// The assignments that write `$value` into the token column of kind `$kind` and leave the others as they are.
macro_rules! token_column {
    ($kind:literal, $value:literal, $($column:literal),+) => {
        concat!(
            "update auth.users as u set updated_at = u.updated_at",
            $(", ", $column, " = case when ", $kind, " = '", $column, "' then ", $value, " else u.", $column, " end"),+
        )
    };
    ($kind:literal, $value:literal) => {
        token_column!(
            $kind,
            $value,
            "confirmation_token",
            "recovery_token",
            "email_change_token_new",
            "email_change_token_current",
            "phone_change_token",
            "reauthentication_token"
        )
    };
}

macro_rules! put {
    () => {
        "insert into auth.one_time_tokens
             (instance_id, id, user_id, token_type, token_hash, code_hash, relates_to, created_at, updated_at, attempts)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0)
         on conflict (instance_id, user_id, token_type) do update
         set id = excluded.id, token_hash = excluded.token_hash, code_hash = excluded.code_hash,
             relates_to = excluded.relates_to, created_at = excluded.created_at, updated_at = excluded.updated_at,
             attempts = 0
         returning user_id, token_hash"
    };
}

/// A column that meanwhile holds another token is left alone.
macro_rules! holds {
    () => {
        " in (u.confirmation_token, u.recovery_token, u.email_change_token_new, u.email_change_token_current,
              u.phone_change_token, u.reauthentication_token)"
    };
}

statements! {
    project PUT = each(
        concat!(
            "with put as (", put!(), ") ", token_column!("$4::text", "put.token_hash"), "
             from put where u.instance_id = $1 and u.id = put.user_id"
        ),
        put!(),
    );
    project SET_COLUMN = same(concat!(token_column!("$2", "$3"), " where u.instance_id = $1 and u.id = $4"));
    project CLEAR_COLUMN = each(
        "",
        concat!(token_column!("$2", "$3"), " where u.instance_id = $1 and u.id = $4 and $5", holds!()),
    );
    project FIND_BY_HASH = each(
        concat!(
            "select ", columns!(), " from auth.one_time_tokens as t
             where t.instance_id = $1 and t.token_hash = $2
                 and t.token_type::text in (select value from json_array_elements_text($3::json))"
        ),
        concat!(
            "select ", columns!(), " from auth.one_time_tokens as t
             where t.instance_id = $1 and t.token_hash = $2 and t.token_type in (select value from json_each($3))"
        ),
    );
    project FIND_BY_CONTACT = each(
        concat!(
            "select ", columns!(), " from auth.one_time_tokens as t
             where t.instance_id = $1 and t.relates_to = $2
                 and t.token_type::text in (select value from json_array_elements_text($3::json))
             order by t.created_at desc, t.id"
        ),
        concat!(
            "select ", columns!(), " from auth.one_time_tokens as t
             where t.instance_id = $1 and t.relates_to = $2 and t.token_type in (select value from json_each($3))
             order by t.created_at desc, t.id"
        ),
    );
    project FIND_BY_USER = same(concat!(
        "select ", columns!(), " from auth.one_time_tokens as t
         where t.instance_id = $1 and t.user_id = $2 and t.token_type = $3"
    ));
    project CONSUME = each(
        concat!(
            "with used as (
                 delete from auth.one_time_tokens as t where t.instance_id = $1 and t.id = $2
                 returning t.user_id, t.token_type, t.token_hash
             ), blanked as (
                 ", token_column!("used.token_type::text", "''"), "
                 from used where u.instance_id = $1 and u.id = used.user_id and used.token_hash", holds!(), "
             )
             select used.user_id, used.token_type, used.token_hash from used"
        ),
        "delete from auth.one_time_tokens as t where t.instance_id = $1 and t.id = $2
         returning user_id, token_type, token_hash",
    );
    project COUNT_ATTEMPT = same(
        "update auth.one_time_tokens as t set attempts = t.attempts + 1 where t.instance_id = $1 and t.id = $2
         returning attempts"
    );
    project CLEAR_KIND = same(
        "delete from auth.one_time_tokens as t where t.instance_id = $1 and t.user_id = $2 and t.token_type = $3"
    );
    project CLEAR = same("delete from auth.one_time_tokens as t where t.instance_id = $1 and t.user_id = $2");
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    token_type: Label,
    token_hash: String,
    code_hash: Option<String>,
    relates_to: String,
    attempts: i32,
    created_at: Wall,
}

impl TryFrom<Row> for OneTimeToken {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            user_id: UserId(row.user_id),
            kind: TokenKind::from_stored(&row.token_type.0)?,
            hash: row.token_hash,
            code_hash: row.code_hash,
            relates_to: row.relates_to,
            attempts: row.attempts,
            created_at: row.created_at.0,
        })
    }
}

impl TokenKind {
    /// The stored word, which is also the name of the user's column.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation_token",
            Self::Reauthentication => "reauthentication_token",
            Self::Recovery => "recovery_token",
            Self::EmailChangeNew => "email_change_token_new",
            Self::EmailChangeCurrent => "email_change_token_current",
            Self::PhoneChange => "phone_change_token",
        }
    }

    fn from_stored(text: &str) -> Result<Self> {
        [
            Self::Confirmation,
            Self::Reauthentication,
            Self::Recovery,
            Self::EmailChangeNew,
            Self::EmailChangeCurrent,
            Self::PhoneChange,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| StoreError::fault("a one-time token is of an unknown kind"))
    }

    fn label(self) -> Label {
        Label(self.as_str().to_owned())
    }
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Sign-up, invitation, SMS code.
    Confirmation,
    /// The nonce of a reauthentication.
    Reauthentication,
    /// Recovery, magic link.
    Recovery,
    /// Sent to the new address.
    EmailChangeNew,
    /// Sent to the current address.
    EmailChangeCurrent,
    /// Sent to the new number.
    PhoneChange,
}

/// A token that is about to be sent.
#[derive(Clone, Debug)]
pub struct NewOneTimeToken {
    /// The row.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is good for.
    pub kind: TokenKind,
    /// Keyed hash of what stands in the link.
    pub hash: String,
    /// Keyed hash of what is typed.
    pub code_hash: String,
    /// The address or number it goes to.
    pub relates_to: String,
}

/// A token that was sent and not used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeToken {
    /// The row.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is good for.
    pub kind: TokenKind,
    /// Keyed hash of what stands in the link.
    pub hash: String,
    /// Keyed hash of what is typed; `None` in rows of older versions, whose `hash` serves both.
    pub code_hash: Option<String>,
    /// The address or number it went to.
    pub relates_to: String,
    /// Wrong guesses so far.
    pub attempts: i32,
    /// When it was sent.
    pub created_at: Timestamp,
}

/// Works on one-time tokens.
pub struct OneTimeTokens<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl OneTimeTokens<'_> {
    /// Stores a token in place of the user's older one of the same kind, in its row and in the user's column.
    pub async fn put(&mut self, token: NewOneTimeToken, now: Timestamp) -> Result<()> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        execute!(
            work,
            PUT,
            instance,
            token.id,
            token.user_id.0,
            token.kind.label(),
            &token.hash,
            &token.code_hash,
            &token.relates_to,
            Wall(now),
        )?;
        if let Inner::Sqlite(_) = work.inner {
            execute!(work, SET_COLUMN, instance, token.kind.as_str(), &token.hash, token.user_id.0)?;
        }
        Ok(())
    }

    /// The token with this hash, if it is of one of these kinds.
    pub async fn find_by_hash(&mut self, hash: &str, kinds: &[TokenKind]) -> Result<Option<OneTimeToken>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let row = fetch!(work, fetch_optional, Row, FIND_BY_HASH, instance, hash, words(kinds))?;
        row.map(OneTimeToken::try_from).transpose()
    }

    /// Every token of these kinds that went to this address or number, newest first: several accounts may want to change to it.
    pub async fn find_by_contact(&mut self, contact: &str, kinds: &[TokenKind]) -> Result<Vec<OneTimeToken>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let rows = fetch!(work, fetch_all, Row, FIND_BY_CONTACT, instance, contact, words(kinds))?;
        rows.into_iter().map(OneTimeToken::try_from).collect()
    }

    /// The user's token of this kind.
    pub async fn find_by_user(&mut self, user: UserId, kind: TokenKind) -> Result<Option<OneTimeToken>> {
        let row =
            fetch!(&mut self.tx.work, fetch_optional, Row, FIND_BY_USER, self.tx.instance.0, user.0, kind.label())?;
        row.map(OneTimeToken::try_from).transpose()
    }

    /// Uses a token up, in its row and in the user's column. True for exactly one caller.
    ///
    /// Who also locks the user locks him first: two transactions that take the two rows in different order wait for each other.
    pub async fn consume(&mut self, id: Uuid) -> Result<bool> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let consumed = fetch!(work, fetch_optional, (Uuid, Label, String), CONSUME, instance, id)?;
        let Some((user, kind, hash)) = consumed else { return Ok(false) };
        if let Inner::Sqlite(_) = work.inner {
            execute!(work, CLEAR_COLUMN, instance, kind.0, "", user, hash)?;
        }
        Ok(true)
    }

    /// Counts a wrong guess and answers how many there were; 0 when the token is gone.
    pub async fn count_attempt(&mut self, id: Uuid) -> Result<i32> {
        let attempts = fetch!(&mut self.tx.work, fetch_optional, (i32,), COUNT_ATTEMPT, self.tx.instance.0, id)?;
        Ok(attempts.map_or(0, |(attempts,)| attempts))
    }

    /// Removes the user's tokens of these kinds, the rows and what the user's columns hold.
    pub async fn clear_kinds(&mut self, user: UserId, kinds: &[TokenKind]) -> Result<()> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        for kind in kinds {
            execute!(work, CLEAR_KIND, instance, user.0, kind.label())?;
            execute!(work, SET_COLUMN, instance, kind.as_str(), "", user.0)?;
        }
        Ok(())
    }

    /// Removes all token rows of the user (`contract/core.md` §9); the user's columns stay.
    pub async fn clear(&mut self, user: UserId) -> Result<()> {
        execute!(&mut self.tx.work, CLEAR, self.tx.instance.0, user.0)?;
        Ok(())
    }
}

/// The stored words of `kinds` as a JSON array.
fn words(kinds: &[TokenKind]) -> String {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    serde_json::json!(words).to_string()
}
