//! Rows of `auth.mfa_recovery_codes`: codes for the day the second factor is lost.

use domain::ids::UserId;
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::{Value, json};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::database::{TenantStore, Tx};
use crate::error::Result;
use crate::sql::{each, same};
use crate::values::At;

statements! {
    project INSERT = each(
        "insert into auth.mfa_recovery_codes (instance_id, id, user_id, set_id, code_hash, created_at)
         select $1, n.id, $2, $3, n.hash, $4 from jsonb_to_recordset($5) as n(id uuid, hash text)",
        "insert into auth.mfa_recovery_codes (instance_id, id, user_id, set_id, code_hash, created_at)
         select $1, unhex(n.value ->> 'id'), $2, $3, n.value ->> 'hash', $4 from json_each($5) as n",
    );
    project LIST = same(
        "select r.id, r.set_id, r.code_hash, r.used_at from auth.mfa_recovery_codes as r
         where r.instance_id = $1 and r.user_id = $2 order by r.id"
    );
    project CONSUME = same(
        "update auth.mfa_recovery_codes as r set used_at = $3
         where r.instance_id = $1 and r.id = $2 and r.used_at is null"
    );
    project DELETE_ALL = same(
        "delete from auth.mfa_recovery_codes as r where r.instance_id = $1 and r.user_id = $2 returning set_id"
    );
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    set_id: Uuid,
    code_hash: String,
    used_at: Option<At>,
}

impl From<Row> for RecoveryCode {
    fn from(row: Row) -> Self {
        Self { id: row.id, set: row.set_id, hash: Secret::new(row.code_hash), used_at: row.used_at.map(|at| at.0) }
    }
}

/// A code that is about to be shown for the only time.
#[derive(Clone, Debug)]
pub struct NewRecoveryCode {
    /// The row.
    pub id: Uuid,
    /// Its hash.
    pub hash: Secret<String>,
}

/// A code that was given out.
#[derive(Clone, Debug)]
pub struct RecoveryCode {
    /// The row.
    pub id: Uuid,
    /// The set it belongs to.
    pub set: Uuid,
    /// Its hash.
    pub hash: Secret<String>,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

/// Works on recovery codes.
pub struct RecoveryCodes<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl RecoveryCodes<'_> {
    /// Puts a set in place of the user's older one. The caller has locked the user: two sets at once would both stay.
    pub async fn replace(&mut self, user: UserId, set: Uuid, codes: &[NewRecoveryCode], now: Timestamp) -> Result<()> {
        self.delete_all(user).await?;
        let row = |code: &NewRecoveryCode| json!({ "id": code.id.simple().to_string(), "hash": code.hash.expose() });
        let rows: Vec<Value> = codes.iter().map(row).collect();
        execute!(&mut self.tx.work, INSERT, self.tx.instance.0, user.0, set, At(now), Json(&rows))?;
        Ok(())
    }

    /// The user's codes, used ones too.
    pub async fn list(&mut self, user: UserId) -> Result<Vec<RecoveryCode>> {
        let rows = fetch!(&mut self.tx.work, fetch_all, Row, LIST, self.tx.instance.0, user.0)?;
        Ok(rows.into_iter().map(RecoveryCode::from).collect())
    }

    /// Uses a code up. True for exactly one caller; false also when the code is gone.
    pub async fn consume(&mut self, id: Uuid, now: Timestamp) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, CONSUME, self.tx.instance.0, id, At(now))? == 1)
    }

    /// Removes the user's codes and answers which set they were.
    pub async fn delete_all(&mut self, user: UserId) -> Result<Option<Uuid>> {
        let sets = fetch!(&mut self.tx.work, fetch_all, (Uuid,), DELETE_ALL, self.tx.instance.0, user.0)?;
        Ok(sets.first().map(|(set,)| *set))
    }
}

impl TenantStore {
    /// The user's codes, used ones too, without a lock.
    pub async fn list_recovery_codes(&self, user: UserId) -> Result<Vec<RecoveryCode>> {
        let rows = fetch_now!(self.backend(), fetch_all, Row, LIST, self.instance.0, user.0)?;
        Ok(rows.into_iter().map(RecoveryCode::from).collect())
    }
}
