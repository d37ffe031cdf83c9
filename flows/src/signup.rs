//! `POST /signup` (`contract/core.md` §12). Confirmed at once: two statements. With a confirmation: one transaction with the
//! message it asks for.

use crypto::password;
use domain::contact::Contact;
use domain::ids::{IdentityId, UserId};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::signup::{Answer, Existing, Request, Wish, existing, obfuscated, uniform};
use domain::user::{Metadata, User};
use serde_json::json;
use storage::{Credentials, SignUp};
use uuid::Builder;

use crate::confirmation::{self, Applicant, SignUpError};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Attempt, Limited};
use crate::new_user::{self, Proven};
use crate::{audit, captcha, discretion, hooks, issue, mail, message, password_strength};

/// Makes an account, or answers for the one that exists.
pub async fn signup(ctx: &Context, request: Request) -> Result<Answer> {
    captcha::check(ctx, &request.captcha).await?;
    if request.is_anonymous() {
        return anonymous(ctx, request.data).await;
    }
    limits::per_address(ctx, Limited::SignUp).await?;
    let password = domain::signup::password(&request, ctx.policy())?;
    password_strength::accept(ctx, &password, &[&request.email]).await?;
    let Wish { contact, challenge, channel } = domain::signup::wish(&request, ctx.policy())?;
    limits::attempt(ctx, Attempt::SignUp).await?;
    let applicant = Applicant { contact: &contact, challenge: challenge.as_ref(), channel, data: &request.data };
    by_contact(ctx, applicant, &password).await
}

/// Whether `contact` of a new account counts as proven at once.
pub(crate) fn is_confirmed_at_once(ctx: &Context, contact: &Contact) -> bool {
    match contact {
        Contact::Email(_) => ctx.policy().mailer_autoconfirm,
        Contact::Phone(_) => ctx.policy().sms_autoconfirm,
    }
}

async fn by_contact(ctx: &Context, applicant: Applicant<'_>, password: &Secret<String>) -> Result<Answer> {
    let at_once = is_confirmed_at_once(ctx, applicant.contact);
    // Where an account is open at once, its answer is a session and cannot be hidden.
    let discreet = discretion::is_on(ctx) && !at_once;
    if discreet {
        limits::room_for_account(ctx).await?;
        discretion::cool_down(ctx, applicant.contact).await?;
    }
    let found = ctx.store().find_account(applicant.contact, ctx.audience()).await?;
    // Computed for a taken address as well: the answer must not tell by its time.
    let hash = ctx.hash_password(password).await?;
    let answer = match found {
        Some(found) => for_existing(ctx, applicant, found, password).await,
        None => {
            let made = if at_once {
                with_session(ctx, applicant, hash).await
            } else {
                confirmation::sign_up(ctx, applicant, hash).await.map(|user| Answer::User(Box::new(user)))
            };
            match made {
                Ok(answer) => Ok(answer),
                Err(SignUpError::Other(error)) => Err(error),
                Err(SignUpError::Taken) => {
                    let found = ctx.store().find_account(applicant.contact, ctx.audience()).await?;
                    for_existing(ctx, applicant, found.ok_or(Refusal::SignupConflict)?, password).await
                }
            }
        }
    };
    if !discreet {
        return answer;
    }
    match answer {
        Ok(_) | Err(Error::Refused(Refusal::EmailCoolDown(_) | Refusal::SmsCoolDown(_))) => {
            Ok(Answer::User(Box::new(uniform_user(ctx, applicant))))
        }
        Err(error) => Err(error),
    }
}

/// The user of an answer that does not tell what happened. Its ids are the same at every try, and nobody's.
fn uniform_user(ctx: &Context, applicant: Applicant<'_>) -> User {
    let contact = applicant.contact.as_str();
    let derived = |what: &str| {
        let hash = ctx.tenant.project_key.one_time_hash(&format!("{what} of {contact}"));
        let bits = hash.get(..32).and_then(|digits| u128::from_str_radix(digits, 16).ok()).unwrap_or_default();
        Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    };
    let (user, identity) = (UserId(derived("sign-up")), IdentityId(derived("identity")));
    let role = &ctx.policy().default_role;
    uniform(user, identity, applicant.contact, applicant.data.clone(), ctx.audience(), role, ctx.now)
}

/// Makes an account that is confirmed at once, and signs it in.
async fn with_session(
    ctx: &Context,
    applicant: Applicant<'_>,
    hash: Secret<String>,
) -> std::result::Result<Answer, SignUpError> {
    let account = new_user::account(ctx, applicant.contact, applicant.data, Some(hash), Proven::Now);
    account.may_be_made(ctx, applicant.data).await?;
    let opening = issue::opening(ctx, account.user.id, "password");
    let approved = issue::approve(ctx, &opening, &account.preview(ctx.now)).await?;
    let provider = applicant.contact.provider();
    let signed_up = match applicant.contact {
        Contact::Email(_) => json!({ "provider": provider }),
        Contact::Phone(_) => json!({ "provider": provider, "channel": applicant.channel.as_str() }),
    };
    let audits = [
        ctx.audit(audit::by_user(&account.user, audit::USER_SIGNED_UP, signed_up)),
        ctx.audit(audit::by_user(&account.user, audit::LOGIN, json!({ "provider": provider }))),
    ];
    let made = ctx
        .store()
        .sign_up(SignUp {
            user: account.user,
            identities: account.identities,
            session: Some(opening.session.clone()),
            audit: audits.into_iter().flatten().collect(),
            now: ctx.now,
        })
        .await?;
    let session = made.session.ok_or_else(|| Error::fault("sign-up returned no session"))?;
    let mut issued = opening.finish(ctx, made.user, session, approved).await?;
    show_confirmed(&mut issued.user);
    Ok(Answer::Session(Box::new(issued)))
}

/// The answer shows the confirmation on the identity, where it is not stored, and not yet in `confirmed_at`
/// (`contract/core.md` §12.4).
fn show_confirmed(user: &mut User) {
    user.confirmed_at = None;
    for identity in &mut user.identities {
        let claim = if identity.provider == "phone" { "phone_verified" } else { "email_verified" };
        identity.data.insert(claim.to_owned(), json!(true));
    }
}

/// What an address that is taken answers (`contract/core.md` §12.3). Tokens are given only for what this very request proves.
async fn for_existing(
    ctx: &Context,
    applicant: Applicant<'_>,
    found: Credentials,
    password: &Secret<String>,
) -> Result<Answer> {
    let contact = applicant.contact;
    match existing(&found.user, contact, ctx.policy()) {
        Existing::Taken => {
            repeated(ctx, &found.user, contact).await?;
            Err(Refusal::UserAlreadyExists.into())
        }
        Existing::Obfuscated => {
            repeated(ctx, &found.user, contact).await?;
            let id = UserId(ctx.entropy().uuid());
            let data = applicant.data.clone();
            let user = obfuscated(id, contact.email(), contact.phone(), data, ctx.audience(), ctx.now);
            Ok(Answer::User(Box::new(user)))
        }
        Existing::AwaitsConfirmation if is_confirmed_at_once(ctx, contact) => {
            let dummy = || Secret::new(password::dummy_hash().to_owned());
            let stored = found.password_hash.clone().unwrap_or_else(dummy);
            if !ctx.verify_password(password, &stored).await? {
                return Err(Refusal::UserAlreadyExists.into());
            }
            let issued = confirmation::confirm_by_password(ctx, found.user.id, contact, stored).await?;
            Ok(Answer::Session(Box::new(issued)))
        }
        Existing::AwaitsConfirmation => {
            let mut user = confirmation::send_again(ctx, &found.user, applicant).await?;
            if user.invited_at.is_some() {
                // What the administrator wrote about the invited is not the business of who knows the address.
                user.user_metadata = Metadata::new();
                user.identities = Vec::new();
            }
            Ok(Answer::User(Box::new(user)))
        }
    }
}

/// Notes a sign-up with a contact that is taken. Where the answer does not tell, its owner is told by mail.
async fn repeated(ctx: &Context, user: &User, contact: &Contact) -> Result<()> {
    let discreet = discretion::is_on(ctx) && !is_confirmed_at_once(ctx, contact);
    let notice = match contact {
        Contact::Email(email) if discreet => {
            message::must_be_authorised(ctx, email)?;
            limits::email(ctx).await?;
            Some(mail::compose_repeated_sign_up(ctx, email)?)
        }
        Contact::Phone(_) if discreet => {
            limits::sms(ctx).await?;
            None
        }
        Contact::Email(_) | Contact::Phone(_) => None,
    };
    let traits = json!({ "provider": contact.provider() });
    let entry = ctx.audit(audit::by_user(user, audit::USER_REPEATED_SIGNUP, traits));
    if entry.is_none() && notice.is_none() {
        return Ok(());
    }
    let mut tx = ctx.store().begin().await?;
    if let Some(entry) = entry {
        tx.audit().insert(entry).await?;
    }
    if let Some(notice) = notice {
        tx.outbox().put(notice).await?;
    }
    tx.commit().await?;
    message::sent(ctx);
    Ok(())
}

/// An account without contact, signed in at once (`contract/core.md` §12.4).
async fn anonymous(ctx: &Context, data: Metadata) -> Result<Answer> {
    if !ctx.policy().external_anonymous_users_enabled {
        return Err(Refusal::AnonymousDisabled.into());
    }
    limits::per_address(ctx, Limited::Anonymous).await?;
    if ctx.policy().disable_signup {
        return Err(Refusal::SignupDisabled.into());
    }
    let account = new_user::anonymous(ctx, data.clone());
    account.may_be_made(ctx, &data).await?;
    let opening = issue::opening(ctx, account.user.id, "anonymous");
    let approved = match issue::approve(ctx, &opening, &account.preview(ctx.now)).await {
        Err(Error::Refused(refusal)) => {
            tracing::warn!(?refusal, "no token for an anonymous account");
            return Err(Refusal::AnonymousFailed.into());
        }
        approved => approved?,
    };
    let made = ctx
        .store()
        .sign_up(SignUp {
            user: account.user,
            identities: Vec::new(),
            session: Some(opening.session.clone()),
            audit: Vec::new(),
            now: ctx.now,
        })
        .await?;
    let session = made.session.ok_or_else(|| Error::fault("sign-up returned no session"))?;
    hooks::after_user_created(ctx, &made.user).await?;
    let issued = opening.finish(ctx, made.user, session, approved).await?;
    Ok(Answer::Session(Box::new(issued)))
}
