//! What a flow works with: the project's snapshot, the services of the process, and facts about the caller.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cluster::{Cluster, SessionEntry};
use crypto::jwt::KeySet;
use crypto::project_key::ProjectKey;
use crypto::seal::MasterKey;
use domain::config::Policy;
use domain::entropy::Entropy;
use domain::ids::{ProjectId, SessionId, UserId};
use domain::project::Project;
use domain::request::Caller;
use domain::secret::Secret;
use domain::session::Session;
use domain::time::{Clock, Timestamp};
use outbound::breaches::BreachCheck;
use outbound::captcha::CaptchaTransport;
use outbound::hooks::HookTransport;
use outbound::providers::ProviderTransport;
use outbound::sms::SmsTransport;
use storage::control::ApiKey;
use storage::{AuditEntry, TenantStore, Tx};

use crate::books::Books;
use crate::error::Result;
use crate::management;
use crate::third_party::{self, TrustedIssuer};

/// A project as it is served: configuration and keys at one version, and the way to its rows. Immutable; a change makes a new one.
pub struct Tenant {
    /// The row of the control store.
    pub project: Project,
    /// The project's base URL up to and including `/auth/v1`; also the issuer of its tokens.
    pub base_url: String,
    /// Effective settings.
    pub policy: Policy,
    /// Signing and verification keys.
    pub keys: KeySet,
    /// Key of one-time hashes and session-bound refresh tokens.
    pub project_key: ProjectKey,
    /// Whether the old-style keys `anon` and `service_role` are accepted.
    pub legacy_keys_enabled: bool,
    /// What the project accepts as `apikey`.
    pub api_keys: Vec<AcceptedApiKey>,
    /// Other issuers whose tokens the project accepts.
    pub third_party: Vec<Arc<TrustedIssuer>>,
    /// The project's rows.
    pub store: TenantStore,
    /// Version of the configuration.
    pub config_version: i64,
}

impl Tenant {
    /// Takes over what `before`, the snapshot that was served, has learned and what still holds.
    pub fn learn_from(&mut self, before: &Self) {
        third_party::keep(&before.third_party, &mut self.third_party);
    }

    /// Where providers send browsers back to: what is registered with them.
    pub fn callback_uri(&self) -> String {
        format!("{}/callback", self.base_url)
    }
}

/// A new-style API key as the project knows it.
#[derive(Clone, Debug)]
pub struct AcceptedApiKey {
    /// SHA-256 of the key.
    pub hash: String,
    /// The role its bearer acts as: `anon` or `service_role`.
    pub role: &'static str,
    /// When it ends, where another took its place.
    pub expires_at: Option<Timestamp>,
}

impl AcceptedApiKey {
    pub(crate) fn of(key: &ApiKey) -> Self {
        Self { hash: key.hash.clone(), role: management::api_key_role(key), expires_at: key.expires_at }
    }

    /// Whether it opens anything at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// Hashes passwords away from the request threads, fairly among projects.
#[async_trait]
pub trait Hasher: Send + Sync {
    /// The hash of `password` with today's parameters.
    async fn hash(&self, project: ProjectId, password: Secret<String>) -> Result<String>;

    /// Whether `password` matches `stored`.
    async fn verify(&self, project: ProjectId, password: Secret<String>, stored: Secret<String>) -> Result<bool>;
}

/// Wakes the deliverer after a commit that wrote outbox rows.
pub trait OutboxWake: Send + Sync {
    /// There is something to deliver in the database of `tenant`.
    fn wake(&self, tenant: &Tenant);
}

/// The services of the process.
pub struct Services {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness and ids.
    pub entropy: Arc<dyn Entropy>,
    /// The hashing pool.
    pub hasher: Arc<dyn Hasher>,
    /// What gateways share.
    pub cluster: Cluster,
    /// Seals outbox payloads.
    pub master_key: Arc<MasterKey>,
    /// The deliverer.
    pub outbox: Arc<dyn OutboxWake>,
    /// Calls hooks.
    pub hooks: Arc<dyn HookTransport>,
    /// Sends messages to phones.
    pub sms: Arc<dyn SmsTransport>,
    /// Judges captcha tokens.
    pub captcha: Arc<dyn CaptchaTransport>,
    /// Knows breached passwords.
    pub breaches: Arc<dyn BreachCheck>,
    /// Signs people in at other places.
    pub providers: Arc<dyn ProviderTransport>,
    /// What the process notes beside its requests.
    pub books: Arc<Books>,
}

/// The memory of a session's actor between two requests. The database decides; this spares a read.
#[derive(Clone, Default)]
pub struct WarmSession(Arc<Mutex<Option<(Session, domain::user::User)>>>);

impl WarmSession {
    /// Takes what is remembered; nothing is remembered afterwards.
    pub fn take(&self) -> Option<(Session, domain::user::User)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The same memory for somebody who runs beside the one it belongs to.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())))
    }

    /// The one of two memories that the database gave later.
    #[must_use]
    pub fn newer(self, other: Self) -> Self {
        let given = |memory: &Self| {
            let memory = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
            memory.as_ref().map(|(session, _)| (session.refresh_token_counter, session.last_refresh()))
        };
        if given(&other) > given(&self) { other } else { self }
    }

    /// Remembers the session and its user as the database just gave them.
    pub fn put(&self, session: Session, user: domain::user::User) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((session, user));
    }
}

/// All a flow works with.
#[derive(Clone)]
pub struct Context {
    /// The project's snapshot.
    pub tenant: Arc<Tenant>,
    /// The services of the process.
    pub services: Arc<Services>,
    /// Who asks.
    pub caller: Caller,
    /// When the flow began to run.
    pub now: Timestamp,
    /// Set when a session's actor runs the flow.
    pub warm: Option<WarmSession>,
}

impl Context {
    /// The project's rows.
    pub fn store(&self) -> &TenantStore {
        &self.tenant.store
    }

    /// The project's effective settings.
    pub fn policy(&self) -> &Policy {
        &self.tenant.policy
    }

    /// Randomness and ids.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.services.entropy
    }

    /// The audience of new accounts: the project's (`contract/core.md` §8.6; the header never chooses it).
    pub fn audience(&self) -> &str {
        &self.policy().jwt_aud
    }

    /// The audience accounts are looked up in: the one the request names, else the project's (`contract/core.md` §8.6).
    pub fn asked_audience(&self) -> &str {
        self.caller.audience.as_deref().unwrap_or(self.audience())
    }

    /// The hash of `password` with today's parameters, computed in the pool.
    pub async fn hash_password(&self, password: &Secret<String>) -> Result<Secret<String>> {
        self.services.hasher.hash(self.tenant.project.id, password.clone()).await.map(Secret::new)
    }

    /// Whether `password` matches `stored`, computed in the pool.
    pub async fn verify_password(&self, password: &Secret<String>, stored: &Secret<String>) -> Result<bool> {
        self.services.hasher.verify(self.tenant.project.id, password.clone(), stored.clone()).await
    }

    /// An audit row of this request (`contract/core.md` §19), unless the project keeps none.
    pub fn audit(&self, payload: serde_json::Value) -> Option<AuditEntry> {
        (!self.policy().audit_log_disable_postgres).then(|| AuditEntry {
            id: crate::audit::id(self.entropy(), self.now),
            payload,
            ip_address: String::new(),
            created_at: self.now,
        })
    }

    /// The same with the caller's address, as factors, passkeys and identities have it (`contract/platform.md` §8).
    pub fn audit_with_address(&self, payload: serde_json::Value) -> Option<AuditEntry> {
        let ip_address = self.caller.ip.clone().unwrap_or_default();
        self.audit(payload).map(|entry| AuditEntry { ip_address, ..entry })
    }

    /// Writes an audit row of this request inside `tx`, unless the project keeps none.
    pub async fn write_audit(&self, tx: &mut Tx, payload: serde_json::Value) -> Result<()> {
        if let Some(entry) = self.audit(payload) {
            tx.audit().insert(entry).await?;
        }
        Ok(())
    }

    /// Writes `entry` about a refused sign-in or second factor, in a transaction of its own, where the project keeps such rows.
    pub(crate) async fn write_failure(&self, entry: impl FnOnce() -> Option<AuditEntry> + Send) -> Result<()> {
        let wanted = self.policy().audit_log_failures_enabled;
        let Some(entry) = wanted.then(entry).flatten() else { return Ok(()) };
        let mut tx = self.store().begin().await?;
        tx.audit().insert(entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Tells the index of a session that was opened or used. The index only guesses: its loss is logged, not refused.
    pub async fn remember_session(&self, session: &Session) {
        let entry = SessionEntry {
            session: session.id,
            user: session.user_id,
            created_at: session.created_at,
            last_used: session.last_refresh(),
            ip: session.ip.clone(),
            user_agent: session.user_agent.clone(),
        };
        if let Err(error) = self.services.cluster.sessions.put(self.tenant.project.id, entry).await {
            tracing::debug!(%error, "session index is away");
        }
    }

    /// Tells the index and the other gateways of sessions that ended.
    pub async fn forget_sessions(&self, user: UserId, sessions: &[SessionId]) {
        if sessions.is_empty() {
            return;
        }
        let project = self.tenant.project.id;
        if let Err(error) = self.services.cluster.sessions.remove(project, user, sessions).await {
            tracing::debug!(%error, "session index is away");
        }
        let ended = cluster::Invalidation::Sessions { project, user, sessions: sessions.to_vec() };
        if let Err(error) = self.services.cluster.bus.publish(&ended).await {
            tracing::debug!(%error, "invalidation bus is away");
        }
    }
}
