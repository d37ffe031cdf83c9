//! `/v1/projects/{ref}/config/auth` (`contract/management.md` §1): every field with the value in force, secrets as
//! fingerprints; a PATCH is validated as a whole, versioned, and live at once. Tenantry's own beside it: the versions, what
//! changed between them, what a PATCH would change, and the way back.

use std::borrow::Cow;

use actors::management::{ConfigDiff, ConfigVersionView, FieldChange, StoredConfig};
use axum::response::Response;
use domain::config::{FIELDS, Field, Kind};
use domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::failure::Failure;
use crate::management::operator::{Operator, refused};
use crate::management::{answer, message, redirects};

/// Says why a configuration is changed; kept with the new version.
const NOTE: &str = "x-tenantry-note";

/// `GET`: the whole object.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let config = operator.management().config(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &config)
}

/// `PATCH`: the named fields change; the answer is the whole object again. A header says so where browsers may now be sent
/// to places that are unsafe.
pub(super) async fn patch(operator: Operator) -> Result<Response, Failure> {
    let patch = operator.members()?;
    let (management, project) = (operator.management(), operator.project()?);
    let note = operator.header(NOTE);
    let config = management.patch_config_noting(&project, &patch, note).await.map_err(refused)?;
    let mut response = answer(StatusCode::OK, &config)?;
    redirects::hint(&operator, &mut response).await?;
    Ok(response)
}

/// A version without its values.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigVersion)]
pub(super) struct Version<'a> {
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The name of the token that changed it.
    changed_by: Option<&'a str>,
    note: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn of(view: &'a ConfigVersionView) -> Self {
        let ConfigVersionView { version, created_at, changed_by, note } = view;
        Self { version: *version, created_at: *created_at, changed_by: changed_by.as_deref(), note: note.as_deref() }
    }
}

/// `GET .../history`: the newest versions, newest first, without their values.
pub(super) async fn history(operator: Operator) -> Result<Response, Failure> {
    let (before, limit) = (operator.number("before")?, operator.number("limit")?);
    let versions = operator.management().config_history(&operator.project()?, before, limit).await.map_err(refused)?;
    answer(StatusCode::OK, &versions.iter().map(Version::of).collect::<Vec<_>>())
}

/// A version with its values.
#[derive(Serialize, ToSchema)]
#[schema(as = StoredConfig)]
pub(super) struct Stored<'a> {
    #[serde(flatten)]
    version: Version<'a>,
    /// What was in force, every field of it.
    #[schema(value_type = AuthConfig)]
    values: &'a Map<String, Value>,
}

impl<'a> Stored<'a> {
    fn of(stored: &'a StoredConfig) -> Self {
        Self { version: Version::of(&stored.version), values: &stored.values }
    }
}

/// `GET .../history/{version}`: what was set then.
pub(super) async fn version(operator: Operator) -> Result<Response, Failure> {
    let version = operator.text("version").parse().ok();
    let version = version.ok_or_else(|| message(StatusCode::BAD_REQUEST, "the version must be a whole number"))?;
    let stored = operator.management().config_version(&operator.project()?, version).await.map_err(refused)?;
    answer(StatusCode::OK, &Stored::of(&stored))
}

/// What is different between two versions; secrets as fingerprints.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigDiff)]
pub(super) struct Diff<'a> {
    from: i64,
    to: i64,
    changes: Vec<Change<'a>>,
}

/// One field.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigChange)]
struct Change<'a> {
    field: &'a str,
    from: &'a Value,
    to: &'a Value,
}

impl<'a> Diff<'a> {
    fn of(diff: &'a ConfigDiff) -> Self {
        let change = |FieldChange { field, from, to }: &'a FieldChange| Change { field, from, to };
        Self { from: diff.from, to: diff.to, changes: diff.changes.iter().map(change).collect() }
    }
}

/// `GET .../diff?from=&to=`.
pub(super) async fn diff(operator: Operator) -> Result<Response, Failure> {
    let (from, to) = (operator.number("from")?, operator.number("to")?);
    let from = from.ok_or_else(|| message(StatusCode::BAD_REQUEST, "from must be a version"))?;
    let diff = operator.management().config_diff(&operator.project()?, from, to).await.map_err(refused)?;
    answer(StatusCode::OK, &Diff::of(&diff))
}

/// `POST .../diff`: what a PATCH with this body would change; nothing is stored.
pub(super) async fn dry_run(operator: Operator) -> Result<Response, Failure> {
    let patch = operator.members()?;
    let diff = operator.management().config_preview(&operator.project()?, &patch).await.map_err(refused)?;
    answer(StatusCode::OK, &Diff::of(&diff))
}

/// Which version to go back to.
#[derive(Deserialize, ToSchema)]
#[schema(as = ConfigRollback)]
pub(super) struct Rollback {
    version: i64,
    /// Why; kept with the new version.
    note: Option<String>,
}

/// `POST .../rollback`: an older version becomes the newest again, secrets included.
pub(super) async fn rollback(operator: Operator) -> Result<Response, Failure> {
    let Rollback { version, note } = operator.body()?;
    let (management, project) = (operator.management(), operator.project()?);
    let diff = management.rollback_config(&project, version, note.as_deref()).await.map_err(refused)?;
    answer(StatusCode::OK, &Diff::of(&diff))
}

/// The whole configuration, as the document has it: from the table of fields.
pub(super) struct AuthConfig;

impl ToSchema for AuthConfig {
    fn name() -> Cow<'static, str> {
        "AuthConfig".into()
    }
}

impl PartialSchema for AuthConfig {
    fn schema() -> RefOr<Schema> {
        let fields =
            FIELDS.iter().fold(ObjectBuilder::new(), |object, field| object.property(field.name, shape(field)));
        Schema::from(fields.build()).into()
    }
}

fn shape(field: &Field) -> Schema {
    let shape = ObjectBuilder::new();
    let (kind, shape) = match field.kind {
        Kind::Boolean => (Type::Boolean, shape),
        Kind::Integer { min, max } => (Type::Integer, shape.minimum(Some(min as f64)).maximum(Some(max as f64))),
        Kind::Number { min } => (Type::Number, shape.minimum(Some(min))),
        Kind::Text(_) => (Type::String, shape),
        Kind::Choice(words) if field.nullable => {
            let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied())).build();
            let nothing = ObjectBuilder::new().schema_type(Type::Null).build();
            return AnyOfBuilder::new().item(word).item(nothing).build().into();
        }
        Kind::Choice(words) => (Type::String, shape.enum_values(Some(words.iter().copied()))),
    };
    let kind = if field.nullable { SchemaType::from_iter([kind, Type::Null]) } else { kind.into() };
    let description = field.secret.then_some("Secret: shown as a fingerprint.");
    shape.schema_type(kind).description(description).build().into()
}
