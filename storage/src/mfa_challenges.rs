//! Rows of `auth.mfa_challenges`: challenges of second factors (`contract/mfa-passkeys-oauth.md` §1.5, §1.6).

use std::net::{IpAddr, Ipv4Addr};

use domain::ids::{ChallengeId, FactorId};
use domain::time::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::audit::{AuditColumns, AuditEntry};
use crate::database::{TenantStore, Tx};
use crate::error::{Result, StoreError};
use crate::rows::not_empty;
use crate::sql::{each, same};
use crate::values::{Address, At};

statements! {
    project INSERT = each(
        "",
        "insert into auth.mfa_challenges
             (instance_id, id, factor_id, created_at, ip_address, otp_code, web_authn_session_data)
         values ($1, $2, $3, $4, $5, $6, $7)",
    );
    project TOUCH = each(
        "",
        "update auth.mfa_factors as f set last_challenged_at = $3, updated_at = $3
         where f.instance_id = $1 and f.id = $2
             and ($4 is null or f.last_challenged_at is null or f.last_challenged_at <= $4)",
    );
    project CHALLENGE = each(
        "with challenged as (
             update auth.mfa_factors as f set last_challenged_at = $3, updated_at = $3
             where f.instance_id = $1 and f.id = $2
                 and ($4::timestamptz is null or f.last_challenged_at is null or f.last_challenged_at <= $4)
             returning f.instance_id, f.id
         ), stored as (
             insert into auth.mfa_challenges
                 (instance_id, id, factor_id, created_at, ip_address, otp_code, web_authn_session_data)
             select c.instance_id, $5, c.id, $3, $6, $7, $8 from challenged as c
         ), logged as (
             insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
             select c.instance_id, e.id, e.payload::json, e.created_at, e.ip_address
             from challenged as c
             cross join unnest($9::uuid[], $10::text[], $11::timestamptz[], $12::text[])
                 as e(id, payload, created_at, ip_address)
         )
         select c.id from challenged as c",
        "",
    );
    project FIND = same(
        "select c.id, c.factor_id, c.created_at, c.verified_at, c.ip_address, c.otp_code, c.web_authn_session_data
         from auth.mfa_challenges as c where c.instance_id = $1 and c.id = $2 and c.factor_id = $3"
    );
    project CONSUME = same(
        "update auth.mfa_challenges as c set verified_at = $3
         where c.instance_id = $1 and c.id = $2 and c.verified_at is null"
    );
    project DELETE = same("delete from auth.mfa_challenges as c where c.instance_id = $1 and c.id = $2");
}

/// Stands for a client without an address: the column knows no NULL.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[derive(FromRow)]
struct Row {
    id: Uuid,
    factor_id: Uuid,
    created_at: At,
    verified_at: Option<At>,
    ip_address: Address,
    otp_code: Option<String>,
    web_authn_session_data: Option<Json<Value>>,
}

impl From<Row> for MfaChallenge {
    fn from(row: Row) -> Self {
        Self {
            id: ChallengeId(row.id),
            factor: FactorId(row.factor_id),
            created_at: row.created_at.0,
            verified_at: row.verified_at.map(|at| at.0),
            ip: Some(row.ip_address.0).filter(|ip| *ip != NOWHERE).map(|ip| ip.to_string()),
            code_hash: not_empty(row.otp_code),
            session_data: row.web_authn_session_data.map(|data| data.0),
        }
    }
}

/// A challenge that is about to be put.
#[derive(Clone, Debug)]
pub struct NewMfaChallenge {
    /// The row.
    pub id: ChallengeId,
    /// The factor that is challenged.
    pub factor: FactorId,
    /// The client's address; kept only where it is one.
    pub ip: Option<String>,
    /// Keyed hash of the code that was sent.
    pub code_hash: Option<String>,
    /// State of the ceremony (`contract/mfa-passkeys-oauth.md` §1.2).
    pub session_data: Option<Value>,
    /// The current instant.
    pub now: Timestamp,
}

/// A challenge that was put.
#[derive(Clone, Debug, PartialEq)]
pub struct MfaChallenge {
    /// The row.
    pub id: ChallengeId,
    /// The factor that is challenged.
    pub factor: FactorId,
    /// When it was put.
    pub created_at: Timestamp,
    /// When it was met.
    pub verified_at: Option<Timestamp>,
    /// The address it was asked for from.
    pub ip: Option<String>,
    /// Keyed hash of the code that was sent; the code itself in rows of other servers.
    pub code_hash: Option<String>,
    /// State of the ceremony.
    pub session_data: Option<Value>,
}

/// Puts a challenge, provided that the factor is there and was not challenged after an instant.
#[derive(Clone, Debug)]
pub struct ChallengeFactor {
    /// The challenge.
    pub challenge: NewMfaChallenge,
    /// The latest instant at which the factor may have been challenged before; `None` = any.
    pub not_challenged_after: Option<Timestamp>,
    /// Written when the guard holds.
    pub audit: Option<AuditEntry>,
}

/// Works on challenges of second factors.
pub struct MfaChallenges<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl MfaChallenges<'_> {
    /// Marks a challenge as met. True for exactly one caller.
    pub async fn consume(&mut self, id: ChallengeId, now: Timestamp) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, CONSUME, self.tx.instance.0, id.0, At(now))? == 1)
    }

    /// Removes a challenge. True for exactly one caller.
    pub async fn delete(&mut self, id: ChallengeId) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, DELETE, self.tx.instance.0, id.0)? == 1)
    }
}

impl TenantStore {
    /// The challenge with this id of this factor, without a lock.
    pub async fn find_mfa_challenge(&self, id: ChallengeId, factor: FactorId) -> Result<Option<MfaChallenge>> {
        let row = fetch_now!(self.backend(), fetch_optional, Row, FIND, self.instance.0, id.0, factor.0)?;
        Ok(row.map(MfaChallenge::from))
    }

    /// Puts a challenge and marks the factor. False when the guard does not hold.
    pub async fn challenge_factor(&self, challenge: ChallengeFactor) -> Result<bool> {
        if self.backend().is_postgres() {
            return self.challenged_in_one_statement(&challenge).await;
        }
        let mut tx = self.begin().await?;
        let put = tx.challenge_factor(challenge).await?;
        tx.commit().await?;
        Ok(put)
    }

    async fn challenged_in_one_statement(&self, put: &ChallengeFactor) -> Result<bool> {
        let challenge = &put.challenge;
        let audit = AuditColumns::of(&put.audit);
        let row: Result<Option<(Uuid,)>> = retried!(self.backend(), postgres(pool) => sqlx::query_as(CHALLENGE.postgres)
                .bind(self.instance.0)
                .bind(challenge.factor.0)
                .bind(At(challenge.now))
                .bind(put.not_challenged_after.map(At))
                .bind(challenge.id.0)
                .bind(address(challenge))
                .bind(challenge.code_hash.as_deref().unwrap_or_default())
                .bind(challenge.session_data.as_ref().map(Json))
                .bind(&audit.ids)
                .bind(&audit.payloads)
                .bind(&audit.created_at)
                .bind(&audit.ip_addresses)
                .fetch_optional(pool)
        );
        match row {
            Ok(Some(_)) => Ok(true),
            // The first try may have happened and only its answer been lost: then the challenge is there.
            Ok(None) | Err(StoreError::Conflict) => {
                Ok(self.find_mfa_challenge(challenge.id, challenge.factor).await?.is_some())
            }
            Err(error) => Err(error),
        }
    }
}

impl Tx {
    async fn challenge_factor(&mut self, put: ChallengeFactor) -> Result<bool> {
        let (factor, now, latest) = (put.challenge.factor.0, At(put.challenge.now), put.not_challenged_after.map(At));
        if execute!(&mut self.work, TOUCH, self.instance.0, factor, now, latest)? == 0 {
            return Ok(false);
        }
        let challenge = &put.challenge;
        execute!(
            &mut self.work,
            INSERT,
            self.instance.0,
            challenge.id.0,
            challenge.factor.0,
            At(challenge.now),
            address(challenge),
            challenge.code_hash.as_deref().unwrap_or_default(),
            challenge.session_data.as_ref().map(Json),
        )?;
        if let Some(entry) = put.audit {
            self.audit().insert(entry).await?;
        }
        Ok(true)
    }
}

fn address(challenge: &NewMfaChallenge) -> Address {
    Address::parse(challenge.ip.as_deref()).unwrap_or(Address(NOWHERE))
}
