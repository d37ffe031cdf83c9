//! What the edge needs of the runtime behind it. The real one is the actors' handle; tests put their own in its place.

use actors::management::Management;
use async_trait::async_trait;
use domain::config::Policy;
use domain::ids::{ProjectId, ProjectRef};
use domain::project::Profile;
use domain::request::Caller;
use domain::secret::Secret;
use domain::tokens::IssuedSession;
use domain::user::User;
use domain::{admin_users, logout, pkce, refresh, sessions, sign_in, signup, user_read, user_update, verify};
use serde_json::Value;
use tokio::time::Instant;

use crate::cors::Cors;
use crate::failure::Failure;

/// Something a project can be asked; the type of the question decides the answer's.
pub trait Question: Send + 'static {
    /// What is answered.
    type Answer: Send + 'static;
}

/// A public document of a project (`contract/core.md` §11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// `GET /settings`.
    Settings,
    /// `GET /health`.
    Health,
    /// `GET /.well-known/jwks.json`.
    Jwks,
    /// `GET /.well-known/openid-configuration`.
    OpenidConfiguration,
    /// `GET /.well-known/oauth-authorization-server`.
    OauthMetadata,
}

macro_rules! questions {
    ($($question:ty => $answer:ty;)+) => {
        $(
            impl Question for $question {
                type Answer = $answer;
            }
        )+

        /// Everything the edge asks.
        pub trait Runtime: Projects $(+ Ask<$question>)+ {}

        impl<T: Projects $(+ Ask<$question>)+> Runtime for T {}
    };
}

questions! {
    signup::Request => signup::Answer;
    sign_in::Request => IssuedSession;
    refresh::Request => IssuedSession;
    pkce::Exchange => IssuedSession;
    verify::Link => verify::Landing;
    verify::Request => verify::Answer;
    user_read::Request => User;
    user_update::Request => User;
    logout::Request => ();
    sessions::List => sessions::Listing;
    sessions::End => ();
    sessions::AdminList => sessions::Listing;
    sessions::AdminEnd => ();
    admin_users::List => admin_users::Listing;
    admin_users::Get => User;
    admin_users::Create => User;
    admin_users::Update => User;
    admin_users::Delete => ();
    Document => Value;
}

/// Whom a question goes to, for whom, and how long the asker waits.
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
pub trait Ask<Q: Question>: Send + Sync + 'static {
    /// Puts `question` to the project of `call`.
    async fn ask(&self, call: Call, question: Q) -> Result<Q::Answer, Failure>;
}

/// Finds projects.
#[async_trait]
pub trait Projects: Send + Sync + 'static {
    /// What the edge must know of `project` before it asks it anything.
    ///
    /// # Errors
    /// [`Failure::UnknownProject`] where there is none.
    async fn facts(&self, project: &ProjectRef) -> Result<Facts, Failure>;

    /// The project a new-style API key belongs to.
    async fn project_of_api_key(&self, key: &Secret<String>) -> Result<Option<ProjectRef>, Failure>;

    /// The only project there is, where there is exactly one.
    async fn only_project(&self) -> Result<Option<ProjectRef>, Failure>;

    /// Whether requests can be served: the control store answers and no shutdown has begun.
    async fn ready(&self) -> bool;

    /// The operator's hand on the projects; `None` where there is no Management API.
    fn management(&self) -> Option<&Management>;
}

/// What the edge must know of a project before it asks it anything.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Keys what lies outside the project's database.
    pub id: ProjectId,
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
}

impl Facts {
    /// The edge's part of a project's `policy`.
    pub fn of(id: ProjectId, policy: &Policy) -> Self {
        Self {
            id,
            profile: policy.profile,
            cors: Cors { origins: policy.cors_origins.clone(), credentials: policy.cors_allow_credentials },
            sb_forwarded_for: policy.security_sb_forwarded_for_enabled,
            api_key_in_query: policy.apikey_in_query_enabled,
            block_secret_key_in_browser: policy.block_secret_key_in_browser,
            hsts_max_age: policy.hsts_max_age,
            mailbox: policy.smtp.is_none(),
        }
    }
}
