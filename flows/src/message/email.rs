//! Mails with a link and a code (`contract/core.md` §18.1): cool-down, token, listed addresses, limit, then the hook or a row of
//! the outbox.

use domain::contact::Contact;
use domain::hook::Point;
use domain::pkce::Challenge;
use domain::secret::Secret;
use domain::user::{Metadata, User};
use outbound::mails::{Data, Kind, confirmation_link};
use storage::{NewFlowState, NewOutbox, SentAt, TokenKind};

use super::address::must_be_authorised;
use super::pace::Pace;
use super::{Prepared, is_withheld};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::hooks::{self, EmailData};
use crate::one_time::{self, Fresh};
use crate::{limits, mail};

/// A link that nobody was mailed.
pub(crate) struct Unsent {
    /// To be written.
    pub(crate) prepared: Prepared,
    /// What a mail would have held.
    pub(crate) fresh: Fresh,
    /// The link with the token.
    pub(crate) link: Secret<String>,
}

/// What a kind of mail means for the rows: its token, the column that says when it was sent, and provider type and
/// authentication method of its flow state (`contract/core.md` §9).
fn meaning(kind: Kind) -> Result<(TokenKind, SentAt, &'static str, &'static str)> {
    match kind {
        Kind::Confirmation => Ok((TokenKind::Confirmation, SentAt::Confirmation, "email", "email/signup")),
        Kind::Invite => Ok((TokenKind::Confirmation, SentAt::Confirmation, "invite", "invite")),
        Kind::Recovery => Ok((TokenKind::Recovery, SentAt::Recovery, "recovery", "recovery")),
        Kind::MagicLink => Ok((TokenKind::Recovery, SentAt::Recovery, "magiclink", "magiclink")),
        Kind::EmailChange => Ok((TokenKind::EmailChangeNew, SentAt::EmailChange, "email_change", "email_change")),
        Kind::Reauthentication => {
            Ok((TokenKind::Reauthentication, SentAt::Reauthentication, "reauthentication", "reauthentication"))
        }
        _ => Err(Error::fault("a notice has no token")),
    }
}

/// Prepares a mail of `kind` to the user's own address: confirmation, invitation, recovery, magic link or reauthentication.
pub(crate) async fn mail(ctx: &Context, kind: Kind, user: &User, challenge: Option<&Challenge>) -> Result<Prepared> {
    let (_, column, ..) = meaning(kind)?;
    let pace = (kind != Kind::Invite).then(|| Pace::of_mail(ctx, column));
    if let Some(pace) = &pace {
        pace.check(user, ctx.now)?;
    }
    let email = user.email.clone().unwrap_or_default();
    let Unsent { mut prepared, fresh, .. } = unsent(ctx, kind, user, &email, challenge, &redirect_target(ctx))?;
    if let Some(pace) = pace {
        prepared = prepared.paced(ctx, pace);
    }
    must_be_authorised(ctx, &email)?;
    limits::email(ctx).await?;
    if hooks::is_on(ctx, Point::SendEmail) {
        let data = EmailData {
            token: fresh.code,
            // A nonce has no link.
            token_hash: if kind == Kind::Reauthentication { Secret::default() } else { fresh.link_token },
            redirect_to: redirect_target(ctx),
            email_action_type: kind.link_type().unwrap_or("reauthentication").to_owned(),
            ..EmailData::default()
        };
        hooks::send_email(ctx, user, data).await?;
    } else {
        let data = Data { email: email.clone(), ..link_data(ctx, kind, &user.user_metadata, &fresh) };
        prepared.promise.outbox.push(mail::compose(ctx, kind, &email, &data)?);
    }
    Ok(prepared)
}

/// A mail of `kind` to an address without account, which is written and never delivered: limits and work are those of
/// [`mail`].
pub(crate) async fn decoy(ctx: &Context, kind: Kind, email: &str) -> Result<NewOutbox> {
    let fresh = one_time::fresh(ctx, &Contact::Email(email.to_owned()), None);
    must_be_authorised(ctx, email)?;
    limits::email(ctx).await?;
    let data = Data { email: email.to_owned(), ..link_data(ctx, kind, &Metadata::new(), &fresh) };
    mail::compose_decoy(ctx, kind, email, &data)
}

/// The rows of a link of `kind` for `address`, without limits and without a mail: for an administrator, who delivers it
/// himself.
pub(crate) fn unsent(
    ctx: &Context,
    kind: Kind,
    user: &User,
    address: &str,
    challenge: Option<&Challenge>,
    redirect_to: &str,
) -> Result<Unsent> {
    let (token, column, provider_type, method) = meaning(kind)?;
    let contact = Contact::Email(address.to_owned());
    let fresh = one_time::fresh(ctx, &contact, challenge);
    let mut prepared = Prepared::of(ctx, user, column);
    prepared.promise.tokens.push(one_time::row(ctx, user.id, token, &contact, &fresh));
    prepared.promise.invited = kind == Kind::Invite;
    prepared.promise.flow = challenge.map(|challenge| flow_state(ctx, user, challenge, provider_type, method));
    let link = Secret::new(link(ctx, kind, &fresh, redirect_to));
    Ok(Unsent { prepared, fresh, link })
}

impl Unsent {
    /// The link belongs to a change of address that begins with it; `to_current` says which side it is for. The token of the
    /// other side stays as it is.
    pub(crate) fn of_change(mut self, new_email: &str, to_current: bool) -> Self {
        for token in &mut self.prepared.promise.tokens {
            token.kind = if to_current { TokenKind::EmailChangeCurrent } else { TokenKind::EmailChangeNew };
        }
        self.prepared.promise.email_change = Some(new_email.to_owned());
        self
    }
}

/// Prepares a change of address: a mail to the new address and, where both must agree and there is a current one, another to
/// that. A hook is called once for both, its pairs crossed as clients expect them (`contract/platform.md` §4.5). An address
/// that somebody else has, in a project that does not tell, gets a notice, and a token that nothing opens.
pub(crate) async fn email_change(
    ctx: &Context,
    user: &User,
    new_email: &str,
    challenge: Option<&Challenge>,
) -> Result<Prepared> {
    let (.., provider_type, method) = meaning(Kind::EmailChange)?;
    let pace = Pace::of_mail(ctx, SentAt::EmailChange);
    pace.check(user, ctx.now)?;
    let withheld = is_withheld(ctx, user, &Contact::Email(new_email.to_owned())).await?;
    let current = user.email.clone().filter(|_| ctx.policy().mailer_secure_email_change_enabled);
    let mut prepared = Prepared::of(ctx, user, SentAt::EmailChange).paced(ctx, pace);
    let mut token_for = |address: &str, kind: TokenKind| {
        let contact = Contact::Email(address.to_owned());
        let fresh = one_time::fresh(ctx, &contact, challenge);
        let row = one_time::row(ctx, user.id, kind, &contact, &fresh);
        let dead = withheld && kind == TokenKind::EmailChangeNew;
        prepared.promise.tokens.push(if dead { one_time::dead(ctx, row) } else { row });
        fresh
    };
    let for_new = token_for(new_email, TokenKind::EmailChangeNew);
    let for_current = current.as_ref().map(|address| token_for(address, TokenKind::EmailChangeCurrent));
    must_be_authorised(ctx, new_email)?;
    if let Some(current) = &current {
        must_be_authorised(ctx, current)?;
    }
    limits::email(ctx).await?;
    if hooks::is_on(ctx, Point::SendEmail) {
        let shown = User { email_change: new_email.to_owned(), ..user.clone() };
        hooks::send_email(ctx, &shown, change_data(ctx, for_new, for_current)).await?;
        if withheld {
            prepared.promise.outbox.push(mail::compose_repeated_sign_up(ctx, new_email)?);
        }
    } else {
        let sides = [Some((new_email, &for_new)), current.as_deref().zip(for_current.as_ref())];
        for (address, fresh) in sides.into_iter().flatten() {
            let data = Data {
                email: user.email.clone().unwrap_or_default(),
                new_email: new_email.to_owned(),
                sending_to: address.to_owned(),
                ..link_data(ctx, Kind::EmailChange, &user.user_metadata, fresh)
            };
            let composed = mail::compose(ctx, Kind::EmailChange, address, &data)?;
            let notice = withheld && address == new_email;
            let mail = if notice { mail::compose_repeated_sign_up(ctx, address)? } else { composed };
            prepared.promise.outbox.push(mail);
        }
    }
    prepared.promise.email_change = Some(new_email.to_owned());
    if current.is_none() {
        prepared.promise.ended.push(TokenKind::EmailChangeCurrent);
    }
    prepared.promise.flow = challenge.map(|challenge| flow_state(ctx, user, challenge, provider_type, method));
    Ok(prepared)
}

fn change_data(ctx: &Context, for_new: Fresh, for_current: Option<Fresh>) -> EmailData {
    let data = EmailData {
        redirect_to: redirect_target(ctx),
        email_action_type: "email_change".to_owned(),
        token_hash: for_new.link_token,
        ..EmailData::default()
    };
    match for_current {
        Some(current) => {
            EmailData { token: current.code, token_new: for_new.code, token_hash_new: current.link_token, ..data }
        }
        None => EmailData { token: for_new.code, ..data },
    }
}

/// Where the links of this request lead in the end.
pub(crate) fn redirect_target(ctx: &Context) -> String {
    domain::redirect::choose(&ctx.caller.redirect_candidates, ctx.policy())
}

/// The facts of a mail with a link (`contract/platform.md` §5.3), but for the addresses.
fn link_data(ctx: &Context, kind: Kind, user_metadata: &Metadata, fresh: &Fresh) -> Data {
    let redirect_to = redirect_target(ctx);
    Data {
        site_url: ctx.policy().site_url.clone(),
        confirmation_url: link(ctx, kind, fresh, &redirect_to),
        token: fresh.code.expose().clone(),
        token_hash: fresh.link_token.expose().clone(),
        data: user_metadata.clone(),
        redirect_to,
        ..Data::default()
    }
}

fn link(ctx: &Context, kind: Kind, fresh: &Fresh, redirect_to: &str) -> String {
    let verify = format!("{}/verify", ctx.tenant.base_url);
    confirmation_link(&verify, fresh.link_token.expose(), kind.link_type().unwrap_or_default(), redirect_to)
}

fn flow_state(
    ctx: &Context,
    user: &User,
    challenge: &Challenge,
    provider_type: &str,
    authentication_method: &str,
) -> NewFlowState {
    NewFlowState {
        id: ctx.entropy().uuid(),
        user_id: Some(user.id),
        challenge: Some((challenge.method(), challenge.value().to_owned())),
        provider_type: provider_type.to_owned(),
        authentication_method: authentication_method.to_owned(),
        referrer: None,
        invite_token: None,
        linking_target: None,
        linking_session: None,
        email_optional: false,
        now: ctx.now,
    }
}
