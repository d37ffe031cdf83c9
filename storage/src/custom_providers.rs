//! Rows of `auth.custom_oauth_providers` (`contract/schema.md` §6.20).

use domain::custom_providers::{CustomProvider, Protocol};
use domain::secret::Secret;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::backend::Inner;
use crate::database::{TenantStore, Tx};
use crate::error::{Result, StoreError};
use crate::rows::metadata;
use crate::sql::{each, same};
use crate::values::{At, Texts};

/// Sets the lock of a project's providers apart from its other ones; the same in every version of this program.
const TURN: u64 = 0x7072_6f76_6964_6572;

macro_rules! columns {
    () => {
        "c.id, c.provider_type, c.identifier, c.name, c.client_id, c.client_secret, c.acceptable_client_ids, c.scopes,
         c.pkce_enabled, c.attribute_mapping, c.authorization_params, c.enabled, c.email_optional, c.issuer, c.discovery_url,
         c.skip_nonce_check, c.cached_discovery, c.authorization_url, c.token_url, c.userinfo_url, c.jwks_uri,
         c.created_at, c.updated_at, c.custom_claims_allowlist"
    };
}

macro_rules! one {
    () => {
        concat!(
            "select ",
            columns!(),
            " from auth.custom_oauth_providers as c where c.instance_id = $1 and c.identifier = $2"
        )
    };
}

statements! {
    project LIST = same(concat!(
        "select ", columns!(), " from auth.custom_oauth_providers as c
         where c.instance_id = $1 and (cast($2 as text) is null or c.provider_type = $2)
         order by c.created_at desc, c.id desc"
    ));
    project READ = same(one!());
    project LOCK = each(concat!(one!(), " for update"), one!());
    project COUNT = same("select count(*) from auth.custom_oauth_providers as c where c.instance_id = $1");
    project INSERT = same(
        "insert into auth.custom_oauth_providers
             (instance_id, id, provider_type, identifier, created_at, updated_at, name, client_id, client_secret,
              acceptable_client_ids, scopes, pkce_enabled, attribute_mapping, authorization_params, enabled, email_optional,
              issuer, discovery_url, skip_nonce_check, cached_discovery, discovery_cached_at, authorization_url, token_url,
              userinfo_url, jwks_uri, custom_claims_allowlist)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                 case when $20 is not null then $6 end, $21, $22, $23, $24, $25)"
    );
    project UPDATE = same(
        "update auth.custom_oauth_providers as c set
             updated_at = $3, name = $4, client_id = $5, client_secret = $6, acceptable_client_ids = $7, scopes = $8,
             pkce_enabled = $9, attribute_mapping = $10, authorization_params = $11, enabled = $12, email_optional = $13,
             issuer = $14, discovery_url = $15, skip_nonce_check = $16, cached_discovery = $17,
             discovery_cached_at = case
                 when $17 is null then null
                 when c.cached_discovery is distinct from $17 then $3
                 else c.discovery_cached_at
             end,
             authorization_url = $18, token_url = $19, userinfo_url = $20, jwks_uri = $21, custom_claims_allowlist = $22
         where c.instance_id = $1 and c.id = $2"
    );
    project DELETE = same("delete from auth.custom_oauth_providers as c where c.instance_id = $1 and c.identifier = $2");
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    provider_type: String,
    identifier: String,
    name: String,
    client_id: String,
    client_secret: String,
    acceptable_client_ids: Texts,
    scopes: Texts,
    pkce_enabled: bool,
    attribute_mapping: Json<Value>,
    authorization_params: Json<Value>,
    enabled: bool,
    email_optional: bool,
    issuer: Option<String>,
    discovery_url: Option<String>,
    skip_nonce_check: bool,
    cached_discovery: Option<Json<Value>>,
    authorization_url: Option<String>,
    token_url: Option<String>,
    userinfo_url: Option<String>,
    jwks_uri: Option<String>,
    created_at: At,
    updated_at: At,
    custom_claims_allowlist: Texts,
}

impl TryFrom<Row> for CustomProvider {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let protocol = match row.provider_type.as_str() {
            "oauth2" => Protocol::Oauth2 {
                authorization_url: required(row.authorization_url)?,
                token_url: required(row.token_url)?,
                userinfo_url: required(row.userinfo_url)?,
                jwks_uri: row.jwks_uri,
            },
            "oidc" => Protocol::Oidc {
                issuer: required(row.issuer)?,
                discovery_url: row.discovery_url,
                discovery_document: row
                    .cached_discovery
                    .map(|document| document.0)
                    .filter(|document| !document.is_null()),
            },
            _ => return Err(StoreError::fault("a custom provider is of an unknown type")),
        };
        let parameters = metadata(Some(row.authorization_params)).into_iter();
        Ok(Self {
            id: row.id,
            identifier: row.identifier,
            name: row.name,
            protocol,
            client_id: row.client_id,
            client_secret: Secret::new(row.client_secret),
            acceptable_client_ids: row.acceptable_client_ids.0,
            scopes: row.scopes.0,
            pkce_enabled: row.pkce_enabled,
            attribute_mapping: metadata(Some(row.attribute_mapping)),
            custom_claims_allowlist: row.custom_claims_allowlist.0,
            authorization_params: parameters
                .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
                .collect(),
            enabled: row.enabled,
            email_optional: row.email_optional,
            skip_nonce_check: row.skip_nonce_check,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

fn required(value: Option<String>) -> Result<String> {
    value.ok_or_else(|| StoreError::fault("a custom provider lacks what its type requires"))
}

/// The columns that one of the protocols has.
#[derive(Default)]
struct Columns<'p> {
    provider_type: &'static str,
    issuer: Option<&'p str>,
    discovery_url: Option<&'p str>,
    discovery_document: Option<Json<&'p Value>>,
    authorization_url: Option<&'p str>,
    token_url: Option<&'p str>,
    userinfo_url: Option<&'p str>,
    jwks_uri: Option<&'p str>,
}

impl<'p> Columns<'p> {
    fn of(protocol: &'p Protocol) -> Self {
        match protocol {
            Protocol::Oauth2 { authorization_url, token_url, userinfo_url, jwks_uri } => Self {
                provider_type: "oauth2",
                authorization_url: Some(authorization_url),
                token_url: Some(token_url),
                userinfo_url: Some(userinfo_url),
                jwks_uri: jwks_uri.as_deref(),
                ..Self::default()
            },
            Protocol::Oidc { issuer, discovery_url, discovery_document } => Self {
                provider_type: "oidc",
                issuer: Some(issuer),
                discovery_url: discovery_url.as_deref(),
                discovery_document: discovery_document.as_ref().map(Json),
                ..Self::default()
            },
        }
    }
}

/// A write of a provider's columns, `$identity` before those that it may change later.
macro_rules! store {
    ($work:expr, $sql:expr, $provider:expr, $columns:expr, $($identity:expr),+) => {{
        let (provider, columns): (&CustomProvider, &Columns<'_>) = ($provider, $columns);
        execute!(
            $work,
            $sql,
            $($identity,)+
            At(provider.updated_at),
            &provider.name,
            &provider.client_id,
            provider.client_secret.expose(),
            Texts(provider.acceptable_client_ids.clone()),
            Texts(provider.scopes.clone()),
            provider.pkce_enabled,
            Json(&provider.attribute_mapping),
            Json(&provider.authorization_params),
            provider.enabled,
            provider.email_optional,
            columns.issuer,
            columns.discovery_url,
            provider.skip_nonce_check,
            columns.discovery_document,
            columns.authorization_url,
            columns.token_url,
            columns.userinfo_url,
            columns.jwks_uri,
            Texts(provider.custom_claims_allowlist.clone()),
        )
    }};
}

impl TenantStore {
    /// The project's own providers, newest first; of one type (`oauth2`, `oidc`) or of both. The secrets are as they were stored.
    pub async fn list_custom_providers(&self, provider_type: Option<&str>) -> Result<Vec<CustomProvider>> {
        let rows = fetch_now!(self.backend(), fetch_all, Row, LIST, self.instance.0, provider_type)?;
        rows.into_iter().map(CustomProvider::try_from).collect()
    }

    /// The provider with this identifier.
    pub async fn read_custom_provider(&self, identifier: &str) -> Result<Option<CustomProvider>> {
        let row = fetch_now!(self.backend(), fetch_optional, Row, READ, self.instance.0, identifier)?;
        row.map(CustomProvider::try_from).transpose()
    }
}

/// Works on custom providers. Secrets are stored as they are given: the caller seals them.
pub struct CustomProviders<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl CustomProviders<'_> {
    /// Waits for all others who add providers to the project: until the transaction ends nobody else does, and what
    /// [`count`](Self::count) says is true.
    pub async fn lock_all(&mut self) -> Result<()> {
        let work = &mut self.tx.work;
        // SQLite has one writer.
        let Inner::Postgres(transaction) = &mut work.inner else { return Ok(()) };
        let (high, low) = self.tx.instance.0.as_u64_pair();
        let turn = (high ^ low ^ TURN).cast_signed();
        sqlx::query("select pg_advisory_xact_lock($1)").bind(turn).execute(&mut **transaction).await?;
        work.count();
        Ok(())
    }

    /// How many the project has.
    pub async fn count(&mut self) -> Result<u64> {
        let (count,) = fetch!(&mut self.tx.work, fetch_one, (i64,), COUNT, self.tx.instance.0)?;
        Ok(count.unsigned_abs())
    }

    /// Adds a provider; a taken identifier is a conflict.
    pub async fn insert(&mut self, provider: &CustomProvider) -> Result<()> {
        let columns = &Columns::of(&provider.protocol);
        store!(
            &mut self.tx.work,
            INSERT,
            provider,
            columns,
            self.tx.instance.0,
            provider.id,
            columns.provider_type,
            &provider.identifier,
            At(provider.created_at)
        )?;
        Ok(())
    }

    /// The provider, locked until the transaction ends.
    pub async fn lock(&mut self, identifier: &str) -> Result<Option<CustomProvider>> {
        let row = fetch!(&mut self.tx.work, fetch_optional, Row, LOCK, self.tx.instance.0, identifier)?;
        row.map(CustomProvider::try_from).transpose()
    }

    /// Writes all of a provider but what it is known by: its id, identifier, type and beginning. False when it is gone.
    pub async fn update(&mut self, provider: &CustomProvider) -> Result<bool> {
        let columns = &Columns::of(&provider.protocol);
        let touched = store!(&mut self.tx.work, UPDATE, provider, columns, self.tx.instance.0, provider.id)?;
        Ok(touched == 1)
    }

    /// Removes a provider. False when it was gone. Accounts that came through it stay.
    pub async fn delete(&mut self, identifier: &str) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, DELETE, self.tx.instance.0, identifier)? == 1)
    }
}
