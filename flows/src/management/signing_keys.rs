//! A project's JWT signing keys and their life (`contract/management.md` §2.5).

use crypto::jwt::{Algorithm, SigningKey};
use domain::config::Explicit;
use domain::entropy::Entropy;
use domain::ids::{ProjectId, ProjectRef};
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::{Value, json};
use storage::control::{Bundle, KeyStatus, SigningKey as Row};
use uuid::Uuid;

use super::{Error, Management, Result, marks};
use crate::source::{self, purpose};

/// Least length of a shared secret in bytes (`security/advisor.md` §1.2), and where the shield profile is enforced.
const LEAST_SECRET: usize = 16;
/// See [`LEAST_SECRET`].
const LEAST_SHIELDED: usize = 32;

/// Most keys of a project, revoked ones too: each is parsed whenever a gateway loads it.
const MOST: usize = 50;

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
    /// When a key on standby is to sign, if that is known.
    pub promote_at: Option<Timestamp>,
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
    /// All keys, newest first.
    pub async fn signing_keys(&self, project: &ProjectRef) -> Result<Vec<SigningKeyView>> {
        Ok(self.bundle(project).await?.signing_keys.iter().map(view).collect())
    }

    /// One key.
    pub async fn signing_key(&self, project: &ProjectRef, key: Uuid) -> Result<SigningKeyView> {
        let bundle = self.bundle(project).await?;
        Ok(view(key_of(&bundle, key)?))
    }

    /// The JWT secret as a signing key; not found until it was imported.
    pub async fn legacy_signing_key(&self, project: &ProjectRef) -> Result<SigningKeyView> {
        let bundle = self.bundle(project).await?;
        self.legacy_row(&bundle)?.map(view).ok_or(Error::NotFound)
    }

    /// Makes or imports a key.
    pub async fn create_signing_key(
        &self,
        project: &ProjectRef,
        request: NewSigningKeyRequest,
    ) -> Result<SigningKeyView> {
        let bundle = self.changeable(project).await?;
        let algorithm = parse_algorithm(&request.algorithm)?;
        let status = match request.status.as_deref() {
            None | Some("standby") => KeyStatus::Standby,
            Some("in_use") => KeyStatus::InUse,
            Some(_) => return Err(Error::Invalid("status must be in_use or standby".to_owned())),
        };
        let key = match &request.private_jwk {
            Some(jwk) => {
                check_members(jwk)?;
                import(jwk, &self.open_config(&bundle)?, &*self.entropy)?
            }
            None => self.generate(algorithm)?,
        };
        if key.algorithm() != algorithm {
            return Err(Error::Invalid("private_jwk is a key for another algorithm".to_owned()));
        }
        if status == KeyStatus::InUse && !key.is_private() {
            return Err(Error::Invalid("private_jwk holds no private key: it cannot be in use".to_owned()));
        }
        self.add_key(&bundle, &key, status).await
    }

    /// Takes the JWT secret among the signing keys, so that it can be retired and revoked like one. It signs, as it did; where another
    /// key is in use already, it goes on verifying what it signed before.
    pub async fn import_legacy_signing_key(&self, project: &ProjectRef) -> Result<SigningKeyView> {
        let bundle = self.changeable(project).await?;
        if self.legacy_row(&bundle)?.is_some() {
            return Err(Error::Conflict("the JWT secret is among the signing keys already".to_owned()));
        }
        let secret = source::required_secret(&self.master_key, source::JWT_SECRET, &bundle)?;
        let kid = self.entropy.uuid().to_string();
        let key = SigningKey::of_secret(&kid, &secret).map_err(|error| Error::Fault(error.into()))?;
        let used = bundle.signing_keys.iter().any(|row| row.status == KeyStatus::InUse);
        let status = if used { KeyStatus::PreviouslyUsed } else { KeyStatus::InUse };
        self.add_key(&bundle, &key, status).await
    }

    /// Moves a key to another status; to put one in use retires the one that was.
    pub async fn set_signing_key_status(
        &self,
        project: &ProjectRef,
        key: Uuid,
        status: &str,
    ) -> Result<SigningKeyView> {
        let bundle = self.changeable(project).await?;
        let row = key_of(&bundle, key)?;
        let wanted = parse_status(status)?;
        if row.status == wanted {
            return Ok(view(row));
        }
        if !may_move(row.status, wanted) {
            let from = row.status.as_str();
            return Err(Error::Invalid(format!("a key that is {from} cannot become {status}")));
        }
        if wanted == KeyStatus::InUse && !self.open_key(&bundle, row)?.is_private() {
            return Err(Error::Invalid("the key has no private half: it cannot be in use".to_owned()));
        }
        let is_legacy = || Ok::<_, Error>(self.legacy_row(&bundle)?.is_some_and(|legacy| legacy.id == key));
        if wanted == KeyStatus::Revoked && bundle.legacy_keys_enabled && is_legacy()? {
            let text =
                "the keys anon and service_role are signed with the JWT secret: disable the legacy API keys first";
            return Err(Error::Invalid(text.to_owned()));
        }
        self.move_key(&bundle, row, wanted).await?;
        self.signing_key(project, key).await
    }

    /// Removes a revoked key for good.
    pub async fn delete_signing_key(&self, project: &ProjectRef, key: Uuid) -> Result<SigningKeyView> {
        let bundle = self.changeable(project).await?;
        let row = key_of(&bundle, key)?;
        if row.status != KeyStatus::Revoked {
            return Err(Error::Invalid("only a revoked key can be deleted".to_owned()));
        }
        if self.legacy_row(&bundle)?.is_some_and(|legacy| legacy.id == key) {
            // Without the row it would be trusted again.
            return Err(Error::Invalid("the JWT secret cannot be deleted; it stays revoked".to_owned()));
        }
        let control = self.noting("signing_key.deleted", Some(&bundle.project), Some(logged(row)), None);
        if !control.signing_keys().delete(bundle.project.id, key, self.now()).await? {
            return Err(Error::Conflict(CHANGED.to_owned()));
        }
        self.announce(bundle.project.id).await;
        Ok(view(row))
    }

    /// Adds a key that no project has.
    pub(super) async fn add_key(&self, bundle: &Bundle, key: &SigningKey, status: KeyStatus) -> Result<SigningKeyView> {
        if bundle.signing_keys.len() >= MOST {
            return Err(Error::Invalid(format!(
                "a project has at most {MOST} signing keys: delete revoked ones first"
            )));
        }
        for row in &bundle.signing_keys {
            let known = self.open_key(bundle, row)?;
            if known.kid() == key.kid() {
                return Err(Error::Invalid("a key with this kid exists already".to_owned()));
            }
            if self.marks(None, std::slice::from_ref(&known)) == self.marks(None, std::slice::from_ref(key)) {
                return Err(Error::Invalid("this key exists already, with another kid".to_owned()));
            }
        }
        let row = self.sealed_key(bundle.project.id, key, status, self.now())?;
        let marks = self.marks(None, std::slice::from_ref(key));
        let control = self.noting("signing_key.created", Some(&bundle.project), None, Some(logged(&row)));
        if !control.signing_keys().insert(bundle.project.id, &row, &marks).await? {
            return Err(marks::taken());
        }
        self.announce(bundle.project.id).await;
        Ok(view(&row))
    }

    /// Moves a key that is as `row` says.
    pub(super) async fn move_key(&self, bundle: &Bundle, row: &Row, to: KeyStatus) -> Result<()> {
        let project = &bundle.project;
        let after = logged(&Row { status: to, promote_at: None, ..row.clone() });
        let control = self.noting("signing_key.moved", Some(project), Some(logged(row)), Some(after));
        if !control.signing_keys().set_status(project.id, row.id, row.status, to, self.now()).await? {
            return Err(Error::Conflict(CHANGED.to_owned()));
        }
        self.announce(project.id).await;
        Ok(())
    }

    /// A fresh key.
    pub(super) fn generate(&self, algorithm: Algorithm) -> Result<SigningKey> {
        let kid = self.entropy.uuid().to_string();
        SigningKey::generate(algorithm, &kid, &*self.entropy).map_err(|error| Error::Fault(error.into()))
    }

    /// The row of the JWT secret, once it was imported.
    pub(super) fn legacy_row<'b>(&self, bundle: &'b Bundle) -> Result<Option<&'b Row>> {
        let secret = source::required_secret(&self.master_key, source::JWT_SECRET, bundle)?;
        for row in bundle.signing_keys.iter().filter(|row| row.algorithm == Algorithm::HS256.as_str()) {
            if source::is_secret(&self.open_key(bundle, row)?, &secret) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    pub(super) fn open_key(&self, bundle: &Bundle, row: &Row) -> Result<SigningKey> {
        Ok(source::open_key(&self.master_key, bundle.project.id, row)?)
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
            promote_at: None,
            created_at: now,
            updated_at: now,
        })
    }
}

const CHANGED: &str = "the key changed its status meanwhile";

/// The row of a key.
pub(super) fn key_of(bundle: &Bundle, key: Uuid) -> Result<&Row> {
    bundle.signing_keys.iter().find(|row| row.id == key).ok_or(Error::NotFound)
}

/// An imported private key; one without `kid` gets a new one.
pub(super) fn import(jwk: &Value, explicit: &Explicit, entropy: &dyn Entropy) -> Result<SigningKey> {
    let mut jwk = jwk.clone();
    if let Some(members) = jwk.as_object_mut()
        && members.get("kid").and_then(Value::as_str).is_none_or(str::is_empty)
    {
        members.insert("kid".to_owned(), json!(entropy.uuid()));
    }
    let key = SigningKey::from_jwk(&jwk).map_err(|error| Error::Invalid(error.to_string()))?;
    if let Some(secret) = key.shared_secret() {
        check_length("k", secret.expose().len(), explicit)?;
    }
    Ok(key)
}

/// Refuses members that a key of its kind does not have (`contract/management.md` §2.5): what stands in them would be lost.
fn check_members(jwk: &Value) -> Result<()> {
    const ALL: [&str; 6] = ["kty", "kid", "alg", "use", "key_ops", "ext"];
    let own: &[&str] = match jwk.get("kty").and_then(Value::as_str) {
        Some("RSA") => &["n", "e", "d", "p", "q", "dp", "dq", "qi"],
        Some("EC") => &["crv", "x", "y", "d"],
        Some("OKP") => &["crv", "x", "d"],
        Some("oct") => &["k"],
        // Said to be unsupported by whoever reads it.
        _ => return Ok(()),
    };
    let known = |name: &str| ALL.contains(&name) || own.contains(&name);
    match jwk.as_object().into_iter().flatten().find(|(name, _)| !known(name)) {
        Some((name, _)) => Err(Error::Invalid(format!("private_jwk: unknown member `{name}`"))),
        None => Ok(()),
    }
}

/// Refuses a shared secret of `bytes` bytes that is too short for the project.
pub(super) fn check_length(name: &str, bytes: usize, explicit: &Explicit) -> Result<()> {
    let (least, of) = if explicit.enforces_locks() {
        (LEAST_SHIELDED, " (security profile shield)")
    } else if name == "k" {
        // The contract counts the characters of its base64url, which the parser has done.
        (0, "")
    } else {
        (LEAST_SECRET, "")
    };
    if bytes < least {
        return Err(Error::Invalid(format!("{name} must have at least {least} bytes{of}")));
    }
    Ok(())
}

/// The algorithm of this name.
pub(super) fn parse_algorithm(name: &str) -> Result<Algorithm> {
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

/// What an operator sees of a key.
pub(super) fn view(row: &Row) -> SigningKeyView {
    SigningKeyView {
        id: row.id,
        algorithm: row.algorithm.clone(),
        status: row.status.as_str(),
        public_jwk: row.public_jwk.clone(),
        promote_at: row.promote_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// What the operator log says of a key.
pub(super) fn logged(row: &Row) -> Value {
    json!({ "id": row.id, "algorithm": row.algorithm, "status": row.status.as_str(), "promote_at": row.promote_at })
}
