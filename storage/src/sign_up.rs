//! Making an account that is signed in at once: one statement.

use domain::time::Timestamp;
use sqlx::types::Json;

use crate::audit::{AuditColumns, AuditEntry};
use crate::database::{TenantStore, Tx};
use crate::error::{Result, StoreError};
use crate::identities::NewIdentity;
use crate::read_user::ReadUser;
use crate::rows::{ReadUserRow, not_empty};
use crate::sessions::NewSession;
use crate::sql::{each, same};
use crate::users::NewUser;
use crate::values::{Address, At, Label};

/// An account with its identities, and optionally its first session.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The account.
    pub user: NewUser,
    /// Its identities.
    pub identities: Vec<NewIdentity>,
    /// Its first session; sets `last_sign_in_at` too.
    pub session: Option<NewSession>,
    /// Audit entries.
    pub audit: Vec<AuditEntry>,
    /// The current instant.
    pub now: Timestamp,
}

statements! {
    project SIGN_UP = each(
        concat!(
            "with made as (
                 insert into auth.users
                     (instance_id, id, aud, role, email, phone, encrypted_password, email_confirmed_at, phone_confirmed_at,
                      invited_at, raw_app_meta_data, raw_user_meta_data, is_sso_user, is_anonymous, banned_until,
                      created_at, updated_at, last_sign_in_at, confirmation_token, recovery_token, email_change_token_new,
                      email_change_token_current, email_change, phone_change_token, phone_change, reauthentication_token,
                      email_change_confirm_status)
                 values ($1, $2, $3, $4, $5, $6, coalesce($7, ''), $8, $9, $10, $11, $12, $13, $14, $15, $16, $16,
                         case when $17::uuid is not null then $16 end, '', '', '', '', '', '', '', '', 0)
                 returning *
             ), named as (
                 insert into auth.identities
                     (instance_id, id, user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at)
                 select m.instance_id, n.id, m.id, n.provider, n.provider_id, n.data, n.last_sign_in_at, $16, $16
                 from made as m
                 cross join unnest($18::uuid[], $19::text[], $20::text[], $21::jsonb[], $22::timestamptz[])
                     as n(id, provider, provider_id, data, last_sign_in_at)
                 returning *
             ), opened as (
                 insert into auth.sessions
                     (instance_id, id, user_id, created_at, updated_at, aal, user_agent, ip, refresh_token_counter)
                 select m.instance_id, $17, m.id, $16, $16, $33::auth.aal_level, $23::text, $24::inet, $25::bigint
                 from made as m where $17::uuid is not null
                 returning *
             ), method as (
                 insert into auth.mfa_amr_claims (instance_id, id, session_id, created_at, updated_at, authentication_method)
                 select o.instance_id, $26, o.id, $16, $16, $27 from opened as o
             ), token as (
                 insert into auth.refresh_tokens (instance_id, token, user_id, session_id, revoked, created_at, updated_at)
                 select o.instance_id, $28, o.user_id::text, o.id, false, $16, $16 from opened as o where $28::text is not null
             ), logged as (
                 insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
                 select m.instance_id, e.id, e.payload::json, e.created_at, e.ip_address
                 from made as m
                 cross join unnest($29::uuid[], $30::text[], $31::timestamptz[], $32::text[])
                     as e(id, payload, created_at, ip_address)
             )
             select ", user!(postgres, "named"), ", ", bare_session!(postgres), ",
                 case when s.id is null then '[]'::json
                     else json_build_array(json_build_object('method', $27, 'at', $16)) end as session_amr
             from made as u
             left join opened as s on s.instance_id = u.instance_id and s.user_id = u.id"
        ),
        "",
    );
    project SIGNED_IN = same("update auth.users as u set last_sign_in_at = $3 where u.instance_id = $1 and u.id = $2");
}

impl TenantStore {
    /// Makes the account. A taken address, number or subject is a conflict and leaves nothing behind.
    pub async fn sign_up(&self, sign_up: SignUp) -> Result<ReadUser> {
        if self.backend().is_postgres() {
            return self.made_in_one_statement(&sign_up).await;
        }
        let mut tx = self.begin().await?;
        let made = tx.sign_up(sign_up).await?;
        tx.commit().await?;
        Ok(made)
    }

    async fn made_in_one_statement(&self, sign_up: &SignUp) -> Result<ReadUser> {
        let user = &sign_up.user;
        let identities = &sign_up.identities;
        let session = sign_up.session.as_ref();
        let audit = AuditColumns::of(&sign_up.audit);
        let first_token = session.and_then(|session| session.refresh_token.as_ref());
        let row: Result<ReadUserRow> = retried!(self.backend(), postgres(pool) => sqlx::query_as(SIGN_UP.postgres)
                .bind(self.instance.0)
                .bind(user.id.0)
                .bind(&user.aud)
                .bind(&user.role)
                .bind(not_empty(user.email.clone()))
                .bind(not_empty(user.phone.clone()))
                .bind(user.password_hash.as_ref().map(|hash| hash.expose().as_str()))
                .bind(user.email_confirmed_at.map(At))
                .bind(user.phone_confirmed_at.map(At))
                .bind(user.invited_at.map(At))
                .bind(Json(&user.app_metadata))
                .bind(Json(&user.user_metadata))
                .bind(user.is_sso_user)
                .bind(user.is_anonymous)
                .bind(user.banned_until.map(At))
                .bind(At(sign_up.now))
                .bind(session.map(|session| session.id.0))
                .bind(identities.iter().map(|identity| identity.id.0).collect::<Vec<_>>())
                .bind(identities.iter().map(|identity| identity.provider.as_str()).collect::<Vec<_>>())
                .bind(identities.iter().map(|identity| identity.provider_id.as_str()).collect::<Vec<_>>())
                .bind(identities.iter().map(|identity| Json(&identity.data)).collect::<Vec<_>>())
                .bind(identities.iter().map(|identity| identity.last_sign_in_at.map(At)).collect::<Vec<_>>())
                .bind(session.and_then(|session| session.user_agent.as_deref()))
                .bind(Address::text(session.and_then(|session| session.ip.as_deref())))
                .bind(session.and_then(|session| session.refresh_token_counter))
                .bind(session.map(|session| session.amr_id))
                .bind(session.map(|session| session.amr_method.as_str()))
                .bind(first_token.map(|first| first.token.expose().as_str()))
                .bind(&audit.ids)
                .bind(&audit.payloads)
                .bind(&audit.created_at)
                .bind(&audit.ip_addresses)
                .bind(session.map(|session| Label(session.aal.as_str().to_owned())))
                .fetch_one(pool)
        );
        match row {
            // The first try may have happened and its answer been lost: then what is there is what was to be made.
            Err(StoreError::Conflict) => {
                let found = self.read_user(user.id, session.map(|session| session.id)).await?;
                found.filter(|found| is_made_by(sign_up, found)).ok_or(StoreError::Conflict)
            }
            row => Ok(row?.into()),
        }
    }
}

/// Whether `sign_up` made `found`. The user's id may be one that was asked for and is somebody else's; the ids of identities
/// and sessions are random, and where there are none of them nothing tells.
fn is_made_by(sign_up: &SignUp, found: &ReadUser) -> bool {
    let has = |id| found.user.identities.iter().any(|identity| identity.id == id);
    match &sign_up.session {
        Some(session) => found.session.as_ref().is_some_and(|found| found.id == session.id),
        None => !sign_up.identities.is_empty() && sign_up.identities.iter().all(|identity| has(identity.id)),
    }
}

impl Tx {
    async fn sign_up(&mut self, sign_up: SignUp) -> Result<ReadUser> {
        let user = sign_up.user.id;
        self.users().insert(&sign_up.user, sign_up.now).await?;
        for identity in &sign_up.identities {
            self.identities().insert(identity, sign_up.now).await?;
        }
        if let Some(session) = &sign_up.session {
            execute!(&mut self.work, SIGNED_IN, self.instance.0, user.0, At(sign_up.now))?;
            self.sessions().insert(session, sign_up.now).await?;
        }
        for entry in sign_up.audit {
            self.audit().insert(entry).await?;
        }
        let made = self.read_user(user, sign_up.session.map(|session| session.id)).await?;
        made.ok_or_else(|| StoreError::fault("a user just made is not there"))
    }
}
