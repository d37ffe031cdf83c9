//! Users who wait for mail: out of the mailbox of the gateway on which their project was made; else nothing is mailed, and the
//! operator says what the mail would have said. So no mail ever leaves a project that was given.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::Setting;
use super::crowd::make_users;
use crate::client::mail::{self, Letter, Mailbox};
use crate::client::{Failure, User};
use crate::stage::Stage;
use crate::steps::Steps;

/// How long nobody is mailed again: the shortest pause that can be set, one second, and a little more.
const PAUSE: Duration = Duration::from_millis(1050);

/// How many users there are to mail to.
pub(super) const ADDRESSES: Setting = Setting {
    name: "addresses",
    default: 500.0,
    most: 100_000.0,
    does: "users to mail to; each is mailed once a second at most, so in a closed loop no more journeys a second begin",
};

/// Settings under which mails can be asked for often, and which say code and link.
pub(super) fn configuration() -> Value {
    json!({
        "smtp_max_frequency": 1,
        "rate_limit_email_sent": 1_000_000_000,
        "mailer_templates_magic_link_content":
            "<p>Your code: {{ .Token }}</p><p><a href=\"{{ .ConfirmationURL }}\">Sign in</a></p>",
    })
}

/// A user of one journey at a time, because each mail makes those before it worthless.
pub(super) struct Reader {
    pub(super) user: User,
    mailbox: Option<Mailbox>,
    seen: Option<String>,
    rested: Instant,
}

impl Reader {
    /// Whether mails are really asked for, and so may be asked for with a challenge.
    pub(super) fn asks(&self) -> bool {
        self.mailbox.is_some()
    }

    /// Comes to a code and a link.
    pub(super) async fn letter(&mut self, steps: &mut Steps, challenge: Option<&str>) -> Result<Letter, Failure> {
        let Some(mailbox) = &self.mailbox else {
            return steps.step("generate-link", mail::generate_link(&self.user)).await;
        };
        let asked = steps.step("otp", mail::ask(&self.user, challenge)).await;
        self.rested = Instant::now() + PAUSE;
        asked?;
        steps.step("mail", mailbox.next(&self.user.email, &mut self.seen)).await
    }
}

/// All readers, who has rested longest in front.
#[derive(Clone)]
pub(super) struct Readers {
    waiting: Arc<Mutex<VecDeque<Reader>>>,
    /// Nobody has intended when a journey begins.
    closed: bool,
}

impl Readers {
    /// Makes enough users for the pace of the run.
    pub(super) async fn make(stage: &mut Stage) -> anyhow::Result<Self> {
        let options = stage.options().clone();
        let mut mailboxes = BTreeMap::new();
        for project in stage.projects() {
            if let Ok(gateway) = stage.gateway()
                && let Some(mailbox) = Mailbox::of(gateway, project, options.timeout).await
            {
                mailboxes.insert(project.auth_url().to_owned(), mailbox);
            }
        }
        let mut count = options.users.max(options.clients);
        if mailboxes.is_empty() {
            eprintln!("tenantry-load: no mailbox can be read: codes and links come from POST /admin/generate_link");
        } else {
            count = count.max(enough(options.rate, options.clients, options.settings.get(ADDRESSES.name)));
        }
        let users = make_users(stage, count).await?.into_iter();
        let readers = users.map(|user| Reader {
            mailbox: mailboxes.get(user.project.auth_url()).cloned(),
            user,
            seen: None,
            rested: Instant::now(),
        });
        Ok(Self { waiting: Arc::new(Mutex::new(readers.collect())), closed: options.rate.is_none() })
    }

    /// Somebody who may be mailed; in a closed loop whoever has to rest first does so before the journey begins.
    pub(super) async fn next(&self, steps: &mut Steps) -> Result<Reader, Failure> {
        let reader = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let reader = reader.ok_or_else(|| Failure("everybody waits for mail".to_owned()))?;
        if reader.rested > Instant::now() {
            sleep_until(reader.rested).await;
            if self.closed {
                steps.begin(Instant::now());
            }
        }
        Ok(reader)
    }

    /// Lets somebody go after a journey.
    pub(super) fn rest(&self, reader: Reader) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(reader);
    }
}

/// How many users it takes: in an open loop so many that nobody who is free has to rest.
fn enough(rate: Option<f64>, clients: u32, addresses: f64) -> u32 {
    match rate {
        Some(rate) => clients.saturating_add((rate * PAUSE.as_secs_f64()).ceil() as u32),
        None => (addresses as u32).max(clients),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_never_waits_for_somebody_to_rest() {
        assert_eq!(enough(Some(100.0), 64, 500.0), 64 + 105);
        assert_eq!(enough(None, 8, 500.0), 500);
        assert_eq!(enough(None, 64, 10.0), 64);
    }
}
