//! Mail: composed in the flow, written to the outbox in its transaction, delivered at least once afterwards.

use domain::config::SmtpSettings;
use outbound::mails::{self, Data, Kind, Rendered};
use outbound::{Address, Message, plain, template};
use storage::NewOutbox;

use crate::context::Context;
use crate::delivery;
use crate::error::{Error, Result};

/// Of the mail to somebody whose address was signed up with again. The settings have no templates for it.
const REPEATED_SIGN_UP_SUBJECT: &str = "You already have an account at {{ .Domain }}";
/// See [`REPEATED_SIGN_UP_SUBJECT`].
const REPEATED_SIGN_UP_BODY: &str = "<h2>You already have an account</h2>
<p>Somebody tried to sign up at <strong>{{ .Domain }}</strong> with this address, {{ .Email }}, which has an account there.</p>
<p>If it was you, sign in at <a href=\"{{ .SiteURL }}\">{{ .SiteURL }}</a>, or reset your password there.</p>
<p>If it was not you, ignore this email; nothing was changed.</p>
";

/// Composes a mail of `kind` to `to` and seals it as an outbox row. Templates that fail fall back to the built-in ones.
pub fn compose(ctx: &Context, kind: Kind, to: &str, data: &Data) -> Result<NewOutbox> {
    let rendered = render(ctx, kind, data)?;
    delivery::mail_row(ctx, message(ctx, kind, to, rendered))
}

/// Composes a mail that is never delivered: the work of [`compose`] for an address that gets none.
pub(crate) fn compose_decoy(ctx: &Context, kind: Kind, to: &str, data: &Data) -> Result<NewOutbox> {
    let rendered = render(ctx, kind, data)?;
    delivery::decoy_row(ctx, message(ctx, kind, to, rendered))
}

/// Composes the mail to somebody whose address was signed up with again.
pub(crate) fn compose_repeated_sign_up(ctx: &Context, to: &str) -> Result<NewOutbox> {
    let data = Data { site_url: ctx.policy().site_url.clone(), email: to.to_owned(), ..Data::default() };
    let variables = data.variables(Kind::Confirmation);
    let html = template::render(REPEATED_SIGN_UP_BODY, &variables).map_err(Error::fault)?;
    let subject = template::render(REPEATED_SIGN_UP_SUBJECT, &variables).map_err(Error::fault)?;
    let rendered = Rendered { subject, text: plain::from_html(&html), html };
    delivery::mail_row(ctx, message(ctx, Kind::Confirmation, to, rendered))
}

fn render(ctx: &Context, kind: Kind, data: &Data) -> Result<Rendered> {
    let templates = &ctx.policy().templates;
    let (subject, body) = (templates.subject(kind.as_str()), templates.body(kind.as_str()));
    let rendered = mails::compose(kind, subject, body, data).or_else(|error| {
        tracing::warn!(%error, kind = kind.as_str(), "mail template failed, the built-in one is used");
        mails::compose(kind, None, None, data)
    });
    rendered.map_err(Error::fault)
}

fn message(ctx: &Context, kind: Kind, to: &str, rendered: Rendered) -> Message {
    let smtp = ctx.policy().smtp.as_ref();
    let mut message = Message::new(ctx.entropy().uuid(), ctx.now, sender(smtp, ctx), Address::bare(to), rendered);
    if let Some(smtp) = smtp {
        message.reply_to = smtp.reply_to.as_deref().map(Address::bare);
        message.headers = mails::headers(&smtp.headers, kind);
    }
    message
}

fn sender(smtp: Option<&SmtpSettings>, ctx: &Context) -> Address {
    match smtp {
        Some(smtp) => Address::new(&smtp.sender_name, &smtp.admin_email),
        None => Address::new(&ctx.tenant.project.name, "no-reply@localhost"),
    }
}
