//! Opening a session for a user who has proven himself: one guarded statement.

use domain::secret::Secret;
use domain::time::Timestamp;
use uuid::Uuid;

use crate::audit::{AuditColumns, AuditEntry};
use crate::database::{TenantStore, Tx};
use crate::error::{Result, StoreError};
use crate::read_user::ReadUser;
use crate::rows::ReadUserRow;
use crate::sessions::NewSession;
use crate::sql::{each, same};
use crate::values::{Address, At, Label};

/// Opens a session, provided that the user exists, is not soft-deleted, not banned, and still has the password that was checked.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// The session.
    pub session: NewSession,
    /// The hash that the password was checked against, where there was one: a password changed meanwhile opens nothing.
    pub verified_hash: Option<Secret<String>>,
    /// A better hash of the same password, stored on the way.
    pub upgraded_hash: Option<Secret<String>>,
    /// Written when the guard holds.
    pub audit: Option<AuditEntry>,
    /// The current instant.
    pub now: Timestamp,
}

statements! {
    project OPEN = each(
        concat!(
            "with proven as (
                 update auth.users as u
                 set last_sign_in_at = $4, updated_at = $4, encrypted_password = coalesce($6, u.encrypted_password)
                 where u.instance_id = $1 and u.id = $2 and u.deleted_at is null
                     and (u.banned_until is null or u.banned_until <= $4) and ($5::text is null or u.encrypted_password = $5)
                 returning u.*
             ), opened as (
                 insert into auth.sessions
                     (instance_id, id, user_id, created_at, updated_at, aal, user_agent, ip, refresh_token_counter)
                 select p.instance_id, $3, p.id, $4, $4, $17::auth.aal_level, $7::text, $8::inet, $9::bigint from proven as p
                 returning *
             ), method as (
                 insert into auth.mfa_amr_claims (instance_id, id, session_id, created_at, updated_at, authentication_method)
                 select o.instance_id, $10, o.id, $4, $4, $11 from opened as o
             ), token as (
                 insert into auth.refresh_tokens (instance_id, token, user_id, session_id, revoked, created_at, updated_at)
                 select o.instance_id, $12, o.user_id::text, o.id, false, $4, $4 from opened as o where $12::text is not null
             ), logged as (
                 insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
                 select o.instance_id, e.id, e.payload::json, e.created_at, e.ip_address
                 from opened as o
                 cross join unnest($13::uuid[], $14::text[], $15::timestamptz[], $16::text[])
                     as e(id, payload, created_at, ip_address)
             )
             select ", user!(postgres), ", ", bare_session!(postgres), ",
                 json_build_array(json_build_object('method', $11, 'at', $4)) as session_amr
             from proven as u
             join opened as s on s.instance_id = u.instance_id and s.user_id = u.id"
        ),
        "",
    );
    project PROVEN = same(
        "update auth.users as u
         set last_sign_in_at = $3, updated_at = $3, encrypted_password = coalesce($5, u.encrypted_password)
         where u.instance_id = $1 and u.id = $2 and u.deleted_at is null
             and (u.banned_until is null or u.banned_until <= $3) and ($4 is null or u.encrypted_password = $4)
         returning id"
    );
}

impl TenantStore {
    /// Opens a session. `None` when the guard does not hold.
    pub async fn open_session(&self, open: OpenSession) -> Result<Option<ReadUser>> {
        if self.backend().is_postgres() {
            return self.opened_in_one_statement(&open).await;
        }
        let mut tx = self.begin().await?;
        let Some(opened) = tx.open_session(open).await? else { return Ok(None) };
        tx.commit().await?;
        Ok(Some(opened))
    }

    async fn opened_in_one_statement(&self, open: &OpenSession) -> Result<Option<ReadUser>> {
        let session = &open.session;
        let audit = AuditColumns::of(&open.audit);
        let first_token = session.refresh_token.as_ref().map(|first| first.token.expose().as_str());
        let row: Result<Option<ReadUserRow>> = retried!(self.backend(), postgres(pool) => sqlx::query_as(OPEN.postgres)
                .bind(self.instance.0)
                .bind(session.user_id.0)
                .bind(session.id.0)
                .bind(At(open.now))
                .bind(open.verified_hash.as_ref().map(|hash| hash.expose().as_str()))
                .bind(open.upgraded_hash.as_ref().map(|hash| hash.expose().as_str()))
                .bind(&session.user_agent)
                .bind(Address::text(session.ip.as_deref()))
                .bind(session.refresh_token_counter)
                .bind(session.amr_id)
                .bind(&session.amr_method)
                .bind(first_token)
                .bind(&audit.ids)
                .bind(&audit.payloads)
                .bind(&audit.created_at)
                .bind(&audit.ip_addresses)
                .bind(Label(session.aal.as_str().to_owned()))
                .fetch_optional(pool)
        );
        match row {
            // The first try did happen and only its answer was lost: the session is there.
            Err(StoreError::Conflict) => {
                let found = self.read_user(session.user_id, Some(session.id)).await?;
                found.filter(|found| found.session.is_some()).map(Some).ok_or(StoreError::Conflict)
            }
            row => Ok(row?.map(ReadUser::from)),
        }
    }
}

impl Tx {
    /// Opens a session as [`TenantStore::open_session`] does, together with whatever else the transaction writes.
    pub async fn open_session(&mut self, open: OpenSession) -> Result<Option<ReadUser>> {
        let session = &open.session;
        let proven = fetch!(
            &mut self.work,
            fetch_optional,
            (Uuid,),
            PROVEN,
            self.instance.0,
            session.user_id.0,
            At(open.now),
            open.verified_hash.as_ref().map(|hash| hash.expose().as_str()),
            open.upgraded_hash.as_ref().map(|hash| hash.expose().as_str()),
        )?;
        if proven.is_none() {
            return Ok(None);
        }
        self.sessions().insert(session, open.now).await?;
        if let Some(entry) = open.audit {
            self.audit().insert(entry).await?;
        }
        self.read_user(session.user_id, Some(session.id)).await
    }
}
