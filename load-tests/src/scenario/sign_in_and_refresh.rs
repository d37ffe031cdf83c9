//! A working day compressed: sessions refresh their tokens, pages ask who is signed in, and a share of the requests are
//! password sign-ins, some by people who signed out before.

use futures::future::{BoxFuture, LocalBoxFuture};

use super::turns::Turns;
use super::{About, Act, Cast, Scenario, Setting};
use crate::client::{Failure, Session, sessions};
use crate::stage::Stage;
use crate::steps::Steps;

/// `sign-in-and-refresh`.
pub(super) struct SignInAndRefresh;

impl Scenario for SignInAndRefresh {
    fn about(&self) -> &About {
        &About {
            name: "sign-in-and-refresh",
            does: "sessions refresh their tokens; now and then a user signs in with a password",
            models: "A working day, compressed: who is at work has a session that is refreshed every hour and a page now and \
                     then that asks who is there; a few come back with their password, some because they had signed out.",
            tables: &["users", "identities", "sessions", "refresh_tokens", "mfa_amr_claims", "audit_log_entries"],
            needs_gateway: false,
            settings: &[
                Setting {
                    name: "sign-in-share",
                    default: 0.05,
                    most: 1.0,
                    does: "share of the turns that are password sign-ins",
                },
                Setting {
                    name: "sign-out-share",
                    default: 0.25,
                    most: 1.0,
                    does: "share of the sign-ins by people who sign out first",
                },
                Setting {
                    name: "user-read-share",
                    default: 0.1,
                    most: 1.0,
                    does: "share of the other turns in which the user is read; the rest refresh",
                },
            ],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let settings = stage.options().settings.clone();
            let sessions = stage.sessions(stage.options().clients).await?;
            let people = sessions.into_iter().enumerate().map(|(client, session)| Person {
                session,
                sign_ins: Turns::of(settings.get("sign-in-share"), client, 0),
                sign_outs: Turns::of(settings.get("sign-out-share"), client, 1),
                user_reads: Turns::of(settings.get("user-read-share"), client, 2),
                lost: false,
            });
            Ok(Cast::new(stage, people))
        })
    }
}

struct Person {
    session: Session,
    sign_ins: Turns,
    sign_outs: Turns,
    user_reads: Turns,
    /// After a failed refresh the session may be gone, and the client signs in as an app would.
    lost: bool,
}

impl Person {
    async fn sign_in(&mut self, steps: &mut Steps) -> Result<(), Failure> {
        if !self.lost && self.sign_outs.next() {
            self.lost = true;
            // Who cannot sign out still signs in.
            let _ = steps.step("sign-out", sessions::sign_out(&self.session)).await;
        }
        steps.step("sign-in", self.session.sign_in_again()).await
    }
}

impl Act for Person {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let result = if self.sign_ins.next() || self.lost {
                self.sign_in(steps).await
            } else if self.user_reads.next() {
                return steps.step("user-read", self.session.read_user()).await;
            } else {
                steps.step("refresh", self.session.refresh()).await
            };
            self.lost = result.is_err();
            result
        })
    }
}
