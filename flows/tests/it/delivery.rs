//! Mail is never lost: servers that are away, gateways that are killed, projects that hang or are gone.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::time::Clock;
use outbound::{MailTransport, Message, SendError, SmtpServer};
use serde_json::json;
use testkit::{Limits, MockClock, Setup, TestApp, TestDatabase, TestProject};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::eventually::eventually;

/// Looks for due mail all the time.
fn eager() -> Limits {
    Limits { outbox_sweep: Duration::from_millis(20), janitor_step: Duration::from_secs(3600), ..Limits::default() }
}

async fn mailing(app: &TestApp, name: &str) -> TestProject {
    let config = json!({
        "mailer_autoconfirm": false,
        "rate_limit_email_sent": 100_000,
        "smtp_host": format!("mail.{name}.example"),
        "smtp_port": "587",
        "smtp_user": "user",
        "smtp_pass": "pass",
        "smtp_admin_email": format!("hello@{name}.example"),
    });
    app.project(name, config).await
}

async fn sign_up(project: &TestProject, number: usize) {
    let body = json!({ "email": format!("user{number}@example.com"), "password": "correct horse" });
    project.post("/signup", body).send().await.expect(200);
}

/// A mail server of which a test says whether it hangs, before it takes a mail or after it took one.
#[derive(Default)]
struct Server {
    asked: AtomicUsize,
    taken: Mutex<Vec<(String, Uuid)>>,
    hangs_before: AtomicBool,
    hangs_after: AtomicBool,
    hangs_for: Mutex<Option<String>>,
}

impl Server {
    fn taken(&self) -> Vec<Uuid> {
        self.taken.lock().unwrap().iter().map(|(_, id)| *id).collect()
    }

    fn taken_of(&self, host: &str) -> usize {
        self.taken.lock().unwrap().iter().filter(|(taken_by, _)| taken_by == host).count()
    }
}

#[async_trait]
impl MailTransport for Server {
    async fn send(&self, server: &SmtpServer, message: &Message) -> Result<(), SendError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let hangs = self.hangs_for.lock().unwrap().as_deref() == Some(server.host.as_str());
        if hangs || self.hangs_before.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.taken.lock().unwrap().push((server.host.clone(), message.id));
        if self.hangs_after.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// A gateway that is killed while a mail is on its way, and the next one over the same rows.
fn killed_on_the_way(placement: impl AsyncFnOnce() -> TestDatabase, server: &Arc<Server>) {
    let first = Runtime::new().unwrap();
    let placement = first.block_on(async {
        let placement = Arc::new(placement().await);
        let transport: Arc<dyn MailTransport> = server.clone();
        let setup = Setup { transport: Some(transport), limits: eager(), ..Setup::new(placement.clone()) };
        let app = TestApp::start(setup).await;
        sign_up(&mailing(&app, "acme").await, 1).await;
        eventually(async || server.asked.load(Ordering::SeqCst) == 1).await;
        placement
    });
    // Nothing is drained and nobody says good-bye.
    first.shutdown_background();
    server.hangs_before.store(false, Ordering::SeqCst);
    server.hangs_after.store(false, Ordering::SeqCst);

    Runtime::new().unwrap().block_on(async {
        let transport: Arc<dyn MailTransport> = server.clone();
        let clock = Arc::new(MockClock::default());
        clock.advance(3600);
        let setup =
            Setup { transport: Some(transport), clock, limits: eager(), seed: 2, ..Setup::new(placement.clone()) };
        let app = TestApp::start(setup).await;
        eventually(async || server.asked.load(Ordering::SeqCst) == 2).await;
        let depth = async || app.database.outbox_depth().await.unwrap();
        eventually(async || depth().await.pending == 0).await;
        assert_eq!(depth().await.dead, 0);
    });
}

fn killed_between_commit_and_delivery(placement: impl AsyncFnOnce() -> TestDatabase) {
    let server = Arc::new(Server { hangs_before: AtomicBool::new(true), ..Server::default() });
    killed_on_the_way(placement, &server);
    assert_eq!(server.taken().len(), 1, "what was committed is delivered by whoever comes next, once");
}

fn killed_between_delivery_and_mark(placement: impl AsyncFnOnce() -> TestDatabase) {
    let server = Arc::new(Server { hangs_after: AtomicBool::new(true), ..Server::default() });
    killed_on_the_way(placement, &server);
    let taken = server.taken();
    assert_eq!(taken.len(), 2, "at least once");
    assert_eq!(taken[0], taken[1], "and whoever gets it can tell by the Message-ID that it is the same");
}

#[test]
fn a_gateway_killed_between_commit_and_delivery_loses_no_mail() {
    killed_between_commit_and_delivery(async || TestDatabase::sqlite());
}

#[test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
fn a_gateway_killed_between_commit_and_delivery_loses_no_mail_on_postgres() {
    killed_between_commit_and_delivery(async || TestDatabase::postgres().await);
}

#[test]
fn a_gateway_killed_after_a_delivery_sends_the_same_message_again() {
    killed_between_delivery_and_mark(async || TestDatabase::sqlite());
}

#[test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
fn a_gateway_killed_after_a_delivery_sends_the_same_message_again_on_postgres() {
    killed_between_delivery_and_mark(async || TestDatabase::postgres().await);
}

async fn server_down_then_up(placement: TestDatabase) {
    let setup = Setup { limits: eager(), ..Setup::new(Arc::new(placement)) };
    let app = TestApp::start(setup).await;
    let project = mailing(&app, "acme").await;
    const MAILS: usize = 20;
    for _ in 0..2 * MAILS {
        app.transport.fail_next(false);
    }
    for number in 0..MAILS {
        sign_up(&project, number).await;
    }
    // Hours go by in which attempts fail; then the server is back.
    let arrived = || app.transport.sent().iter().map(Message::message_id).collect::<HashSet<String>>().len();
    let arrive = async {
        while arrived() < MAILS {
            // Time goes by when nothing is due.
            let due = app.database.outbox_depth().await.unwrap().next_due;
            if due.is_some_and(|due| due > app.clock.now()) {
                app.clock.advance(60);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), arrive).await.expect("none is lost");
    let to: HashSet<String> = app.transport.sent().into_iter().map(|message| message.to.email).collect();
    assert_eq!((arrived(), to.len()), (MAILS, MAILS), "one id for each, however often it was sent");
    assert_eq!(app.handle.stats().deliveries_dead, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_survives_a_server_that_is_down_for_a_while() {
    server_down_then_up(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn mail_survives_a_server_that_is_down_for_a_while_on_postgres() {
    server_down_then_up(TestDatabase::postgres().await).await;
}

async fn one_hangs_others_do_not(placement: TestDatabase) {
    let server = Arc::new(Server::default());
    *server.hangs_for.lock().unwrap() = Some("mail.stuck.example".to_owned());
    let transport: Arc<dyn MailTransport> = server.clone();
    let setup = Setup { transport: Some(transport), ..Setup::new(Arc::new(placement)) };
    let app = TestApp::start(setup).await;
    let (stuck, quick) = (mailing(&app, "stuck").await, mailing(&app, "quick").await);
    for number in 0..40 {
        sign_up(&stuck, number).await;
    }
    for number in 0..5 {
        sign_up(&quick, number).await;
    }
    // No sweep comes in this time: every mail left with the commit that promised it, past forty that hang.
    eventually(async || server.taken_of("mail.quick.example") == 5).await;
    assert_eq!(server.taken_of("mail.stuck.example"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_delays_no_other_project() {
    one_hangs_others_do_not(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_server_that_hangs_delays_no_other_project_on_postgres() {
    one_hangs_others_do_not(TestDatabase::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_of_a_paused_project_waits_and_that_of_a_deleted_one_goes_with_it() {
    let app = TestApp::start(Setup { limits: eager(), ..Setup::new(Arc::new(TestDatabase::sqlite())) }).await;
    let project = mailing(&app, "acme").await;
    app.transport.fail_next(false);
    sign_up(&project, 1).await;
    eventually(async || app.handle.stats().delivery_retries == 1).await;
    app.management.set_paused(&project.project_ref, true).await.unwrap();
    app.clock.advance(60);
    eventually(async || app.handle.stats().delivery_retries == 2).await;
    assert!(app.transport.sent().is_empty());
    app.management.set_paused(&project.project_ref, false).await.unwrap();
    app.clock.advance(60);
    eventually(async || app.transport.sent().len() == 1).await;

    app.transport.fail_next(false);
    sign_up(&project, 2).await;
    eventually(async || app.handle.stats().delivery_retries == 3).await;
    app.management.delete_project(&project.project_ref, Some(0)).await.unwrap();
    let depth = app.database.outbox_depth().await.unwrap();
    assert_eq!((depth.pending, depth.dead), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_changes_about_the_server_holds_for_mail_that_waits() {
    let app = TestApp::start(Setup { limits: eager(), ..Setup::new(Arc::new(TestDatabase::sqlite())) }).await;
    let project = mailing(&app, "acme").await;
    app.transport.fail_next(false);
    sign_up(&project, 1).await;
    eventually(async || app.handle.stats().delivery_retries == 1).await;
    let change = json!({ "smtp_host": "mail2.acme.example" });
    app.management.patch_config(&project.project_ref, change.as_object().unwrap()).await.unwrap();
    app.clock.advance(60);
    eventually(async || app.transport.sent().len() == 1).await;
    assert_eq!(app.transport.take()[0].0.host, "mail2.acme.example");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_not_read_for_every_mail() {
    let placement = Arc::new(TestDatabase::sqlite());
    let here = TestApp::start(Setup { wakes: false, ..Setup::new(placement.clone()) }).await;
    let project = mailing(&here, "acme").await;
    const MAILS: usize = 20;
    for number in 0..MAILS {
        sign_up(&project, number).await;
    }
    // Another gateway, which nobody asks for the project, delivers them all.
    let there = TestApp::start(Setup { limits: eager(), seed: 2, ..Setup::new(placement) }).await;
    eventually(async || there.transport.sent().len() == MAILS).await;
    // Once, and once more if the gateway was still catching up with what had changed before it started.
    let stats = there.handle.stats();
    assert!(stats.loads <= 2, "{} loads for {MAILS} mails", stats.loads);
    assert_eq!(stats.resident_tenants, 0);
}
