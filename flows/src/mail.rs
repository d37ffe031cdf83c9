//! Mail: composed in the flow, written to the outbox in its transaction, delivered at least once afterwards.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::config::SmtpSettings;
use domain::ids::ProjectRef;
use domain::refusal::Refusal;
use outbound::mailbox::Mailbox;
use outbound::mails::{self, Data, Kind};
use outbound::{Address, Encryption, MailTransport, Message, SendError, SmtpServer};
use serde::{Deserialize, Serialize};
use storage::{NewOutbox, OutboxRow};

use crate::context::{Context, Services, Tenant};
use crate::error::{Error, Result};
use crate::source::TenantSource;

/// The kind of outbox rows that hold mail.
pub const OUTBOX_KIND: &str = "mail";

/// Purpose under which payloads are sealed: they hold links and codes.
const SEAL_PURPOSE: &str = "outbox:mail";

/// The window of the project's mail limit.
const HOUR: Duration = Duration::from_secs(3600);

/// A sealed payload: the project it belongs to and the finished message.
#[derive(Serialize, Deserialize)]
struct Payload {
    project: ProjectRef,
    message: Message,
}

/// Refuses when the project has sent as many mails this hour as it may (`contract/core.md` §3.2).
/// Not counted while addresses are confirmed without mail.
pub async fn count_against_limit(ctx: &Context) -> Result<()> {
    let policy = ctx.policy();
    if policy.mailer_autoconfirm {
        return Ok(());
    }
    let limit = policy.rate_limits.email_sent;
    let project = ctx.tenant.project.id;
    match ctx.services.cluster.counters.hit(project, "mail", limit, HOUR, ctx.now).await {
        Ok(hit) if hit.counted() => Ok(()),
        Ok(_) => Err(Refusal::OverEmailSendRateLimit.into()),
        // Without the shared counter the per-user cool-down still stands.
        Err(error) => {
            tracing::debug!(%error, "shared counters are away");
            Ok(())
        }
    }
}

/// Composes a mail of `kind` to `to` and seals it as an outbox row. Templates that fail fall back to the built-in ones.
pub fn compose(ctx: &Context, kind: Kind, to: &str, data: &Data) -> Result<NewOutbox> {
    let policy = ctx.policy();
    let (subject, body) = (policy.templates.subject(kind.as_str()), policy.templates.body(kind.as_str()));
    let rendered = mails::compose(kind, subject, body, data).or_else(|error| {
        tracing::warn!(%error, kind = kind.as_str(), "mail template failed, the built-in one is used");
        mails::compose(kind, None, None, data)
    });
    let rendered = rendered.map_err(Error::fault)?;
    let message = Message {
        id: ctx.entropy().uuid(),
        date: ctx.now,
        from: sender(policy.smtp.as_ref(), ctx),
        to: Address { name: String::new(), email: to.to_owned() },
        reply_to: None,
        subject: rendered.subject,
        html: rendered.html,
        text: rendered.text,
        headers: Vec::new(),
    };
    let payload = Payload { project: ctx.tenant.project.project_ref.clone(), message };
    let plain = serde_json::to_vec(&payload).map_err(Error::fault)?;
    Ok(NewOutbox {
        id: payload.message.id,
        kind: OUTBOX_KIND,
        payload: ctx.services.master_key.seal(SEAL_PURPOSE, &plain, ctx.entropy()),
        now: ctx.now,
    })
}

fn sender(smtp: Option<&SmtpSettings>, ctx: &Context) -> Address {
    match smtp {
        Some(smtp) => Address { name: smtp.sender_name.clone(), email: smtp.admin_email.clone() },
        None => Address { name: ctx.tenant.project.name.clone(), email: "no-reply@localhost".to_owned() },
    }
}

/// How one attempt at a delivery went.
#[derive(Debug)]
pub enum Delivery {
    /// Accepted by the next hop.
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
    pub tenants: Arc<dyn TenantSource>,
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
        let opened = self.services.master_key.open(SEAL_PURPOSE, &row.payload);
        let Some(payload) = opened.ok().and_then(|plain| serde_json::from_slice::<Payload>(&plain).ok()) else {
            return Delivery::Dead("payload cannot be opened with this master key".to_owned());
        };
        let tenant = match self.tenants.load(&payload.project).await {
            Ok(Some(tenant)) => tenant,
            Ok(None) => return Delivery::Dead("project is gone".to_owned()),
            Err(error) => return Delivery::Retry(error.to_string()),
        };
        self.send(&tenant, &payload.message).await
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
