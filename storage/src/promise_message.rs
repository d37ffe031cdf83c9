//! Promising a user a message: its tokens, the user's columns, the flow it belongs to and the row that sends it, in one statement.

use domain::ids::UserId;
use domain::time::Timestamp;
use domain::user::{Metadata, User};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use crate::audit::{AuditColumns, AuditEntry};
use crate::backend::Inner;
use crate::database::{TenantStore, Tx};
use crate::error::{Result, StoreError};
use crate::flow_states::NewFlowState;
use crate::identities::NewIdentity;
use crate::one_time_tokens::{NewOneTimeToken, TokenKind};
use crate::outbox::NewOutbox;
use crate::rows::not_empty;
use crate::sql::{each, same};
use crate::users::NewUser;
use crate::values::{At, Wall};

/// The column that says when a message last went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentAt {
    /// Confirmation by mail or SMS, invitation.
    Confirmation,
    /// Recovery and magic link.
    Recovery,
    /// Change of address.
    EmailChange,
    /// Change of number.
    PhoneChange,
    /// Nonce of a reauthentication.
    Reauthentication,
}

impl SentAt {
    /// What the column says of `user`.
    pub fn of(self, user: &User) -> Option<Timestamp> {
        match self {
            Self::Confirmation => user.confirmation_sent_at,
            Self::Recovery => user.recovery_sent_at,
            Self::EmailChange => user.email_change_sent_at,
            Self::PhoneChange => user.phone_change_sent_at,
            Self::Reauthentication => user.reauthentication_sent_at,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Recovery => "recovery",
            Self::EmailChange => "email_change",
            Self::PhoneChange => "phone_change",
            Self::Reauthentication => "reauthentication",
        }
    }
}

/// The account a message was prepared for. Where it is another by now, nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    email: Option<String>,
    phone: Option<String>,
    email_change: String,
    phone_change: String,
    email_confirmed: bool,
    phone_confirmed: bool,
}

impl From<&User> for Expected {
    fn from(user: &User) -> Self {
        Self {
            email: user.email.clone(),
            phone: user.phone.clone(),
            email_change: user.email_change.clone(),
            phone_change: user.phone_change.clone(),
            email_confirmed: user.email_confirmed_at.is_some(),
            phone_confirmed: user.phone_confirmed_at.is_some(),
        }
    }
}

/// A message that is ready to go out.
#[derive(Clone, Debug)]
pub struct PromiseMessage {
    /// Who gets it.
    pub user: UserId,
    /// How the account must be; `None` for one that the transaction has locked and looked at.
    pub expected: Option<Expected>,
    /// The column that is set to `now`.
    pub sent: SentAt,
    /// The latest instant that column may hold before; `None` = any.
    pub not_sent_after: Option<Timestamp>,
    /// The message is an invitation.
    pub invited: bool,
    /// The address that becomes the pending one, of which nothing is confirmed.
    pub email_change: Option<String>,
    /// The number that becomes the pending one.
    pub phone_change: Option<String>,
    /// Metadata in place of the account's.
    pub user_metadata: Option<Metadata>,
    /// Tokens, each in place of an older one of its kind.
    pub tokens: Vec<NewOneTimeToken>,
    /// Kinds of tokens that end.
    pub ended: Vec<TokenKind>,
    /// The flow that the message belongs to; what only flows through a provider have is not looked at.
    pub flow: Option<NewFlowState>,
    /// Audit entries.
    pub audit: Vec<AuditEntry>,
    /// The message itself.
    pub outbox: Vec<NewOutbox>,
    /// The current instant.
    pub now: Timestamp,
}

macro_rules! token {
    (postgres, $column:literal) => {
        concat!(", ", $column, " = coalesce($10::jsonb ->> '", $column, "', u.", $column, ")")
    };
    (sqlite, $column:literal) => {
        concat!(", ", $column, " = coalesce(json_extract($10, '$.", $column, "'), u.", $column, ")")
    };
}

macro_rules! write_user {
    ($database:ident) => {
        concat!(
            "update auth.users as u set updated_at = $3,
                 confirmation_sent_at = case when $4 = 'confirmation' then $3 else u.confirmation_sent_at end,
                 recovery_sent_at = case when $4 = 'recovery' then $3 else u.recovery_sent_at end,
                 email_change_sent_at = case when $4 = 'email_change' then $3 else u.email_change_sent_at end,
                 phone_change_sent_at = case when $4 = 'phone_change' then $3 else u.phone_change_sent_at end,
                 reauthentication_sent_at = case when $4 = 'reauthentication' then $3 else u.reauthentication_sent_at end,
                 invited_at = case when $6 then $3 else u.invited_at end,
                 email_change = coalesce($7, u.email_change),
                 email_change_confirm_status = case when $7 is null then u.email_change_confirm_status else 0 end,
                 phone_change = coalesce($8, u.phone_change),
                 raw_user_meta_data = coalesce($9, u.raw_user_meta_data)",
            token!($database, "confirmation_token"),
            token!($database, "recovery_token"),
            token!($database, "email_change_token_new"),
            token!($database, "email_change_token_current"),
            token!($database, "phone_change_token"),
            token!($database, "reauthentication_token"),
            " where u.instance_id = $1 and u.id = $2 and u.deleted_at is null
                 and ($15 is null or (
                     u.email is not distinct from $11 and u.phone is not distinct from $12
                     and coalesce(u.email_change, '') = $13 and coalesce(u.phone_change, '') = $14
                     and (u.email_confirmed_at is not null) = $15 and (u.phone_confirmed_at is not null) = $16))
                 and ($5 is null or coalesce(case $4
                     when 'confirmation' then u.confirmation_sent_at
                     when 'recovery' then u.recovery_sent_at
                     when 'email_change' then u.email_change_sent_at
                     when 'phone_change' then u.phone_change_sent_at
                     else u.reauthentication_sent_at end, $5) <= $5)"
        )
    };
}

/// The rows that go with a message to `target`, and who that was.
macro_rules! rows_of_target {
    () => {
        "issued as (
                 insert into auth.one_time_tokens
                     (instance_id, id, user_id, token_type, token_hash, code_hash, relates_to, created_at, updated_at, attempts)
                 select m.instance_id, n.id, m.id, n.kind::auth.one_time_token_type, n.hash, n.code_hash, n.relates_to,
                     $23::timestamp, $23::timestamp, 0
                 from target as m
                 cross join unnest($18::uuid[], $19::text[], $20::text[], $21::text[], $22::text[])
                     as n(id, kind, hash, code_hash, relates_to)
                 on conflict (instance_id, user_id, token_type) do update
                 set id = excluded.id, token_hash = excluded.token_hash, code_hash = excluded.code_hash,
                     relates_to = excluded.relates_to, created_at = excluded.created_at,
                     updated_at = excluded.updated_at, attempts = 0
             ), begun as (
                 insert into auth.flow_state
                     (instance_id, id, user_id, code_challenge_method, code_challenge, provider_type, authentication_method,
                      referrer, provider_access_token, provider_refresh_token, created_at, updated_at, email_optional)
                 select m.instance_id, $24::uuid, m.id, $25::text::auth.code_challenge_method, $26::text, $27::text, $28::text,
                     $29::text, '', '', $3, $3, false
                 from target as m where $24::uuid is not null
             ), logged as (
                 insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
                 select m.instance_id, e.id, e.payload::json, e.created_at, e.ip_address
                 from target as m
                 cross join unnest($30::uuid[], $31::text[], $32::timestamptz[], $33::text[])
                     as e(id, payload, created_at, ip_address)
             ), promised as (
                 insert into auth.outbox (instance_id, id, kind, payload, attempts, state, next_attempt_at, created_at)
                 select m.instance_id, o.id, o.kind, o.payload, 0, 'pending', $3, $3
                 from target as m
                 cross join unnest($34::uuid[], $35::text[], $36::text[]) as o(id, kind, payload)
             )
             select m.id from target as m"
    };
}

statements! {
    project WRITE_USER = each("", concat!(write_user!(sqlite), " returning id"));
    project PROMISE = each(
        concat!(
            "with target as (", write_user!(postgres), " returning u.instance_id, u.id
             ), ended as (
                 delete from auth.one_time_tokens as t using target as m
                 where t.instance_id = $1 and t.user_id = m.id and t.token_type::text = any($17::text[])
             ), ",
            rows_of_target!(),
        ),
        "",
    );
    project SIGN_UP = each(
        concat!(
            "with target as (
                 insert into auth.users
                     (instance_id, id, created_at, updated_at, confirmation_sent_at, aud, role, email, phone, encrypted_password,
                      raw_app_meta_data, raw_user_meta_data, is_sso_user, is_anonymous, invited_at, confirmation_token,
                      email_confirmed_at, phone_confirmed_at, banned_until, recovery_token, email_change_token_new,
                      email_change_token_current, email_change, phone_change_token, phone_change, reauthentication_token,
                      email_change_confirm_status)
                 values ($1, $2, $3, $3, $3, $4, $5, $6, $7, coalesce($8, ''), $9, $10, $11, $12,
                         case when $13 then $3 end, coalesce($14, ''), $15, $16, $17, '', '', '', '', '', '', '', 0)
                 returning instance_id, id
             ), named as (
                 insert into auth.identities
                     (instance_id, id, user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at)
                 select m.instance_id, n.id, m.id, n.provider, n.provider_id, n.data, n.last_sign_in_at, $3, $3
                 from target as m
                 cross join unnest($37::uuid[], $38::text[], $39::text[], $40::jsonb[], $41::timestamptz[])
                     as n(id, provider, provider_id, data, last_sign_in_at)
             ), ",
            rows_of_target!(),
        ),
        "",
    );
    project PUT = same(
        "insert into auth.outbox (instance_id, id, kind, payload, attempts, state, next_attempt_at, created_at)
         values ($1, $2, $3, $4, 0, 'pending', $5, $5)"
    );
}

/// The tokens' hashes by the user's column; empty for those that end.
fn token_columns(promise: &PromiseMessage) -> Value {
    let ended = promise.ended.iter().map(|kind| (kind.as_str().to_owned(), Value::from("")));
    let issued = promise.tokens.iter().map(|token| (token.kind.as_str().to_owned(), Value::from(token.hash.as_str())));
    Value::Object(ended.chain(issued).collect::<Map<String, Value>>())
}

fn metadata(promise: &PromiseMessage) -> Option<Json<Value>> {
    promise.user_metadata.clone().map(|metadata| Json(Value::Object(metadata)))
}

/// Binds the arguments that [`rows_of_target`] has, `$18` to `$36`.
macro_rules! with_rows {
    ($query:expr, $promise:expr) => {{
        let promise: &PromiseMessage = $promise;
        let audit = AuditColumns::of(&promise.audit);
        let flow = promise.flow.as_ref();
        let challenge = flow.and_then(|flow| flow.challenge.as_ref());
        $query
            .bind(promise.tokens.iter().map(|token| token.id).collect::<Vec<_>>())
            .bind(promise.tokens.iter().map(|token| token.kind.as_str()).collect::<Vec<_>>())
            .bind(promise.tokens.iter().map(|token| token.hash.as_str()).collect::<Vec<_>>())
            .bind(promise.tokens.iter().map(|token| token.code_hash.as_str()).collect::<Vec<_>>())
            .bind(promise.tokens.iter().map(|token| token.relates_to.as_str()).collect::<Vec<_>>())
            .bind(Wall(promise.now))
            .bind(flow.map(|flow| flow.id))
            .bind(challenge.map(|(method, _)| method.as_str()))
            .bind(challenge.map(|(_, value)| value.as_str()))
            .bind(flow.map(|flow| flow.provider_type.as_str()))
            .bind(flow.map(|flow| flow.authentication_method.as_str()))
            .bind(flow.and_then(|flow| flow.referrer.as_deref()))
            .bind(audit.ids)
            .bind(audit.payloads)
            .bind(audit.created_at)
            .bind(audit.ip_addresses)
            .bind(promise.outbox.iter().map(|row| row.id).collect::<Vec<_>>())
            .bind(promise.outbox.iter().map(|row| row.kind).collect::<Vec<_>>())
            .bind(promise.outbox.iter().map(|row| row.payload.as_str()).collect::<Vec<_>>())
    }};
}

macro_rules! run_promise {
    ($instance:expr, $promise:expr, $executor:expr) => {{
        let promise: &PromiseMessage = $promise;
        let expected = promise.expected.as_ref();
        let query = sqlx::query_as::<_, (Uuid,)>(PROMISE.postgres)
            .bind($instance)
            .bind(promise.user.0)
            .bind(At(promise.now))
            .bind(promise.sent.as_str())
            .bind(promise.not_sent_after.map(At))
            .bind(promise.invited)
            .bind(promise.email_change.as_deref())
            .bind(promise.phone_change.as_deref())
            .bind(metadata(promise))
            .bind(Json(token_columns(promise)))
            .bind(expected.and_then(|expected| expected.email.as_deref()))
            .bind(expected.and_then(|expected| expected.phone.as_deref()))
            .bind(expected.map(|expected| expected.email_change.as_str()))
            .bind(expected.map(|expected| expected.phone_change.as_str()))
            .bind(expected.map(|expected| expected.email_confirmed))
            .bind(expected.map(|expected| expected.phone_confirmed))
            .bind(promise.ended.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
        with_rows!(query, promise).fetch_optional($executor)
    }};
}

impl TenantStore {
    /// Writes all of it, or nothing: false when the account is not as expected any more, or the column is too recent.
    pub async fn promise_message(&self, promise: PromiseMessage) -> Result<bool> {
        if self.backend().is_postgres() {
            return self.promised_in_one_statement(&promise).await;
        }
        let mut tx = self.begin().await?;
        let promised = tx.promise_message(promise).await?;
        tx.commit().await?;
        Ok(promised)
    }

    /// Makes an account that is to prove its contact, with the message that asks for it. A taken address, number or subject is
    /// a conflict and leaves nothing behind.
    pub async fn sign_up_with_message(
        &self,
        user: NewUser,
        identities: Vec<NewIdentity>,
        promise: PromiseMessage,
    ) -> Result<()> {
        if self.backend().is_postgres() {
            return self.signed_up_in_one_statement(&user, &identities, &promise).await;
        }
        let mut tx = self.begin().await?;
        tx.users().insert(&user, promise.now).await?;
        for identity in &identities {
            tx.identities().insert(identity, promise.now).await?;
        }
        tx.promise_message(PromiseMessage { expected: None, not_sent_after: None, ..promise }).await?;
        tx.commit().await
    }

    async fn signed_up_in_one_statement(
        &self,
        user: &NewUser,
        identities: &[NewIdentity],
        promise: &PromiseMessage,
    ) -> Result<()> {
        let confirmation = promise.tokens.iter().find(|token| token.kind == TokenKind::Confirmation);
        let made: Result<(Uuid,)> = retried!(self.backend(), postgres(pool) => {
            let query = sqlx::query_as(SIGN_UP.postgres)
                .bind(self.instance.0)
                .bind(user.id.0)
                .bind(At(promise.now))
                .bind(&user.aud)
                .bind(&user.role)
                .bind(not_empty(user.email.clone()))
                .bind(not_empty(user.phone.clone()))
                .bind(user.password_hash.as_ref().map(|hash| hash.expose().as_str()))
                .bind(Json(&user.app_metadata))
                .bind(Json(&user.user_metadata))
                .bind(user.is_sso_user)
                .bind(user.is_anonymous)
                .bind(promise.invited)
                .bind(confirmation.map(|token| token.hash.as_str()))
                .bind(user.email_confirmed_at.map(At))
                .bind(user.phone_confirmed_at.map(At))
                .bind(user.banned_until.map(At));
            with_rows!(query, promise)
                .bind(identities.iter().map(|identity| identity.id.0).collect::<Vec<_>>())
                .bind(identities.iter().map(|identity| identity.provider.as_str()).collect::<Vec<_>>())
                .bind(identities.iter().map(|identity| identity.provider_id.as_str()).collect::<Vec<_>>())
                .bind(identities.iter().map(|identity| Json(&identity.data)).collect::<Vec<_>>())
                .bind(identities.iter().map(|identity| identity.last_sign_in_at.map(At)).collect::<Vec<_>>())
                .fetch_one(pool)
        });
        match made {
            // Ids are random: a user with this one exists only where the first try did happen and its answer was lost.
            Err(StoreError::Conflict) => self.find_user(user.id).await?.map(drop).ok_or(StoreError::Conflict),
            made => made.map(drop),
        }
    }

    /// Writes a message that belongs to no user: as many round trips as [`Self::promise_message`].
    pub async fn promise_to_nobody(&self, row: NewOutbox) -> Result<()> {
        let written = execute_now!(self.backend(), PUT, self.instance.0, row.id, row.kind, &row.payload, At(row.now));
        match written {
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn promised_in_one_statement(&self, promise: &PromiseMessage) -> Result<bool> {
        let row: Result<Option<(Uuid,)>> =
            retried!(self.backend(), postgres(pool) => run_promise!(self.instance.0, promise, pool));
        match row {
            // Ids are random: these rows exist only where the first try did happen and its answer was lost.
            Err(StoreError::Conflict) => Ok(true),
            row => Ok(row?.is_some()),
        }
    }
}

impl Tx {
    /// The same inside a transaction.
    pub async fn promise_message(&mut self, promise: PromiseMessage) -> Result<bool> {
        let instance = self.instance.0;
        if let Inner::Postgres(transaction) = &mut self.work.inner {
            let row = run_promise!(instance, &promise, &mut **transaction).await;
            self.work.count();
            return Ok(row.map_err(StoreError::from)?.is_some());
        }
        let expected = promise.expected.as_ref();
        let written = fetch!(
            &mut self.work,
            fetch_optional,
            (Uuid,),
            WRITE_USER,
            instance,
            promise.user.0,
            At(promise.now),
            promise.sent.as_str(),
            promise.not_sent_after.map(At),
            promise.invited,
            promise.email_change.as_deref(),
            promise.phone_change.as_deref(),
            metadata(&promise),
            Json(token_columns(&promise)),
            expected.and_then(|expected| expected.email.as_deref()),
            expected.and_then(|expected| expected.phone.as_deref()),
            expected.map(|expected| expected.email_change.as_str()),
            expected.map(|expected| expected.phone_change.as_str()),
            expected.map(|expected| expected.email_confirmed),
            expected.map(|expected| expected.phone_confirmed),
        )?;
        if written.is_none() {
            return Ok(false);
        }
        self.one_time_tokens().clear_kinds(promise.user, &promise.ended).await?;
        for token in promise.tokens {
            self.one_time_tokens().put(token, promise.now).await?;
        }
        if let Some(flow) = promise.flow {
            self.flow_states().insert(flow).await?;
        }
        for entry in promise.audit {
            self.audit().insert(entry).await?;
        }
        for row in promise.outbox {
            self.outbox().put(row).await?;
        }
        Ok(true)
    }
}
