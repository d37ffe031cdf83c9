//! Rows of `auth.refresh_tokens`: stored refresh tokens (`contract/core.md` §10.6).

use domain::ids::{SessionId, UserId};
use domain::secret::Secret;
use domain::time::Timestamp;

use sqlx::FromRow;
use uuid::Uuid;

use crate::database::{TenantStore, Tx};
use crate::error::{Result, StoreError};
use crate::rows::not_empty;
use crate::sql::{each, same};
use crate::values::At;

macro_rules! columns {
    () => {
        "t.id, t.token, t.user_id, t.session_id, t.parent, t.revoked, t.created_at, t.updated_at"
    };
}

statements! {
    project INSERT = same(
        "insert into auth.refresh_tokens (instance_id, token, user_id, session_id, parent, revoked, created_at, updated_at)
         values ($1, $2, $3, $4, $5, false, $6, $6)
         returning id, token, user_id, session_id, parent, revoked, created_at, updated_at"
    );
    project FIND = same(concat!(
        "select ", columns!(), " from auth.refresh_tokens as t where t.instance_id = $1 and t.token = $2"
    ));
    // The session first, as the end of a session locks them: the condition is computed before the token's row is locked.
    project LOCK = each(
        concat!(
            "with session as materialized (
                 select s.id from auth.refresh_tokens as r
                 join auth.sessions as s on s.instance_id = r.instance_id and s.id = r.session_id
                 where r.instance_id = $1 and r.token = $2
                 for update of s
             )
             select ", columns!(), " from auth.refresh_tokens as t
             where t.instance_id = $1 and t.token = $2 and (select count(*) from session) is not null
             for update of t"
        ),
        concat!("select ", columns!(), " from auth.refresh_tokens as t where t.instance_id = $1 and t.token = $2"),
    );
    project REVOKE = same(
        "update auth.refresh_tokens as t set revoked = true, updated_at = $3
         where t.instance_id = $1 and t.id = $2 and t.revoked = false"
    );
    project ACTIVE = same(concat!(
        "select ", columns!(), " from auth.refresh_tokens as t
         where t.instance_id = $1 and t.session_id = $2 and t.revoked = false order by t.id desc limit 1"
    ));
    project REVOKE_FAMILY = same(
        "update auth.refresh_tokens as t set revoked = true, updated_at = $3
         where t.instance_id = $1 and t.session_id = $2 and t.revoked = false"
    );
    project DELETE = same("delete from auth.refresh_tokens as t where t.instance_id = $1 and t.id = $2");
}

#[derive(FromRow)]
struct Row {
    id: i64,
    token: Option<String>,
    user_id: Option<String>,
    session_id: Option<Uuid>,
    parent: Option<String>,
    revoked: Option<bool>,
    created_at: Option<At>,
    updated_at: Option<At>,
}

impl TryFrom<Row> for StoredToken {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let user = row.user_id.and_then(|user| user.parse().ok());
        let epoch = Timestamp::from_unix(0);
        Ok(Self {
            id: row.id,
            token: Secret::new(row.token.unwrap_or_default()),
            user_id: UserId(user.ok_or_else(|| StoreError::fault("a refresh token belongs to nobody"))?),
            session_id: row.session_id.map(SessionId),
            parent: not_empty(row.parent),
            revoked: row.revoked.unwrap_or_default(),
            created_at: row.created_at.map_or(epoch, |at| at.0),
            updated_at: row.updated_at.map_or(epoch, |at| at.0),
        })
    }
}

/// The first stored token of a session.
#[derive(Clone, Debug)]
pub struct NewRefreshToken {
    /// What the client keeps.
    pub token: Secret<String>,
}

/// A stored token.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The row; later tokens have larger ids.
    pub id: i64,
    /// What the client keeps.
    pub token: Secret<String>,
    /// Whose it is.
    pub user_id: UserId,
    /// Its session; `None` only in rows older than sessions.
    pub session_id: Option<SessionId>,
    /// The token it was traded for; `None` for a first one.
    pub parent: Option<String>,
    /// Used or ended.
    pub revoked: bool,
    /// When it was given out.
    pub created_at: Timestamp,
    /// When it was revoked, or else given out.
    pub updated_at: Timestamp,
}

/// Works on stored tokens.
pub struct RefreshTokens<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl RefreshTokens<'_> {
    /// Adds a token to a session.
    pub async fn insert(
        &mut self,
        token: &Secret<String>,
        user: UserId,
        session: SessionId,
        parent: Option<&str>,
        now: Timestamp,
    ) -> Result<StoredToken> {
        let row = fetch!(
            &mut self.tx.work,
            fetch_one,
            Row,
            INSERT,
            self.tx.instance.0,
            token.expose(),
            user.0.to_string(),
            session.0,
            parent,
            At(now),
        )?;
        row.try_into()
    }

    /// The token, locked with its session until the transaction ends.
    pub async fn lock(&mut self, token: &str) -> Result<Option<StoredToken>> {
        let row = fetch!(&mut self.tx.work, fetch_optional, Row, LOCK, self.tx.instance.0, token)?;
        row.map(StoredToken::try_from).transpose()
    }

    /// Marks a live token as used. True for exactly one caller.
    pub async fn revoke(&mut self, id: i64, now: Timestamp) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, REVOKE, self.tx.instance.0, id, At(now))? == 1)
    }

    /// The session's newest token that is not revoked.
    pub async fn active(&mut self, session: SessionId) -> Result<Option<StoredToken>> {
        let row = fetch!(&mut self.tx.work, fetch_optional, Row, ACTIVE, self.tx.instance.0, session.0)?;
        row.map(StoredToken::try_from).transpose()
    }

    /// Revokes every token of the session and answers how many there were.
    pub async fn revoke_family(&mut self, session: SessionId, now: Timestamp) -> Result<u64> {
        execute!(&mut self.tx.work, REVOKE_FAMILY, self.tx.instance.0, session.0, At(now))
    }

    /// Removes a token. False when it was gone.
    pub async fn delete(&mut self, id: i64) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, DELETE, self.tx.instance.0, id)? == 1)
    }
}

impl TenantStore {
    /// The token, without a lock.
    pub async fn find_refresh_token(&self, token: &str) -> Result<Option<StoredToken>> {
        let row = fetch_now!(self.backend(), fetch_optional, Row, FIND, self.instance.0, token)?;
        row.map(StoredToken::try_from).transpose()
    }
}
