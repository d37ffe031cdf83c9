//! Rows as the databases give them, and how they become the domain's types. What is NULL in a text column reads as an empty text.

use domain::factor::FactorType;
use domain::ids::{FactorId, IdentityId, SessionId, UserId};
use domain::session::{Aal, AmrEntry, Session};
use domain::time::Timestamp;
use domain::user::{Factor, Identity, Metadata, User};
use serde::Deserialize;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::read_user::ReadUser;
use crate::values::{Address, At, Wall};

/// The columns of `UserRow` from an `auth.users` aliased `u`, without what belongs to the account.
macro_rules! bare_user {
    () => {
        "u.id, u.aud, u.role, u.email, u.phone, u.email_confirmed_at, u.phone_confirmed_at, u.invited_at, u.confirmation_sent_at,
         u.recovery_sent_at, u.email_change, u.email_change_sent_at, u.email_change_confirm_status, u.phone_change,
         u.phone_change_sent_at, u.reauthentication_sent_at, u.last_sign_in_at, u.raw_app_meta_data, u.raw_user_meta_data,
         u.is_sso_user, u.is_anonymous, u.banned_until, u.deleted_at, u.created_at, u.updated_at"
    };
}

/// The columns of `UserRow` from an `auth.users` aliased `u`; identities from `auth.identities` or from rows just made.
macro_rules! user {
    (postgres) => {
        user!(postgres, "auth.identities")
    };
    (postgres, $identities:literal) => {
        concat!(
            bare_user!(),
            ", (select coalesce(json_agg(json_build_object('id', i.id, 'user_id', i.user_id, 'provider', i.provider,
                   'provider_id', i.provider_id, 'data', i.identity_data, 'last_sign_in_at', i.last_sign_in_at,
                   'created_at', i.created_at, 'updated_at', i.updated_at) order by i.created_at, i.id), '[]')
               from ", $identities, " as i where i.instance_id = u.instance_id and i.user_id = u.id) as identities,
             (select coalesce(json_agg(json_build_object('id', f.id, 'factor_type', f.factor_type, 'status', f.status,
                   'friendly_name', f.friendly_name, 'phone', f.phone, 'last_challenged_at', f.last_challenged_at,
                   'web_authn_aaguid', f.web_authn_aaguid, 'last_webauthn_challenge_data', f.last_webauthn_challenge_data,
                   'created_at', f.created_at, 'updated_at', f.updated_at) order by f.created_at, f.id), '[]')
               from auth.mfa_factors as f where f.instance_id = u.instance_id and f.user_id = u.id) as factors"
        )
    };
    (sqlite) => {
        concat!(
            bare_user!(),
            ", (select json_group_array(json_object('id', lower(hex(i.id)), 'user_id', lower(hex(i.user_id)), 'provider', i.provider,
                   'provider_id', i.provider_id, 'data', json(i.identity_data), 'last_sign_in_at', i.last_sign_in_at,
                   'created_at', i.created_at, 'updated_at', i.updated_at) order by i.created_at, i.id)
               from auth.identities as i where i.instance_id = u.instance_id and i.user_id = u.id) as identities,
             (select json_group_array(json_object('id', lower(hex(f.id)), 'factor_type', f.factor_type, 'status', f.status,
                   'friendly_name', f.friendly_name, 'phone', f.phone, 'last_challenged_at', f.last_challenged_at,
                   'web_authn_aaguid', case when f.web_authn_aaguid is not null then lower(hex(f.web_authn_aaguid)) end,
                   'last_webauthn_challenge_data', json(f.last_webauthn_challenge_data),
                   'created_at', f.created_at, 'updated_at', f.updated_at) order by f.created_at, f.id)
               from auth.mfa_factors as f where f.instance_id = u.instance_id and f.user_id = u.id) as factors"
        )
    };
}

/// The columns of `SessionRow` from an `auth.sessions` aliased `s`, without the authentication methods.
macro_rules! bare_session {
    (postgres) => {
        concat!(bare_session!(), ", s.aal::text as session_aal")
    };
    (sqlite) => {
        concat!(bare_session!(), ", s.aal as session_aal")
    };
    () => {
        "s.id as session_id, s.user_id as session_user_id, s.created_at as session_created_at, s.updated_at as session_updated_at,
         s.refreshed_at as session_refreshed_at, s.not_after as session_not_after, s.factor_id as session_factor_id,
         s.user_agent as session_user_agent, s.ip as session_ip, s.tag as session_tag,
         s.refresh_token_counter as session_counter, s.raised_from as session_raised_from,
         s.refresh_token_hmac_key as session_hmac_key"
    };
}

/// The columns of `SessionRow` from an `auth.sessions` aliased `s`.
macro_rules! session {
    (postgres) => {
        concat!(
            bare_session!(postgres),
            ", (select coalesce(json_agg(json_build_object('method', a.authentication_method, 'at', a.updated_at)
                   order by a.updated_at desc, a.id), '[]')
               from auth.mfa_amr_claims as a where a.instance_id = s.instance_id and a.session_id = s.id) as session_amr"
        )
    };
    (sqlite) => {
        concat!(
            bare_session!(sqlite),
            ", (select json_group_array(json_object('method', a.authentication_method, 'at', a.updated_at)
                   order by a.updated_at desc, a.id)
               from auth.mfa_amr_claims as a where a.instance_id = s.instance_id and a.session_id = s.id) as session_amr"
        )
    };
}

#[derive(FromRow)]
pub(crate) struct BareUserRow {
    id: Uuid,
    aud: Option<String>,
    role: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    email_confirmed_at: Option<At>,
    phone_confirmed_at: Option<At>,
    invited_at: Option<At>,
    confirmation_sent_at: Option<At>,
    recovery_sent_at: Option<At>,
    email_change: Option<String>,
    email_change_sent_at: Option<At>,
    email_change_confirm_status: Option<i16>,
    phone_change: Option<String>,
    phone_change_sent_at: Option<At>,
    reauthentication_sent_at: Option<At>,
    last_sign_in_at: Option<At>,
    raw_app_meta_data: Option<Json<Value>>,
    raw_user_meta_data: Option<Json<Value>>,
    is_sso_user: bool,
    is_anonymous: bool,
    banned_until: Option<At>,
    deleted_at: Option<At>,
    created_at: Option<At>,
    updated_at: Option<At>,
}

#[derive(FromRow)]
pub(crate) struct UserRow {
    #[sqlx(flatten)]
    user: BareUserRow,
    identities: Json<Vec<IdentityJson>>,
    factors: Json<Vec<FactorJson>>,
}

#[derive(FromRow)]
pub(crate) struct SessionRow {
    session_id: Option<Uuid>,
    session_user_id: Option<Uuid>,
    session_created_at: Option<At>,
    session_updated_at: Option<At>,
    session_refreshed_at: Option<Wall>,
    session_not_after: Option<At>,
    session_factor_id: Option<Uuid>,
    session_user_agent: Option<String>,
    session_ip: Option<Address>,
    session_tag: Option<String>,
    session_counter: Option<i64>,
    session_raised_from: Option<i64>,
    session_hmac_key: Option<String>,
    session_aal: Option<String>,
    session_amr: Json<Vec<AmrJson>>,
}

#[derive(FromRow)]
pub(crate) struct ReadUserRow {
    #[sqlx(flatten)]
    user: UserRow,
    #[sqlx(flatten)]
    session: SessionRow,
}

/// A row of a lane: which member of the batch it answers.
#[derive(FromRow)]
pub(crate) struct LaneRow {
    pub(crate) ord: i64,
    #[sqlx(flatten)]
    pub(crate) row: ReadUserRow,
}

#[derive(Deserialize)]
pub(crate) struct IdentityJson {
    id: Uuid,
    user_id: Uuid,
    provider: String,
    provider_id: String,
    data: Value,
    last_sign_in_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct FactorJson {
    id: Uuid,
    factor_type: FactorType,
    status: String,
    friendly_name: Option<String>,
    phone: Option<String>,
    last_challenged_at: Option<Timestamp>,
    web_authn_aaguid: Option<Uuid>,
    last_webauthn_challenge_data: Option<Value>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Deserialize)]
struct AmrJson {
    method: String,
    at: Timestamp,
}

pub(crate) fn metadata(value: Option<Json<Value>>) -> Metadata {
    match value {
        Some(Json(Value::Object(map))) => map,
        _ => Metadata::new(),
    }
}

pub(crate) fn not_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn at(value: Option<At>) -> Option<Timestamp> {
    value.map(|at| at.0)
}

/// Rows that other programs made may lack an instant that ours always have.
fn at_or_epoch(value: Option<At>) -> Timestamp {
    at(value).unwrap_or_else(|| Timestamp::from_unix(0))
}

/// What the generated column `confirmed_at` holds.
fn earlier(email: Option<Timestamp>, phone: Option<Timestamp>) -> Option<Timestamp> {
    match (email, phone) {
        (Some(email), Some(phone)) => Some(email.min(phone)),
        (email, phone) => email.or(phone),
    }
}

impl From<BareUserRow> for User {
    fn from(row: BareUserRow) -> Self {
        Self {
            id: UserId(row.id),
            aud: row.aud.unwrap_or_default(),
            role: row.role.unwrap_or_default(),
            email: not_empty(row.email),
            phone: not_empty(row.phone),
            email_confirmed_at: at(row.email_confirmed_at),
            phone_confirmed_at: at(row.phone_confirmed_at),
            confirmed_at: earlier(at(row.email_confirmed_at), at(row.phone_confirmed_at)),
            invited_at: at(row.invited_at),
            confirmation_sent_at: at(row.confirmation_sent_at),
            recovery_sent_at: at(row.recovery_sent_at),
            email_change: row.email_change.unwrap_or_default(),
            email_change_sent_at: at(row.email_change_sent_at),
            email_change_confirm_status: row.email_change_confirm_status.unwrap_or_default(),
            phone_change: row.phone_change.unwrap_or_default(),
            phone_change_sent_at: at(row.phone_change_sent_at),
            reauthentication_sent_at: at(row.reauthentication_sent_at),
            last_sign_in_at: at(row.last_sign_in_at),
            app_metadata: metadata(row.raw_app_meta_data),
            user_metadata: metadata(row.raw_user_meta_data),
            is_sso_user: row.is_sso_user,
            is_anonymous: row.is_anonymous,
            banned_until: at(row.banned_until),
            deleted_at: at(row.deleted_at),
            created_at: at_or_epoch(row.created_at),
            updated_at: at_or_epoch(row.updated_at),
            identities: Vec::new(),
            factors: Vec::new(),
        }
    }
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            identities: row.identities.0.into_iter().map(Identity::from).collect(),
            factors: row.factors.0.into_iter().map(Factor::from).collect(),
            ..row.user.into()
        }
    }
}

impl From<IdentityJson> for Identity {
    fn from(row: IdentityJson) -> Self {
        let epoch = Timestamp::from_unix(0);
        Self {
            id: IdentityId(row.id),
            user_id: UserId(row.user_id),
            provider: row.provider,
            provider_id: row.provider_id,
            data: metadata(Some(Json(row.data))),
            last_sign_in_at: row.last_sign_in_at,
            created_at: row.created_at.unwrap_or(epoch),
            updated_at: row.updated_at.unwrap_or(epoch),
        }
    }
}

impl From<FactorJson> for Factor {
    fn from(row: FactorJson) -> Self {
        Self {
            id: FactorId(row.id),
            factor_type: row.factor_type,
            verified: row.status == "verified",
            friendly_name: row.friendly_name.unwrap_or_default(),
            phone: not_empty(row.phone),
            last_challenged_at: row.last_challenged_at,
            web_authn_aaguid: row.web_authn_aaguid,
            last_webauthn_challenge_data: row.last_webauthn_challenge_data,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl SessionRow {
    /// The session, if the join found one.
    pub(crate) fn session(self) -> Option<Session> {
        Some(Session {
            id: SessionId(self.session_id?),
            user_id: UserId(self.session_user_id?),
            created_at: at_or_epoch(self.session_created_at),
            updated_at: at_or_epoch(self.session_updated_at),
            refreshed_at: self.session_refreshed_at.map(|at| at.0),
            not_after: at(self.session_not_after),
            aal: Aal::from_stored(self.session_aal.as_deref()),
            factor_id: self.session_factor_id.map(FactorId),
            user_agent: self.session_user_agent,
            ip: self.session_ip.map(|address| address.0.to_string()),
            tag: self.session_tag,
            refresh_token_counter: self.session_counter,
            raised_from: self.session_raised_from,
            refresh_token_hmac_key: self.session_hmac_key,
            amr: self.session_amr.0.into_iter().map(|entry| AmrEntry { method: entry.method, at: entry.at }).collect(),
        })
    }
}

impl From<ReadUserRow> for ReadUser {
    fn from(row: ReadUserRow) -> Self {
        Self { user: row.user.into(), session: row.session.session() }
    }
}
