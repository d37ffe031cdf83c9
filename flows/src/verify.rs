//! `GET /verify` and `POST /verify` for sign-up confirmations (`contract/core.md` §15). One transaction consumes the token,
//! confirms the account and opens the session, or prepares the code of a flow that began with a challenge.

use domain::contact::Contact;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::tokens::IssuedSession;
use domain::user::User;
use domain::verify::{Answer, Landing, Link, Outcome, Proof, Request, check_link, check_request};
use storage::{OneTimeToken, TokenKind, Tx};

use crate::confirmation;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::one_time;

/// The authentication method of a session that a link or a code opened.
const METHOD: &str = "otp";

/// What the token of a link may be for.
const LINK_KINDS: [&str; 6] = ["signup", "invite", "email", "recovery", "magiclink", "email_change"];

/// Follows a link. Refusals of the token become part of the redirect, refusals of the input do not.
pub async fn verify_link(ctx: &Context, link: Link) -> Result<Landing> {
    limits::per_address(ctx, Limited::Verify).await?;
    check_link(&link)?;
    let target = domain::redirect::choose(&ctx.caller.redirect_candidates, ctx.policy());
    let pkce = one_time::is_pkce(link.token.expose());
    let outcome = match by_link(ctx, &link, pkce).await {
        Ok(outcome) => outcome,
        Err(Error::Refused(refusal)) => Outcome::Refused(refusal),
        Err(error) => return Err(error),
    };
    Ok(Landing { target, outcome, pkce })
}

async fn by_link(ctx: &Context, link: &Link, pkce: bool) -> Result<Outcome> {
    if !LINK_KINDS.contains(&link.kind.as_str()) {
        return Err(Refusal::VerifyTypeInvalid.into());
    }
    let mut tx = ctx.store().begin().await?;
    let (user, contact) = consume_hash(ctx, &mut tx, link.token.expose()).await?;
    confirmation::confirm(ctx, &mut tx, &user, &contact).await?;
    if pkce {
        let code = issue_code(ctx, &mut tx, &user).await?;
        tx.commit().await?;
        return Ok(Outcome::Code(code));
    }
    let opened = confirmation::open_in(ctx, &mut tx, &user, METHOD).await?;
    tx.commit().await?;
    let session = Box::new(opened.finish(ctx).await?);
    Ok(Outcome::Session { session, kind: link.kind.clone() })
}

/// The code of the newest flow that waits for this user; only its keyed hash is stored.
async fn issue_code(ctx: &Context, tx: &mut Tx, user: &User) -> Result<Secret<String>> {
    let flow = tx.flow_states().newest(user.id, "email/signup").await?.ok_or(Refusal::LinkFlowNotFound)?;
    let code = ctx.entropy().uuid().to_string();
    let hash = one_time::stored(ctx, &code);
    if !tx.flow_states().issue_code(flow.id, &hash, ctx.now).await? {
        return Err(Refusal::LinkFlowNotFound.into());
    }
    Ok(Secret::new(code))
}

/// Takes a typed code, or a hash from a link, and answers tokens.
pub async fn verify(ctx: &Context, request: Request) -> Result<Answer> {
    limits::per_address(ctx, Limited::Verify).await?;
    let session = match check_request(&request)? {
        Proof::Hash(token) => by_hash(ctx, &request.kind, &token).await?,
        Proof::EmailCode { email, code } => by_code(ctx, &request.kind, Contact::Email(email), &code).await?,
        Proof::PhoneCode { phone, code } => by_code(ctx, &request.kind, Contact::Phone(phone), &code).await?,
    };
    Ok(Answer::Session(Box::new(session)))
}

async fn by_hash(ctx: &Context, kind: &str, token: &Secret<String>) -> Result<IssuedSession> {
    if !LINK_KINDS.contains(&kind) {
        return Err(Refusal::VerifyTypeInvalid.into());
    }
    let mut tx = ctx.store().begin().await?;
    let (user, contact) = consume_hash(ctx, &mut tx, token.expose()).await?;
    confirmation::confirm(ctx, &mut tx, &user, &contact).await?;
    let opened = confirmation::open_in(ctx, &mut tx, &user, METHOD).await?;
    tx.commit().await?;
    opened.finish(ctx).await
}

/// Consumes a link's token: exactly one caller gets past the guarded delete.
async fn consume_hash(ctx: &Context, tx: &mut Tx, link_token: &str) -> Result<(User, Contact)> {
    let hash = one_time::stored(ctx, link_token);
    let token = tx.one_time_tokens().find_by_hash(&hash, &[TokenKind::Confirmation]).await?;
    let token = token.ok_or(Refusal::LinkExpired)?;
    let user = tx.users().lock(token.user_id).await?.ok_or(Refusal::LinkExpired)?.user;
    let contact = usable(ctx, &user, &token, Refusal::LinkExpired)?;
    if !tx.one_time_tokens().consume(token.id).await? {
        return Err(Refusal::LinkExpired.into());
    }
    Ok((user, contact))
}

async fn by_code(ctx: &Context, kind: &str, contact: Contact, code: &Secret<String>) -> Result<IssuedSession> {
    if !matches!((kind, &contact), ("signup" | "invite" | "email", Contact::Email(_))) {
        return Err(Refusal::CodeExpired.into());
    }
    let Contact::Email(email) = &contact else { return Err(Refusal::CodeExpired.into()) };
    let known = ctx.store().find_account(&contact, ctx.audience()).await?.ok_or(Refusal::CodeExpired)?;
    let mut tx = ctx.store().begin().await?;
    let user = tx.users().lock(known.user.id).await?.ok_or(Refusal::CodeExpired)?.user;
    if user.is_banned(ctx.now) {
        return Err(Refusal::BearerUserBanned.into());
    }
    let token =
        tx.one_time_tokens().find_by_user(user.id, TokenKind::Confirmation).await?.ok_or(Refusal::CodeExpired)?;
    let proven = usable(ctx, &user, &token, Refusal::CodeExpired)?;
    let presented = one_time::stored_forms_of_code(ctx, email, code.expose());
    if !presented.contains(&token.hash) {
        return wrong_code(ctx, tx, &token).await;
    }
    if !tx.one_time_tokens().consume(token.id).await? {
        return Err(Refusal::CodeExpired.into());
    }
    confirmation::confirm(ctx, &mut tx, &user, &proven).await?;
    let opened = confirmation::open_in(ctx, &mut tx, &user, METHOD).await?;
    tx.commit().await?;
    opened.finish(ctx).await
}

/// Counts a wrong code on its row; the count is committed although the request is refused, and too many kill the code.
async fn wrong_code(ctx: &Context, mut tx: Tx, token: &OneTimeToken) -> Result<IssuedSession> {
    let attempts = tx.one_time_tokens().count_attempt(token.id).await?;
    if attempts >= ctx.policy().otp_max_attempts {
        tx.one_time_tokens().consume(token.id).await?;
    }
    tx.commit().await?;
    Err(Refusal::CodeExpired.into())
}

/// Whether `token` may still be used by `user`, and what it proves.
fn usable(ctx: &Context, user: &User, token: &OneTimeToken, refusal: Refusal) -> Result<Contact> {
    if user.is_banned(ctx.now) {
        return Err(Refusal::BearerUserBanned.into());
    }
    let sent_at = user.confirmation_sent_at.unwrap_or(token.created_at);
    if user.deleted_at.is_some() || domain::verify::is_expired(sent_at, ctx.policy().mailer_otp_exp, ctx.now) {
        return Err(refusal.into());
    }
    Ok(Contact::Email(token.relates_to.clone()))
}
