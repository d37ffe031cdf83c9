//! One project is flooded with password sign-ins while another is watched: does its neighbour notice?
//!
//! The first half of the measured time is quiet; then the flood begins. The watcher reads users at a low fixed rate all
//! the time, and names its requests by the half they belong to: the ratio of the two 99th percentiles is the answer.

use anyhow::Context as _;
use futures::future::{BoxFuture, LocalBoxFuture};
use serde_json::json;

use super::{About, Act, Cast, Pace, Scenario, Setting};
use crate::client::{Failure, Session, User};
use crate::report::Run;
use crate::stage::Stage;
use crate::steps::Steps;

/// The share of the measured time after which the flood begins.
const FLOOD_BEGINS: f64 = 0.5;

const QUIET: &str = "user-read-quiet";
const FLOODED: &str = "user-read-flooded";

/// `noisy-neighbour`.
pub(super) struct NoisyNeighbour;

impl Scenario for NoisyNeighbour {
    fn about(&self) -> &About {
        &About {
            name: "noisy-neighbour",
            does: "floods one project with password sign-ins half of the time and watches GET /user of another",
            models: "Two customers on one gateway: the shop of one is on television, or somebody guesses its passwords; the \
                     other must not notice.",
            tables: &[
                "users",
                "identities",
                "sessions",
                "refresh_tokens",
                "mfa_amr_claims",
                "mfa_factors",
                "audit_log_entries",
            ],
            needs_gateway: false,
            settings: &[
                Setting {
                    name: "watch-rate",
                    default: 20.0,
                    most: 10_000.0,
                    does: "reads a second of the watched project",
                },
                Setting { name: "watchers", default: 4.0, most: 1_000.0, does: "sessions of the watched project" },
                Setting {
                    name: "wrong-passwords",
                    default: 0.0,
                    most: 1.0,
                    does: "1: the flood knows no password; every guess costs a hash as well",
                },
            ],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            if stage.projects().len() < 2 {
                stage.add_projects(1, &json!({})).await.context("this takes two projects")?;
            }
            let (flooded, watched) = match stage.projects() {
                [flooded, watched, ..] => (flooded.clone(), watched.clone()),
                _ => anyhow::bail!("this takes two projects"),
            };
            let options = stage.options().clone();
            let watchers = (options.settings.get("watchers") as u32).max(1);
            let rate = options.settings.get("watch-rate").max(0.1);
            let wrong = options.settings.get("wrong-passwords") >= 0.5;

            let readers = stage.users_of(&[watched], watchers).await?;
            let readers = stage.sign_in(&readers, watchers).await?.into_iter().map(Watcher);
            let victims = stage.users_of(&[flooded], options.users).await?;
            let crowd: Vec<_> = victims.iter().cycle().take(options.clients as usize).cloned().collect();
            let crowd = crowd.into_iter().map(|user| Flooder::new(user, wrong));
            Ok(Cast::default().with(Pace::steady(rate), 0.0, readers).with(stage.pace(), FLOOD_BEGINS, crowd))
        })
    }

    fn conclude(&self, run: &Run) -> Vec<String> {
        let p99 = |name: &str| {
            let row = run.operations.iter().find(|row| row.operation == name && row.requests > row.errors);
            row.map(|row| row.latency_ms.p99)
        };
        let both = p99(QUIET).zip(p99(FLOODED)).filter(|(quiet, _)| *quiet > 0.0);
        both.map(|(quiet, flooded)| {
            format!(
                "the neighbour's GET /user, p99: {quiet:.2} ms while it is quiet, {flooded:.2} ms in the flood: {:.1} times",
                flooded / quiet
            )
        })
        .into_iter()
        .collect()
    }
}

/// Reads the user of the project that must not notice.
struct Watcher(Session);

impl Act for Watcher {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        let operation = if steps.progress() < FLOOD_BEGINS { QUIET } else { FLOODED };
        Box::pin(steps.step(operation, self.0.read_user()))
    }
}

/// Signs in again and again.
struct Flooder {
    user: User,
    wrong: bool,
}

impl Flooder {
    fn new(mut user: User, wrong: bool) -> Self {
        if wrong {
            user.password = format!("not {}", user.password).into();
        }
        Self { user, wrong }
    }
}

impl Act for Flooder {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let sign_in = Session::sign_in(self.user.clone());
            if self.wrong {
                return steps.refused("guess", &["400 invalid_credentials"], sign_in).await;
            }
            steps.step("sign-in", sign_in).await.map(drop)
        })
    }
}
