//! The composition: every part of the gateway, made once and handed to those that use it.

use std::sync::Arc;
use std::time::Duration;

use actors::{Health, Limits, RuntimeHandle};
use api::mail::MailStore;
use axum::Router;
use cluster::{Cluster, RedisOptions};
use crypto::seal::MasterKey;
use domain::config::Defaults;
use domain::entropy::Entropy;
use domain::operator::Operator;
use domain::quota::Quotas;
use domain::time::Clock;
use flows::delivery::MailDeliverer;
use flows::management::{Management, Operators, ProjectUrls, Routes};
use flows::{ControlSource, Databases, Services};
use outbound::dns::SystemTxtRecords;
use outbound::mailbox::Mailbox;
use storage::{ControlStore, Database};
use tokio::time::Instant;

use super::first_run::OperatorToken;
use super::mailbox::SharedMailbox;
use super::metrics::{ActorMetrics, ProcessMetrics};
use super::outside::Outside;
use super::{Addresses, control_placement, first_run, own_databases, placement};
use crate::cli::Failure;
use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;
use crate::server_address;
use crate::settings::Settings;

/// How long a request may take.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// A gateway that runs.
pub(super) struct Gateway {
    handle: RuntimeHandle,
    management: Management,
    operator_token: OperatorToken,
    api: api::ApiState,
    database: Database,
    control: ControlStore,
}

impl Gateway {
    /// Connects and migrates the databases, then starts the actors.
    pub(super) async fn start(
        settings: &Settings,
        addresses: &Addresses,
        master_key: MasterKey,
    ) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let master_key = Arc::new(master_key);
        let (database, control) = databases(settings).await?;
        let cluster = cluster(settings).await?;
        let urls = ProjectUrls { external: addresses.external.clone() };
        let defaults = Defaults {
            jwt_exp: settings.project_defaults.access_token_lifetime,
            site_url: settings.project_defaults.site_url.clone(),
            mailer_autoconfirm: settings.project_defaults.auto_confirm,
        };
        let placed = Databases::with(database.clone(), own_databases(settings));
        let mailbox = addresses.local.then(|| Arc::new(Mailbox::default()));

        let outside = Outside::new(settings, addresses, &clock, &entropy)?;
        let runtime = actors::Runtime::new(Limits::default()).named(name(addresses));
        let services = Arc::new(Services {
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            hasher: runtime.hasher(),
            cluster: cluster.clone(),
            master_key: Arc::clone(&master_key),
            outbox: runtime.outbox(),
            hooks: outside.hooks,
            sms: outside.sms,
            captcha: outside.captcha,
            breaches: outside.breaches,
            providers: outside.providers,
            books: Arc::default(),
        });
        let source = Arc::new(ControlSource {
            control: control.clone(),
            master_key: Arc::clone(&master_key),
            defaults: defaults.clone(),
            urls: urls.clone(),
            databases: placed.clone(),
        });
        let deliver = Arc::new(MailDeliverer {
            projects: runtime.snapshots(),
            services: Arc::clone(&services),
            transport: outside.mail,
            mailbox: mailbox.clone(),
        });
        let management = Management {
            control: control.clone(),
            master_key,
            cluster,
            clock,
            entropy: Arc::clone(&entropy),
            defaults,
            urls,
            databases: placed,
            routes: Routes::default(),
            operators: Operators::default(),
            providers: Arc::clone(&services.providers),
            dns: Arc::new(SystemTxtRecords::from_system(Arc::clone(&entropy))),
            runtime: None,
            granted: Quotas::default(),
            delete_grace: settings.delete_grace,
            operator: Arc::new(Operator::gateway()),
            address: None,
        };
        // Before anything is served or delivered: with another master key, mail that waits would be given up as damaged.
        let operator_token = first_run::operator_token(&management).await?;
        let parts = actors::Parts { services, source, deliver, management: management.clone() };
        let handle = runtime.start(parts).await.map_err(|error| Failure::caused("the actors cannot start", &error))?;
        let api = api::ApiState::new(api::Parts {
            runtime: Arc::new(handle.clone()),
            mailbox: mailbox.map(|mailbox| Arc::new(SharedMailbox(mailbox)) as Arc<dyn MailStore>),
            entropy,
            domain: settings.domain.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
            deadline: REQUEST_TIME,
            metric_sources: vec![Arc::new(ActorMetrics(handle.clone())), Arc::new(ProcessMetrics)],
        });
        Ok(Self { handle, management, operator_token, api, database, control })
    }

    /// The operator's hand on the projects.
    pub(super) fn management(&self) -> &Management {
        &self.management
    }

    /// What opens the Management API.
    pub(super) fn operator_token(&self) -> &OperatorToken {
        &self.operator_token
    }

    /// Everything on one listener.
    pub(super) fn combined_router(&self) -> Router {
        api::combined_router(self.api.clone())
    }

    /// What clients use.
    pub(super) fn public_router(&self) -> Router {
        api::router(self.api.clone())
    }

    /// What operators use.
    pub(super) fn admin_router(&self) -> Router {
        api::admin_router(self.api.clone())
    }

    /// Ends the answers that would go on for as long as their readers stay.
    pub(super) fn end_streams(&self) {
        self.api.end_streams();
    }

    /// Waits until the actors have ended by themselves, which they do only when something crashes again and again.
    pub(super) async fn ended(&self) {
        let health = self.handle.ended().await;
        debug_assert_ne!(health, Health::Running);
    }

    /// Finishes what was accepted, then closes the databases. Whether everything was finished by `deadline`.
    pub(super) async fn shut_down(&self, deadline: Instant) -> bool {
        let whole = self.handle.shutdown(deadline).await;
        self.management.databases.close_own().await;
        self.database.close().await;
        self.control.close().await;
        whole
    }
}

async fn databases(settings: &Settings) -> Result<(Database, ControlStore), Failure> {
    let next = "`tenantry doctor` looks for the cause";
    let away = |what: &str, error: &dyn std::error::Error| Failure::new(what, error.to_string()).next(next);
    let refused = |error: &(dyn std::error::Error + 'static)| {
        Failure::caused("the database cannot be brought to the shape this version needs", error).next(next)
    };
    let connected = Database::connect(&placement(settings)).await;
    let database = match connected {
        Ok(database) => database,
        Err(error) => return Err(unopened(settings, &error).await.next(next)),
    };
    database.migrate().await.map_err(|error| refused(&error))?;
    let connected = ControlStore::connect(&control_placement(settings)).await;
    let control = connected.map_err(|error| away("the control store cannot be opened", &error))?;
    control.migrate().await.map_err(|error| refused(&error))?;
    Ok((database, control))
}

async fn unopened(settings: &Settings, error: &storage::StoreError) -> Failure {
    const WHAT: &str = "the database cannot be opened";
    let problem = match &settings.database_url {
        Some(url) => server_address::problem(url).await,
        None => None,
    };
    problem.map_or_else(|| Failure::caused(WHAT, error), |problem| Failure::new(WHAT, problem))
}

async fn cluster(settings: &Settings) -> Result<Cluster, Failure> {
    let Some(url) = &settings.redis_url else {
        let file = settings.data_dir.join("counters");
        return Cluster::in_process_kept(&file)
            .map_err(|error| Failure::caused(format!("{} cannot be used", file.display()), &error));
    };
    Cluster::redis(url, RedisOptions::default()).await.map_err(|error| {
        Failure::caused("redis cannot be used", &error)
            .next("correct --redis-url, or leave it out while there is one gateway")
    })
}

/// What tells this gateway from others of its control store: the machine and where it is reached there.
fn name(addresses: &Addresses) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let address = addresses.admin.split_once("://").map_or(addresses.admin.as_str(), |(_, address)| address);
    match (machine.trim(), address.rsplit_once(':')) {
        ("", _) => address.to_owned(),
        (machine, Some((_, port))) => format!("{machine}:{port}"),
        (machine, None) => machine.to_owned(),
    }
}
