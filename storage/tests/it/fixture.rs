//! A database of its own for every test, and what rows are made of.

use std::env;
use std::future::Future;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use domain::ids::{IdentityId, InstanceId, SessionId, UserId};
use domain::secret::Secret;
use domain::session::{Aal, Live, SessionLimits};
use domain::time::Timestamp;
use domain::user::Metadata;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use storage::{
    AuditEntry, ControlStore, Database, ListSessions, NewIdentity, NewRefreshToken, NewSession, NewUser, OpenSession,
    Placement, ReadUser, SignUp, TenantStore,
};
use uuid::Uuid;

pub(crate) const URL: &str = "TENANTRY_TEST_POSTGRES_URL";

/// Runs a scenario on each database.
macro_rules! on_both {
    ($($name:ident)+) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    $crate::fixture::on_sqlite(super::$name).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
                async fn $name() {
                    $crate::fixture::on_postgres(super::$name).await;
                }
            )+
        }
    };
}

/// A migrated database of its own.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) placement: Placement,
    pub(crate) control_placement: Placement,
    ids: Arc<AtomicU64>,
}

pub(crate) async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(scenario: fn(Fixture) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let placement = Placement::Sqlite { file: folder.path().join("auth.db") };
    let control_placement = Placement::Sqlite { file: folder.path().join("control.db") };
    let fixture = Fixture::new(placement, control_placement).await;
    fixture.database.migrate().await.unwrap();
    scenario(fixture).await;
}

pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(scenario: fn(Fixture) -> F) {
    let empty = EmptyDatabase::new().await;
    let fixture = Fixture::new(empty.placement(), empty.placement()).await;
    fixture.database.migrate().await.unwrap();
    let database = fixture.database.clone();
    let outcome = tokio::spawn(scenario(fixture)).await;
    database.close().await;
    empty.remove().await;
    outcome.unwrap();
}

/// A PostgreSQL database without any schema.
pub(crate) struct EmptyDatabase {
    server: String,
    name: String,
}

impl EmptyDatabase {
    pub(crate) async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = env::var(URL).unwrap_or_else(|_| panic!("{URL} is not set"));
        let name = format!("tenantry_storage_{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&server).await.unwrap();
        run(&mut connection, &format!("create database {name}")).await;
        Self { server, name }
    }

    pub(crate) fn url(&self) -> String {
        let (rest, _) = self.server.rsplit_once('/').unwrap();
        format!("{rest}/{}", self.name)
    }

    pub(crate) fn placement(&self) -> Placement {
        Placement::Postgres { url: Secret::new(self.url()), max_connections: 5 }
    }

    pub(crate) async fn remove(self) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        run(&mut connection, &format!("drop database {} with (force)", self.name)).await;
    }
}

pub(crate) async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

impl Fixture {
    async fn new(placement: Placement, control_placement: Placement) -> Self {
        let database = Database::connect(&placement).await.unwrap();
        Self { database, placement, control_placement, ids: Arc::new(AtomicU64::new(1)) }
    }

    pub(crate) async fn control(&self) -> ControlStore {
        let control = ControlStore::connect(&self.control_placement).await.unwrap();
        control.migrate().await.unwrap();
        control
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.placement, Placement::Postgres { .. })
    }

    /// An id no one else has, spread over the whole range so that the order of ids is not the order of making.
    pub(crate) fn id(&self) -> Uuid {
        let n = self.ids.fetch_add(1, Ordering::Relaxed);
        Uuid::from_u64_pair(n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n)
    }

    /// The rows of a project nobody has used yet.
    pub(crate) fn tenant(&self) -> TenantStore {
        TenantStore::new(self.database.clone(), InstanceId(self.id()))
    }

    pub(crate) fn new_user(&self, email: &str) -> NewUser {
        NewUser {
            id: UserId(self.id()),
            aud: "authenticated".to_owned(),
            role: "authenticated".to_owned(),
            email: Some(email.to_owned()),
            phone: None,
            password_hash: Some(Secret::new("old hash".to_owned())),
            email_confirmed_at: Some(t(1)),
            phone_confirmed_at: None,
            invited_at: None,
            app_metadata: object(json!({ "provider": "email", "providers": ["email"] })),
            user_metadata: object(json!({ "full_name": "Ada Lovelace", "nested": { "ü": [1, null] } })),
            is_sso_user: false,
            is_anonymous: false,
            banned_until: None,
        }
    }

    pub(crate) fn new_identity(&self, user: UserId, provider: &str, email: &str) -> NewIdentity {
        NewIdentity {
            id: IdentityId(self.id()),
            user_id: user,
            provider: provider.to_owned(),
            provider_id: user.to_string(),
            data: object(json!({ "sub": user.to_string(), "email": email, "email_verified": false })),
            last_sign_in_at: Some(t(1)),
        }
    }

    pub(crate) fn new_session(&self, user: UserId) -> NewSession {
        NewSession {
            aal: Aal::Aal1,
            id: SessionId(self.id()),
            user_id: user,
            user_agent: Some("agent".to_owned()),
            ip: Some("192.0.2.7".to_owned()),
            refresh_token_counter: Some(0),
            refresh_token: None,
            amr_method: "password".to_owned(),
            amr_id: self.id(),
        }
    }

    pub(crate) fn new_session_with_token(&self, user: UserId, token: &str) -> NewSession {
        NewSession {
            refresh_token_counter: None,
            refresh_token: Some(NewRefreshToken { token: Secret::new(token.to_owned()) }),
            ..self.new_session(user)
        }
    }

    pub(crate) fn audit(&self, action: &str) -> AuditEntry {
        AuditEntry { id: self.id(), payload: json!({ "action": action }), ip_address: String::new(), created_at: t(5) }
    }

    /// A committed account without a session.
    pub(crate) async fn user(&self, store: &TenantStore, email: &str) -> UserId {
        let user = self.new_user(email);
        let mut tx = store.begin().await.unwrap();
        tx.users().insert(&user, t(1)).await.unwrap();
        tx.commit().await.unwrap();
        user.id
    }

    /// A committed account that is signed in.
    pub(crate) async fn signed_in(&self, store: &TenantStore, email: &str) -> (UserId, SessionId) {
        let user = self.new_user(email);
        let session = self.new_session(user.id);
        let ids = (user.id, session.id);
        let identities = vec![self.new_identity(user.id, "email", email)];
        let sign_up = SignUp { user, identities, session: Some(session), audit: Vec::new(), now: t(1) };
        store.sign_up(sign_up).await.unwrap();
        ids
    }

    /// Another session of an account.
    pub(crate) async fn open(&self, store: &TenantStore, user: UserId, now: Timestamp) -> SessionId {
        let session = self.new_session(user);
        let id = session.id;
        let open = OpenSession { session, verified_hash: None, upgraded_hash: None, audit: None, now };
        store.open_session(open).await.unwrap().unwrap();
        id
    }

    pub(crate) async fn read(&self, store: &TenantStore, user: UserId, session: SessionId) -> ReadUser {
        store.read_user(user, Some(session)).await.unwrap().unwrap()
    }

    /// All sessions of an account, newest use first.
    pub(crate) async fn sessions(&self, store: &TenantStore, user: UserId) -> Vec<SessionId> {
        let live = Live::at(Timestamp::from_unix(0), Aal::Aal1, &SessionLimits::default());
        let all = ListSessions { user, live, used_after: None, limit: u64::MAX, offset: 0 };
        let (sessions, _) = store.list_sessions(&all).await.unwrap();
        sessions.into_iter().map(|session| session.id).collect()
    }

    /// How many rows of any project a table has.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        self.number(&format!("select count(*) from {table}")).await
    }

    /// A number, past the crate.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.placement {
            Placement::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url.expose()).await.unwrap();
                let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                number
            }
            Placement::Sqlite { .. } => sqlx::query_scalar(sql).fetch_one(&mut self.sqlite().await).await.unwrap(),
        }
    }

    /// A write, past the crate.
    pub(crate) async fn write(&self, sql: &str) {
        match &self.placement {
            Placement::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url.expose()).await.unwrap();
                run(&mut connection, sql).await;
                connection.close().await.unwrap();
            }
            Placement::Sqlite { .. } => {
                let mut connection = self.sqlite().await;
                sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// A connection of its own to the file of auth rows.
    pub(crate) async fn sqlite(&self) -> SqliteConnection {
        let Placement::Sqlite { file } = &self.placement else { panic!("not on SQLite") };
        let options = SqliteConnectOptions::new().filename(":memory:");
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let attach = sqlx::query("attach database $1 as auth").bind(file.to_str().unwrap().to_owned());
        attach.execute(&mut connection).await.unwrap();
        connection
    }

    /// A uuid as a literal of the database's SQL.
    pub(crate) fn literal(&self, id: Uuid) -> String {
        if self.is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.simple()) }
    }
}

/// An instant that many hours after one that all tests share, with microseconds.
pub(crate) fn t(hours: i64) -> Timestamp {
    Timestamp::from_unix(1_700_000_000 + 3600 * hours).plus(chrono::TimeDelta::microseconds(123_456))
}

pub(crate) fn object(value: serde_json::Value) -> Metadata {
    value.as_object().unwrap().clone()
}
