//! Refreshes that all come at once: of one session, by everything a user has open; and of many sessions, whose tokens
//! expire at the same moment.

use std::mem;

use anyhow::Context as _;
use futures::future::{BoxFuture, LocalBoxFuture};
use tokio::task::JoinSet;

use super::turns::Turns;
use super::{About, Act, Cast, Scenario, Setting};
use crate::client::{Failure, Session, Tokens, sessions};
use crate::stage::Stage;
use crate::steps::Steps;

const SAME: &str = "same-session-share";

/// `refresh-storm`.
pub(super) struct RefreshStorm;

impl Scenario for RefreshStorm {
    fn about(&self) -> &About {
        &About {
            name: "refresh-storm",
            does: "waves of refreshes at once: one token by all clients, or all clients' own",
            models: "A laptop wakes up with twenty tabs that share a session, and all refresh the same token: each must get a 200 \
                     of the same session, and any of the answers must lead on. And an outage ends, or everybody came at nine: all \
                     tokens expire at the same moment. A journey is a wave of --clients requests, so --rate counts waves.",
            tables: &["users", "sessions", "refresh_tokens", "mfa_amr_claims", "audit_log_entries"],
            needs_gateway: false,
            settings: &[Setting {
                name: SAME,
                default: 0.5,
                most: 1.0,
                does: "share of the waves in which all refresh the same token; in the others each client refreshes its own",
            }],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let options = stage.options().clone();
            let users = stage.users(options.users).await?;
            let shared = stage.sign_in(&users, 1).await?.into_iter().next().context("there is no user")?;
            let own = stage.sign_in(&users, options.clients).await?;
            // One act sends every wave: clients that wait for each other could wait for one that has gone home.
            let storm = Storm {
                shared: Member { session: shared, lost: false },
                own: own.into_iter().map(|session| Member { session, lost: false }).collect(),
                same: Turns::of(options.settings.get(SAME), 0, 0),
                width: options.clients as usize,
                wave: 0,
            };
            Ok(Cast::new(stage, [storm]))
        })
    }
}

/// A session, and whether it may be gone.
struct Member {
    session: Session,
    lost: bool,
}

impl Member {
    /// Refreshes its own token, or signs in as an app would.
    async fn go_on(&mut self, steps: &mut Steps) -> Result<(), Failure> {
        let result = if self.lost {
            steps.step("sign-in", self.session.sign_in_again()).await
        } else {
            steps.step("refresh-at-expiry", self.session.refresh()).await
        };
        self.lost = result.is_err();
        result
    }
}

struct Storm {
    shared: Member,
    own: Vec<Member>,
    same: Turns,
    width: usize,
    wave: usize,
}

impl Storm {
    async fn same_session(&mut self, steps: &mut Steps) -> Result<(), Failure> {
        if self.shared.lost {
            return self.shared.go_on(steps).await;
        }
        let session = sessions::session_id(&self.shared.session.tokens)?;
        let answers = at_once((0..self.width).map(|_| {
            let mut steps = steps.beside();
            let project = self.shared.session.user.project.clone();
            let (token, session) = (self.shared.session.tokens.refresh_token.clone(), session.clone());
            async move { steps.step("refresh-same-session", sessions::refresh(&project, &token, &session)).await }
        }));
        let mut answers: Vec<Tokens> = answers.await.into_iter().flatten().collect();
        self.shared.lost = answers.is_empty();
        if !self.shared.lost {
            // Whichever of them an app keeps, it must lead on.
            self.wave += 1;
            self.shared.session.tokens = answers.swap_remove(self.wave % answers.len());
        }
        Ok(())
    }

    async fn at_expiry(&mut self, steps: &Steps) {
        let members = at_once(mem::take(&mut self.own).into_iter().map(|mut member| {
            let mut steps = steps.beside();
            async move {
                // It is counted, and the member knows.
                let _ = member.go_on(&mut steps).await;
                member
            }
        }));
        self.own = members.await;
    }
}

impl Act for Storm {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if self.same.next() {
                return self.same_session(steps).await;
            }
            self.at_expiry(steps).await;
            Ok(())
        })
    }
}

/// Begins all of them together and waits for all.
async fn at_once<T: Send + 'static>(futures: impl Iterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let mut tasks: JoinSet<T> = futures.collect();
    let mut results = Vec::with_capacity(tasks.len());
    while let Some(result) = tasks.join_next().await {
        results.extend(result);
    }
    results
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn a_wave_is_under_way_all_together() {
        let all = Arc::new(Barrier::new(16));
        let waves = (0..16).map(|number| {
            let all = Arc::clone(&all);
            async move {
                all.wait().await;
                number
            }
        });
        let mut numbers = at_once(waves).await;
        numbers.sort_unstable();
        assert_eq!(numbers, (0..16).collect::<Vec<_>>());
    }
}
