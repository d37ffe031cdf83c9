//! Ending sessions: one guarded statement.

use domain::ids::{SessionId, UserId};
use domain::time::Timestamp;

use uuid::Uuid;

use crate::audit::{AuditColumns, AuditEntry};
use crate::database::{TenantStore, Tx};
use crate::error::Result;
use crate::sql::{each, same};
use crate::values::At;

statements! {
    // Rows are locked in the order of their ids, as the rotation lane does.
    project END = each(
        "with account as (
             select u.id, coalesce(u.banned_until > $6, false) as banned
             from auth.users as u where u.instance_id = $1 and u.id = $2
         ), bearer as (
             select b.id from auth.sessions as b where b.instance_id = $1 and b.id = $3 and b.user_id = $2
         ), allowed as (
             select a.id from account as a where not a.banned and ($3::uuid is null or exists (select 1 from bearer))
         ), target as (
             select s.id from auth.sessions as s
             where s.instance_id = $1 and s.user_id = (select id from allowed)
                 and ($4 = 'all' or ($4 = 'one' and s.id = $5) or ($4 = 'others' and s.id <> $5))
             order by s.id
             for update
         ), ended as (
             delete from auth.sessions as s using target as t where s.instance_id = $1 and s.id = t.id returning s.id
         ), logged as (
             insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
             select $1, e.id, e.payload::json, e.created_at, e.ip_address
             from unnest($7::uuid[], $8::text[], $9::timestamptz[], $10::text[]) as e(id, payload, created_at, ip_address)
             where exists (select 1 from allowed) and ($4 <> 'one' or exists (select 1 from ended))
         )
         select exists (select 1 from account), coalesce((select banned from account), false),
             $3::uuid is null or exists (select 1 from bearer), array(select id from ended)",
        "",
    );
    project ACCOUNT = same(
        "select coalesce(u.banned_until > $3, false) from auth.users as u where u.instance_id = $1 and u.id = $2"
    );
    project BEARER = same("select s.id from auth.sessions as s where s.instance_id = $1 and s.id = $2 and s.user_id = $3");
    project DELETE_ONE = same(
        "delete from auth.sessions as s where s.instance_id = $1 and s.user_id = $2 and s.id = $3 returning id"
    );
}

/// Which sessions of the user end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// This one.
    One(SessionId),
    /// All but this one.
    Others(SessionId),
}

/// Ends sessions, provided that the user exists, is not banned, and the bearer's session (where he has one) is his and lives.
#[derive(Clone, Debug)]
pub struct EndSessions {
    /// Whose sessions.
    pub user: UserId,
    /// The session of the token that asks.
    pub bearer_session: Option<SessionId>,
    /// Which end.
    pub which: Which,
    /// Written when the guard holds and, where one session was named, that one ended.
    pub audit: Option<AuditEntry>,
    /// The current instant.
    pub now: Timestamp,
}

/// What the statement saw and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedSessions {
    /// The user has a row.
    pub user_exists: bool,
    /// The user was banned: nothing ended.
    pub banned: bool,
    /// The bearer's session lived; true where the bearer has none.
    pub session_exists: bool,
    /// What ended.
    pub ended: Vec<SessionId>,
}

impl TenantStore {
    /// Ends sessions.
    ///
    /// After a broken connection it is tried again, and the answer tells what the second try found.
    pub async fn end_sessions(&self, end: EndSessions) -> Result<EndedSessions> {
        if self.backend().is_postgres() {
            return self.in_one_statement(&end).await;
        }
        let mut tx = self.begin().await?;
        let ended = tx.end_sessions(end).await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn in_one_statement(&self, end: &EndSessions) -> Result<EndedSessions> {
        let (which, session) = match end.which {
            Which::All => ("all", None),
            Which::One(session) => ("one", Some(session.0)),
            Which::Others(session) => ("others", Some(session.0)),
        };
        let audit = AuditColumns::of(&end.audit);
        let (user_exists, banned, session_exists, ended): (bool, bool, bool, Vec<Uuid>) = retried!(self.backend(), postgres(pool) => sqlx::query_as(END.postgres)
                .bind(self.instance.0)
                .bind(end.user.0)
                .bind(end.bearer_session.map(|session| session.0))
                .bind(which)
                .bind(session)
                .bind(At(end.now))
                .bind(&audit.ids)
                .bind(&audit.payloads)
                .bind(&audit.created_at)
                .bind(&audit.ip_addresses)
                .fetch_one(pool)
        )?;
        let ended = ended.into_iter().map(SessionId).collect();
        Ok(EndedSessions { user_exists, banned, session_exists, ended })
    }
}

impl Tx {
    async fn end_sessions(&mut self, end: EndSessions) -> Result<EndedSessions> {
        let instance = self.instance.0;
        let account = fetch!(&mut self.work, fetch_optional, (bool,), ACCOUNT, instance, end.user.0, At(end.now))?;
        let session_exists = match end.bearer_session {
            None => true,
            Some(session) => {
                let bearer = fetch!(&mut self.work, fetch_optional, (Uuid,), BEARER, instance, session.0, end.user.0)?;
                bearer.is_some()
            }
        };
        let banned = account.is_some_and(|(banned,)| banned);
        let mut seen = EndedSessions { user_exists: account.is_some(), banned, session_exists, ended: Vec::new() };
        if !seen.user_exists || banned || !session_exists {
            return Ok(seen);
        }
        seen.ended = match end.which {
            Which::All => self.sessions().delete_all(end.user).await?,
            Which::Others(keep) => self.sessions().delete_others(end.user, keep).await?,
            Which::One(session) => {
                let gone = fetch!(&mut self.work, fetch_all, (Uuid,), DELETE_ONE, instance, end.user.0, session.0)?;
                gone.into_iter().map(|(id,)| SessionId(id)).collect()
            }
        };
        let refused = matches!(end.which, Which::One(_)) && seen.ended.is_empty();
        if let Some(entry) = end.audit
            && !refused
        {
            self.audit().insert(entry).await?;
        }
        Ok(seen)
    }
}
