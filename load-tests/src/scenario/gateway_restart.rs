//! The gateway is restarted while users refresh: how long is there no answer, and is every session alive afterwards?
//!
//! A request that is cut off is sent again with the same token, as an app would, until it is answered: the token may have
//! been exchanged already, and the server has to answer with the same successor. A refusal means that a session was lost.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, LocalBoxFuture};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::{About, Act, Cast, Pace, Scenario, Setting};
use crate::client::{Failure, Session};
use crate::report::Run;
use crate::stage::Stage;
use crate::steps::Steps;

/// Between two tries of a request that was cut off.
const PAUSE: Duration = Duration::from_millis(50);

/// For how long a request is sent again, also past the end of the run.
const PATIENCE: Duration = Duration::from_secs(30);

/// Arrivals of which only the first falls into any run.
const ONCE: f64 = 1e-9;

/// `gateway-restart`.
pub(super) struct GatewayRestart;

impl Scenario for GatewayRestart {
    fn about(&self) -> &About {
        &About {
            name: "gateway-restart",
            does: "restarts the gateway (--restart-command, or by hand) while sessions are refreshed",
            models: "A deployment, or a machine that reboots: apps whose requests were cut off send them again, and nobody may \
                     be signed out.",
            tables: &["users", "sessions", "refresh_tokens"],
            needs_gateway: false,
            settings: &[Setting {
                name: "after",
                default: 0.3,
                most: 0.9,
                does: "share of the measured time after which the gateway is restarted",
            }],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let after = stage.options().settings.get("after");
            let outage = Arc::new(Outage::default());
            let sessions = stage.sessions(stage.options().clients).await?;
            let apps = sessions.into_iter().map(|session| App { session, outage: Arc::clone(&outage), lost: false });
            let operator = Operator { command: stage.options().restart_command.clone() };
            Ok(Cast::new(stage, apps).with(Pace::steady(ONCE), after, [operator]))
        })
    }

    fn conclude(&self, run: &Run) -> Vec<String> {
        let row = |name: &str| run.operations.iter().find(|row| row.operation == name);
        let mut notes = Vec::new();
        match row("outage") {
            Some(outage) => notes.push(format!("no answer for {:.0} ms at the longest", outage.latency_ms.max)),
            None => {
                notes.push("no request was cut off: either nobody restarted the gateway, or nobody noticed".to_owned())
            }
        }
        let refusals = ["refresh", "refresh-retried"].into_iter().filter_map(row).flat_map(|row| &row.errors_by_status);
        let lost: u64 = refusals.filter(|(reason, _)| reason.starts_with('4')).map(|(_, count)| count).sum();
        notes.push(format!("sessions lost: {lost}"));
        notes
    }
}

/// When there was no answer, as all clients saw it.
#[derive(Default)]
struct Outage(Mutex<Answers>);

#[derive(Default)]
struct Answers {
    last: Option<Instant>,
    /// The last answer before requests were cut off.
    silent_since: Option<Instant>,
}

impl Outage {
    fn cut_off(&self, now: Instant) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.silent_since = answers.silent_since.or(answers.last).or(Some(now));
    }

    /// Since when there had been no answer, for the first one after a silence.
    fn answered(&self, now: Instant) -> Option<Instant> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.last = Some(now);
        answers.silent_since.take()
    }
}

/// An app with a session that it keeps alive.
struct App {
    session: Session,
    outage: Arc<Outage>,
    lost: bool,
}

impl Act for App {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if self.lost {
                steps.step("sign-in", self.session.sign_in_again()).await?;
                self.lost = false;
                return Ok(());
            }
            let began = Instant::now();
            let mut ended = steps.step("refresh", self.session.refresh()).await;
            if ended.as_ref().is_err_and(is_cut_off) {
                self.outage.cut_off(Instant::now());
                ended = self.insist(steps).await;
                steps.begin(began);
                steps.step("refresh-retried", async { ended.clone() }).await.ok();
            }
            if !ended.as_ref().is_err_and(is_cut_off)
                && let Some(since) = self.outage.answered(Instant::now())
            {
                steps.begin(since);
                steps.step("outage", async { Ok(()) }).await?;
            }
            self.lost = ended.as_ref().is_err_and(Failure::is_refusal);
            ended
        })
    }
}

impl App {
    /// Sends the refresh again until it is answered, or patience and run are over.
    async fn insist(&mut self, steps: &Steps) -> Result<(), Failure> {
        let patient = Instant::now() + PATIENCE;
        loop {
            sleep(PAUSE).await;
            match self.session.refresh().await {
                Err(failure) if is_cut_off(&failure) && (steps.progress() < 1.0 || Instant::now() < patient) => {}
                answered => return answered,
            }
        }
    }
}

/// Whether a request has to be sent again: it was not answered, or by a proxy or a gateway that is about to end.
fn is_cut_off(failure: &Failure) -> bool {
    let Failure(reason) = failure;
    ["no connection", "connection lost", "timeout", "502", "503", "504"].iter().any(|known| reason.starts_with(known))
}

/// Restarts the gateway, or says that it is time to.
struct Operator {
    command: Option<String>,
}

impl Act for Operator {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let Some(command) = &self.command else {
                eprintln!("tenantry-load: restart the gateway now");
                return Ok(());
            };
            let restart = async {
                let status =
                    Command::new("sh").arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::null()).status().await;
                match status {
                    Ok(status) if status.success() => Ok(()),
                    Ok(status) => Err(Failure(format!("the command ended with {status}"))),
                    Err(error) => Err(Failure(format!("the command cannot be run: {error}"))),
                }
            };
            steps.step("restart", restart).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_lasts_from_the_last_answer_to_the_next() {
        let outage = Outage::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(outage.answered(at(10)), None);
        outage.cut_off(at(25));
        outage.cut_off(at(30));
        assert_eq!(outage.answered(at(900)), Some(at(10)));
        assert_eq!(outage.answered(at(901)), None, "it is over for all");
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let cut_off = |reason: &str| is_cut_off(&Failure(reason.to_owned()));
        assert!(cut_off("no connection") && cut_off("503 over_capacity") && cut_off("502"));
        assert!(!cut_off("400 refresh_token_not_found") && !cut_off("500 unexpected_failure"));
    }
}
