//! A PostgreSQL database of a unit test's own, on the server that `TENANTRY_TEST_POSTGRES_URL` names.

use std::env;
use std::process;

use domain::secret::Secret;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use crate::backend::{Access, Backend};
use crate::database::Placement;
use crate::pools::Pools;

const URL: &str = "TENANTRY_TEST_POSTGRES_URL";

/// Exists until it is removed.
pub(crate) struct ServerDatabase {
    side: PgConnection,
    name: String,
    pub(crate) placement: Placement,
}

impl ServerDatabase {
    /// An empty one; `what` tells it from those of other tests.
    pub(crate) async fn create(what: &str) -> Self {
        let server = env::var(URL).unwrap_or_else(|_| panic!("{URL} is not set"));
        let name = format!("tenantry_{what}_{}", process::id());
        let mut side = PgConnection::connect(&server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut side).await.unwrap();
        let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        let placement = Placement::Postgres { url: Secret::new(url), max_connections: 2 };
        Self { side, name, placement }
    }

    /// Throws out who is still connected.
    pub(crate) async fn remove(mut self) {
        let drop = format!("drop database {} with (force)", self.name);
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut self.side).await.unwrap();
    }
}

/// The connections behind a store or a database of a server.
pub(crate) fn pool(backend: &Backend) -> PgPool {
    let Access::Always(Pools::Postgres(pool)) = &backend.core.access else { panic!("not on PostgreSQL") };
    pool.clone()
}
