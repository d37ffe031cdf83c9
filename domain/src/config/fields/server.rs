//! Server process, database, audit log, browsers, roles and app links.

use crate::config::field::Literal::{Bool, Int, Null, Text};
use crate::config::field::{Field, Kind, Lock, MAX};
use crate::config::format::Format;

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::int("api_max_request_duration", 0, MAX, Int(10)),
    Field::switch("audit_log_disable_postgres", Bool(false)).beside_the_spec().preset(Bool(false), "AUD-02"),
    Field::int("db_max_pool_size", 0, MAX, Int(10)),
    Field::new("db_max_pool_size_unit", Kind::Choice(&["connections", "percent"]), Text("connections")),
    Field::switch("index_worker_ensure_user_search_indexes_exist", Bool(true)).beside_the_spec(),
    Field::int("audit_log_retention_days", 0, 3650, Int(0)).ours(),
    Field::switch("audit_log_failures_enabled", Bool(false)).ours().preset(Bool(true), "AUD-02"),
    Field::new("security_cors_allowed_origins", Kind::Text(Format::CorsOrigins), Text("*")).ours().locked(
        Text("derived"),
        Lock::NoWildcardOrigin,
        "BRW-01",
    ),
    Field::switch("security_cors_allow_credentials", Bool(false)).ours().locked(
        Bool(false),
        Lock::Only(Bool(false)),
        "BRW-01",
    ),
    Field::int("security_hsts_max_age", 0, 63_072_000, Int(0)).ours().preset(Int(31_536_000), "BRW-02"),
    Field::switch("roles_enabled", Bool(false)).ours().preset(Bool(true), "ROL-01"),
    Field::new("app_links_ios_app_ids", Kind::Text(Format::List), Null).ours(),
    Field::new("app_links_android_apps", Kind::Text(Format::List), Null).ours(),
    Field::new("app_links_paths", Kind::Text(Format::List), Text("/auth/v1/verify*,/auth/v1/callback*")).ours(),
];
