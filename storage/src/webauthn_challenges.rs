//! Rows of `auth.webauthn_challenges`: ceremonies of passkeys that wait for their answer (`contract/mfa-passkeys-oauth.md` §2.1).

use domain::ids::{ChallengeId, UserId};
use domain::time::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::database::TenantStore;
use crate::error::{Result, StoreError};
use crate::sql::same;
use crate::values::At;

statements! {
    project INSERT = same(
        "insert into auth.webauthn_challenges
             (instance_id, id, user_id, challenge_type, session_data, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)"
    );
    project CONSUME = same(
        "delete from auth.webauthn_challenges as c
         where c.instance_id = $1 and c.id = $2 and c.challenge_type = $3 and c.user_id is not distinct from $4
         returning id, user_id, session_data, created_at, expires_at"
    );
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    user_id: Option<Uuid>,
    session_data: Json<Value>,
    created_at: At,
    expires_at: At,
}

impl From<Row> for WebauthnChallenge {
    fn from(row: Row) -> Self {
        Self {
            id: ChallengeId(row.id),
            user: row.user_id.map(UserId),
            session_data: row.session_data.0,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        }
    }
}

/// Which ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CeremonyKind {
    /// A passkey is made.
    Registration,
    /// A passkey signs in.
    Authentication,
}

impl CeremonyKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Authentication => "authentication",
        }
    }
}

/// A ceremony that begins.
#[derive(Clone, Debug)]
pub struct NewWebauthnChallenge {
    /// The row.
    pub id: ChallengeId,
    /// Who registers; `None` where anybody may sign in.
    pub user: Option<UserId>,
    /// Which ceremony.
    pub kind: CeremonyKind,
    /// Its state (`contract/mfa-passkeys-oauth.md` §1.2).
    pub session_data: Value,
    /// The current instant.
    pub now: Timestamp,
    /// The end of its life.
    pub expires_at: Timestamp,
}

/// A ceremony that waited.
#[derive(Clone, Debug, PartialEq)]
pub struct WebauthnChallenge {
    /// The row.
    pub id: ChallengeId,
    /// Who registers; `None` where anybody may sign in.
    pub user: Option<UserId>,
    /// Its state.
    pub session_data: Value,
    /// When it began.
    pub created_at: Timestamp,
    /// The end of its life.
    pub expires_at: Timestamp,
}

impl TenantStore {
    /// Begins a ceremony.
    pub async fn insert_webauthn_challenge(&self, challenge: NewWebauthnChallenge) -> Result<()> {
        let inserted = execute_now!(
            self.backend(),
            INSERT,
            self.instance.0,
            challenge.id.0,
            challenge.user.map(|user| user.0),
            challenge.kind.as_str(),
            Json(&challenge.session_data),
            At(challenge.now),
            At(challenge.expires_at),
        );
        match inserted {
            // Ids are random: the first try did happen and only its answer was lost.
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends a ceremony of this kind and user, where `None` is a user like any other, and gives it to exactly one caller. Who
    /// gets it looks at `expires_at` himself.
    ///
    /// After a broken connection it is tried again; where the first try did happen, the answer is `None`.
    pub async fn consume_webauthn_challenge(
        &self,
        id: ChallengeId,
        kind: CeremonyKind,
        user: Option<UserId>,
    ) -> Result<Option<WebauthnChallenge>> {
        let user = user.map(|user| user.0);
        let (backend, instance) = (self.backend(), self.instance.0);
        let row = change_now!(backend, fetch_optional, Row, CONSUME, instance, id.0, kind.as_str(), user)?;
        Ok(row.map(WebauthnChallenge::from))
    }
}
