//! `GET /verify` and `POST /verify` (`contract/core.md` §15): a link or a code proves a contact. One transaction consumes it,
//! does what it is for, and opens the session or prepares the code of a flow that began with a challenge.

mod by_code;
mod by_link;
mod effects;

use domain::config::policy::PkceRequired;
use domain::contact::Contact;
use domain::refusal::Refusal;
use domain::user::User;
use domain::verify::{
    ADDRESS_CONFIRMED, Answer, Ask, HALF_DONE, Kind, Landing, Link, Outcome, PASSWORD_SET, Proof, Request, check_link,
    check_request, is_expired,
};
use storage::{OneTimeToken, TokenKind};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::one_time;
use crate::settle::{Gives, Settled, settle};
use by_link::ByLink;

/// The authentication method of a session that a link or a code opened.
const METHOD: &str = "otp";

/// Follows a link. Refusals of the token and faults become part of the redirect, refusals of the input do not.
pub async fn verify_link(ctx: &Context, link: Link) -> Result<Landing> {
    limits::per_address(ctx, Limited::Verify).await?;
    check_link(&link)?;
    let pkce = one_time::is_pkce(link.token.expose());
    if pkce && Kind::parse(&link.kind).and_then(Kind::flow_method).is_none() {
        // No redirect either (§15.1).
        return Err(Error::fault("a link of a flow has a type that is none of a flow"));
    }
    let target = domain::redirect::choose(&ctx.caller.redirect_candidates, ctx.policy());
    let outcome = match follow(ctx, &link, pkce).await {
        Ok(outcome) => outcome,
        Err(Error::Refused(refusal)) => Outcome::Refused(refusal),
        // Whoever follows a link is back in the app in any case; the log has the rest.
        Err(Error::Fault(source)) => {
            tracing::error!(error = %source, request = ctx.caller.request_id, "a link could not be followed");
            Outcome::Refused(Refusal::LinkFailed)
        }
        Err(error) => return Err(error),
    };
    Ok(Landing { target, outcome, pkce })
}

async fn follow(ctx: &Context, link: &Link, pkce: bool) -> Result<Outcome> {
    let kind = by_link::resolve(ctx, Kind::of_link(&link.kind)?, &link.token).await?;
    let gives = match pkce {
        true => Gives::Code(kind.flow_method().ok_or(Refusal::VerifyTypeInvalid)?),
        false if ctx.policy().pkce_required == PkceRequired::All => return unchallenged(ctx, link, kind).await,
        false => Gives::Session,
    };
    if ctx.policy().mailer_link_confirm_page_enabled && !link.confirmed {
        by_link::look(ctx, kind, &link.token).await?;
        return Ok(Outcome::Ask(Ask::Button));
    }
    let proving = ByLink { kind, token: link.token.clone(), gives, password: None };
    Ok(match settle(ctx, &proving).await? {
        Settled::Session(session) => Outcome::Session { session, kind: kind.as_str().to_owned() },
        Settled::Code(code) => Outcome::Code(code),
        Settled::Plain => Outcome::Message(ADDRESS_CONFIRMED),
        Settled::HalfDone => Outcome::Message(HALF_DONE),
    })
}

/// A link without a challenge, where sessions are for challenges only: it never gives one, and does what it can do without
/// after a page (`security/advisor.md` §1.4).
async fn unchallenged(ctx: &Context, link: &Link, kind: Kind) -> Result<Outcome> {
    let ask = kind.without_challenge();
    let password = link.password.clone().filter(|password| !password.expose().is_empty());
    let done = match (&ask, &password) {
        (Ask::Button, _) => ADDRESS_CONFIRMED,
        (Ask::NewPassword(_), Some(_)) => PASSWORD_SET,
        _ => "",
    };
    if !link.confirmed || done.is_empty() {
        by_link::look(ctx, kind, &link.token).await?;
        return Ok(Outcome::Ask(ask));
    }
    let password = password.filter(|_| ask != Ask::Button);
    let proving = ByLink { kind, token: link.token.clone(), gives: Gives::Nothing, password };
    match settle(ctx, &proving).await {
        Ok(Settled::HalfDone) => Ok(Outcome::Message(HALF_DONE)),
        Ok(_) => Ok(Outcome::Message(done)),
        Err(Error::Refused(refusal @ (Refusal::WeakPassword(_) | Refusal::PasswordTooLong))) => {
            Ok(Outcome::Ask(Ask::NewPassword(Some(refusal.wire().message.into_owned()))))
        }
        Err(error) => Err(error),
    }
}

/// Takes a typed code, or the token of a link, and answers tokens.
pub async fn verify(ctx: &Context, request: Request) -> Result<Answer> {
    limits::per_address(ctx, Limited::Verify).await?;
    let proof = check_request(&request)?;
    let password = request.password.filter(|_| request.kind == "recovery");
    let settled = match proof {
        Proof::Link(token) => {
            let kind = Kind::of_link(&request.kind)?;
            settle(ctx, &ByLink { kind, token, gives: Gives::Session, password }).await?
        }
        Proof::EmailCode { email, code } => {
            by_code::verify(ctx, &request.kind, Contact::Email(email), code, password).await?
        }
        Proof::PhoneCode { phone, code } => {
            by_code::verify(ctx, &request.kind, Contact::Phone(phone), code, password).await?
        }
    };
    match settled {
        Settled::Session(session) => Ok(Answer::Session(session)),
        Settled::HalfDone => Ok(Answer::Message(HALF_DONE)),
        Settled::Code(_) | Settled::Plain => Err(Error::fault("something else in place of tokens")),
    }
}

/// The tokens that can prove `kind`.
fn tokens_of(kind: Kind) -> &'static [TokenKind] {
    match kind {
        Kind::Signup | Kind::Invite | Kind::Sms => &[TokenKind::Confirmation],
        Kind::Recovery | Kind::MagicLink => &[TokenKind::Recovery],
        Kind::Email => &[TokenKind::Confirmation, TokenKind::Recovery],
        Kind::EmailChange => &[TokenKind::EmailChangeCurrent, TokenKind::EmailChangeNew],
        Kind::PhoneChange => &[TokenKind::PhoneChange],
    }
}

/// Whether `token` still says something about `user`: the account lives, and the contact it was sent to is the one it is to
/// prove. A code that went to a phone proves no address, and one for an address from before proves none at all.
pub(crate) fn belongs(kind: Kind, user: &User, token: &OneTimeToken) -> bool {
    let contact = match token.kind {
        TokenKind::EmailChangeNew => Some(user.email_change.as_str()),
        TokenKind::PhoneChange => Some(user.phone_change.as_str()),
        _ if kind == Kind::Sms => user.phone.as_deref(),
        _ => user.email.as_deref(),
    };
    user.deleted_at.is_none() && contact.is_some_and(|contact| !contact.is_empty() && contact == token.relates_to)
}

/// Whether `token` was sent too long ago. The instant stands in the user's row, where resending moves it.
pub(crate) fn has_expired(ctx: &Context, kind: Kind, user: &User, token: &OneTimeToken) -> bool {
    let policy = ctx.policy();
    let sent_at = match token.kind {
        TokenKind::Confirmation => user.confirmation_sent_at,
        TokenKind::Recovery => user.recovery_sent_at,
        TokenKind::EmailChangeNew | TokenKind::EmailChangeCurrent => user.email_change_sent_at,
        TokenKind::PhoneChange => user.phone_change_sent_at,
        TokenKind::Reauthentication => user.reauthentication_sent_at,
    };
    let life = match kind {
        Kind::Sms | Kind::PhoneChange => policy.sms.otp_exp,
        Kind::Invite if user.invited_at.is_some() => policy.mailer_invite_exp,
        _ => policy.mailer_otp_exp,
    };
    is_expired(sent_at.unwrap_or(token.created_at), life, ctx.now)
}
