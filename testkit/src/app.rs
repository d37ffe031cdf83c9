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
use domain::operator::Operator;
use domain::quota::Quotas;
use flows::delivery::MailDeliverer;
use flows::management::{CreateProject, DEFAULT_GRACE, Management, Operators, ProjectUrls, Routes};
use flows::{ControlSource, Databases, OutboxWake, OwnDatabases, Services, Tenant};
use http::Method;
use outbound::breaches::RecordingBreaches;
use outbound::captcha::RecordingCaptcha;
use outbound::dns::RecordingTxtRecords;
use outbound::hooks::{HookTransport, RecordingHooks};
use outbound::mailbox::Mailbox;
use outbound::providers::{ProviderTransport, RecordingProviders};
use outbound::sms::{RecordingSms, SmsTransport};
use outbound::{MailTransport, RecordingTransport};
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
    /// Mail of projects with SMTP server.
    pub transport: Arc<RecordingTransport>,
    /// What hooks were told.
    pub hooks: Arc<RecordingHooks>,
    /// Messages to phones.
    pub sms: Arc<RecordingSms>,
    /// What the judge of captcha tokens was asked.
    pub captcha: Arc<RecordingCaptcha>,
    /// Which passwords are breached.
    pub breaches: Arc<RecordingBreaches>,
    /// What providers are asked, and what they say.
    pub providers: Arc<RecordingProviders>,
    /// TXT records that hosts have.
    pub dns: Arc<RecordingTxtRecords>,
    /// The auth rows of all projects.
    pub database: Database,
    /// What gateways share.
    pub cluster: Cluster,
    router: Router,
    placement: Arc<TestDatabase>,
}

/// What a gateway is put together from.
pub struct Setup {
    /// Where its rows live.
    pub placement: Arc<TestDatabase>,
    /// What it shares with other gateways.
    pub cluster: Cluster,
    /// Its time.
    pub clock: Arc<MockClock>,
    /// What takes the mail of projects with SMTP server; `None` = [`TestApp::transport`].
    pub transport: Option<Arc<dyn MailTransport>>,
    /// What calls hooks; `None` = [`TestApp::hooks`].
    pub hooks: Option<Arc<dyn HookTransport>>,
    /// What sends messages to phones; `None` = [`TestApp::sms`].
    pub sms: Option<Arc<dyn SmsTransport>>,
    /// What speaks to providers; `None` = [`TestApp::providers`].
    pub providers: Option<Arc<dyn ProviderTransport>>,
    /// Whether a commit wakes the deliverer; else mail waits for the next sweep.
    pub wakes: bool,
    /// What its actors take on, and how often they look.
    pub limits: Limits,
    /// How many databases of projects' own it has open at a time, and where their files lie.
    pub own: OwnDatabases,
    /// Gateways of one database must draw different ids.
    pub seed: u64,
    /// What its master key is drawn from: gateways of one database have the same.
    pub master_seed: u64,
    /// Its address as the world has it.
    pub external: String,
}

impl Setup {
    /// A gateway that is alone on `placement`.
    pub fn new(placement: Arc<TestDatabase>) -> Self {
        let own = OwnDatabases { files: placement.files(), ..OwnDatabases::default() };
        Self {
            placement,
            cluster: Cluster::in_process(),
            clock: Arc::default(),
            transport: None,
            hooks: None,
            sms: None,
            providers: None,
            wakes: true,
            // The janitor stays away unless a test calls for it: its statements would count as a request's.
            limits: Limits { janitor_step: Duration::from_secs(3600), ..Limits::default() },
            own,
            seed: 1,
            master_seed: 7,
            external: "http://127.0.0.1:8000".to_owned(),
        }
    }
}

/// Lets a commit wake nobody.
struct Asleep;

impl OutboxWake for Asleep {
    fn wake(&self, _: &Tenant) {}
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
        Self::start(Setup::new(Arc::new(placement))).await
    }

    /// A second gateway over the same database, master key, clock and cluster.
    pub async fn sibling(&self) -> Self {
        let (cluster, clock) = (self.cluster.clone(), Arc::clone(&self.clock));
        Self::start(Setup { cluster, clock, seed: 2, ..Setup::new(self.placement()) }).await
    }

    /// Where its rows live.
    pub fn placement(&self) -> Arc<TestDatabase> {
        Arc::clone(&self.placement)
    }

    /// A gateway as `setup` has it; all of them have the same master key unless it says otherwise.
    pub async fn start(setup: Setup) -> Self {
        let Setup { placement, cluster, clock, limits, seed, master_seed, .. } = setup;
        let wires = (setup.transport, setup.hooks, setup.sms);
        let database = opened(|| Database::connect(&placement.auth)).await;
        database.migrate().await.unwrap();
        let control = opened(|| ControlStore::connect(&placement.control)).await;
        control.migrate().await.unwrap();
        let entropy = Arc::new(SeededEntropy::new(seed));
        let master_key = Arc::new(MasterKey::generate(&SeededEntropy::new(master_seed)));
        let defaults =
            Defaults { jwt_exp: 3600, site_url: "http://localhost:3000".to_owned(), mailer_autoconfirm: true };
        let urls = ProjectUrls { external: setup.external };
        let databases = Databases::with(database.clone(), setup.own);
        let providers = Arc::new(RecordingProviders::default());
        let spoken = setup.providers.unwrap_or_else(|| providers.clone());
        let dns = Arc::new(RecordingTxtRecords::default());
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
            operators: Operators::default(),
            providers: Arc::clone(&spoken),
            dns: dns.clone(),
            runtime: None,
            granted: Quotas::default(),
            delete_grace: DEFAULT_GRACE,
            operator: Arc::new(Operator::gateway()),
            address: None,
        };
        let source =
            Arc::new(ControlSource { control, master_key: Arc::clone(&master_key), defaults, urls, databases });
        let runtime = Runtime::new(limits);
        let (hooks, sms) = (Arc::new(RecordingHooks::new()), Arc::new(RecordingSms::new()));
        let (captcha, breaches) = (Arc::new(RecordingCaptcha::new()), Arc::new(RecordingBreaches::new()));
        let transport = Arc::new(RecordingTransport::new());
        let services = Arc::new(Services {
            clock: clock.clone(),
            entropy: entropy.clone(),
            hasher: runtime.hasher(),
            cluster: cluster.clone(),
            master_key,
            outbox: if setup.wakes { runtime.outbox() } else { Arc::new(Asleep) },
            hooks: wires.1.unwrap_or_else(|| hooks.clone()),
            sms: wires.2.unwrap_or_else(|| sms.clone()),
            captcha: captcha.clone(),
            breaches: breaches.clone(),
            providers: spoken,
            books: Arc::default(),
        });
        let mailbox = Arc::new(Mailbox::default());
        let deliver = Arc::new(MailDeliverer {
            projects: runtime.snapshots(),
            services: Arc::clone(&services),
            transport: wires.0.unwrap_or_else(|| transport.clone()),
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
        Self {
            clock,
            handle,
            management,
            mailbox,
            transport,
            hooks,
            sms,
            captcha,
            breaches,
            providers,
            dns,
            database,
            cluster,
            router,
            placement,
        }
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
        self.project_in(name, config, None).await
    }

    /// A project with these settings, its rows in the PostgreSQL `database` if there is one.
    pub async fn project_in(&self, name: &str, config: Value, database: Option<&TestDatabase>) -> TestProject {
        let config: Map<String, Value> = config.as_object().cloned().unwrap();
        let database_url = database.map(|database| database.url().clone());
        let request =
            CreateProject { project_ref: Some(name.to_owned()), config, database_url, ..CreateProject::default() };
        self.project_by(request).await
    }

    /// A project as an operator asks for it.
    pub async fn project_by(&self, request: CreateProject) -> TestProject {
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

    /// A request below the project's own URL.
    pub fn ask_below(&self, method: Method, path: &str) -> Ask {
        Ask::new(self.router.clone(), method, &format!("/p/{}{path}", self.project_ref))
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

/// What `open` opens. A server that a whole suite of tests makes databases on may take its time for a first connection.
async fn opened<T, F>(open: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, storage::StoreError>>,
{
    for _ in 0..2 {
        match open().await {
            Err(storage::StoreError::Busy(_)) => {}
            opened => return opened.unwrap(),
        }
    }
    open().await.unwrap()
}
