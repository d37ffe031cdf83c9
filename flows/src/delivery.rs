//! Delivery: what a transaction promised in the outbox is handed to the outside, at least once.

use std::sync::Arc;

use async_trait::async_trait;
use crypto::seal::MasterKey;
use domain::entropy::Entropy;
use domain::ids::ProjectRef;
use domain::project::Status;
use outbound::mailbox::Mailbox;
use outbound::{Encryption, MailTransport, Message, SendError, SmtpServer};
use serde::{Deserialize, Serialize};
use storage::{NewOutbox, OutboxRow};

use crate::context::{Context, Services, Tenant};
use crate::error::{Error, Result};
use crate::source::Snapshots;

/// The kind of outbox rows that hold mail.
pub const OUTBOX_KIND: &str = "mail";

/// The kind of outbox rows that hold mail nobody gets: they stand where an address without account would show by their absence.
const DECOY_KIND: &str = "decoy";

/// Purpose under which payloads are sealed: they hold links and codes.
const SEAL_PURPOSE: &str = "outbox:mail";

/// A sealed payload: the project it belongs to and the finished message.
#[derive(Serialize, Deserialize)]
struct Payload {
    project: ProjectRef,
    message: Message,
}

/// The outbox row of a finished message: sealed, due at once.
pub(crate) fn mail_row(ctx: &Context, message: Message) -> Result<NewOutbox> {
    let payload = Payload { project: ctx.tenant.project.project_ref.clone(), message };
    let plain = serde_json::to_vec(&payload).map_err(Error::fault)?;
    Ok(NewOutbox {
        id: payload.message.id,
        kind: OUTBOX_KIND,
        payload: ctx.services.master_key.seal(SEAL_PURPOSE, &plain, ctx.entropy()),
        now: ctx.now,
    })
}

/// The same row for a message that is dropped instead of delivered.
pub(crate) fn decoy_row(ctx: &Context, message: Message) -> Result<NewOutbox> {
    Ok(NewOutbox { kind: DECOY_KIND, ..mail_row(ctx, message)? })
}

/// The payload of a row for whoever has the key `to`, of the project under the ref `renamed` if there is one. `None` when `from` does not
/// open it.
pub(crate) fn reseal(
    payload: &str,
    from: &MasterKey,
    to: &MasterKey,
    renamed: Option<&ProjectRef>,
    entropy: &dyn Entropy,
) -> Option<String> {
    let mut plain = from.open(SEAL_PURPOSE, payload).ok()?;
    if let Some(project) = renamed {
        let opened: Payload = serde_json::from_slice(&plain).ok()?;
        plain = serde_json::to_vec(&Payload { project: project.clone(), ..opened }).ok()?;
    }
    Some(to.seal(SEAL_PURPOSE, &plain, entropy))
}

/// How one attempt at a delivery went.
#[derive(Debug)]
pub enum Delivery {
    /// Accepted by the next hop, or nobody is left who could want it.
    Done,
    /// Worth another attempt; holds the reason for the operator.
    Retry(String),
    /// Never to be tried again; holds the reason for the operator.
    Dead(String),
}

/// Delivers outbox rows.
#[async_trait]
pub trait Deliver: Send + Sync {
    /// One attempt at `row`.
    async fn deliver(&self, row: &OutboxRow) -> Delivery;
}

/// Delivers mail: over the project's SMTP server, or into the development mailbox.
pub struct MailDeliverer {
    /// Where projects come from.
    pub projects: Arc<dyn Snapshots>,
    /// The services of the process.
    pub services: Arc<Services>,
    /// Speaks SMTP.
    pub transport: Arc<dyn MailTransport>,
    /// Takes the mail of projects without SMTP server; `None` = such mail is dropped, as the contract has it.
    pub mailbox: Option<Arc<Mailbox>>,
}

#[async_trait]
impl Deliver for MailDeliverer {
    async fn deliver(&self, row: &OutboxRow) -> Delivery {
        if row.kind == DECOY_KIND {
            return Delivery::Done;
        }
        if row.kind != OUTBOX_KIND {
            // Of a newer version; a gateway that knows the kind may come by.
            return Delivery::Retry(format!("this version cannot deliver the kind {}", row.kind));
        }
        let opened = self.services.master_key.open(SEAL_PURPOSE, &row.payload);
        let Some(payload) = opened.ok().and_then(|plain| serde_json::from_slice::<Payload>(&plain).ok()) else {
            return Delivery::Dead("payload cannot be opened with this master key".to_owned());
        };
        let tenant = match self.projects.snapshot(&payload.project).await {
            Ok(Some(tenant)) if tenant.project.instance == row.instance => tenant,
            // Nobody could look at it any more, nor retry it.
            Ok(_) => return Delivery::Done,
            Err(error) => return Delivery::Retry(format!("the project cannot be read: {error}")),
        };
        match tenant.project.status {
            Status::Active => self.send(&tenant, &payload.message).await,
            // Its links lead nowhere until the project is served again.
            Status::Paused => Delivery::Retry("the project is paused".to_owned()),
            Status::Deleting => Delivery::Done,
        }
    }
}

impl MailDeliverer {
    async fn send(&self, tenant: &Tenant, message: &Message) -> Delivery {
        match (&tenant.policy.smtp, &self.mailbox) {
            (Some(smtp), _) => {
                let server = SmtpServer {
                    host: smtp.host.clone(),
                    port: smtp.port,
                    user: smtp.user.clone(),
                    pass: smtp.pass.clone(),
                    encryption: if smtp.tls_required { Encryption::Required } else { Encryption::Opportunistic },
                };
                match self.transport.send(&server, message).await {
                    Ok(()) => Delivery::Done,
                    Err(error) if error.permanent => Delivery::Dead(cause(&error)),
                    Err(error) => Delivery::Retry(cause(&error)),
                }
            }
            (None, Some(mailbox)) => match mailbox.deliver(tenant.project.id, message) {
                Ok(()) => Delivery::Done,
                Err(error) => Delivery::Dead(error.to_string()),
            },
            (None, None) => Delivery::Done,
        }
    }
}

/// The error with what caused it, for the operator.
fn cause(error: &SendError) -> String {
    format!("{error}: {}", error.source)
}
