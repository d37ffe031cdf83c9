//! The first line of an archive: the project itself, its configuration, its keys (docs/archive.md).

use std::collections::BTreeMap;

use crypto::jwt::SigningKey;
use crypto::seal::MasterKey;
use domain::config::{self, Explicit};
use domain::entropy::Entropy;
use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::project::{Profile, Project, Status};
use domain::quota::Quotas;
use domain::secret::Secret;
use domain::third_party::{Source, ThirdParty};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::control::{ApiKey, Bundle, ConfigVersion, KeyStatus, SigningKey as StoredKey};
use uuid::Uuid;

use super::archive::ROOM;
use super::{Error, Result, config as stored, quotas};
use crate::source::{self, purpose};

/// The version of the format. A program takes archives of its own version.
pub(super) const FORMAT: u32 = 1;

/// How far the numbers of a project's stored tokens may be apart: an import takes as many of a database that others use too.
const WIDEST: i64 = 1 << 53;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) tenantry_archive: u32,
    pub(super) exported_at: Timestamp,
    pub(super) project: ProjectPart,
    config: Map<String, Value>,
    legacy_keys_enabled: bool,
    secrets: BTreeMap<String, String>,
    signing_keys: Vec<KeyPart>,
    api_keys: Vec<ApiKeyPart>,
    third_party: Vec<IssuerPart>,
    /// The least and the greatest number of a stored refresh token when the export began.
    pub(super) token_ids: (i64, i64),
    pub(super) tables: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectPart {
    pub(super) id: ProjectId,
    #[serde(rename = "ref")]
    pub(super) project_ref: ProjectRef,
    pub(super) instance_id: InstanceId,
    name: String,
    status: Status,
    profile: Profile,
    quotas: Quotas,
    created_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyPart {
    id: Uuid,
    algorithm: String,
    status: String,
    sealed: String,
    public_jwk: Option<Value>,
    promote_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiKeyPart {
    id: Uuid,
    name: String,
    kind: String,
    hash: String,
    prefix: String,
    sealed: String,
    description: Option<String>,
    secret_jwt_template: Option<Value>,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerPart {
    id: Uuid,
    oidc_issuer_url: Option<String>,
    jwks_url: Option<String>,
    custom_jwks: Option<Value>,
    resolved_jwks: Option<Value>,
    inserted_at: Timestamp,
    updated_at: Timestamp,
    resolved_at: Option<Timestamp>,
}

/// What a header says, sealed for the gateway that takes it, with what tells its keys from other projects'.
pub(super) struct Opened {
    pub(super) bundle: Bundle,
    pub(super) jwt_secret: Secret<String>,
    pub(super) keys: Vec<SigningKey>,
}

/// A key for archives as people hand it on: 32 bytes in base64 or base64url, padded or not.
pub(super) fn archive_key(text: &Secret<String>) -> Result<MasterKey> {
    let plain: String = text
        .expose()
        .trim()
        .trim_end_matches('=')
        .chars()
        .map(|character| match character {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    MasterKey::from_text(&plain).map_err(|_| Error::Invalid("the archive key must be 32 bytes in base64".to_owned()))
}

/// Whether a database can put numbers aside for stored tokens with numbers between these, and for others after them.
fn has_room(&(least, most): &(i64, i64)) -> bool {
    least >= 0
        && most.checked_add(ROOM).is_some()
        && most.checked_sub(least).is_some_and(|span| (0..=WIDEST).contains(&span))
}

fn in_header(error: Error) -> Error {
    match error {
        Error::Invalid(why) => Error::Invalid(format!("line 1: {why}")),
        other => other,
    }
}

/// Changes the key under which secrets are sealed.
struct Resealing<'k> {
    from: &'k MasterKey,
    to: &'k MasterKey,
    project: ProjectId,
    entropy: &'k dyn Entropy,
}

impl Resealing<'_> {
    fn open(&self, what: &str, sealed: &str) -> Result<Secret<Vec<u8>>> {
        let plain = self.from.open(&purpose(what, self.project), sealed);
        plain.map(Secret::new).map_err(|_| Error::Invalid(format!("{what} cannot be opened with this key")))
    }

    fn seal(&self, what: &str, plain: &Secret<Vec<u8>>) -> String {
        self.to.seal(&purpose(what, self.project), plain.expose(), self.entropy)
    }

    fn text(&self, what: &str, sealed: &str) -> Result<String> {
        Ok(self.seal(what, &self.open(what, sealed)?))
    }
}

impl Header {
    /// The header of an archive of what `bundle` holds.
    pub(super) fn new(
        bundle: &Bundle,
        token_ids: (i64, i64),
        (master_key, archive_key): (&MasterKey, &MasterKey),
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Self> {
        let project = &bundle.project;
        let reseal = Resealing { from: master_key, to: archive_key, project: project.id, entropy };
        let explicit = source::open_config(master_key, bundle)?;
        // Where the rows are is no part of what they are.
        let secrets = bundle.secrets.iter().filter(|(name, _)| name != source::DATABASE_URL);
        Ok(Self {
            tenantry_archive: FORMAT,
            exported_at: now,
            project: ProjectPart {
                id: project.id,
                project_ref: project.project_ref.clone(),
                instance_id: project.instance,
                name: project.name.clone(),
                status: project.status,
                profile: project.profile,
                quotas: project.quotas,
                created_at: project.created_at,
            },
            config: source::seal_config(archive_key, project.id, &explicit, entropy)?,
            legacy_keys_enabled: bundle.legacy_keys_enabled,
            secrets: secrets
                .map(|(name, sealed)| Ok((name.clone(), reseal.text(name, sealed.expose())?)))
                .collect::<Result<_>>()?,
            signing_keys: bundle.signing_keys.iter().map(|key| KeyPart::new(key, &reseal)).collect::<Result<_>>()?,
            api_keys: bundle.api_keys.iter().map(|key| ApiKeyPart::new(key, &reseal)).collect::<Result<_>>()?,
            third_party: bundle.third_party.iter().map(IssuerPart::new).collect(),
            token_ids,
            tables: storage::archive::tables().iter().map(|table| table.name().to_owned()).collect(),
        })
    }

    /// The first line: members in the order of their names and nothing between them, so that who parses and writes it again gets the
    /// same text.
    pub(super) fn line(&self) -> Result<String> {
        let value = serde_json::to_value(self).map_err(|error| Error::Fault(error.into()))?;
        Ok(value.to_string())
    }

    /// Reads a first line.
    pub(super) fn read(line: Value) -> Result<Self> {
        let format = line.get("tenantry_archive").and_then(Value::as_u64);
        if format != Some(FORMAT.into()) {
            return Err(Error::Invalid(match format {
                Some(other) => format!("the archive has format {other}, this program takes format {FORMAT}"),
                None => "line 1 is not the header of an archive".to_owned(),
            }));
        }
        let header: Self = serde_json::from_value(line).map_err(|error| Error::Invalid(format!("line 1: {error}")))?;
        let ordered = header.tables.iter().map(String::as_str).eq(storage::archive::tables().iter().map(|t| t.name()));
        if !ordered {
            return Err(Error::Invalid("line 1: the archive has other tables than this program".to_owned()));
        }
        if header.project.status == Status::Deleting {
            return Err(Error::Invalid("line 1: no archive of a project that serves".to_owned()));
        }
        if !has_room(&header.token_ids) {
            return Err(Error::Invalid(
                "line 1: token_ids are not the least and the greatest number of a token".to_owned(),
            ));
        }
        quotas::check(&header.project.quotas).map_err(in_header)?;
        Ok(header)
    }

    /// What the header says, for the control store of this gateway.
    pub(super) fn open(
        &self,
        project_ref: ProjectRef,
        (archive_key, master_key): (&MasterKey, &MasterKey),
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Opened> {
        let part = &self.project;
        let reseal = Resealing { from: archive_key, to: master_key, project: part.id, entropy };
        for name in [source::JWT_SECRET, source::PROJECT_KEY] {
            if !self.secrets.contains_key(name) {
                return Err(Error::Invalid(format!("line 1: {name} is missing")));
            }
        }
        let mut secrets = Vec::new();
        let mut jwt_secret = Secret::new(String::new());
        for (name, sealed) in &self.secrets {
            let plain = reseal.open(name, sealed)?;
            if name == source::JWT_SECRET {
                let text = String::from_utf8(plain.expose().clone());
                jwt_secret = Secret::new(text.map_err(|_| Error::Invalid("line 1: jwt_secret is no text".to_owned()))?);
            }
            if name == source::PROJECT_KEY && plain.expose().len() != 32 {
                return Err(Error::Invalid("line 1: project_key has not 32 bytes".to_owned()));
            }
            if name == source::DATABASE_URL {
                return Err(Error::Invalid("line 1: an archive names no database".to_owned()));
            }
            secrets.push((name.clone(), Secret::new(reseal.seal(name, &plain))));
        }
        let explicit = self.explicit(archive_key)?;
        let project = Project {
            id: part.id,
            project_ref,
            instance: part.instance_id,
            name: part.name.clone(),
            status: part.status,
            profile: explicit.profile(),
            placement: domain::project::Placement::default(),
            database_url: None,
            quotas: part.quotas,
            hold: None,
            purge_at: None,
            created_at: part.created_at,
        };
        let opened = self.signing_keys.iter().map(|key| key.open(&reseal)).collect::<Result<Vec<_>>>()?;
        let (signing_keys, keys) = opened.into_iter().unzip();
        let bundle = Bundle {
            project,
            config: ConfigVersion {
                version: 1,
                values: source::seal_config(master_key, part.id, &explicit, entropy)?,
                created_at: now,
                changed_by: None,
                note: Some("imported".to_owned()),
            },
            signing_keys,
            api_keys: self.api_keys.iter().map(|key| key.open(&reseal)).collect::<Result<_>>()?,
            secrets,
            third_party: self.third_party.iter().map(IssuerPart::open).collect::<Result<_>>()?,
            legacy_keys_enabled: self.legacy_keys_enabled,
            domain: None,
        };
        Ok(Opened { bundle, jwt_secret, keys })
    }

    /// The configuration, which must be one that could be given here.
    fn explicit(&self, archive_key: &MasterKey) -> Result<Explicit> {
        let values = source::open_values(archive_key, self.project.id, &self.config)
            .map_err(|_| Error::Invalid("line 1: the configuration cannot be opened with this key".to_owned()))?
            .to_map();
        if let Some(name) = config::unknown_keys(&values).first() {
            return Err(Error::Invalid(format!("line 1: config has no field {name:?}")));
        }
        // Whoever makes a project decides about every field, also those that its operator cannot change.
        config::validate_new(&values).map_err(|problems| in_header(stored::problems(problems)))
    }
}

impl KeyPart {
    fn new(key: &StoredKey, reseal: &Resealing<'_>) -> Result<Self> {
        Ok(Self {
            id: key.id,
            algorithm: key.algorithm.clone(),
            status: key.status.as_str().to_owned(),
            sealed: reseal.text(source::SIGNING_KEY, key.sealed.expose())?,
            public_jwk: key.public_jwk.clone(),
            promote_at: key.promote_at,
            created_at: key.created_at,
            updated_at: key.updated_at,
        })
    }

    fn open(&self, reseal: &Resealing<'_>) -> Result<(StoredKey, SigningKey)> {
        let broken = || Error::Invalid(format!("line 1: signing key {} is broken", self.id));
        let plain = reseal.open(source::SIGNING_KEY, &self.sealed)?;
        let jwk = serde_json::from_slice(plain.expose()).map_err(|_| broken())?;
        let key = SigningKey::from_jwk(&jwk).map_err(|_| broken())?;
        let stored = StoredKey {
            id: self.id,
            algorithm: self.algorithm.clone(),
            status: KeyStatus::from_stored(&self.status).ok_or_else(broken)?,
            sealed: Secret::new(reseal.seal(source::SIGNING_KEY, &plain)),
            public_jwk: self.public_jwk.clone(),
            promote_at: self.promote_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        Ok((stored, key))
    }
}

impl ApiKeyPart {
    fn new(key: &ApiKey, reseal: &Resealing<'_>) -> Result<Self> {
        Ok(Self {
            id: key.id,
            name: key.name.clone(),
            kind: key.kind.clone(),
            hash: key.hash.clone(),
            prefix: key.prefix.clone(),
            sealed: reseal.text(source::API_KEY, key.sealed.expose())?,
            description: key.description.clone(),
            secret_jwt_template: key.secret_jwt_template.clone(),
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
            created_at: key.created_at,
            updated_at: key.updated_at,
        })
    }

    fn open(&self, reseal: &Resealing<'_>) -> Result<ApiKey> {
        let plain = reseal.open(source::API_KEY, &self.sealed)?;
        let text = std::str::from_utf8(plain.expose()).unwrap_or_default();
        if crypto::api_key::hash(text) != self.hash {
            return Err(Error::Invalid(format!("line 1: API key {} is broken", self.id)));
        }
        Ok(ApiKey {
            id: self.id,
            name: self.name.clone(),
            kind: self.kind.clone(),
            hash: self.hash.clone(),
            prefix: self.prefix.clone(),
            sealed: Secret::new(reseal.seal(source::API_KEY, &plain)),
            description: self.description.clone(),
            secret_jwt_template: self.secret_jwt_template.clone(),
            last_used_at: self.last_used_at,
            expires_at: self.expires_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

impl IssuerPart {
    fn new(issuer: &ThirdParty) -> Self {
        let (oidc_issuer_url, jwks_url, custom_jwks) = match &issuer.source {
            Source::OidcIssuer(url) => (Some(url.clone()), None, None),
            Source::JwksUrl(url) => (None, Some(url.clone()), None),
            Source::CustomJwks(keys) => (None, None, Some(keys.clone())),
        };
        Self {
            id: issuer.id,
            oidc_issuer_url,
            jwks_url,
            custom_jwks,
            resolved_jwks: issuer.resolved_jwks.clone(),
            inserted_at: issuer.inserted_at,
            updated_at: issuer.updated_at,
            resolved_at: issuer.resolved_at,
        }
    }

    fn open(&self) -> Result<ThirdParty> {
        let source = match (&self.oidc_issuer_url, &self.jwks_url, &self.custom_jwks) {
            (Some(url), None, None) => Source::OidcIssuer(url.clone()),
            (None, Some(url), None) => Source::JwksUrl(url.clone()),
            (None, None, Some(keys)) => Source::CustomJwks(keys.clone()),
            _ => return Err(Error::Invalid(format!("line 1: issuer {} is broken", self.id))),
        };
        Ok(ThirdParty {
            id: self.id,
            source,
            resolved_jwks: self.resolved_jwks.clone(),
            inserted_at: self.inserted_at,
            updated_at: self.updated_at,
            resolved_at: self.resolved_at,
        })
    }
}
