//! Signing in with password and authenticator app.

use std::mem;

use futures::future::{BoxFuture, LocalBoxFuture};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::turns::{InTurn, deal};
use super::{About, Act, Cast, Scenario, Settings};
use crate::client::mfa::{self, App, unix_now};
use crate::client::{Failure, Session, User, sessions};
use crate::stage::{Stage, random_text};
use crate::steps::Steps;

/// Users made ready at once.
const AT_ONCE: usize = 8;

/// `mfa-login`.
pub(super) struct MfaLogin;

impl Scenario for MfaLogin {
    fn about(&self) -> &About {
        &About {
            name: "mfa-login",
            does: "users sign in with password and a code of their authenticator app",
            models: "Companies that ask everybody for a second factor: password, challenge, code, and the session of the day before \
                     is signed out. A code counts once in 30 seconds, so a user who comes back sooner first gets a new app (enroll, \
                     challenge, verify, unenroll the old); --users 30 times the sign-ins a second leave pure sign-ins. Each client \
                     has users of its own. The clocks of both sides must agree to half a minute.",
            tables: &[
                "users",
                "identities",
                "sessions",
                "mfa_factors",
                "mfa_challenges",
                "mfa_amr_claims",
                "refresh_tokens",
                "audit_log_entries",
            ],
            needs_gateway: false,
            settings: &[],
        }
    }

    fn configuration(&self, _settings: &Settings) -> Value {
        json!({"rate_limit_mfa_challenge_and_verify": 1_000_000_000})
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let (clients, users) = (stage.options().clients, stage.options().users);
            let users = stage.users(users.max(clients)).await?;
            let bar = stage.progress().steps("enrolling apps", users.len() as u64);
            let holders: Result<Vec<_>, Failure> = stream::iter(users)
                .take_until(stage.stop().requested())
                .map(Holder::new)
                .buffer_unordered(AT_ONCE)
                .inspect(|_| bar.inc(1))
                .try_collect()
                .await;
            bar.finish();
            anyhow::ensure!(!stage.stop().is_requested(), "interrupted");
            Ok(Cast::new(stage, deal(holders?, clients).into_iter().map(Client)))
        })
    }
}

/// Somebody with an app, and a session that was raised with it.
struct Holder {
    session: Session,
    since: Instant,
    app: App,
}

impl Holder {
    async fn new(user: User) -> Result<Self, Failure> {
        let mut session = Session::sign_in(user).await?;
        let mut app = mfa::enroll(&session, &random_text()).await?;
        let challenge = mfa::challenge(&session, app.factor()).await?;
        let code = app.code(unix_now())?;
        mfa::verify(&mut session, app.factor(), &challenge, &code).await?;
        Ok(Self { session, since: Instant::now(), app })
    }

    /// Takes another app into use and gives the old one up.
    async fn renew(&mut self, steps: &mut Steps) -> Result<(), Failure> {
        let name = random_text();
        let mut app = steps.step("enroll", mfa::enroll(&self.session, &name)).await?;
        prove(&mut self.session, &mut app, steps).await?;
        let old = mem::replace(&mut self.app, app);
        steps.step("unenroll", mfa::unenroll(&self.session, old.factor())).await
    }

    async fn sign_in(&mut self, steps: &mut Steps) -> Result<(), Failure> {
        if !self.app.has_code(unix_now()) {
            self.renew(steps).await?;
        }
        let mut session = steps.step("sign-in", Session::sign_in(self.session.user.clone())).await?;
        prove(&mut session, &mut self.app, steps).await?;
        let before = mem::replace(&mut self.session, session);
        let since = mem::replace(&mut self.since, Instant::now());
        // Whose token has expired cannot sign out.
        if since.elapsed() >= before.lifetime() {
            return Ok(());
        }
        steps.step("sign-out", sessions::sign_out(&before)).await
    }
}

/// Raises a session with the next code of an app.
async fn prove(session: &mut Session, app: &mut App, steps: &mut Steps) -> Result<(), Failure> {
    let challenge = steps.step("challenge", mfa::challenge(session, app.factor())).await?;
    let code = app.code(unix_now())?;
    steps.step("verify", mfa::verify(session, app.factor(), &challenge, &code)).await
}

struct Client(InTurn<Holder>);

impl Act for Client {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.0.next().sign_in(steps))
    }
}
