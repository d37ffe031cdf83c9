//! Rows of `auth.flow_state`: PKCE flows that wait for their code (`contract/core.md` §9).

use domain::ids::{SessionId, UserId};
use domain::pkce::Method;
use domain::secret::Secret;
use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use crate::database::{TenantStore, Tx};
use crate::error::{Result, StoreError};
use crate::rows::not_empty;
use crate::sql::{each, same};
use crate::values::{At, Label};

macro_rules! columns {
    () => {
        "f.id, f.user_id, f.code_challenge_method, f.code_challenge, f.provider_type, f.authentication_method,
         f.provider_access_token, f.provider_refresh_token, f.auth_code_issued_at, f.referrer, f.invite_token, f.linking_target_id,
         f.linking_session_id, f.email_optional, f.created_at"
    };
}

statements! {
    project INSERT = same(
        "insert into auth.flow_state
             (instance_id, id, user_id, code_challenge_method, code_challenge, provider_type, authentication_method, referrer,
              provider_access_token, provider_refresh_token, invite_token, linking_target_id, linking_session_id, email_optional,
              created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, '', '', $9, $10, $11, $12, $13, $13)"
    );
    project READ = same(concat!("select ", columns!(), " from auth.flow_state as f where f.instance_id = $1 and f.id = $2"));
    project NEWEST = same(concat!(
        "select ", columns!(), " from auth.flow_state as f
         where f.instance_id = $1 and f.user_id = $2 and f.authentication_method = $3
         order by f.created_at desc, f.id desc limit 1"
    ));
    project ISSUE_CODE = same(
        "update auth.flow_state as f set auth_code = $3, auth_code_issued_at = $4, updated_at = $4
         where f.instance_id = $1 and f.id = $2"
    );
    project LOCK = each(
        "select f.id from auth.flow_state as f where f.instance_id = $1 and f.id = $2 and f.user_id is null for update",
        "select f.id from auth.flow_state as f where f.instance_id = $1 and f.id = $2 and f.user_id is null",
    );
    project FINISH = same(
        "update auth.flow_state as f set user_id = $3, auth_code = $4, provider_access_token = $5, provider_refresh_token = $6,
             auth_code_issued_at = $7, updated_at = $7
         where f.instance_id = $1 and f.id = $2 and f.user_id is null"
    );
    project FIND_BY_CODE = same(concat!(
        "select ", columns!(), " from auth.flow_state as f where f.instance_id = $1 and f.auth_code = $2"
    ));
    project CONSUME = same("delete from auth.flow_state as f where f.instance_id = $1 and f.id = $2");
    project DELETE_ALL = same("delete from auth.flow_state as f where f.instance_id = $1 and f.user_id = $2");
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    user_id: Option<Uuid>,
    code_challenge_method: Option<Label>,
    code_challenge: Option<String>,
    provider_type: String,
    authentication_method: String,
    provider_access_token: Option<String>,
    provider_refresh_token: Option<String>,
    auth_code_issued_at: Option<At>,
    referrer: Option<String>,
    invite_token: Option<String>,
    linking_target_id: Option<Uuid>,
    linking_session_id: Option<Uuid>,
    email_optional: bool,
    created_at: Option<At>,
}

impl From<Row> for FlowState {
    fn from(row: Row) -> Self {
        let method = row.code_challenge_method.map(|label| match label.0.as_str() {
            "plain" => Method::Plain,
            _ => Method::S256,
        });
        Self {
            id: row.id,
            user_id: row.user_id.map(UserId),
            challenge: method.zip(row.code_challenge),
            provider_type: row.provider_type,
            authentication_method: row.authentication_method,
            provider_access_token: Secret::new(row.provider_access_token.unwrap_or_default()),
            provider_refresh_token: Secret::new(row.provider_refresh_token.unwrap_or_default()),
            auth_code_issued_at: row.auth_code_issued_at.map(|at| at.0),
            referrer: row.referrer,
            invite_token: not_empty(row.invite_token),
            linking_target: row.linking_target_id.map(UserId),
            linking_session: row.linking_session_id.map(SessionId),
            email_optional: row.email_optional,
            created_at: row.created_at.map_or(Timestamp::from_unix(0), |at| at.0),
        }
    }
}

/// A flow that begins.
#[derive(Clone, Debug)]
pub struct NewFlowState {
    /// The row.
    pub id: Uuid,
    /// Whose flow, where known.
    pub user_id: Option<UserId>,
    /// The challenge, and how it is compared; `None` for implicit flows.
    pub challenge: Option<(Method, String)>,
    /// `email`, `magiclink`, a social provider, ...
    pub provider_type: String,
    /// The authentication method of the session at the end.
    pub authentication_method: String,
    /// Where the flow returns to.
    pub referrer: Option<String>,
    /// The hash of the invitation that the flow accepts.
    pub invite_token: Option<String>,
    /// Who is signed in already and gets an identity.
    pub linking_target: Option<UserId>,
    /// The session that he began in, if he had one.
    pub linking_session: Option<SessionId>,
    /// Who has no address may come in.
    pub email_optional: bool,
    /// The current instant.
    pub now: Timestamp,
}

/// A flow that waits.
#[derive(Clone, Debug)]
pub struct FlowState {
    /// The row.
    pub id: Uuid,
    /// Whose flow, where known.
    pub user_id: Option<UserId>,
    /// The challenge, and how it is compared; `None` for implicit flows.
    pub challenge: Option<(Method, String)>,
    /// `email`, `magiclink`, a social provider, ...
    pub provider_type: String,
    /// The authentication method of the session at the end.
    pub authentication_method: String,
    /// The upstream's access token, empty when none.
    pub provider_access_token: Secret<String>,
    /// The upstream's refresh token, empty when none.
    pub provider_refresh_token: Secret<String>,
    /// When the code was given out.
    pub auth_code_issued_at: Option<Timestamp>,
    /// Where the flow returns to.
    pub referrer: Option<String>,
    /// The hash of the invitation that the flow accepts.
    pub invite_token: Option<String>,
    /// Who is signed in already and gets an identity.
    pub linking_target: Option<UserId>,
    /// The session that he began in, if he had one.
    pub linking_session: Option<SessionId>,
    /// Who has no address may come in.
    pub email_optional: bool,
    /// When the flow began.
    pub created_at: Timestamp,
}

/// Runs [`INSERT`] in a transaction or without one.
macro_rules! insert {
    ($run:ident, $target:expr, $instance:expr, $flow:expr) => {{
        let flow: NewFlowState = $flow;
        let (method, challenge) = flow.challenge.unzip();
        $run!(
            $target,
            INSERT,
            $instance.0,
            flow.id,
            flow.user_id.map(|user| user.0),
            method.map(|method| Label(method.as_str().to_owned())),
            &challenge,
            &flow.provider_type,
            &flow.authentication_method,
            &flow.referrer,
            &flow.invite_token,
            flow.linking_target.map(|user| user.0),
            flow.linking_session.map(|session| session.0),
            flow.email_optional,
            At(flow.now),
        )
    }};
}

impl TenantStore {
    /// Begins a flow.
    pub async fn insert_flow_state(&self, flow: NewFlowState) -> Result<()> {
        match insert!(execute_now, self.backend(), self.instance, flow) {
            // Ids are random: the first try did happen and only its answer was lost.
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The flow, finished or not.
    pub async fn read_flow_state(&self, id: Uuid) -> Result<Option<FlowState>> {
        let row = fetch_now!(self.backend(), fetch_optional, Row, READ, self.instance.0, id)?;
        Ok(row.map(FlowState::from))
    }
}

/// Works on flow states.
pub struct FlowStates<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl FlowStates<'_> {
    /// Begins a flow.
    pub async fn insert(&mut self, flow: NewFlowState) -> Result<()> {
        insert!(execute, &mut self.tx.work, self.tx.instance, flow)?;
        Ok(())
    }

    /// The user's newest flow that ends with this authentication method.
    pub async fn newest(&mut self, user: UserId, authentication_method: &str) -> Result<Option<FlowState>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let row = fetch!(work, fetch_optional, Row, NEWEST, instance, user.0, authentication_method)?;
        Ok(row.map(FlowState::from))
    }

    /// Stores the hash of the code that is given out. False when the flow is gone.
    pub async fn issue_code(&mut self, id: Uuid, auth_code_hash: &str, now: Timestamp) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, ISSUE_CODE, self.tx.instance.0, id, auth_code_hash, At(now))? == 1)
    }

    /// Locks a flow that nobody has finished: who comes second waits here. False when the flow is gone or finished.
    pub async fn lock(&mut self, id: Uuid) -> Result<bool> {
        Ok(fetch!(&mut self.tx.work, fetch_optional, (Uuid,), LOCK, self.tx.instance.0, id)?.is_some())
    }

    /// Writes whose flow it was, the hash of the code that is given out, and the upstream's tokens as the caller sealed them, empty
    /// when none. True for exactly one caller.
    pub async fn finish(
        &mut self,
        id: Uuid,
        user: UserId,
        auth_code_hash: &str,
        access_token: &str,
        refresh_token: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let (user, now) = (user.0, At(now));
        let touched = execute!(work, FINISH, instance, id, user, auth_code_hash, access_token, refresh_token, now)?;
        Ok(touched == 1)
    }

    /// The flow whose code has this hash.
    pub async fn find_by_code(&mut self, auth_code_hash: &str) -> Result<Option<FlowState>> {
        let row = fetch!(&mut self.tx.work, fetch_optional, Row, FIND_BY_CODE, self.tx.instance.0, auth_code_hash)?;
        Ok(row.map(FlowState::from))
    }

    /// Removes the flow. True for exactly one caller.
    pub async fn consume(&mut self, id: Uuid) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, CONSUME, self.tx.instance.0, id)? == 1)
    }

    /// Removes the flows of a user, so that no code he was given is good any more. Answers how many there were.
    pub async fn delete_all(&mut self, user: UserId) -> Result<u64> {
        execute!(&mut self.tx.work, DELETE_ALL, self.tx.instance.0, user.0)
    }
}
