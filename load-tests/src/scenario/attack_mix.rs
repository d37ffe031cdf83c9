//! Attackers beside honest users: passwords are guessed, addresses are tried out, junk is sent.
//!
//! Every attack must be refused, and never by a failure of the server. Whether an address has an account must not show: each
//! question is asked for one that has and one that has not, and a difference in status, code or members of the body is a
//! failure. Both are operations of their own, so that a difference in time shows in the report. `429` is always a fine
//! answer. Honest users read themselves at a low fixed rate, and must not be hurt.

mod junk;

use std::sync::Arc;

use futures::future::{BoxFuture, LocalBoxFuture};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use self::junk::JUNK;
use super::{About, Act, Cast, Pace, Scenario, Setting, Settings};
use crate::client::{Failure, Probe, Project, Session, User};
use crate::stage::{Ledger, Stage, random_text};
use crate::steps::Steps;

/// Bytes of a body that no server of this API takes.
const HUGE: usize = 1_200_000;

/// `attack-mix`.
pub(super) struct AttackMix;

impl Scenario for AttackMix {
    fn about(&self) -> &About {
        &About {
            name: "attack-mix",
            does: "guesses passwords, tries out addresses and sends junk, beside users who read themselves",
            models: "A bad night on the open internet. Nothing but refusals for the attackers, the same answer for addresses with \
                     and without an account, and users who notice nothing.",
            tables: &["users", "identities", "one_time_tokens", "sessions", "mfa_factors", "audit_log_entries"],
            needs_gateway: false,
            settings: &[
                Setting { name: "honest-rate", default: 20.0, most: 10_000.0, does: "reads a second of honest users" },
                Setting { name: "honest-users", default: 4.0, most: 1_000.0, does: "sessions of honest users" },
            ],
        }
    }

    /// Where sign-ups are confirmed at once, an address that is taken must be refused, and the API cannot keep the secret.
    fn configuration(&self, _settings: &Settings) -> Value {
        json!({"mailer_autoconfirm": false, "rate_limit_email_sent": 1_000_000_000, "smtp_max_frequency": 1})
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let options = stage.options().clone();
            let honest = (options.settings.get("honest-users") as u32).max(1);
            let rate = options.settings.get("honest-rate").max(0.1);
            let readers = stage.users(honest).await?;
            let readers = stage.sign_in(&readers, honest).await?.into_iter().map(Honest);
            let victims: Arc<[User]> = stage.users(options.users).await?.into();
            let ledger = stage.ledger();
            let attackers = (0..options.clients).map(|number| Attacker {
                victims: Arc::clone(&victims),
                ledger: ledger.clone(),
                turn: number as usize,
            });
            Ok(Cast::new(stage, attackers).with(Pace::steady(rate), 0.0, readers))
        })
    }
}

/// Reads itself.
struct Honest(Session);

impl Act for Honest {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(steps.step("user-read", self.0.read_user()))
    }
}

/// A question that must be answered alike whether or not an address has an account.
struct Question {
    known: &'static str,
    unknown: &'static str,
    path: &'static str,
    /// Whether the answer makes an account for the unknown address, which only projects of our own are cleaned of.
    makes_account: bool,
    body: fn(&str) -> Value,
}

const QUESTIONS: &[Question] = &[
    Question {
        known: "sign-in-known",
        unknown: "sign-in-unknown",
        path: "token?grant_type=password",
        makes_account: false,
        body: |email| json!({"email": email, "password": "a guess, and a wrong one"}),
    },
    Question {
        known: "recover-known",
        unknown: "recover-unknown",
        path: "recover",
        makes_account: false,
        body: |email| json!({"email": email}),
    },
    Question {
        known: "sign-up-known",
        unknown: "sign-up-unknown",
        path: "signup",
        makes_account: false,
        body: |email| json!({"email": email, "password": "long enough for anybody 1A!"}),
    },
    Question {
        known: "otp-known",
        unknown: "otp-unknown",
        path: "otp",
        makes_account: true,
        body: |email| json!({"email": email}),
    },
];

/// Guesses, asks and sends junk.
struct Attacker {
    victims: Arc<[User]>,
    ledger: Ledger,
    turn: usize,
}

impl Act for Attacker {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let turn = self.turn;
            self.turn += 1;
            let Some(victim) = self.victims.get(turn % self.victims.len()) else { return Ok(()) };
            let guessed = steps.step("guess", guess(victim)).await;
            let asked = self.ask(steps, victim, turn).await;
            let sent = send_junk(steps, &victim.project, turn).await;
            guessed.and(asked).and(sent)
        })
    }
}

async fn guess(victim: &User) -> Result<(), Failure> {
    let body = json!({"email": victim.email, "password": random_text()});
    let request = victim.project.public(Method::POST, "token?grant_type=password").json(&body);
    refused(request, &["400 invalid_credentials"]).await
}

/// Sends what has to be refused with one of these names.
async fn refused(request: RequestBuilder, with: &[&str]) -> Result<(), Failure> {
    let answer = Probe::of(request).await?;
    match answer.status {
        _ if answer.is_limit() || with.contains(&answer.name.as_str()) => Ok(()),
        200..300 => Err(Failure("was not refused".to_owned())),
        _ => Err(Failure(answer.name)),
    }
}

impl Attacker {
    async fn ask(&self, steps: &mut Steps, victim: &User, turn: usize) -> Result<(), Failure> {
        let project = &victim.project;
        let mine = project.reference().is_some();
        let questions = QUESTIONS.iter().filter(|question| mine || !question.makes_account);
        let Some(question) = questions.cycle().nth(turn % QUESTIONS.len()) else { return Ok(()) };
        let request = |email: &str| project.public(Method::POST, question.path).json(&(question.body)(email));
        let known = steps.step(question.known, answered(request(&victim.email))).await?;
        let unknown = async {
            let unknown = answered(request(&format!("nobody-{}@example.com", random_text()))).await?;
            if let Some(made) = &unknown.id {
                self.ledger.note(project, made);
            }
            let difference = known.difference(&unknown).filter(|_| !known.is_limit() && !unknown.is_limit());
            difference.map_or(Ok(()), Err)
        };
        steps.step(question.unknown, unknown).await
    }
}

/// An answer of the server's own will.
async fn answered(request: RequestBuilder) -> Result<Probe, Failure> {
    let answer = Probe::of(request).await?;
    if answer.status < 500 { Ok(answer) } else { Err(Failure(answer.name)) }
}

async fn send_junk(steps: &mut Steps, project: &Project, turn: usize) -> Result<(), Failure> {
    let Some(junk) = JUNK.get(turn % JUNK.len()) else { return Ok(()) };
    steps.step(junk.operation, refused(junk.request(project), junk.refusals)).await
}
