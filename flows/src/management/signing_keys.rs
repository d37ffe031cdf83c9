//! A project's JWT signing keys and their life (`contract/management.md` §2.5).

use crypto::jwt::{Algorithm, SigningKey};
use domain::entropy::Entropy;
use domain::ids::{ProjectId, ProjectRef};
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::{Value, json};
use storage::control::{KeyStatus, SigningKey as Row};
use uuid::Uuid;

use super::{Error, Management, Result};
use crate::source::{self, purpose};

/// A signing key as an operator sees it: never its private part.
#[derive(Clone, Debug)]
pub struct SigningKeyView {
    /// Also the `kid`, unless the imported key had one of its own.
    pub id: Uuid,
    /// `ES256`, `RS256`, `EdDSA` or `HS256`.
    pub algorithm: String,
    /// `in_use`, `standby`, `previously_used` or `revoked`.
    pub status: &'static str,
    /// The published form; `None` for HS256.
    pub public_jwk: Option<Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed its status.
    pub updated_at: Timestamp,
}

/// A key to be made or imported.
#[derive(Clone, Debug)]
pub struct NewSigningKeyRequest {
    /// `ES256`, `RS256`, `EdDSA` or `HS256`.
    pub algorithm: String,
    /// `in_use` or `standby`; `None` = standby.
    pub status: Option<String>,
    /// The private key to be imported; `None` = a new one is made.
    pub private_jwk: Option<Value>,
}

impl Management {
    /// All keys, oldest first.
    pub async fn signing_keys(&self, project: &ProjectRef) -> Result<Vec<SigningKeyView>> {
        Ok(self.bundle(project).await?.signing_keys.iter().map(view).collect())
    }

    /// One key.
    pub async fn signing_key(&self, project: &ProjectRef, key: Uuid) -> Result<SigningKeyView> {
        let keys = self.signing_keys(project).await?;
        keys.into_iter().find(|view| view.id == key).ok_or(Error::NotFound)
    }

    /// Makes or imports a key.
    pub async fn create_signing_key(
        &self,
        project: &ProjectRef,
        request: NewSigningKeyRequest,
    ) -> Result<SigningKeyView> {
        let bundle = self.bundle(project).await?;
        let algorithm = parse_algorithm(&request.algorithm)?;
        let status = match request.status.as_deref() {
            None | Some("standby") => KeyStatus::Standby,
            Some("in_use") => KeyStatus::InUse,
            Some(_) => return Err(Error::Invalid("status must be in_use or standby".to_owned())),
        };
        let key = match &request.private_jwk {
            Some(jwk) => import(jwk, &*self.entropy)?,
            None => SigningKey::generate(algorithm, &self.entropy.uuid().to_string(), &*self.entropy)
                .map_err(|error| Error::Fault(error.into()))?,
        };
        if key.algorithm() != algorithm {
            return Err(Error::Invalid("private_jwk is a key for another algorithm".to_owned()));
        }
        let taken = |row: &Row| row.public_jwk.as_ref().and_then(|jwk| jwk.get("kid")) == Some(&json!(key.kid()));
        if bundle.signing_keys.iter().any(taken) {
            return Err(Error::Invalid("a key with this kid exists already".to_owned()));
        }
        let new = self.sealed_key(bundle.project.id, &key, KeyStatus::Standby, self.now())?;
        let id = new.id;
        self.control.signing_keys().insert(bundle.project.id, &new).await?;
        if status == KeyStatus::InUse {
            self.move_key(bundle.project.id, id, KeyStatus::Standby, status).await?;
        }
        self.announce(bundle.project.id).await;
        self.signing_key(project, id).await
    }

    /// Moves a key to another status; to put one in use retires the one that was.
    pub async fn set_signing_key_status(
        &self,
        project: &ProjectRef,
        key: Uuid,
        status: &str,
    ) -> Result<SigningKeyView> {
        let bundle = self.bundle(project).await?;
        let row = bundle.signing_keys.iter().find(|row| row.id == key).ok_or(Error::NotFound)?;
        let wanted = parse_status(status)?;
        if !may_move(row.status, wanted) {
            let from = row.status.as_str();
            return Err(Error::Invalid(format!("a key that is {from} cannot become {status}")));
        }
        self.move_key(bundle.project.id, key, row.status, wanted).await?;
        self.announce(bundle.project.id).await;
        self.signing_key(project, key).await
    }

    /// Removes a revoked key for good.
    pub async fn delete_signing_key(&self, project: &ProjectRef, key: Uuid) -> Result<SigningKeyView> {
        let bundle = self.bundle(project).await?;
        let row = bundle.signing_keys.iter().find(|row| row.id == key).ok_or(Error::NotFound)?;
        if row.status != KeyStatus::Revoked {
            return Err(Error::Invalid("only a revoked key can be deleted".to_owned()));
        }
        self.control.signing_keys().delete(bundle.project.id, key, self.now()).await?;
        self.announce(bundle.project.id).await;
        Ok(view(row))
    }

    async fn move_key(&self, project: ProjectId, key: Uuid, from: KeyStatus, to: KeyStatus) -> Result<()> {
        if self.control.signing_keys().set_status(project, key, from, to, self.now()).await? {
            Ok(())
        } else {
            Err(Error::Conflict("the key changed its status meanwhile".to_owned()))
        }
    }

    pub(super) fn sealed_key(
        &self,
        project: ProjectId,
        key: &SigningKey,
        status: KeyStatus,
        now: Timestamp,
    ) -> Result<Row> {
        let plain = serde_json::to_vec(key.to_private_jwk().expose()).map_err(|error| Error::Fault(error.into()))?;
        let sealed = self.master_key.seal(&purpose(source::SIGNING_KEY, project), &plain, &*self.entropy);
        Ok(Row {
            id: key.kid().parse().unwrap_or_else(|_| self.entropy.uuid()),
            algorithm: key.algorithm().as_str().to_owned(),
            status,
            sealed: Secret::new(sealed),
            public_jwk: key.public_jwk(),
            created_at: now,
            updated_at: now,
        })
    }
}

/// An imported private key; one without `kid` gets a new one.
pub(super) fn import(jwk: &Value, entropy: &dyn Entropy) -> Result<SigningKey> {
    let mut jwk = jwk.clone();
    if let Some(members) = jwk.as_object_mut()
        && members.get("kid").and_then(Value::as_str).is_none_or(str::is_empty)
    {
        members.insert("kid".to_owned(), json!(entropy.uuid()));
    }
    SigningKey::from_jwk(&jwk).map_err(|error| Error::Invalid(error.to_string()))
}

fn parse_algorithm(name: &str) -> Result<Algorithm> {
    Algorithm::parse(name).ok_or_else(|| Error::Invalid("algorithm must be ES256, RS256, EdDSA or HS256".to_owned()))
}

fn parse_status(name: &str) -> Result<KeyStatus> {
    let unknown = || Error::Invalid("status must be in_use, standby, previously_used or revoked".to_owned());
    KeyStatus::from_stored(name).ok_or_else(unknown)
}

/// The moves of `contract/management.md` §2.5. A key leaves use only because another takes its place.
fn may_move(from: KeyStatus, to: KeyStatus) -> bool {
    use KeyStatus::{InUse, PreviouslyUsed, Revoked, Standby};
    matches!(
        (from, to),
        (Standby | PreviouslyUsed, InUse) | (Standby | PreviouslyUsed, Revoked) | (PreviouslyUsed | Revoked, Standby)
    )
}

fn view(row: &Row) -> SigningKeyView {
    SigningKeyView {
        id: row.id,
        algorithm: row.algorithm.clone(),
        status: row.status.as_str(),
        public_jwk: row.public_jwk.clone(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
