//! What tools ask of a project beside its auth: its Data API, database, pooler, storage and so on (`contract/management.md` §2.9,
//! §4). This gateway has none of these, so they read as `supabase init` writes them down, and a tool finds nothing to change.
//! What is written is answered as if it stood and is not kept; a header says so.

use axum::response::Response;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::management::operator::{Operator, refused};
use crate::management::{answer, empty};

const HINT: HeaderName = HeaderName::from_static("x-tenantry-hint");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("not kept: this gateway serves auth only");

/// The engine that is claimed where tools insist on one, and its version.
pub(super) const POSTGRES: &str = "17";
pub(super) const POSTGRES_VERSION: &str = "17.0.0";

/// The same as a number.
const MAJOR: i64 = 17;

/// 50 MiB, in which tools write it.
const FILE_SIZE_LIMIT: i64 = 52_428_800;

/// `GET /v1/projects/{ref}/billing/addons`: nothing is for sale.
pub(super) async fn addons(operator: Operator) -> Result<Response, Failure> {
    shown(&operator, json!({ "selected_addons": [], "available_addons": [] })).await
}

/// `GET /v1/projects/{ref}/postgrest`. The JWT secret that Supabase puts here in clear is left out.
pub(super) async fn data_api(operator: Operator) -> Result<Response, Failure> {
    shown(&operator, data_api_settings()).await
}

/// `PATCH /v1/projects/{ref}/postgrest`.
pub(super) async fn set_data_api(operator: Operator) -> Result<Response, Failure> {
    merged(&operator, data_api_settings()).await
}

/// `GET /v1/projects/{ref}/config/database/postgres`.
pub(super) async fn postgres(operator: Operator) -> Result<Response, Failure> {
    shown(&operator, json!({})).await
}

/// `PUT /v1/projects/{ref}/config/database/postgres`.
pub(super) async fn set_postgres(operator: Operator) -> Result<Response, Failure> {
    let mut settings = operator.members()?;
    settings.remove("restart_database");
    written(&operator, StatusCode::OK, Value::Object(settings)).await
}

/// `GET /v1/projects/{ref}/config/database/pooler`.
pub(super) async fn pooler(operator: Operator) -> Result<Response, Failure> {
    shown(&operator, json!([])).await
}

/// `PATCH /v1/projects/{ref}/database/password`.
pub(super) async fn set_password(operator: Operator) -> Result<Response, Failure> {
    operator.members()?;
    written(&operator, StatusCode::OK, json!({ "message": "not kept: this gateway serves auth only" })).await
}

/// `POST /v1/projects/{ref}/database/webhooks/enable`.
pub(super) async fn enable_webhooks(operator: Operator) -> Result<Response, Failure> {
    exists(&operator).await?;
    Ok(hinted(empty(StatusCode::CREATED)))
}

/// `GET /v1/projects/{ref}/network-restrictions`.
pub(super) async fn network(operator: Operator) -> Result<Response, Failure> {
    shown(&operator, restrictions(json!(["0.0.0.0/0"]), json!(["::/0"]))).await
}

/// `POST /v1/projects/{ref}/network-restrictions/apply`.
pub(super) async fn set_network(operator: Operator) -> Result<Response, Failure> {
    let mut body = operator.members()?;
    let mut cidrs = |name| body.remove(name).filter(Value::is_array).unwrap_or_else(|| json!([]));
    let restrictions = restrictions(cidrs("dbAllowedCidrs"), cidrs("dbAllowedCidrsV6"));
    written(&operator, StatusCode::CREATED, restrictions).await
}

/// `GET /v1/projects/{ref}/ssl-enforcement`.
pub(super) async fn ssl(operator: Operator) -> Result<Response, Failure> {
    shown(&operator, enforcement(false)).await
}

/// `PUT /v1/projects/{ref}/ssl-enforcement`.
pub(super) async fn set_ssl(operator: Operator) -> Result<Response, Failure> {
    let body = operator.members()?;
    let wanted = body.get("requestedConfig").and_then(|config| config.get("database")).and_then(Value::as_bool);
    written(&operator, StatusCode::OK, enforcement(wanted.unwrap_or(false))).await
}

/// `GET /v1/projects/{ref}/config/storage`.
pub(super) async fn storage(operator: Operator) -> Result<Response, Failure> {
    shown(&operator, storage_settings()).await
}

/// `PATCH /v1/projects/{ref}/config/storage`.
pub(super) async fn set_storage(operator: Operator) -> Result<Response, Failure> {
    merged(&operator, storage_settings()).await
}

/// `GET /v1/projects/{ref}/config/realtime`.
pub(super) async fn realtime(operator: Operator) -> Result<Response, Failure> {
    shown(&operator, realtime_settings()).await
}

/// `PATCH /v1/projects/{ref}/config/realtime`.
pub(super) async fn set_realtime(operator: Operator) -> Result<Response, Failure> {
    merged(&operator, realtime_settings()).await
}

/// Everything but auth, as version 2 has it in one object.
pub(super) fn attributes() -> Map<String, Value> {
    let open = json!([{ "address": "0.0.0.0/0", "type": "v4" }, { "address": "::/0", "type": "v6" }]);
    let attributes = json!({
        "database": {
            "major_version": MAJOR,
            "ssl_enforced": false,
            "network_restrictions": { "entitlement": "allowed", "status": "applied", "allowed_cidrs": open },
            "postgres_settings": {},
        },
        "pooler": {
            "pool_mode": "transaction",
            "ignore_startup_parameters": "",
            "server_idle_timeout": 60,
            "server_lifetime": 3600,
            "query_wait_timeout": 120,
            "reserve_pool_size": 0,
            "default_pool_size": 20,
            "max_client_conn": 100,
        },
        "api": {
            "db_schema": "public,graphql_public",
            "db_extra_search_path": "public, extensions",
            "max_rows": 1000,
            "db_pool": null,
            "db_pool_acquisition_timeout": 10,
            "db_pool_max_lifetime": 1800,
            "db_pool_max_idletime": 30,
        },
        "realtime": {
            "private_only": false,
            "max_concurrent_users": 200,
            "max_events_per_second": 100,
            "max_bytes_per_second": 100_000,
            "max_channels_per_client": 100,
            "max_joins_per_second": 100,
            "max_presence_events_per_second": 1000,
            "max_payload_size_in_kb": 100,
            "presence_enabled": true,
            "suspend": false,
            "connection_pool": 2,
            "postgres_changes_pool": null,
        },
        "storage": {
            "file_size_limit": FILE_SIZE_LIMIT,
            "features": {
                "image_transformation": { "enabled": false },
                "s3_protocol": { "enabled": true },
                "purge_cache": { "enabled": false },
                "iceberg_catalog": { "enabled": false, "max_namespaces": 5, "max_tables": 10, "max_catalogs": 2 },
                "vector_buckets": { "enabled": true, "max_buckets": 10, "max_indexes": 5 },
            },
            "capabilities": { "list_v2": true, "iceberg_catalog": false, "object_versioning": false },
            "upstream_target": "main",
            "migration_version": null,
        },
    });
    match attributes {
        Value::Object(attributes) => attributes,
        _ => Map::new(),
    }
}

fn data_api_settings() -> Value {
    attributes().remove("api").unwrap_or_default()
}

fn realtime_settings() -> Value {
    attributes().remove("realtime").unwrap_or_default()
}

fn storage_settings() -> Value {
    json!({
        "fileSizeLimit": FILE_SIZE_LIMIT,
        "features": {
            "imageTransformation": { "enabled": false },
            "s3Protocol": { "enabled": true },
            "purgeCache": { "enabled": false },
            "icebergCatalog": { "enabled": false, "maxNamespaces": 5, "maxTables": 10, "maxCatalogs": 2 },
            "vectorBuckets": { "enabled": true, "maxBuckets": 10, "maxIndexes": 5 },
        },
        "capabilities": { "list_v2": true, "iceberg_catalog": false, "object_versioning": false },
        "external": { "upstreamTarget": "main" },
        "migrationVersion": null,
        "databasePoolMode": "transaction",
    })
}

fn restrictions(v4: Value, v6: Value) -> Value {
    json!({
        "entitlement": "allowed",
        "config": { "dbAllowedCidrs": v4, "dbAllowedCidrsV6": v6 },
        "status": "applied",
    })
}

fn enforcement(database: bool) -> Value {
    json!({ "currentConfig": { "database": database }, "appliedSuccessfully": true })
}

async fn exists(operator: &Operator) -> Result<(), Failure> {
    operator.management().project(&operator.project()?).await.map_err(refused)?;
    Ok(())
}

async fn shown(operator: &Operator, settings: Value) -> Result<Response, Failure> {
    exists(operator).await?;
    answer(StatusCode::OK, &settings)
}

async fn written(operator: &Operator, status: StatusCode, settings: Value) -> Result<Response, Failure> {
    exists(operator).await?;
    Ok(hinted(answer(status, &settings)?))
}

/// `settings` as the body would have them.
async fn merged(operator: &Operator, mut settings: Value) -> Result<Response, Failure> {
    merge(&mut settings, Value::Object(operator.members()?));
    written(operator, StatusCode::OK, settings).await
}

fn merge(settings: &mut Value, patch: Value) {
    match (settings, patch) {
        (Value::Object(settings), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(settings.entry(name).or_insert(Value::Null), value);
            }
        }
        (settings, patch) => *settings = patch,
    }
}

fn hinted(mut response: Response) -> Response {
    response.headers_mut().insert(HINT, NOT_KEPT);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_at_any_depth() {
        let mut settings = storage_settings();
        merge(&mut settings, json!({ "features": { "vectorBuckets": { "enabled": false } }, "fileSizeLimit": 1 }));
        assert_eq!(settings["features"]["vectorBuckets"], json!({"enabled": false, "maxBuckets": 10, "maxIndexes": 5}));
        assert_eq!(settings["features"]["s3Protocol"]["enabled"], true);
        assert_eq!(settings["fileSizeLimit"], 1);
    }

    #[test]
    fn both_versions_say_the_same() {
        let all = attributes();
        assert_eq!(all["storage"]["file_size_limit"], storage_settings()["fileSizeLimit"]);
        assert_eq!(data_api_settings()["max_rows"], all["api"]["max_rows"]);
        assert!(data_api_settings().get("jwt_secret").is_none());
    }
}
