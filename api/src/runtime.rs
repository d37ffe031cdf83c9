//! What the edge needs of the runtime behind it. The real one is the actors' handle; tests put their own in its place.

use std::time::Duration;

use actors::management::Management;
use actors::{AskError, Document, Operation, RuntimeHandle};
use async_trait::async_trait;
use domain::config::Policy;
use domain::ids::{ProjectId, ProjectRef};
use domain::project::Profile;
use domain::request::Caller;
use domain::secret::Secret;
use domain::{
    admin_factors, admin_users, audit_log, authorize, callback, challenge_factor, custom_providers, enroll_factor,
    first_checks, generate_link, id_token, introspect, invite, link_identity, logout, magic_link, otp,
    passkey_authentication, passkey_registration, passkeys, pkce, reauthenticate, recover, recovery_codes, refresh,
    resend, revocations, sessions, sign_in, signup, unenroll_factor, unlink_identity, user_delete, user_read,
    user_update, verify, verify_factor, web3,
};
use tokio::time::Instant;

use crate::cors::Cors;
use crate::failure::Failure;

/// When a client may try again after the control store was away.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// Whom an operation is asked of, for whom, and how long the asker waits.
#[derive(Clone, Debug)]
pub struct Call {
    /// The project.
    pub project: ProjectRef,
    /// Facts about the client.
    pub caller: Caller,
    /// Nobody waits for the answer after this.
    pub deadline: Instant,
}

/// Answers one kind of question.
#[async_trait]
pub trait Ask<O: Operation>: Send + Sync + 'static {
    /// Asks `operation` of the project of `call`.
    async fn ask(&self, call: Call, operation: O) -> Result<O::Answer, Failure>;
}

/// Finds projects.
#[async_trait]
pub trait Projects: Send + Sync + 'static {
    /// What the edge must know of `project` before it asks it anything.
    ///
    /// # Errors
    /// [`Failure::UnknownProject`] where there is none.
    async fn facts(&self, project: &ProjectRef, deadline: Instant) -> Result<Facts, Failure>;

    /// The project's own id.
    ///
    /// # Errors
    /// [`Failure::UnknownProject`] where there is none.
    async fn id(&self, project: &ProjectRef) -> Result<ProjectId, Failure>;

    /// The name the project's operator gave it.
    ///
    /// # Errors
    /// [`Failure::UnknownProject`] where there is none.
    async fn name(&self, project: &ProjectRef) -> Result<String, Failure>;

    /// The project a new-style API key belongs to.
    async fn project_of_api_key(&self, key: &Secret<String>) -> Result<Option<ProjectRef>, Failure>;

    /// The project whose own domain `host` is, and is in use.
    async fn project_of_host(&self, host: &str) -> Result<Option<ProjectRef>, Failure>;

    /// The only project there is, where there is exactly one.
    async fn only_project(&self) -> Result<Option<ProjectRef>, Failure>;

    /// Whether requests can be served: the control store answers and no shutdown has begun.
    async fn ready(&self) -> bool;

    /// The operator's hand on the projects; `None` where there is no Management API.
    fn management(&self) -> Option<&Management>;
}

macro_rules! runtime {
    ($($operation:ty),+ $(,)?) => {
        /// All that the edge asks.
        pub trait Runtime: Projects $(+ Ask<$operation>)+ {}

        impl<T: Projects $(+ Ask<$operation>)+> Runtime for T {}
    };
}

runtime! {
    Document,
    admin_factors::Delete,
    admin_factors::List,
    admin_factors::Update,
    admin_users::Create,
    admin_users::Delete,
    admin_users::Get,
    admin_users::List,
    admin_users::Update,
    audit_log::List,
    authorize::Request,
    callback::Request,
    challenge_factor::Request,
    custom_providers::Create,
    custom_providers::Delete,
    custom_providers::Get,
    custom_providers::List,
    custom_providers::Update,
    enroll_factor::Request,
    first_checks::Request,
    generate_link::Request,
    id_token::Request,
    introspect::Request,
    invite::Request,
    link_identity::Request,
    logout::Request,
    magic_link::Request,
    otp::Request,
    passkey_authentication::Options,
    passkey_authentication::Verify,
    passkey_registration::Options,
    passkey_registration::Verify,
    passkeys::AdminDelete,
    passkeys::AdminList,
    passkeys::Delete,
    passkeys::List,
    passkeys::Rename,
    pkce::Exchange,
    reauthenticate::Request,
    recover::Request,
    recovery_codes::Delete,
    recovery_codes::Generate,
    recovery_codes::Get,
    recovery_codes::Regenerate,
    recovery_codes::Verify,
    refresh::Request,
    resend::Request,
    revocations::Request,
    sessions::AdminEnd,
    sessions::AdminList,
    sessions::End,
    sessions::List,
    sign_in::Request,
    signup::Request,
    unenroll_factor::Request,
    unlink_identity::Request,
    user_delete::Request,
    user_read::Request,
    user_update::Request,
    verify::Link,
    verify::Request,
    verify_factor::Request,
    web3::Request,
}

/// What the edge must know of a project before it asks it anything.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Which class of projects it counts as in metrics.
    pub profile: Profile,
    /// Which pages may read answers.
    pub cors: Cors,
    /// `Sb-Forwarded-For` names the client.
    pub sb_forwarded_for: bool,
    /// An API key may stand in the query.
    pub api_key_in_query: bool,
    /// Secret API keys are refused from browsers.
    pub block_secret_key_in_browser: bool,
    /// `Strict-Transport-Security` in seconds, 0 = off.
    pub hsts_max_age: i64,
    /// Its mails stay in the development mailbox.
    pub mailbox: bool,
    /// The host of its site, as pages show it.
    pub site_host: String,
}

impl Facts {
    /// The edge's part of a project's `policy`.
    pub fn of(policy: &Policy) -> Self {
        Self {
            profile: policy.profile,
            cors: Cors { origins: policy.cors_origins.clone(), credentials: policy.cors_allow_credentials },
            sb_forwarded_for: policy.security_sb_forwarded_for_enabled,
            api_key_in_query: policy.apikey_in_query_enabled,
            block_secret_key_in_browser: policy.block_secret_key_in_browser,
            hsts_max_age: policy.hsts_max_age,
            mailbox: policy.smtp.is_none(),
            site_host: domain::redirect::host(&policy.site_url),
        }
    }
}

#[async_trait]
impl<O: Operation> Ask<O> for RuntimeHandle {
    async fn ask(&self, call: Call, operation: O) -> Result<O::Answer, Failure> {
        let Call { project, caller, deadline } = call;
        Ok(RuntimeHandle::ask(self, &project, caller, deadline, operation).await?)
    }
}

#[async_trait]
impl Projects for RuntimeHandle {
    async fn facts(&self, project: &ProjectRef, deadline: Instant) -> Result<Facts, Failure> {
        Ok(Facts::of(&*self.policy(project, deadline).await?))
    }

    async fn id(&self, project: &ProjectRef) -> Result<ProjectId, Failure> {
        Ok(self.manage().project(project).await?.project.id)
    }

    async fn name(&self, project: &ProjectRef) -> Result<String, Failure> {
        Ok(self.manage().project(project).await?.project.name)
    }

    async fn project_of_api_key(&self, key: &Secret<String>) -> Result<Option<ProjectRef>, Failure> {
        Ok(self.manage().project_of_api_key(key).await?)
    }

    async fn project_of_host(&self, host: &str) -> Result<Option<ProjectRef>, Failure> {
        Ok(self.manage().project_of_host(host).await?)
    }

    async fn only_project(&self) -> Result<Option<ProjectRef>, Failure> {
        Ok(self.manage().only_project().await?)
    }

    async fn ready(&self) -> bool {
        self.is_accepting() && self.manage().ready().await
    }

    fn management(&self) -> Option<&Management> {
        Some(self.manage())
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refusal) => Self::Refused(refusal),
            AskError::UnknownProject => Self::UnknownProject,
            AskError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            AskError::Limited { retry_after } => Self::Limited { retry_after },
            AskError::Unavailable { retry_after, source } => Self::Unavailable { retry_after, source },
            AskError::Crashed => Self::Crashed,
            AskError::Timeout => Self::Timeout,
            AskError::Fault(source) => Self::Fault(source),
        }
    }
}

/// A look-up of a project failed. What an operator is told is another matter.
impl From<actors::management::Error> for Failure {
    fn from(error: actors::management::Error) -> Self {
        use actors::management::Error;
        match error {
            Error::NotFound => Self::UnknownProject,
            Error::Busy(source) => Self::Unavailable { retry_after: RETRY_SOON, source: source.into() },
            Error::Fault(source) => Self::Fault(source.into()),
            Error::Invalid(_) | Error::Conflict(_) => Self::Fault(std::sync::Arc::new(error)),
        }
    }
}
