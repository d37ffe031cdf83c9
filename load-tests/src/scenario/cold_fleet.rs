//! Projects of a long tail wake up: each journey asks a project that is not in the gateway's memory.
//!
//! A gateway lets go of a project that nobody has asked for a quarter of an hour. A run cannot wait for that: a project is
//! paused and resumed after each journey, which also takes it out of memory, and takes its turn again when all others
//! have had theirs. `pause` and `resume` are counted as operations of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, LocalBoxFuture};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::Method;

use super::{About, Act, Cast, FLEET, Scenario, Setting};
use crate::client::{Failure, Project, Session, User, send};
use crate::stage::Stage;
use crate::steps::Steps;
use crate::target::Gateway;

/// Projects put to sleep at once before the measurement.
const AT_ONCE: usize = 8;

/// `cold-fleet`.
pub(super) struct ColdFleet;

impl Scenario for ColdFleet {
    fn about(&self) -> &About {
        &About {
            name: "cold-fleet",
            does: "asks one sleeping project after the other for its settings, and puts it to sleep again",
            models: "The long tail: most projects of a large gateway are asked a few times a day, and the first request after \
                     hours has to load the project.",
            tables: &[
                "control.*",
                "users",
                "identities",
                "sessions",
                "refresh_tokens",
                "mfa_amr_claims",
                "audit_log_entries",
            ],
            needs_gateway: true,
            settings: &[
                FLEET,
                Setting {
                    name: "sign-in",
                    default: 0.0,
                    most: 1.0,
                    does: "1: a user signs in with a password after the settings",
                },
            ],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let settings = stage.options().settings.clone();
            let count = (settings.get(FLEET.name) as usize).max(stage.options().clients as usize);
            let projects = stage.fleet(count).await?.into_iter().map(|(project, _)| project).collect();
            let gateway = stage.gateway()?.clone();
            let with_users = settings.get("sign-in") >= 0.5;
            let sleepers = sleepers(stage, projects, with_users).await?;
            let clients = (0..stage.options().clients).map(|_| Waker {
                gateway: gateway.clone(),
                sleepers: Arc::clone(&sleepers.0),
                next: Arc::clone(&sleepers.1),
            });
            Ok(Cast::new(stage, clients))
        })
    }
}

/// A project of the long tail and, where somebody signs in, its user.
struct Sleeper {
    project: Project,
    user: Option<User>,
}

type Sleepers = (Arc<Vec<Sleeper>>, Arc<AtomicUsize>);

/// Whoever has a user has been awake for making it.
async fn sleepers(stage: &mut Stage, projects: Vec<Project>, with_users: bool) -> anyhow::Result<Sleepers> {
    let mut sleepers = Vec::new();
    if with_users {
        let users = stage.users_of(&projects, u32::try_from(projects.len())?).await?;
        let gateway = stage.gateway()?;
        stream::iter(&projects)
            .map(|project| sleep(gateway, project))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        sleepers.extend(users.into_iter().map(|user| Sleeper { project: user.project.clone(), user: Some(user) }));
    } else {
        sleepers.extend(projects.into_iter().map(|project| Sleeper { project, user: None }));
    }
    Ok((Arc::new(sleepers), Arc::new(AtomicUsize::new(0))))
}

/// Takes a project out of the gateway's memory.
async fn sleep(gateway: &Gateway, project: &Project) -> Result<(), Failure> {
    lifecycle(gateway, project, "pause").await?;
    lifecycle(gateway, project, "restore").await
}

async fn lifecycle(gateway: &Gateway, project: &Project, verb: &str) -> Result<(), Failure> {
    let path = format!("/v1/projects/{}/{verb}", project.reference().unwrap_or_default());
    send(gateway.managed(Method::POST, &path)).await.map(drop)
}

struct Waker {
    gateway: Gateway,
    sleepers: Arc<Vec<Sleeper>>,
    /// Turns that all clients have taken.
    next: Arc<AtomicUsize>,
}

impl Act for Waker {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.sleepers.len();
            let Some(Sleeper { project, user }) = self.sleepers.get(turn) else { return Ok(()) };
            steps.step("settings-cold", send(project.public(Method::GET, "settings"))).await?;
            if let Some(user) = user {
                steps.step("sign-in", Session::sign_in(user.clone())).await?;
            }
            steps.step("pause", lifecycle(&self.gateway, project, "pause")).await?;
            steps.step("resume", lifecycle(&self.gateway, project, "restore")).await
        })
    }
}
