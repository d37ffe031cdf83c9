//! Rows of `auth.mfa_factors`: second factors (`contract/mfa-passkeys-oauth.md` §1).

use domain::factor::FactorType;
use domain::ids::{FactorId, UserId};
use domain::secret::Secret;
use domain::time::Timestamp;
use domain::user::Factor;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::database::{TenantStore, Tx};
use crate::error::{Result, StoreError};
use crate::rows::not_empty;
use crate::sql::{each, same};
use crate::values::{At, Label};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select f.id, f.user_id, f.friendly_name, f.factor_type, f.status, f.created_at, f.updated_at, f.secret, f.phone,
                 f.last_challenged_at, f.web_authn_credential, f.web_authn_aaguid, f.last_webauthn_challenge_data,
                 f.last_accepted_step
             from auth.mfa_factors as f where f.instance_id = $1 and ",
            $rest
        )
    };
}

statements! {
    project INSERT = same(
        "insert into auth.mfa_factors
             (instance_id, id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret, phone)
         values ($1, $2, $3, $4, $5, 'unverified', $6, $6, $7, $8)
         on conflict do nothing"
    );
    project FIND = same(select!("f.id = $2"));
    project LOCK = each(select!("f.id = $2 for update"), select!("f.id = $2"));
    project LIST = same(select!("f.user_id = $2 order by f.created_at, f.id"));
    project DELETE = same("delete from auth.mfa_factors as f where f.instance_id = $1 and f.id = $2");
    project DELETE_STALE = same(
        "delete from auth.mfa_factors as f
         where f.instance_id = $1 and f.user_id = $2 and f.status = 'unverified' and f.created_at < $3
             and not exists (select 1 from auth.mfa_challenges as c where c.instance_id = $1 and c.factor_id = f.id)"
    );
    project DELETE_UNVERIFIED = same(
        "delete from auth.mfa_factors as f
         where f.instance_id = $1 and f.user_id = $2 and f.status = 'unverified' and f.factor_type = $3"
    );
    project DELETE_UNVERIFIED_PHONE = same(
        "delete from auth.mfa_factors as f
         where f.instance_id = $1 and f.user_id = $2 and f.status = 'unverified' and f.phone = $3"
    );
    project VERIFY = same(
        "update auth.mfa_factors as f set status = 'verified', updated_at = $3
         where f.instance_id = $1 and f.id = $2 and f.status = 'unverified'"
    );
    project ACCEPT_STEP = same(
        "update auth.mfa_factors as f set last_accepted_step = $3
         where f.instance_id = $1 and f.id = $2 and (f.last_accepted_step is null or f.last_accepted_step < $3)"
    );
    project SET_CREDENTIAL = same(
        "update auth.mfa_factors as f set web_authn_credential = $3, web_authn_aaguid = coalesce($4, f.web_authn_aaguid)
         where f.instance_id = $1 and f.id = $2"
    );
    project SET_CHALLENGE_DATA = same(
        "update auth.mfa_factors as f set last_webauthn_challenge_data = $3 where f.instance_id = $1 and f.id = $2"
    );
    project SET_SECRET = same(
        "update auth.mfa_factors as f set secret = $4 where f.instance_id = $1 and f.id = $2 and f.secret = $3"
    );
    project UPDATE = same(
        "update auth.mfa_factors as f
         set friendly_name = coalesce($3, f.friendly_name), phone = coalesce($4, f.phone), updated_at = $5
         where f.instance_id = $1 and f.id = $2"
    );
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    friendly_name: Option<String>,
    factor_type: Label,
    status: Label,
    created_at: At,
    updated_at: At,
    secret: Option<String>,
    phone: Option<String>,
    last_challenged_at: Option<At>,
    web_authn_credential: Option<Json<Value>>,
    web_authn_aaguid: Option<Uuid>,
    last_webauthn_challenge_data: Option<Json<Value>>,
    last_accepted_step: Option<i64>,
}

impl TryFrom<Row> for StoredFactor {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let factor_type = FactorType::parse(&row.factor_type.0)
            .ok_or_else(|| StoreError::fault("a second factor is of an unknown kind"))?;
        let factor = Factor {
            id: FactorId(row.id),
            factor_type,
            verified: row.status.0 == "verified",
            friendly_name: row.friendly_name.unwrap_or_default(),
            phone: not_empty(row.phone),
            last_challenged_at: row.last_challenged_at.map(|at| at.0),
            web_authn_aaguid: row.web_authn_aaguid,
            last_webauthn_challenge_data: row.last_webauthn_challenge_data.map(|data| data.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        };
        Ok(Self {
            factor,
            user_id: UserId(row.user_id),
            secret: not_empty(row.secret).map(Secret::new),
            credential: row.web_authn_credential.map(|credential| credential.0),
            last_accepted_step: row.last_accepted_step,
        })
    }
}

/// A factor that is enrolled; nobody has proven it yet.
#[derive(Clone, Debug)]
pub struct NewFactor {
    /// The row.
    pub id: FactorId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is.
    pub factor_type: FactorType,
    /// Empty when none.
    pub friendly_name: String,
    /// Only for phone factors.
    pub phone: Option<String>,
    /// Only for codes by time; sealed.
    pub secret: Option<Secret<String>>,
    /// The current instant.
    pub now: Timestamp,
}

/// A factor with what is never shown.
#[derive(Clone, Debug)]
pub struct StoredFactor {
    /// What may be shown.
    pub factor: Factor,
    /// Whose it is.
    pub user_id: UserId,
    /// The secret of codes by time, as stored: sealed, or plain in rows of other servers.
    pub secret: Option<Secret<String>>,
    /// The public-key credential (`contract/mfa-passkeys-oauth.md` §1.2).
    pub credential: Option<Value>,
    /// The newest time step whose code was accepted.
    pub last_accepted_step: Option<i64>,
}

/// Works on second factors. Who also locks the user or his sessions locks the user first, then the sessions.
pub struct Factors<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl Factors<'_> {
    /// Adds a factor.
    ///
    /// # Errors
    /// `Conflict` when the user has another factor with that name or number; the transaction can go on.
    pub async fn insert(&mut self, factor: NewFactor) -> Result<()> {
        let inserted = execute!(
            &mut self.tx.work,
            INSERT,
            self.tx.instance.0,
            factor.id.0,
            factor.user_id.0,
            &factor.friendly_name,
            label(factor.factor_type),
            At(factor.now),
            factor.secret.as_ref().map_or("", |secret| secret.expose().as_str()),
            not_empty(factor.phone),
        )?;
        if inserted == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// The factor, locked until the transaction ends.
    pub async fn lock(&mut self, factor: FactorId) -> Result<Option<StoredFactor>> {
        let row = fetch!(&mut self.tx.work, fetch_optional, Row, LOCK, self.tx.instance.0, factor.0)?;
        row.map(StoredFactor::try_from).transpose()
    }

    /// The user's factors, oldest first.
    pub async fn list(&mut self, user: UserId) -> Result<Vec<StoredFactor>> {
        let rows = fetch!(&mut self.tx.work, fetch_all, Row, LIST, self.tx.instance.0, user.0)?;
        rows.into_iter().map(StoredFactor::try_from).collect()
    }

    /// Removes a factor and its challenges. True for exactly one caller.
    pub async fn delete(&mut self, factor: FactorId) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, DELETE, self.tx.instance.0, factor.0)? == 1)
    }

    /// Removes the user's factors that were enrolled before an instant and neither proven nor ever challenged.
    pub async fn delete_stale(&mut self, user: UserId, before: Timestamp) -> Result<u64> {
        execute!(&mut self.tx.work, DELETE_STALE, self.tx.instance.0, user.0, At(before))
    }

    /// Removes the user's factors of a kind that he has not proven.
    pub async fn delete_unverified(&mut self, user: UserId, kind: FactorType) -> Result<u64> {
        execute!(&mut self.tx.work, DELETE_UNVERIFIED, self.tx.instance.0, user.0, label(kind))
    }

    /// Removes the user's factors with a number that he has not proven.
    pub async fn delete_unverified_phone(&mut self, user: UserId, phone: &str) -> Result<u64> {
        execute!(&mut self.tx.work, DELETE_UNVERIFIED_PHONE, self.tx.instance.0, user.0, phone)
    }

    /// Marks a factor as proven. True for exactly one caller; false also when it is gone.
    pub async fn verify(&mut self, factor: FactorId, now: Timestamp) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, VERIFY, self.tx.instance.0, factor.0, At(now))? == 1)
    }

    /// Uses a time step up, and with it all earlier ones. True for exactly one caller.
    pub async fn accept_step(&mut self, factor: FactorId, step: i64) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, ACCEPT_STEP, self.tx.instance.0, factor.0, step)? == 1)
    }

    /// Stores the secret in another form, unless it is no longer `old`.
    pub async fn set_secret(&mut self, factor: FactorId, old: &Secret<String>, new: &Secret<String>) -> Result<bool> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        Ok(execute!(work, SET_SECRET, instance, factor.0, old.expose(), new.expose())? == 1)
    }

    /// Stores the public-key credential, and the model of its authenticator where there is one. False when the factor is gone.
    pub async fn set_credential(&mut self, factor: FactorId, credential: &Value, aaguid: Option<Uuid>) -> Result<bool> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        Ok(execute!(work, SET_CREDENTIAL, instance, factor.0, Json(credential), aaguid)? == 1)
    }

    /// Stores the last challenge and its answer, which users are shown. False when the factor is gone.
    pub async fn set_challenge_data(&mut self, factor: FactorId, data: &Value) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, SET_CHALLENGE_DATA, self.tx.instance.0, factor.0, Json(data))? == 1)
    }

    /// Changes name and number; `None` leaves as it is. False when the factor is gone.
    ///
    /// # Errors
    /// `Conflict` when the user has another factor with that name or number; the transaction is over then.
    pub async fn update(
        &mut self,
        factor: FactorId,
        friendly_name: Option<&str>,
        phone: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        Ok(execute!(work, UPDATE, instance, factor.0, friendly_name, phone, At(now))? == 1)
    }
}

impl TenantStore {
    /// A factor of any user, without a lock.
    pub async fn read_factor(&self, factor: FactorId) -> Result<Option<StoredFactor>> {
        let row = fetch_now!(self.backend(), fetch_optional, Row, FIND, self.instance.0, factor.0)?;
        row.map(StoredFactor::try_from).transpose()
    }

    /// The user's factors, oldest first, without a lock.
    pub async fn list_factors(&self, user: UserId) -> Result<Vec<StoredFactor>> {
        let rows = fetch_now!(self.backend(), fetch_all, Row, LIST, self.instance.0, user.0)?;
        rows.into_iter().map(StoredFactor::try_from).collect()
    }
}

fn label(kind: FactorType) -> Label {
    Label(kind.as_str().to_owned())
}
