//! New users, as many as come: what a launch or a mention on television brings.

use std::sync::Arc;

use anyhow::ensure;
use futures::future::{BoxFuture, LocalBoxFuture};
use serde_json::{Value, json};

use super::turns::Turns;
use super::{About, Act, Cast, Scenario, Setting, Settings};
use crate::client::sign_up::{settings, sign_up, sign_up_anonymously};
use crate::client::{Failure, Project, admin};
use crate::stage::{Ledger, Stage, random_text};
use crate::steps::Steps;

const ANONYMOUS: &str = "anonymous-share";

/// `sign-up-wave`.
pub(super) struct SignUpWave;

impl Scenario for SignUpWave {
    fn about(&self) -> &About {
        &About {
            name: "sign-up-wave",
            does: "new users sign up, with a password or anonymously",
            models: "The day an app is talked about: accounts are opened one after the other. The project confirms them at once \
                     and mails nobody; a given project that would send mails is refused.",
            tables: &["users", "identities", "sessions", "refresh_tokens", "mfa_amr_claims", "audit_log_entries"],
            needs_gateway: false,
            settings: &[Setting {
                name: ANONYMOUS,
                default: 0.0,
                most: 1.0,
                does: "share of the sign-ups without address and password; a given project must allow them",
            }],
        }
    }

    fn configuration(&self, _settings: &Settings) -> Value {
        json!({"external_anonymous_users_enabled": true})
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let share = stage.options().settings.get(ANONYMOUS);
            let projects = stage.projects().to_vec();
            if share < 1.0 {
                for project in &projects {
                    ensure!(
                        settings(project).await?.mailer_autoconfirm,
                        "{} sends everybody who signs up a mail, to addresses that nobody reads: set mailer_autoconfirm for \
                         the test, or use --option {ANONYMOUS}=1",
                        project.auth_url()
                    );
                }
            }
            let clients = stage.options().clients as usize;
            let mut arrivals = Vec::with_capacity(clients);
            for (client, project) in projects.into_iter().cycle().take(clients).enumerate() {
                arrivals.push(Arrival {
                    project,
                    address: stage.address(),
                    password: random_text().into(),
                    anonymous: Turns::of(share, client, 0),
                    ledger: stage.ledger(),
                    come: 0,
                });
            }
            Ok(Cast::new(stage, arrivals))
        })
    }
}

/// Somebody new each time.
struct Arrival {
    project: Project,
    address: String,
    password: Arc<str>,
    anonymous: Turns,
    ledger: Ledger,
    come: u64,
}

impl Act for Arrival {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if self.anonymous.next() {
                let user = steps.step("sign-up-anonymous", sign_up_anonymously(&self.project)).await?;
                self.ledger.note(&self.project, &user);
                return Ok(());
            }
            self.come += 1;
            let email = numbered(&self.address, self.come);
            match steps.step("sign-up", sign_up(&self.project, &email, &self.password)).await {
                Ok(user) => self.ledger.note(&self.project, &user),
                Err(failure) if failure.is_refusal() || self.project.reference().is_some() => return Err(failure),
                Err(failure) => {
                    // Without an answer the account may be there all the same, and has to go at the end.
                    if let Ok(Some(user)) = admin::find(&self.project, &email).await {
                        self.ledger.note(&self.project, &user);
                    }
                    return Err(failure);
                }
            }
            Ok(())
        })
    }
}

/// The n-th address that belongs to `address`.
fn numbered(address: &str, number: u64) -> String {
    match address.split_once('@') {
        Some((name, host)) => format!("{name}-{number}@{host}"),
        None => format!("{address}-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_an_address_of_their_own() {
        assert_eq!(numbered("load-a-1@example.com", 7), "load-a-1-7@example.com");
        assert_ne!(numbered("load-a-1@example.com", 11), numbered("load-a-11@example.com", 1));
    }
}
