//! `POST /magiclink` (`contract/core.md` §14.2).

use domain::contact::Contact;
use domain::magic_link::Request;
use domain::sms::Channel;

use crate::confirmation::Applicant;
use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Limited};
use crate::{captcha, passwordless};

/// Mails a link that signs in; an unknown address signs up with it.
pub async fn magic_link(ctx: &Context, request: Request) -> Result<()> {
    limits::per_address(ctx, Limited::MagicLink).await?;
    captcha::check(ctx, &request.captcha).await?;
    let (email, challenge) = domain::magic_link::check(&request, ctx.policy())?;
    let contact = Contact::Email(email);
    let challenge = challenge.as_ref();
    let applicant = Applicant { contact: &contact, challenge, channel: Channel::default(), data: &request.data };
    passwordless::send(ctx, applicant, true).await.map(drop)
}
