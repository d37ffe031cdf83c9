//! `PUT /user` (`contract/core.md` §16.2): address, number, password, metadata. Checks, messages and hashes come first, while
//! no connection is held; one transaction writes.

mod apply;
mod password;

use domain::bearer;
use domain::contact::Contact;
use domain::pkce::Challenge;
use domain::refusal::Refusal;
use domain::user::User;
use domain::user_update::{Contacts, Proof, Request, check, contacts, proof};
use storage::StoreError;

use crate::authenticate;
use crate::context::Context;
use crate::discretion;
use crate::error::{Error, Result};
use crate::fresh_proof::{self, Takes};
use crate::limits::{self, Limited};
use crate::message::{self, Prepared, SmsPurpose};
use crate::password_strength;
use crate::step_up::Proofs;
use apply::{Applied, Update};
use password::NewPassword;

/// How often a password is judged anew when another one was set meanwhile.
const TRIES: usize = 8;

/// Changes the bearer's own account.
pub async fn user_update(ctx: &Context, request: Request) -> Result<User> {
    let authenticated = authenticate::person(ctx, &request.bearer).await?;
    limits::per_address(ctx, Limited::UserUpdate).await?;
    let user = &authenticated.user;
    if request.changes_more_than_data() {
        authenticated.must_be_own()?;
    }
    let wanted = contacts(&request, user, ctx.policy())?;
    let audience = bearer::request_audience(ctx.caller.audience.as_deref(), &authenticated.claims, ctx.policy());
    if let Some(password) = &request.password {
        let known = [user.email.as_deref(), wanted.email.as_deref()];
        let known: Vec<&str> = known.into_iter().flatten().collect();
        password_strength::accept(ctx, password, &known).await?;
    }
    let session = authenticated.session.as_ref();
    check(&request, &wanted, user, session, ctx.policy(), ctx.now)?;
    free(ctx, user, &audience, &wanted).await?;
    if let Some(Proof { by_password, refusal }) = proof(&request, &wanted, user, session, ctx.policy(), ctx.now) {
        let takes = if by_password { Takes::NonceOrPassword } else { Takes::Nonce };
        let proofs = Proofs::new(&request.nonce, request.current_password.as_ref());
        fresh_proof::show(ctx, user, proofs, takes, refusal).await?;
    }
    let new_password = match &request.password {
        Some(password) => Some(password::accept(ctx, &request, &authenticated, password).await?),
        None => None,
    };
    let (messages, wanted) = prepare(ctx, &request, user, wanted).await?;
    let mut update = Update {
        user: user.id,
        session: authenticated.session.as_ref().map(|session| session.id),
        new_password,
        at_once: wanted,
        messages,
        data: request.data.clone(),
        app_metadata: request.app_metadata.clone(),
    };
    for _ in 0..TRIES {
        match apply::apply(ctx, update).await? {
            Applied::Done(user) => return Ok(*user),
            Applied::PasswordMoved(back) => update = *back,
        }
        if let Some(password) = &request.password {
            // Whoever set the other one may have ended this session.
            let authenticated = authenticate::user(ctx, &request.bearer).await?;
            let replaces = password::judge(ctx, &request, &authenticated, password).await?;
            update.new_password = update.new_password.map(|new| NewPassword { replaces, ..new });
        }
    }
    Err(Error::Busy("the password is changed again and again".into()))
}

/// Whether a new address is taken over without asking it: an anonymous user's first one, in a project that confirms so.
fn email_at_once(ctx: &Context, user: &User) -> bool {
    user.is_anonymous && ctx.policy().mailer_autoconfirm
}

/// Refuses contacts that others have (rows 6 and 7). Where the project does not tell, the change stays pending like any
/// other; whom the contact belongs to gets a notice in place of a code.
async fn free(ctx: &Context, user: &User, audience: &str, wanted: &Contacts) -> Result<()> {
    if let Some(email) = &wanted.email
        && (email_at_once(ctx, user) || !discretion::is_on(ctx))
        && message::is_taken(ctx, user, &Contact::Email(email.clone()), audience).await?
    {
        return Err(Refusal::EmailExists.into());
    }
    if let Some(phone) = &wanted.phone
        && (ctx.policy().sms_autoconfirm || !discretion::is_on(ctx))
        && message::is_taken(ctx, user, &Contact::Phone(phone.clone()), audience).await?
    {
        return Err(Refusal::PhoneExists.into());
    }
    Ok(())
}

/// Prepares the messages to new contacts, and answers the contacts that need none.
async fn prepare(
    ctx: &Context,
    request: &Request,
    user: &User,
    mut wanted: Contacts,
) -> Result<(Vec<Prepared>, Contacts)> {
    let mut messages = Vec::new();
    // A new password forgets what was sent before, and when (§16.2): it comes first.
    let forgotten = User { email_change_sent_at: None, phone_change_sent_at: None, ..user.clone() };
    let user = if request.password.is_some() { &forgotten } else { user };
    if !email_at_once(ctx, user)
        && let Some(email) = wanted.email.take()
    {
        let challenge = Challenge::unchecked(&request.code_challenge, &request.code_challenge_method);
        let challenge = challenge.map_err(Error::fault)?;
        messages.push(message::email_change(ctx, user, &email, challenge.as_ref()).await?);
    }
    if !ctx.policy().sms_autoconfirm
        && let Some(phone) = wanted.phone.take()
    {
        messages.push(message::sms(ctx, SmsPurpose::PhoneChange, user, &phone, wanted.channel).await?);
    }
    Ok((messages, wanted))
}

/// A unique value that was taken between the check and the write becomes `refusal`.
pub(crate) fn taken(refusal: Refusal) -> impl FnOnce(StoreError) -> Error {
    move |error| match error {
        StoreError::Conflict => refusal.into(),
        other => other.into(),
    }
}
