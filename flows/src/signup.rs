//! `POST /signup` (`contract/core.md` §12). Autoconfirmed: two statements. With confirmation: one transaction with the mail.

use crypto::password;
use domain::contact::Contact;
use domain::pkce::Challenge;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::signup::{Answer, Existing, Request, Want, existing, obfuscated, want};
use domain::user::{Metadata, User};
use serde_json::json;
use storage::{Credentials, SignUp, StoreError};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::new_user::{self, Proven};
use crate::{audit, confirmation, issue};

/// Makes an account, or answers for the one that exists.
pub async fn signup(ctx: &Context, request: Request) -> Result<Answer> {
    if request.email.is_empty() && request.phone.is_empty() {
        if ctx.policy().external_anonymous_users_enabled {
            limits::per_address(ctx, Limited::Anonymous).await?;
        }
    } else {
        limits::per_address(ctx, Limited::SignUp).await?;
    }
    match want(&request, ctx.policy())? {
        Want::Anonymous => anonymous(ctx, request.data).await,
        Want::Email { email, password, challenge } => {
            let contact = Contact::Email(email.clone());
            by_contact(ctx, contact, password, challenge, request.data).await
        }
        Want::Phone { phone, password } => {
            if !ctx.policy().sms_autoconfirm {
                return Err(Refusal::SmsProviderMissing.into());
            }
            by_contact(ctx, Contact::Phone(phone), password, None, request.data).await
        }
    }
}

async fn by_contact(
    ctx: &Context,
    contact: Contact,
    password: Secret<String>,
    challenge: Option<Challenge>,
    data: Metadata,
) -> Result<Answer> {
    let found = ctx.store().find_account(&contact, ctx.audience()).await?;
    // Computed for a taken address as well: the answer must not tell by its time.
    let hash = ctx.hash_password(&password).await?;
    if let Some(found) = found {
        return for_existing(ctx, contact, found, &password, challenge, data).await;
    }
    let made = if autoconfirm(ctx, &contact) {
        with_session(ctx, &contact, &data, hash.clone()).await
    } else {
        confirmation::sign_up(ctx, &contact, challenge.as_ref(), &data, hash.clone()).await
    };
    match made {
        Err(SignUpError::Taken) => {
            let found = ctx.store().find_account(&contact, ctx.audience()).await?;
            let found = found.ok_or(Refusal::SignupConflict)?;
            for_existing(ctx, contact, found, &password, challenge, data).await
        }
        Err(SignUpError::Other(error)) => Err(error),
        Ok(answer) => Ok(answer),
    }
}

/// Why a row could not be made.
pub(crate) enum SignUpError {
    /// Somebody was faster.
    Taken,
    /// Anything else.
    Other(Error),
}

impl From<StoreError> for SignUpError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Taken,
            other => Self::Other(other.into()),
        }
    }
}

impl From<Error> for SignUpError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn autoconfirm(ctx: &Context, contact: &Contact) -> bool {
    match contact {
        Contact::Email(_) => ctx.policy().mailer_autoconfirm,
        Contact::Phone(_) => ctx.policy().sms_autoconfirm,
    }
}

async fn with_session(
    ctx: &Context,
    contact: &Contact,
    data: &Metadata,
    hash: Secret<String>,
) -> std::result::Result<Answer, SignUpError> {
    let account = new_user::account(ctx, contact, data, Some(hash), Proven::Now);
    let opening = issue::opening(ctx, account.user.id, "password");
    let provider = contact.provider();
    let audits = [
        ctx.audit(audit::by_user(&account.user, audit::USER_SIGNED_UP, json!({ "provider": provider }))),
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
    let mut issued = opening.finish(ctx, made.user, session).await?;
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
    contact: Contact,
    found: Credentials,
    password: &Secret<String>,
    challenge: Option<Challenge>,
    data: Metadata,
) -> Result<Answer> {
    match existing(&found.user, matches!(contact, Contact::Email(_)), ctx.policy()) {
        Existing::Taken => {
            repeated(ctx, &found.user, &contact).await?;
            Err(Refusal::UserAlreadyExists.into())
        }
        Existing::Obfuscated => {
            repeated(ctx, &found.user, &contact).await?;
            let id = domain::ids::UserId(ctx.entropy().uuid());
            let user = obfuscated(id, contact.email(), contact.phone(), data, ctx.audience(), ctx.now);
            Ok(Answer::User(Box::new(user)))
        }
        Existing::AwaitsConfirmation if autoconfirm(ctx, &contact) => {
            let dummy = || Secret::new(password::dummy_hash().to_owned());
            let stored = found.password_hash.clone().unwrap_or_else(dummy);
            if found.user.is_banned(ctx.now) || !ctx.verify_password(password, &stored).await? {
                return Err(Refusal::UserAlreadyExists.into());
            }
            let issued = confirmation::confirm_by_password(ctx, found.user.id, &contact).await?;
            Ok(Answer::Session(Box::new(issued)))
        }
        Existing::AwaitsConfirmation => {
            let user = confirmation::send_again(ctx, &found.user, challenge.as_ref()).await?;
            Ok(Answer::User(Box::new(user)))
        }
    }
}

async fn repeated(ctx: &Context, user: &User, contact: &Contact) -> Result<()> {
    let traits = json!({ "provider": contact.provider() });
    if let Some(entry) = ctx.audit(audit::by_user(user, audit::USER_REPEATED_SIGNUP, traits)) {
        let mut tx = ctx.store().begin().await?;
        tx.audit().insert(entry).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn anonymous(ctx: &Context, data: Metadata) -> Result<Answer> {
    let account = new_user::anonymous(ctx, data);
    let opening = issue::opening(ctx, account.user.id, "anonymous");
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
    let issued = opening.finish(ctx, made.user, session).await?;
    Ok(Answer::Session(Box::new(issued)))
}
