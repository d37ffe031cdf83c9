//! What a scenario stands on: projects, users, sessions, and a list of what has to be removed.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arrivals::{Arrivals, Curve};
use crate::client::{Failure, Project, Session, User, send, send_json};
use crate::journeys::Manner;
use crate::progress::Progress;
use crate::scenario::{Pace, Scenario, Settings};
use crate::stop::Stop;
use crate::target::{Gateway, Target};

/// Requests under way at once while preparing and cleaning up.
const AT_ONCE: usize = 8;

/// Of what is left behind, so much is named.
const NAMED: usize = 50;

/// What the command line says about the load.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) clients: u32,
    pub(crate) users: u32,
    /// Journeys a second; without it the loop is closed.
    pub(crate) rate: Option<f64>,
    /// How clients go through a closed loop, where they think between journeys.
    pub(crate) manner: Option<Manner>,
    /// How the rate changes; `rate` is its peak.
    pub(crate) curve: Curve,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_requests: u64,
    pub(crate) settings: Settings,
    /// What restarts the server, for scenarios that do.
    pub(crate) restart_command: Option<String>,
}

/// What was made and has to go: projects, and users of projects that were given. Projects of our own take theirs with them.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    users: HashMap<String, Project>,
    projects: HashSet<String>,
}

impl Ledger {
    /// Notes a user that was made on `project`.
    pub(crate) fn note(&self, project: &Project, user: &str) {
        if project.reference().is_none() {
            self.entries().users.insert(user.to_owned(), project.clone());
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there at the moment, in words.
    fn left(&self) -> Option<String> {
        let entries = self.entries();
        let refs = entries.projects.iter().map(|reference| format!("project {reference}"));
        let users = entries.users.iter().map(|(id, project)| format!("user {id} of {}", project.auth_url()));
        let all: Vec<_> = refs.chain(users).collect();
        let (shown, more) = all.split_at(all.len().min(NAMED));
        let more = if more.is_empty() { String::new() } else { format!(", and {} more", more.len()) };
        (!all.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
    }

    fn user_is_gone(&self, id: &str) {
        self.entries().users.remove(id);
    }

    fn project_is_gone(&self, reference: &str) {
        self.entries().projects.remove(reference);
    }
}

/// The stage of one run.
pub(crate) struct Stage {
    options: Options,
    target: Target,
    progress: Progress,
    stop: Stop,
    ledger: Ledger,
    /// Tells the addresses of this run from those of others.
    run: String,
    users: u32,
}

impl Stage {
    pub(crate) fn new(options: Options, target: Target, progress: Progress, stop: Stop) -> Self {
        let ledger = Ledger::default();
        let told = ledger.clone();
        stop.on_second(move || told.left());
        Self { options, target, progress, stop, ledger, run: random_text(), users: 0 }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// The pace of the command line.
    pub(crate) fn pace(&self) -> Pace {
        let Options { curve, warm_up, duration, .. } = self.options;
        let along = |rate| Pace::Open(Arc::new(Arrivals::along(curve, rate, warm_up, duration)));
        let closed = self.options.manner.clone().map_or(Pace::Closed, Pace::Journeys);
        self.options.rate.map_or(closed, along)
    }

    /// The gateway's Management API, for scenarios that cannot do without.
    pub(crate) fn gateway(&self) -> anyhow::Result<&Gateway> {
        self.target.gateway()
    }

    /// All projects under load; never empty once the run is prepared.
    pub(crate) fn projects(&self) -> &[Project] {
        &self.target.projects
    }

    /// Where the load goes, as the report says it.
    pub(crate) fn addresses(&self) -> Vec<String> {
        match &self.target.gateway {
            Some(gateway) if self.target.projects.iter().any(|project| project.reference().is_some()) => {
                vec![gateway.url().to_owned()]
            }
            _ => self.target.projects.iter().map(|project| project.auth_url().to_owned()).collect(),
        }
    }

    /// Where what an actor makes during the run is noted.
    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// An address that nobody else uses.
    pub(crate) fn address(&mut self) -> String {
        self.users += 1;
        format!("load-{}-{}@example.com", self.run, self.users)
    }

    /// Makes `count` projects with the scenario's configuration, where none were given.
    pub(crate) async fn make_projects(&mut self, scenario: &dyn Scenario, count: u32) -> anyhow::Result<()> {
        if !self.target.projects.is_empty() {
            return Ok(());
        }
        self.add_projects(count, &scenario.configuration(&self.options.settings)).await
    }

    /// Makes `count` more projects with this configuration, beside what every run sets.
    pub(crate) async fn add_projects(&mut self, count: u32, configuration: &Value) -> anyhow::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let mut all = base_configuration();
        merge(&mut all, configuration.clone());
        let configuration = &all;
        let gateway = self.target.gateway()?.clone();
        let bar = self.progress.steps("making projects", u64::from(count));
        let name = format!("load {}", self.run);
        let mut made = pin!(
            stream::iter(0..count)
                .take_until(self.stop.requested())
                .map(|_| gateway.create(&name, configuration))
                .buffer_unordered(AT_ONCE)
        );
        let mut outcome = Ok(());
        while let Some(project) = made.next().await {
            bar.inc(1);
            match project {
                Ok(project) => {
                    self.ledger.entries().projects.extend(project.reference().map(str::to_owned));
                    self.target.projects.push(project);
                }
                // The others in flight are still awaited: a project that exists must be known.
                Err(failure) => outcome = outcome.and(Err(failure)),
            }
        }
        bar.finish();
        outcome.context("the projects cannot be made")?;
        anyhow::ensure!(!self.stop.is_requested(), "interrupted");
        Ok(())
    }

    /// At least `count` projects with their refs: as [`Self::own_projects`], and more are made where there are fewer.
    pub(crate) async fn fleet(&mut self, count: usize) -> anyhow::Result<Vec<(Project, String)>> {
        let missing = count.saturating_sub(self.own_projects()?.len());
        self.add_projects(u32::try_from(missing)?, &json!({})).await?;
        self.own_projects()
    }

    /// The projects with their refs, for scenarios that change or pause them; an error where one was given to the run.
    pub(crate) fn own_projects(&self) -> anyhow::Result<Vec<(Project, String)>> {
        let own = |project: &Project| Some((project.clone(), project.reference()?.to_owned()));
        let own: Option<Vec<_>> = self.projects().iter().map(own).collect();
        own.context("this changes projects: it takes those that it made itself")
    }

    /// Makes `count` confirmed users with addresses and a password that only this run knows, dealt out to the projects in
    /// turn.
    pub(crate) async fn users(&mut self, count: u32) -> anyhow::Result<Vec<User>> {
        let projects = self.target.projects.clone();
        anyhow::ensure!(!projects.is_empty(), "there is no project");
        self.users_of(&projects, count).await
    }

    /// As [`Self::users`], on these projects only.
    pub(crate) async fn users_of(&mut self, projects: &[Project], count: u32) -> anyhow::Result<Vec<User>> {
        let bar = self.progress.steps("creating users", u64::from(count));
        let password: Arc<str> = random_text().into();
        let wanted: Vec<_> =
            projects.iter().cycle().take(count as usize).map(|project| (project.clone(), self.address())).collect();
        let ledger = &self.ledger;
        let mut created = pin!(
            stream::iter(wanted)
                .take_until(self.stop.requested())
                .map(|(project, email)| create_one(project, email, Arc::clone(&password), ledger))
                .buffer_unordered(AT_ONCE)
        );
        let mut users = Vec::with_capacity(count as usize);
        let mut outcome = Ok(());
        while let Some(user) = created.next().await {
            bar.inc(1);
            match user {
                Ok(user) => users.push(user),
                Err(failure) => outcome = outcome.and(Err(failure)),
            }
        }
        bar.finish();
        outcome.context("the users cannot be created")?;
        anyhow::ensure!(!self.stop.is_requested(), "interrupted");
        Ok(users)
    }

    /// Makes the users of the command line and opens `count` sessions, dealt out to them in turn.
    pub(crate) async fn sessions(&mut self, count: u32) -> anyhow::Result<Vec<Session>> {
        let users = self.users(self.options.users).await?;
        self.sign_in(&users, count).await
    }

    /// Opens `count` sessions, dealt out to the users in turn.
    pub(crate) async fn sign_in(&self, users: &[User], count: u32) -> anyhow::Result<Vec<Session>> {
        let bar = self.progress.steps("signing in", u64::from(count));
        let sessions: Result<Vec<_>, Failure> = stream::iter(users.iter().cycle().take(count as usize))
            .take_until(self.stop.requested())
            .map(|user| Session::sign_in(user.clone()))
            .buffer_unordered(AT_ONCE)
            .inspect(|_| bar.inc(1))
            .try_collect()
            .await;
        bar.finish();
        let sessions = sessions.context("the users cannot sign in")?;
        anyhow::ensure!(!self.stop.is_requested(), "interrupted");
        let span = self.options.warm_up + self.options.duration;
        if sessions.iter().any(|session| session.lifetime() <= span) {
            eprintln!(
                "tenantry-load: the access tokens are shorter lived than this run: expect errors of those who only read"
            );
        }
        Ok(sessions)
    }

    /// Removes all that was made; tries everything before it reports a failure, and names what is left.
    pub(crate) async fn clean_up(&mut self) -> anyhow::Result<()> {
        let (users, projects) = {
            let entries = self.ledger.entries();
            (entries.users.clone(), entries.projects.clone())
        };
        let ledger = &self.ledger;
        let mut failures = Vec::new();
        if !users.is_empty() {
            let bar = self.progress.steps("removing users", users.len() as u64);
            let removals = stream::iter(&users)
                .map(|(id, project)| remove_user(project, id, ledger))
                .buffer_unordered(AT_ONCE)
                .inspect(|_| bar.inc(1));
            failures.extend(removals.filter_map(async |removed| removed.err()).collect::<Vec<_>>().await);
            bar.finish();
        }
        if let Some(gateway) = self.target.gateway.as_ref().filter(|_| !projects.is_empty()) {
            let bar = self.progress.steps("removing projects", projects.len() as u64);
            let removals = stream::iter(&projects)
                .map(|reference| remove_project(gateway, reference, ledger))
                .buffer_unordered(AT_ONCE)
                .inspect(|_| bar.inc(1));
            failures.extend(removals.filter_map(async |removed| removed.err()).collect::<Vec<_>>().await);
            bar.finish();
        }
        match (failures.first(), self.ledger.left()) {
            (Some(first), left) => bail!("these could not be removed ({first}): {}", left.unwrap_or_default()),
            (None, _) => Ok(()),
        }
    }
}

async fn remove_user(project: &Project, id: &str, ledger: &Ledger) -> Result<(), Failure> {
    send(project.admin(Method::DELETE, &format!("users/{id}"))).await?;
    ledger.user_is_gone(id);
    Ok(())
}

async fn remove_project(gateway: &Gateway, reference: &str, ledger: &Ledger) -> Result<(), Failure> {
    gateway.remove(reference).await?;
    ledger.project_is_gone(reference);
    Ok(())
}

async fn create_one(project: Project, email: String, password: Arc<str>, ledger: &Ledger) -> Result<User, Failure> {
    #[derive(Deserialize)]
    struct Created {
        id: String,
    }
    let body = json!({"email": email, "password": &*password, "email_confirm": true});
    let created: Created = send_json(project.admin(Method::POST, "users").json(&body)).await?;
    ledger.note(&project, &created.id);
    Ok(User { project, id: created.id, email, password })
}

/// What projects of our own are made with: limits that a load test would only run into.
fn base_configuration() -> Value {
    json!({
        "mailer_autoconfirm": true,
        "rate_limit_anonymous_users": 1_000_000_000,
        "rate_limit_otp": 1_000_000_000,
        "rate_limit_token_refresh": 1_000_000_000,
        "rate_limit_verify": 1_000_000_000,
    })
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// Text that does not repeat and cannot be guessed.
#[expect(clippy::disallowed_methods, reason = "addresses and passwords on a real server must not repeat or be guessed")]
pub(crate) fn random_text() -> String {
    let mut bytes = [0_u8; 12];
    // Without randomness the addresses repeat and the server refuses them, which is reported.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
