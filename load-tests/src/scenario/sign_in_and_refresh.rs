//! A working day compressed: sessions refresh their tokens, a share of the requests are password sign-ins.

use futures::future::{BoxFuture, LocalBoxFuture};

use super::{About, Act, Cast, Scenario, Setting};
use crate::client::{Failure, Session};
use crate::stage::Stage;
use crate::steps::Steps;

/// `sign-in-and-refresh`.
pub(super) struct SignInAndRefresh;

impl Scenario for SignInAndRefresh {
    fn about(&self) -> &About {
        &About {
            name: "sign-in-and-refresh",
            does: "sessions refresh their tokens; now and then a user signs in with a password",
            models: "A working day, compressed: who is at work has a session that is refreshed every hour, and a few come back \
                     with their password.",
            tables: &["users", "identities", "sessions", "refresh_tokens", "mfa_amr_claims", "audit_log_entries"],
            needs_gateway: false,
            settings: &[Setting {
                name: "sign-in-share",
                default: 0.05,
                most: 1.0,
                does: "share of the requests that are password sign-ins; the others refresh",
            }],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let share = stage.options().settings.get("sign-in-share");
            let sessions = stage.sessions(stage.options().clients).await?;
            let people = sessions.into_iter().map(|session| Person {
                session,
                turns: Turns { share, taken: 0 },
                lost: false,
            });
            Ok(Cast::new(stage, people))
        })
    }
}

struct Person {
    session: Session,
    turns: Turns,
    /// After a failed refresh the session may be gone, and the client signs in as an app would.
    lost: bool,
}

impl Act for Person {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let result = if self.turns.next_is_sign_in() || self.lost {
                steps.step("sign-in", self.session.sign_in_again()).await
            } else {
                steps.step("refresh", self.session.refresh()).await
            };
            self.lost = result.is_err();
            result
        })
    }
}

/// Spreads a share evenly over a sequence.
struct Turns {
    share: f64,
    taken: u64,
}

impl Turns {
    fn next_is_sign_in(&mut self) -> bool {
        let before = (self.taken as f64 * self.share).floor();
        self.taken += 1;
        (self.taken as f64 * self.share).floor() > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spread_evenly() {
        let sign_ins = |share: f64, turns: usize| -> Vec<bool> {
            let mut sequence = Turns { share, taken: 0 };
            (0..turns).map(|_| sequence.next_is_sign_in()).collect()
        };
        assert_eq!(sign_ins(0.0, 3), [false; 3]);
        assert_eq!(sign_ins(1.0, 3), [true; 3]);
        assert_eq!(sign_ins(0.25, 8), [false, false, false, true, false, false, false, true]);
        assert_eq!(sign_ins(0.05, 1000).iter().filter(|sign_in| **sign_in).count(), 50);
    }
}
