//! Rows of `auth.webauthn_credentials`: passkeys (`contract/mfa-passkeys-oauth.md` §2).

use domain::ids::{PasskeyId, UserId};
use domain::passkeys::Passkey;
use domain::time::Timestamp;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::database::{TenantStore, Tx};
use crate::error::{Result, StoreError};
use crate::sql::same;
use crate::values::At;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select p.id, p.user_id, p.credential_id, p.public_key, p.attestation_type, p.aaguid, p.sign_count, p.transports,
                 p.backup_eligible, p.backed_up, p.friendly_name, p.created_at, p.last_used_at
             from auth.webauthn_credentials as p where p.instance_id = $1 and ",
            $rest
        )
    };
}

statements! {
    project INSERT = same(
        "insert into auth.webauthn_credentials
             (instance_id, id, user_id, credential_id, public_key, attestation_type, aaguid, sign_count, transports,
              backup_eligible, backed_up, friendly_name, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
         on conflict do nothing"
    );
    project LIST = same(select!("p.user_id = $2 order by p.created_at, p.id"));
    project FIND = same(select!("p.credential_id = $2"));
    project COUNT = same(
        "select count(*) from auth.webauthn_credentials as p where p.instance_id = $1 and p.user_id = $2"
    );
    project USE = same(
        "update auth.webauthn_credentials as p set sign_count = $4, backed_up = $5, last_used_at = $6, updated_at = $6
         where p.instance_id = $1 and p.id = $2 and p.sign_count = $3"
    );
    project RENAME = same(
        "update auth.webauthn_credentials as p set friendly_name = $4, updated_at = $5
         where p.instance_id = $1 and p.id = $2 and p.user_id = $3
         returning id, friendly_name, created_at, last_used_at"
    );
    project DELETE = same(
        "delete from auth.webauthn_credentials as p where p.instance_id = $1 and p.id = $2 and p.user_id = $3"
    );
}

#[derive(FromRow)]
struct ShownRow {
    id: Uuid,
    friendly_name: String,
    created_at: At,
    last_used_at: Option<At>,
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    shown: ShownRow,
    user_id: Uuid,
    credential_id: Vec<u8>,
    public_key: Vec<u8>,
    attestation_type: String,
    aaguid: Option<Uuid>,
    sign_count: i64,
    transports: Json<Option<Vec<String>>>,
    backup_eligible: bool,
    backed_up: bool,
}

impl From<ShownRow> for Passkey {
    fn from(row: ShownRow) -> Self {
        Self {
            id: PasskeyId(row.id),
            friendly_name: row.friendly_name,
            created_at: row.created_at.0,
            last_used_at: row.last_used_at.map(|at| at.0),
        }
    }
}

impl From<Row> for StoredPasskey {
    fn from(row: Row) -> Self {
        Self {
            passkey: row.shown.into(),
            user_id: UserId(row.user_id),
            credential_id: row.credential_id,
            public_key: row.public_key,
            attestation_type: row.attestation_type,
            aaguid: row.aaguid,
            sign_count: row.sign_count,
            transports: row.transports.0.unwrap_or_default(),
            backup_eligible: row.backup_eligible,
            backed_up: row.backed_up,
        }
    }
}

/// A passkey with what is never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPasskey {
    /// What may be shown.
    pub passkey: Passkey,
    /// Whose it is.
    pub user_id: UserId,
    /// What the authenticator calls it.
    pub credential_id: Vec<u8>,
    /// Its public key (COSE).
    pub public_key: Vec<u8>,
    /// The format of its attestation.
    pub attestation_type: String,
    /// The model of the authenticator.
    pub aaguid: Option<Uuid>,
    /// Its signature counter.
    pub sign_count: i64,
    /// How the authenticator is reached.
    pub transports: Vec<String>,
    /// It may be copied to other devices.
    pub backup_eligible: bool,
    /// It was.
    pub backed_up: bool,
}

/// A passkey that has just proven itself, provided that its counter is as it was looked at.
#[derive(Clone, Copy, Debug)]
pub struct PasskeyUse {
    /// The row.
    pub id: PasskeyId,
    /// The counter the decision was made on.
    pub expected: i64,
    /// The counter that is stored.
    pub sign_count: i64,
    /// Whether it was copied to other devices.
    pub backed_up: bool,
    /// The current instant.
    pub now: Timestamp,
}

/// Works on passkeys.
pub struct Passkeys<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl Passkeys<'_> {
    /// Adds a passkey, which was not used yet.
    ///
    /// # Errors
    /// `Conflict` when the project has the credential already, whosever it is; the transaction can go on.
    pub async fn insert(&mut self, passkey: &StoredPasskey) -> Result<()> {
        let inserted = execute!(
            &mut self.tx.work,
            INSERT,
            self.tx.instance.0,
            passkey.passkey.id.0,
            passkey.user_id.0,
            &passkey.credential_id,
            &passkey.public_key,
            &passkey.attestation_type,
            passkey.aaguid,
            passkey.sign_count,
            Json(&passkey.transports),
            passkey.backup_eligible,
            passkey.backed_up,
            &passkey.passkey.friendly_name,
            At(passkey.passkey.created_at),
        )?;
        if inserted == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// How many the user has.
    pub async fn count(&mut self, user: UserId) -> Result<u64> {
        let (count,) = fetch!(&mut self.tx.work, fetch_one, (i64,), COUNT, self.tx.instance.0, user.0)?;
        Ok(count.unsigned_abs())
    }

    /// Renames a passkey of the user.
    pub async fn rename(
        &mut self,
        id: PasskeyId,
        user: UserId,
        friendly_name: &str,
        now: Timestamp,
    ) -> Result<Option<Passkey>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let row = fetch!(work, fetch_optional, ShownRow, RENAME, instance, id.0, user.0, friendly_name, At(now))?;
        Ok(row.map(Passkey::from))
    }

    /// Removes a passkey of the user. True for exactly one caller.
    pub async fn delete(&mut self, id: PasskeyId, user: UserId) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, DELETE, self.tx.instance.0, id.0, user.0)? == 1)
    }
}

impl TenantStore {
    /// The user's passkeys, oldest first.
    pub async fn list_passkeys(&self, user: UserId) -> Result<Vec<StoredPasskey>> {
        let rows = fetch_now!(self.backend(), fetch_all, Row, LIST, self.instance.0, user.0)?;
        Ok(rows.into_iter().map(StoredPasskey::from).collect())
    }

    /// The passkey that an authenticator calls so.
    pub async fn find_passkey(&self, credential_id: &[u8]) -> Result<Option<StoredPasskey>> {
        let row = fetch_now!(self.backend(), fetch_optional, Row, FIND, self.instance.0, credential_id)?;
        Ok(row.map(StoredPasskey::from))
    }

    /// Marks a use. True for exactly one of those who saw the same counter, unless the authenticator keeps it where it is.
    ///
    /// After a broken connection it is tried again; where the first try did happen and moved the counter, the answer is false.
    pub async fn use_passkey(&self, used: PasskeyUse) -> Result<bool> {
        let marked = execute_now!(
            self.backend(),
            USE,
            self.instance.0,
            used.id.0,
            used.expected,
            used.sign_count,
            used.backed_up,
            At(used.now),
        )?;
        Ok(marked == 1)
    }
}
