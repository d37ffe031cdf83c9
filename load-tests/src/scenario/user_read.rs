//! Signed-in users read themselves: the request that every server-rendered page makes.

use futures::future::{BoxFuture, LocalBoxFuture};

use super::{About, Act, Cast, Scenario};
use crate::client::{Failure, Session};
use crate::stage::Stage;
use crate::steps::Steps;

/// `user-read`.
pub(super) struct UserRead;

impl Scenario for UserRead {
    fn about(&self) -> &About {
        &About {
            name: "user-read",
            does: "signed-in users read themselves (GET /user)",
            models: "Pages rendered on a server ask who is signed in with every request.",
            tables: &["users", "identities", "sessions", "mfa_factors"],
            needs_gateway: false,
            settings: &[],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let readers = stage.sessions(stage.options().clients).await?.into_iter().map(Reader);
            Ok(Cast::new(stage, readers))
        })
    }
}

struct Reader(Session);

impl Act for Reader {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(steps.step("user-read", self.0.read_user()))
    }
}
