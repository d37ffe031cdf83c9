//! Everything a gateway needs to serve a project, read in one statement.

use domain::ids::ProjectRef;
use domain::project::Project;
use domain::secret::Secret;
use domain::third_party::ThirdParty;
use serde::Deserialize;
use sqlx::FromRow;
use sqlx::types::Json;

use super::api_keys::{self, ApiKey};
use super::configs::{self, ConfigVersion};
use super::projects::{self, Projects};
use super::signing_keys::{self, SigningKey};
use super::third_party;
use crate::error::{Result, StoreError};
use crate::sql::each;

/// The statement; what differs between the databases is how rows become a list in one column.
macro_rules! whole {
    ($dialect:ident, $list:literal, $empty:literal) => {
        concat!(
            "select ",
            projects::columns!("p."),
            ", p.legacy_keys_enabled, ",
            configs::columns!(),
            ",
             ",
            $list,
            api_keys::object!($dialect),
            " order by k.created_at, k.kind, k.id",
            $empty,
            "
              from control.api_keys as k where k.project_id = p.id) as api_keys,
             ",
            $list,
            signing_keys::object!($dialect),
            " order by k.created_at desc, k.id",
            $empty,
            "
              from control.signing_keys as k where k.project_id = p.id) as signing_keys,
             ",
            $list,
            third_party::object!($dialect),
            " order by t.inserted_at, t.id",
            $empty,
            "
              from control.third_party_auth as t where t.project_id = p.id) as third_party,
             ",
            $list,
            object!($dialect),
            " order by s.name",
            $empty,
            "
              from control.secrets as s where s.project_id = p.id) as secrets,
             (select d.host from control.domains as d where d.project_id = p.id and d.status = 'active') as domain
             from control.projects as p
             join control.config_versions as c on c.project_id = p.id
                 and c.version = (select max(m.version) from control.config_versions as m where m.project_id = p.id)
             where p.ref = $1"
        )
    };
}

/// A secret `s` as one JSON object.
macro_rules! object {
    (postgres) => {
        "json_build_object('name', s.name, 'sealed', s.sealed)"
    };
    (sqlite) => {
        "json_object('name', s.name, 'sealed', s.sealed)"
    };
}

statements! {
    control WHOLE = each(
        whole!(postgres, "(select coalesce(json_agg(", "), '[]')"),
        whole!(sqlite, "(select json_group_array(", ")"),
    );
}

#[derive(Deserialize)]
struct SecretObject {
    name: String,
    sealed: String,
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    project: projects::Row,
    legacy_keys_enabled: bool,
    #[sqlx(flatten)]
    config: configs::Row,
    api_keys: Json<Vec<api_keys::Row>>,
    signing_keys: Json<Vec<signing_keys::Row>>,
    third_party: Json<Vec<third_party::Object>>,
    secrets: Json<Vec<SecretObject>>,
    domain: Option<String>,
}

impl TryFrom<Row> for Bundle {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            project: row.project.try_into()?,
            config: row.config.into(),
            signing_keys: row.signing_keys.0.into_iter().map(SigningKey::try_from).collect::<Result<_>>()?,
            api_keys: row.api_keys.0.into_iter().map(ApiKey::from).collect(),
            secrets: row.secrets.0.into_iter().map(|secret| (secret.name, Secret::new(secret.sealed))).collect(),
            third_party: row.third_party.0.into_iter().map(ThirdParty::try_from).collect::<Result<_>>()?,
            legacy_keys_enabled: row.legacy_keys_enabled,
            domain: row.domain,
        })
    }
}

/// Everything a gateway needs to serve a project, as of one moment.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The project; where its rows are in a database of its own, the address is among the secrets.
    pub project: Project,
    /// Its newest configuration.
    pub config: ConfigVersion,
    /// Its signing keys, newest first.
    pub signing_keys: Vec<SigningKey>,
    /// Its new-style API keys, oldest first, with those that ended and were not removed yet.
    pub api_keys: Vec<ApiKey>,
    /// Its sealed secrets by name.
    pub secrets: Vec<(String, Secret<String>)>,
    /// Other issuers whose tokens it accepts, oldest first.
    pub third_party: Vec<ThirdParty>,
    /// Whether the old-style keys are accepted.
    pub legacy_keys_enabled: bool,
    /// The host of its own at which it is served.
    pub domain: Option<String>,
}

impl Projects<'_> {
    /// Everything about the project with this ref, a deleted one included: one round trip.
    pub async fn bundle(&self, project: &ProjectRef) -> Result<Option<Bundle>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, WHOLE, project.as_str())?;
        row.map(Bundle::try_from).transpose()
    }
}
