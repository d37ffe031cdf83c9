//! The gateway, put together for a test.

use std::sync::Arc;
use std::time::Duration;

use actors::{Limits, Parts, Runtime, RuntimeHandle};
use api::ApiState;
use axum::Router;
use cluster::Cluster;
use crypto::seal::MasterKey;
use domain::config::Defaults;
use domain::ids::ProjectRef;
use flows::mail::MailDeliverer;
use flows::management::{CreateProject, Management, ProjectUrls, Routes};
use flows::{ControlSource, Databases, Services};
use http::Method;
use outbound::RecordingTransport;
use outbound::mailbox::Mailbox;
use serde_json::{Map, Value, json};
use storage::{ControlStore, Database};

use crate::{Ask, MockClock, SeededEntropy, TestDatabase};

/// A gateway in the test's own process.
pub struct TestApp {
    /// Moves only when the test says so.
    pub clock: Arc<MockClock>,
    /// The actors.
    pub handle: RuntimeHandle,
    /// The operator's hand.
    pub management: Management,
    /// Mail of projects without SMTP server.
    pub mailbox: Arc<Mailbox>,
    /// The auth rows of all projects.
    pub database: Database,
    /// What gateways share.
    pub cluster: Cluster,
    router: Router,
    placement: Arc<TestDatabase>,
}

impl TestApp {
    /// A gateway on SQLite.
    pub async fn sqlite() -> Self {
        Self::on(TestDatabase::sqlite()).await
    }

    /// A gateway on a PostgreSQL database of its own.
    pub async fn postgres() -> Self {
        Self::on(TestDatabase::postgres().await).await
    }

    /// A gateway on `placement`.
    pub async fn on(placement: TestDatabase) -> Self {
        Self::start(
            Arc::new(placement),
            Cluster::in_process(),
            Arc::default(),
            MasterKey::generate(&SeededEntropy::new(7)),
            1,
        )
        .await
    }

    /// A second gateway over the same database, master key, clock and cluster.
    pub async fn sibling(&self) -> Self {
        let placement = Arc::clone(&self.placement);
        let master_key = MasterKey::generate(&SeededEntropy::new(7));
        Self::start(placement, self.cluster.clone(), Arc::clone(&self.clock), master_key, 2).await
    }

    async fn start(
        placement: Arc<TestDatabase>,
        cluster: Cluster,
        clock: Arc<MockClock>,
        master_key: MasterKey,
        seed: u64,
    ) -> Self {
        let database = Database::connect(&placement.auth).await.unwrap();
        database.migrate().await.unwrap();
        let control = ControlStore::connect(&placement.control).await.unwrap();
        control.migrate().await.unwrap();
        let entropy = Arc::new(SeededEntropy::new(seed));
        let master_key = Arc::new(master_key);
        let defaults =
            Defaults { jwt_exp: 3600, site_url: "http://localhost:3000".to_owned(), mailer_autoconfirm: true };
        let urls = ProjectUrls { external: "http://127.0.0.1:8000".to_owned() };
        let databases = Databases::new(database.clone());
        let management = Management {
            control: control.clone(),
            master_key: Arc::clone(&master_key),
            cluster: cluster.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            defaults: defaults.clone(),
            urls: urls.clone(),
            databases: databases.clone(),
            routes: Routes::default(),
        };
        let source =
            Arc::new(ControlSource { control, master_key: Arc::clone(&master_key), defaults, urls, databases });
        let runtime = Runtime::new(Limits::default());
        let services = Arc::new(Services {
            clock: clock.clone(),
            entropy: entropy.clone(),
            hasher: runtime.hasher(),
            cluster: cluster.clone(),
            master_key,
            outbox: runtime.outbox(),
        });
        let mailbox = Arc::new(Mailbox::default());
        let deliver = Arc::new(MailDeliverer {
            tenants: source.clone(),
            services: Arc::clone(&services),
            transport: Arc::new(RecordingTransport::new()),
            mailbox: Some(Arc::clone(&mailbox)),
        });
        let parts = Parts { services, source, deliver, management };
        let handle = runtime.start(parts).await.unwrap();
        let management = handle.manage().clone();
        let router = api::router(ApiState::new(api::Parts {
            runtime: Arc::new(handle.clone()),
            mailbox: None,
            entropy,
            domain: "localhost".to_owned(),
            // Requests have the address of their `X-Forwarded-For`, and none without.
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
            deadline: Duration::from_secs(30),
            metric_sources: Vec::new(),
        }));
        Self { clock, handle, management, mailbox, database, cluster, router, placement }
    }

    /// All auth rows of all projects as text.
    pub async fn stored_text(&self) -> String {
        self.placement.stored_text().await
    }

    /// A request to the gateway.
    pub fn ask(&self, method: Method, path: &str) -> Ask {
        Ask::new(self.router.clone(), method, path)
    }

    /// A project with these settings.
    pub async fn project(&self, name: &str, config: Value) -> TestProject {
        let config: Map<String, Value> = config.as_object().cloned().unwrap();
        let request = CreateProject { project_ref: Some(name.to_owned()), config, ..CreateProject::default() };
        let made = self.management.create_project(request).await.unwrap();
        TestProject {
            router: self.router.clone(),
            project_ref: made.project.project_ref,
            anon_key: made.anon_key.into_inner(),
            service_role_key: made.service_role_key.into_inner(),
            jwt_secret: made.jwt_secret.into_inner(),
        }
    }

    /// The same project, reached through this gateway.
    pub fn through(&self, project: &TestProject) -> TestProject {
        TestProject { router: self.router.clone(), ..project.clone() }
    }
}

/// A project of a [`TestApp`].
#[derive(Clone)]
pub struct TestProject {
    router: Router,
    /// Its ref.
    pub project_ref: ProjectRef,
    /// Its old-style key of the role `anon`.
    pub anon_key: String,
    /// Its old-style key of the role `service_role`.
    pub service_role_key: String,
    /// Its HS256 secret.
    pub jwt_secret: String,
}

impl TestProject {
    /// A request below the project's `/auth/v1`.
    pub fn ask(&self, method: Method, path: &str) -> Ask {
        Ask::new(self.router.clone(), method, &format!("/p/{}/auth/v1{path}", self.project_ref))
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path)
    }

    /// A POST request with a JSON body.
    pub fn post(&self, path: &str, body: Value) -> Ask {
        self.ask(Method::POST, path).json(&body)
    }

    /// Signs up `email` in a project that confirms at once. Gives the token response.
    pub async fn sign_up(&self, email: &str) -> Value {
        self.post("/signup", json!({ "email": email, "password": "correct horse" })).send().await.expect(200).json()
    }

    /// Signs `email` in with the password of [`TestProject::sign_up`]. Gives the token response.
    pub async fn sign_in(&self, email: &str) -> Value {
        let body = json!({ "email": email, "password": "correct horse" });
        self.post("/token?grant_type=password", body).send().await.expect(200).json()
    }

    /// Trades a refresh token.
    pub fn refresh(&self, token: &Value) -> Ask {
        self.post("/token?grant_type=refresh_token", json!({ "refresh_token": token }))
    }
}
