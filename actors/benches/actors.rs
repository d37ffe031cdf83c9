//! What it costs to find a project in memory and to ask its actors. `cargo bench -p actors --bench actors`
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::time::Duration;

use actors::{Document, Lane, Operation, RuntimeHandle};
use divan::{Bencher, black_box};
use domain::ids::{ProjectRef, SessionId};
use domain::request::{Bearer, Caller};
use domain::secret::Secret;
use domain::time::Timestamp;
use domain::{refresh, user_read};
use flows::{Context, Tenant};
use testkit::{TestApp, TestProject};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use uuid::Uuid;

fn main() {
    divan::main();
}

/// Answers at once, where it is told to.
struct Nothing(Lane);

impl Operation for Nothing {
    type Answer = ();
    const NAME: &'static str = "nothing";

    fn lane(&self, _: &Tenant, _: Timestamp) -> Lane {
        self.0.clone()
    }

    async fn run(self, _: Context) -> Result<(), flows::Error> {
        Ok(())
    }
}

/// A gateway on SQLite with a project in memory. One thread runs all of it: what is measured is work, not waking.
struct Bench {
    runtime: Runtime,
    app: TestApp,
    project: TestProject,
}

impl Bench {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (app, project) = runtime.block_on(async {
            let app = TestApp::sqlite().await;
            let config = serde_json::json!({ "rate_limit_token_refresh": 1_000_000_000 });
            let project = app.project("bench", config).await;
            app.handle.policy(&project.project_ref, later()).await.unwrap();
            (app, project)
        });
        Self { runtime, app, project }
    }

    /// Asks again and again.
    fn ask<O: Operation>(&self, bencher: Bencher<'_, '_>, operation: impl Fn() -> O) {
        let (handle, project) = (&self.app.handle, &self.project.project_ref);
        bencher.bench_local(|| self.runtime.block_on(ask(handle, project, operation())));
    }

    /// The access token and the refresh token of somebody new.
    fn sign_up(&self) -> (String, String) {
        let session = self.runtime.block_on(self.project.sign_up("somebody@example.com"));
        let text = |name: &str| session.get(name).and_then(|token| token.as_str()).unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

async fn ask<O: Operation>(handle: &RuntimeHandle, project: &ProjectRef, operation: O) -> O::Answer {
    handle.ask(project, Caller::default(), later(), operation).await.ok().unwrap()
}

/// The settings of a project in memory: no message.
#[divan::bench]
fn directory_lookup(bencher: Bencher<'_, '_>) {
    let Bench { runtime, app, project } = Bench::start();
    let find = || async { app.handle.policy(black_box(&project.project_ref), later()).await.unwrap().jwt_exp };
    bencher.bench_local(|| runtime.block_on(find()));
}

/// To the tenant's actor and back.
#[divan::bench]
fn round_trip_tenant(bencher: Bencher<'_, '_>) {
    Bench::start().ask(bencher, || Nothing(Lane::Snapshot));
}

/// To the tenant's actor, to a task and back.
#[divan::bench]
fn round_trip_task(bencher: Bencher<'_, '_>) {
    Bench::start().ask(bencher, || Nothing(Lane::Task));
}

/// To the tenant's actor, to a session's and back.
#[divan::bench]
fn round_trip_session(bencher: Bencher<'_, '_>) {
    Bench::start().ask(bencher, || Nothing(Lane::Session(SessionId(Uuid::from_u128(1)))));
}

#[divan::bench]
fn settings(bencher: Bencher<'_, '_>) {
    Bench::start().ask(bencher, || Document::Settings);
}

#[divan::bench]
fn read_user_sqlite(bencher: Bencher<'_, '_>) {
    let bench = Bench::start();
    let (access, _) = bench.sign_up();
    bench.ask(bencher, || user_read::Request { bearer: Bearer(Some(Secret::new(access.clone()))) });
}

/// The same token again and again, as of a client whose answers are lost: it is reissued, not rotated.
#[divan::bench]
fn reissue_refresh_sqlite(bencher: Bencher<'_, '_>) {
    let bench = Bench::start();
    let (_, token) = bench.sign_up();
    bench.ask(bencher, || refresh::Request { refresh_token: Secret::new(token.clone()) });
}
