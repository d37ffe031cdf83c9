//! The users of a run: created through the admin API, removed at the end.

use std::pin::pin;
use std::sync::Arc;

use anyhow::bail;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::client::{Client, Failure, Project, send, send_json};
use crate::progress::Progress;
use crate::stop::Stop;

/// Requests under way at once while preparing and cleaning up.
const AT_ONCE: usize = 8;

/// A user of this run.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) password: Arc<str>,
}

/// Creates `count` confirmed users with addresses and a password that only this run knows. Those that were created
/// are in `users` even when another one failed.
pub(crate) async fn create(
    project: &Project,
    count: u32,
    progress: &Progress,
    stop: &Stop,
    users: &mut Vec<User>,
) -> Result<(), Failure> {
    let bar = progress.steps("creating users", u64::from(count));
    let run = random_text();
    let password: Arc<str> = random_text().into();
    let mut created = pin!(
        stream::iter(0..count)
            .take_until(stop.requested())
            .map(|number| create_one(project, format!("load-{run}-{number}@example.com"), Arc::clone(&password)))
            .buffer_unordered(AT_ONCE)
    );
    let mut outcome = Ok(());
    while let Some(user) = created.next().await {
        match user {
            Ok(user) => users.push(user),
            // The others in flight are still awaited: a user that exists must be known.
            Err(failure) if outcome.is_ok() => outcome = Err(failure),
            Err(_) => {}
        }
        bar.inc(1);
    }
    bar.finish();
    outcome
}

async fn create_one(project: &Project, email: String, password: Arc<str>) -> Result<User, Failure> {
    #[derive(Deserialize)]
    struct Created {
        id: String,
    }
    let body = json!({"email": email, "password": &*password, "email_confirm": true});
    let created: Created = send_json(project.admin(Method::POST, "users").json(&body)).await?;
    Ok(User { id: created.id, email, password })
}

/// Opens `count` sessions, dealt out to the users in turn.
pub(crate) async fn sign_in(
    project: &Project,
    users: &[User],
    count: u32,
    progress: &Progress,
    stop: &Stop,
) -> Result<Vec<Client>, Failure> {
    let bar = progress.steps("signing in", u64::from(count));
    let clients = stream::iter(users.iter().cycle().take(count as usize))
        .take_until(stop.requested())
        .map(|user| Client::sign_in(project.clone(), user.clone()))
        .buffer_unordered(AT_ONCE)
        .inspect(|_| bar.inc(1))
        .try_collect()
        .await;
    bar.finish();
    clients
}

/// Deletes the users; tries all of them before it reports a failure.
pub(crate) async fn remove(project: &Project, users: &[User], progress: &Progress) -> anyhow::Result<()> {
    let bar = progress.steps("removing users", users.len() as u64);
    let failures: Vec<Failure> = stream::iter(users)
        .map(|user| send(project.admin(Method::DELETE, &format!("users/{}", user.id))))
        .buffer_unordered(AT_ONCE)
        .inspect(|_| bar.inc(1))
        .filter_map(async |removed| removed.err())
        .collect()
        .await;
    bar.finish();
    match failures.first() {
        Some(first) => bail!("{} of {} are left: {first}", failures.len(), users.len()),
        None => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "addresses and passwords on a real server must not repeat or be guessed")]
fn random_text() -> String {
    let mut bytes = [0_u8; 12];
    // Without randomness the addresses repeat and the server refuses them, which is reported.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
