//! `GET /v1/projects/{ref}/health` (`contract/management.md` §2.8). A project here has its auth and the database behind it; tools
//! wait until all services that Supabase has are well, so those that are not there count as well.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::management::operator::{Operator, refused, told};
use crate::management::{answer, message};

/// The services that may be asked for.
const SERVICES: [&str; 8] = ["auth", "db", "db_postgres_user", "pooler", "realtime", "rest", "storage", "pg_bouncer"];

/// Those that hang on the project's database.
const ON_DATABASE: [&str; 3] = ["auth", "db", "db_postgres_user"];

/// The longest wait, in milliseconds.
const LONGEST: u64 = 10_000;

/// A service of a project.
#[derive(Serialize, ToSchema)]
#[schema(as = ServiceHealth)]
pub(super) struct Service {
    name: &'static str,
    healthy: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Info>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Which auth server it is.
#[derive(Serialize, ToSchema)]
#[schema(as = ServiceInfo)]
struct Info {
    name: &'static str,
    version: &'static str,
    description: &'static str,
}

/// The answer to a look.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let services = wanted(&operator)?;
    let wait = operator.number("timeout_ms")?.unwrap_or(LONGEST);
    if wait > LONGEST {
        return Err(message(StatusCode::BAD_REQUEST, format!("timeout_ms must be at most {LONGEST}")));
    }
    let (management, project) = (operator.management(), operator.project()?);
    let health = management.health(&project, Duration::from_millis(wait)).await.map_err(refused)?;
    let trouble = (!health.healthy).then(|| health.error.unwrap_or_else(|| health.status.to_owned()));
    let services: Vec<Service> = services.into_iter().map(|name| service(name, trouble.as_deref())).collect();
    answer(StatusCode::OK, &services)
}

fn wanted(operator: &Operator) -> Result<Vec<&'static str>, Failure> {
    let mut wanted = Vec::new();
    for value in operator.query().all("services").chain(operator.query().all("services[]")) {
        for name in value.map_err(told)?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let known = SERVICES.into_iter().find(|service| *service == name);
            wanted.push(known.ok_or_else(no_service)?);
        }
    }
    if wanted.is_empty() { Err(no_service()) } else { Ok(wanted) }
}

fn no_service() -> Failure {
    message(StatusCode::BAD_REQUEST, format!("services must be some of {}", SERVICES.join(", ")))
}

fn service(name: &'static str, trouble: Option<&str>) -> Service {
    let error = trouble.filter(|_| ON_DATABASE.contains(&name)).map(str::to_owned);
    let healthy = error.is_none();
    let info = (name == "auth" && healthy).then_some(Info {
        name: "GoTrue",
        version: concat!("v", env!("CARGO_PKG_VERSION"), "-tenantry"),
        description: "GoTrue is a user registration and authentication API",
    });
    Service { name, healthy, status: if healthy { "ACTIVE_HEALTHY" } else { "UNHEALTHY" }, info, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_makes_what_hangs_on_it_unwell() {
        for name in SERVICES {
            assert_eq!(service(name, None).status, "ACTIVE_HEALTHY", "{name}");
            let hangs = ["auth", "db", "db_postgres_user"].contains(&name);
            let away = service(name, Some("away"));
            assert_eq!(
                (away.healthy, away.status == "UNHEALTHY", away.error.is_some()),
                (!hangs, hangs, hangs),
                "{name}"
            );
        }
        assert!(service("auth", None).info.is_some() && service("db", None).info.is_none());
    }
}
