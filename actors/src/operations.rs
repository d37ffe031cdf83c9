//! The closed table of what `/auth/v1` asks of a project: the request type, its answer, where it runs and the flow.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crypto::refresh_token::RefreshToken;
use domain::custom_providers::CustomProvider;
use domain::ids::{FactorId, SessionId};
use domain::passkeys::Passkey;
use domain::request::Bearer;
use domain::time::Timestamp;
use domain::tokens::IssuedSession;
use domain::user::{Factor, User};
use domain::{
    admin_factors, admin_users, audit_log, authorize, callback, challenge_factor, custom_providers, discovery, email,
    enroll_factor, first_checks, generate_link, id_token, introspect, invite, link_identity, logout, magic_link, otp,
    passkey_authentication, passkey_registration, passkeys, phone, pkce, reauthenticate, recover, recovery_codes,
    refresh, resend, revocations, sessions, sign_in, signup, sms, unenroll_factor, unlink_identity, user_delete,
    user_read, user_update, verify, verify_factor, web3,
};
use flows::{Context, Tenant};
use uuid::Uuid;

use crate::operation::{Lane, Operation};
use crate::poll::Poll;

/// How many queues a project's challenges share: what a stranger sends cannot start more actors than that.
const QUEUES: u64 = 1024;

macro_rules! operations {
    ($(
        $name:literal $request:ty => $answer:ty,
        lane |$this:ident, $tenant:ident, $now:ident| $lane:expr,
        run $flow:path;
    )+) => {
        $(
            impl Operation for $request {
                type Answer = $answer;
                const NAME: &'static str = $name;

                fn lane(&self, $tenant: &Tenant, $now: Timestamp) -> Lane {
                    let $this = self;
                    $lane
                }

                async fn run(self, ctx: Context) -> Result<$answer, flows::Error> {
                    $flow(&ctx, self).await
                }
            }
        )+
    };
}

operations! {
    "signup" signup::Request => signup::Answer,
    lane |this, _tenant, _now| contact_lane(&this.email, &this.phone),
    run flows::signup;

    "sign_in" sign_in::Request => IssuedSession,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::sign_in;

    "first_checks" first_checks::Request => (),
    lane |_this, _tenant, _now| Lane::Task,
    run flows::first_checks;

    "exchange" pkce::Exchange => IssuedSession,
    lane |this, _tenant, _now| challenge("exchange", this.auth_code.expose()),
    run flows::exchange;

    "user_read" user_read::Request => User,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::user_read;

    "user_update" user_update::Request => User,
    lane |this, _tenant, _now| update_lane(this),
    run flows::user_update;

    "logout" logout::Request => (),
    lane |this, tenant, now| bearer_lane(&this.bearer, tenant, now),
    run flows::logout;

    "verify_link" verify::Link => verify::Landing,
    lane |this, _tenant, _now| challenge("verify", this.token.expose()),
    run flows::verify_link;

    "verify" verify::Request => verify::Answer,
    lane |this, _tenant, _now| verify_lane(this),
    run flows::verify;

    "list_sessions" sessions::List => sessions::Listing,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::list_sessions;

    "end_session" sessions::End => (),
    lane |_this, _tenant, _now| Lane::Task,
    run flows::end_session;

    "admin_list_sessions" sessions::AdminList => sessions::Listing,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_list_sessions;

    "admin_end_sessions" sessions::AdminEnd => (),
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_end_sessions;

    "admin_list_users" admin_users::List => admin_users::Listing,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_list_users;

    "admin_get_user" admin_users::Get => User,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_get_user;

    "admin_create_user" admin_users::Create => User,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_create_user;

    "admin_update_user" admin_users::Update => User,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_update_user;

    "admin_delete_user" admin_users::Delete => (),
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_delete_user;

    "otp" otp::Request => sms::Sent,
    lane |this, _tenant, _now| contact_lane(&this.email, &this.phone),
    run flows::otp;

    "magic_link" magic_link::Request => (),
    lane |this, _tenant, _now| contact_lane(&this.email, ""),
    run flows::magic_link;

    "recover" recover::Request => (),
    lane |this, _tenant, _now| contact_lane(&this.email, ""),
    run flows::recover;

    "resend" resend::Request => sms::Sent,
    lane |this, _tenant, _now| contact_lane(&this.email, &this.phone),
    run flows::resend;

    "reauthenticate" reauthenticate::Request => sms::Sent,
    lane |this, _tenant, _now| token_lane("reauthenticate", &this.bearer),
    run flows::reauthenticate;

    "user_delete" user_delete::Request => (),
    lane |_this, _tenant, _now| Lane::Task,
    run flows::user_delete;

    "invite" invite::Request => User,
    lane |this, _tenant, _now| contact_lane(&this.email, ""),
    run flows::invite;

    "generate_link" generate_link::Request => generate_link::Link,
    lane |this, _tenant, _now| contact_lane(&this.email, ""),
    run flows::generate_link;

    "admin_list_audit" audit_log::List => audit_log::Listing,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_list_audit;

    "introspect" introspect::Request => introspect::Answer,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::introspect;

    "enroll_factor" enroll_factor::Request => enroll_factor::Enrolled,
    lane |this, _tenant, _now| token_lane("enroll", &this.bearer),
    run flows::enroll_factor;

    "challenge_factor" challenge_factor::Request => challenge_factor::Challenge,
    lane |this, _tenant, _now| factor_lane(&this.factor),
    run flows::challenge_factor;

    "verify_factor" verify_factor::Request => IssuedSession,
    lane |this, tenant, now| bearer_lane(&this.bearer, tenant, now),
    run flows::verify_factor;

    "unenroll_factor" unenroll_factor::Request => FactorId,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::unenroll_factor;

    "admin_list_factors" admin_factors::List => Vec<Factor>,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_list_factors;

    "admin_update_factor" admin_factors::Update => Factor,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_update_factor;

    "admin_delete_factor" admin_factors::Delete => Factor,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_delete_factor;

    "passkey_registration_options" passkey_registration::Options => passkey_registration::Challenge,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::passkey_registration_options;

    "passkey_registration_verify" passkey_registration::Verify => Passkey,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::passkey_registration_verify;

    "passkey_authentication_options" passkey_authentication::Options => passkey_registration::Challenge,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::passkey_authentication_options;

    "passkey_authentication_verify" passkey_authentication::Verify => IssuedSession,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::passkey_authentication_verify;

    "list_passkeys" passkeys::List => Vec<Passkey>,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::list_passkeys;

    "rename_passkey" passkeys::Rename => Passkey,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::rename_passkey;

    "delete_passkey" passkeys::Delete => (),
    lane |_this, _tenant, _now| Lane::Task,
    run flows::delete_passkey;

    "admin_list_passkeys" passkeys::AdminList => Vec<Passkey>,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_list_passkeys;

    "admin_delete_passkey" passkeys::AdminDelete => (),
    lane |_this, _tenant, _now| Lane::Task,
    run flows::admin_delete_passkey;

    "get_recovery_codes" recovery_codes::Get => recovery_codes::Summary,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::get_recovery_codes;

    "generate_recovery_codes" recovery_codes::Generate => recovery_codes::Generated,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::generate_recovery_codes;

    "regenerate_recovery_codes" recovery_codes::Regenerate => recovery_codes::Generated,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::regenerate_recovery_codes;

    "delete_recovery_codes" recovery_codes::Delete => Uuid,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::delete_recovery_codes;

    "verify_recovery_code" recovery_codes::Verify => IssuedSession,
    lane |this, tenant, now| bearer_lane(&this.bearer, tenant, now),
    run flows::verify_recovery_code;

    "authorize" authorize::Request => authorize::Redirect,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::authorize;

    "callback" callback::Request => callback::Landing,
    lane |this, _tenant, _now| challenge("callback", &this.state.to_ascii_lowercase()),
    run flows::callback;

    "link_identity" link_identity::Request => authorize::Redirect,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::link_identity;

    "unlink_identity" unlink_identity::Request => (),
    lane |this, _tenant, _now| token_lane("unlink", &this.bearer),
    run flows::unlink_identity;

    "id_token" id_token::Request => IssuedSession,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::id_token;

    "web3" web3::Request => IssuedSession,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::web3;

    "list_custom_providers" custom_providers::List => Vec<CustomProvider>,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::list_custom_providers;

    "create_custom_provider" custom_providers::Create => CustomProvider,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::create_custom_provider;

    "get_custom_provider" custom_providers::Get => CustomProvider,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::get_custom_provider;

    "update_custom_provider" custom_providers::Update => CustomProvider,
    lane |_this, _tenant, _now| Lane::Task,
    run flows::update_custom_provider;

    "delete_custom_provider" custom_providers::Delete => (),
    lane |_this, _tenant, _now| Lane::Task,
    run flows::delete_custom_provider;
}

/// Parallel refreshes of one session: the first moves the counter on, all others are given the same successor again, and may be
/// by one statement.
impl Operation for refresh::Request {
    type Answer = IssuedSession;
    const NAME: &'static str = "refresh";
    const BESIDE_ITS_LIKE: bool = true;

    fn lane(&self, tenant: &Tenant, _: Timestamp) -> Lane {
        refresh_lane(self, tenant)
    }

    async fn run(self, ctx: Context) -> Result<IssuedSession, flows::Error> {
        flows::refresh(&ctx, self).await
    }
}

/// A public document of a project (`contract/core.md` §11), answered from the snapshot.
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

impl Operation for Document {
    type Answer = discovery::Answer;
    const NAME: &'static str = "document";

    fn lane(&self, _: &Tenant, _: Timestamp) -> Lane {
        Lane::Snapshot
    }

    async fn run(self, ctx: Context) -> Result<discovery::Answer, flows::Error> {
        match self {
            Self::Settings => Ok(discovery::Answer::Settings(flows::settings(&ctx))),
            Self::Health => Ok(discovery::Answer::Health(flows::health(&ctx))),
            Self::Jwks => Ok(discovery::Answer::Jwks(flows::jwks(&ctx))),
            Self::OpenidConfiguration => Ok(discovery::Answer::Openid(Box::new(flows::openid_configuration(&ctx)))),
            Self::OauthMetadata => flows::oauth_metadata(&ctx).map(Box::new).map(discovery::Answer::Openid),
        }
    }
}

impl Operation for revocations::Request {
    type Answer = revocations::Page;
    const NAME: &'static str = "read_revocations";

    fn lane(&self, _: &Tenant, _: Timestamp) -> Lane {
        Lane::Task
    }

    /// What was asked for once more, from where the page ended, while the page is empty.
    fn poll(&self) -> Option<Poll<Self>> {
        let query = self.query.as_ref().ok().filter(|query| query.wait > 0 && query.after.is_some())?;
        let (bearer, wait) = (self.bearer.clone(), query.wait);
        let next = move |page: &revocations::Page| {
            let query = revocations::Query { after: Some(page.cursor), wait };
            let request = Self { bearer: bearer.clone(), query: Ok(query) };
            (page.revocations.is_empty() && !page.gap).then_some(request)
        };
        Some(Poll { patience: Duration::from_secs(wait.into()), next: Box::new(next) })
    }

    async fn run(self, ctx: Context) -> Result<revocations::Page, flows::Error> {
        flows::read_revocations(&ctx, self).await
    }
}

/// A refresh runs in the actor of its session. Only a token that this project issued starts one; what is forged, stored
/// or of an adopted session with a key of its own is queued by its text.
fn refresh_lane(request: &refresh::Request, tenant: &Tenant) -> Lane {
    let text = request.refresh_token.expose();
    match RefreshToken::parse(text) {
        Ok(RefreshToken::Bound(token)) if token.verify(&tenant.project_key.session_key(token.session())) => {
            Lane::Session(token.session())
        }
        Ok(RefreshToken::Bound(token)) => challenge("refresh", &token.session()),
        Ok(RefreshToken::Stored(token)) => challenge("refresh", &token),
        Err(_) => Lane::Task,
    }
}

/// What ends a session runs in the session's actor.
fn bearer_lane(token: &Bearer, tenant: &Tenant, now: Timestamp) -> Lane {
    session_of(token, tenant, now).map_or(Lane::Task, Lane::Session)
}

fn session_of(token: &Bearer, tenant: &Tenant, now: Timestamp) -> Option<SessionId> {
    let claims = tenant.keys.verify(token.0.as_ref()?.expose(), now).ok()?;
    claims.get("session_id")?.as_str()?.parse().ok().map(SessionId)
}

/// Attempts at one code are counted one after the other: by contact where there is one, or else by what stands in the link.
fn verify_lane(request: &verify::Request) -> Lane {
    let hash = request.token_hash.expose();
    if !hash.is_empty() {
        return challenge("verify", hash);
    }
    let contact = spelled(&request.email, &request.phone);
    challenge("verify", if contact.is_empty() { request.token.expose() } else { &contact })
}

/// A change that sends something is queued by its contact. New passwords of one token follow one another: each is compared
/// with the one before, and those that came together would have to be compared again and again.
fn update_lane(request: &user_update::Request) -> Lane {
    match contact_lane(&request.email, &request.phone) {
        Lane::Task if request.password.is_some() => token_lane("update", &request.bearer),
        lane => lane,
    }
}

/// What is sent to one contact is sent one after the other: its cool-down is looked at before anything goes out.
fn contact_lane(email: &str, phone: &str) -> Lane {
    let contact = spelled(email, phone);
    if contact.is_empty() { Lane::Task } else { challenge("send", &contact) }
}

/// The same for what is sent to whoever holds a token. Not in the session's own actor, which a slow provider would hold up.
fn token_lane(kind: &str, token: &Bearer) -> Lane {
    token.0.as_ref().map_or(Lane::Task, |token| challenge(kind, token.expose()))
}

/// A contact as it is stored, however it was typed.
fn spelled(email: &str, phone: &str) -> String {
    if email.is_empty() { phone::normalise(phone) } else { email::normalise(email) }
}

/// Challenges of one factor follow one another: the cool-down of its number is looked at before anything goes out.
fn factor_lane(factor: &str) -> Lane {
    challenge("factor", &factor.to_ascii_lowercase())
}

/// One of the project's queues for `kind`; the same text always meets the same one.
fn challenge<T: Hash + ?Sized>(kind: &str, text: &T) -> Lane {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    Lane::Challenge(format!("{kind} {}", hasher.finish() % QUEUES))
}
