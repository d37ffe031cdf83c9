//! Rows of `auth.sessions` with their authentication methods.

use domain::ids::{SessionId, UserId};
use domain::session::{Aal, Session};
use domain::time::Timestamp;
use uuid::Uuid;

use crate::database::Tx;
use crate::error::{Result, StoreError};
use crate::refresh_tokens::NewRefreshToken;
use crate::rows::SessionRow;
use crate::sql::{each, same};
use crate::values::{Address, At, Label, Wall};

statements! {
    project LOCK = each(
        "select s.id from auth.sessions as s where s.instance_id = $1 and s.id = $2 for update",
        "select s.id from auth.sessions as s where s.instance_id = $1 and s.id = $2",
    );
    project READ = each(
        concat!("select ", session!(postgres), " from auth.sessions as s where s.instance_id = $1 and s.id = $2"),
        concat!("select ", session!(sqlite), " from auth.sessions as s where s.instance_id = $1 and s.id = $2"),
    );
    project INSERT = same(
        "insert into auth.sessions
             (instance_id, id, user_id, created_at, updated_at, aal, user_agent, ip, refresh_token_counter)
         values ($1, $2, $3, $4, $4, $8, $5, $6, $7)"
    );
    project INSERT_METHOD = same(
        "insert into auth.mfa_amr_claims (instance_id, id, session_id, created_at, updated_at, authentication_method)
         values ($1, $2, $3, $4, $4, $5)
         on conflict (instance_id, session_id, authentication_method) do update set updated_at = excluded.updated_at"
    );
    project DELETE = same("delete from auth.sessions as s where s.instance_id = $1 and s.id = $2");
    project DELETE_ALL = same("delete from auth.sessions as s where s.instance_id = $1 and s.user_id = $2 returning id");
    project DELETE_OTHERS = same(
        "delete from auth.sessions as s where s.instance_id = $1 and s.user_id = $2 and s.id <> $3 returning id"
    );
    // In the order in which a lane locks rows.
    project LOCK_ALL = each(
        "select s.id from auth.sessions as s where s.instance_id = $1 and s.user_id = $2 order by s.id for update",
        "select s.id from auth.sessions as s where s.instance_id = $1 and s.user_id = $2",
    );
    project TOUCH_REFRESHED = same(
        "update auth.sessions as s set refreshed_at = $3, updated_at = $4, user_agent = $5, ip = $6
         where s.instance_id = $1 and s.id = $2"
    );
}

/// A session that is opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The `session_id` claim.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The client.
    pub user_agent: Option<String>,
    /// The client's address; kept only where it is one.
    pub ip: Option<String>,
    /// Its level: raised where a passkey gives it (`passkey_assurance_level`).
    pub aal: Aal,
    /// First counter of session-bound refresh tokens.
    pub refresh_token_counter: Option<i64>,
    /// First stored refresh token.
    pub refresh_token: Option<NewRefreshToken>,
    /// How the user proved himself.
    pub amr_method: String,
    /// The row of the authentication method.
    pub amr_id: Uuid,
}

/// Works on sessions.
pub struct Sessions<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl Sessions<'_> {
    /// The session, locked until the transaction ends.
    pub async fn lock(&mut self, session: SessionId) -> Result<Option<Session>> {
        let locked = fetch!(&mut self.tx.work, fetch_optional, (Uuid,), LOCK, self.tx.instance.0, session.0)?;
        if locked.is_none() {
            return Ok(None);
        }
        // Read after the lock is had: what the locking statement itself saw may be older.
        self.read(session).await
    }

    /// Opens a session with its authentication method and first stored token; the user's row is not touched.
    pub async fn insert(&mut self, session: &NewSession, now: Timestamp) -> Result<Session> {
        execute!(
            &mut self.tx.work,
            INSERT,
            self.tx.instance.0,
            session.id.0,
            session.user_id.0,
            At(now),
            &session.user_agent,
            Address::parse(session.ip.as_deref()),
            session.refresh_token_counter,
            Label(session.aal.as_str().to_owned()),
        )?;
        self.put_method(session.id, &session.amr_method, session.amr_id, now).await?;
        if let Some(first) = &session.refresh_token {
            self.tx.refresh_tokens().insert(&first.token, session.user_id, session.id, None, now).await?;
        }
        self.read(session.id).await?.ok_or_else(|| StoreError::fault("a session just made is not there"))
    }

    /// Ends a session. False when it was over.
    pub async fn delete(&mut self, session: SessionId) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, DELETE, self.tx.instance.0, session.0)? == 1)
    }

    /// Ends all sessions of the user.
    pub async fn delete_all(&mut self, user: UserId) -> Result<Vec<SessionId>> {
        self.lock_all(user).await?;
        let ended = fetch!(&mut self.tx.work, fetch_all, (Uuid,), DELETE_ALL, self.tx.instance.0, user.0)?;
        Ok(ended.into_iter().map(|(id,)| SessionId(id)).collect())
    }

    /// Ends all sessions of the user but one.
    pub async fn delete_others(&mut self, user: UserId, keep: SessionId) -> Result<Vec<SessionId>> {
        self.lock_all(user).await?;
        let ended = fetch!(&mut self.tx.work, fetch_all, (Uuid,), DELETE_OTHERS, self.tx.instance.0, user.0, keep.0)?;
        Ok(ended.into_iter().map(|(id,)| SessionId(id)).collect())
    }

    /// Marks a refresh. False when the session is over.
    pub async fn touch_refreshed(
        &mut self,
        session: SessionId,
        user_agent: Option<&str>,
        ip: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        let touched = execute!(
            &mut self.tx.work,
            TOUCH_REFRESHED,
            self.tx.instance.0,
            session.0,
            Wall(now),
            At(now),
            user_agent,
            Address::parse(ip),
        )?;
        Ok(touched == 1)
    }

    /// The session as this transaction sees it.
    pub async fn read(&mut self, session: SessionId) -> Result<Option<Session>> {
        let row = fetch!(&mut self.tx.work, fetch_optional, SessionRow, READ, self.tx.instance.0, session.0)?;
        Ok(row.and_then(SessionRow::session))
    }

    /// Stores how the user proved himself, or that he did so again.
    pub(crate) async fn put_method(
        &mut self,
        session: SessionId,
        method: &str,
        id: Uuid,
        now: Timestamp,
    ) -> Result<()> {
        execute!(&mut self.tx.work, INSERT_METHOD, self.tx.instance.0, id, session.0, At(now), method)?;
        Ok(())
    }

    /// Locks all sessions of the user, in the order in which a lane does.
    pub(crate) async fn lock_all(&mut self, user: UserId) -> Result<()> {
        fetch!(&mut self.tx.work, fetch_all, (Uuid,), LOCK_ALL, self.tx.instance.0, user.0)?;
        Ok(())
    }
}
