//! The transaction at the end of a proof: what it proves is written together with the session it opens, or with the code of
//! the flow that it finishes. What takes its time (hashing, a hook) is done between two tries, while no connection is held;
//! a try that is not the last one is rolled back.

use std::sync::OnceLock;

use async_trait::async_trait;
use domain::contact::Contact;
use domain::hook::Point;
use domain::ids::{IdentityId, SessionId, UserId};
use domain::provider::ProviderTokens;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::session::Session;
use domain::tokens::IssuedSession;
use domain::user::User;
use outbound::mails::Kind;
use storage::{NewOutbox, Tx};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::issue::{self, Approved, Besides, Opening};
use crate::message::{self, Prepared};
use crate::notices::{self, Notice};
use crate::{discretion, hooks, limits, mail, password_strength};

/// How often a run may end without an end.
const TRIES: usize = 10;

/// What a transaction does, from the consumption of its proof to the session. Runs once or a few times; a run that is rolled
/// back must leave nothing behind.
#[async_trait]
pub(crate) trait Proving: Send + Sync {
    /// One run.
    async fn run(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step>;
}

/// What earlier runs found to be needed.
#[derive(Default)]
pub(crate) struct Given {
    opening: Option<Opening>,
    /// The hash of a password that is set.
    pub(crate) hash: Option<Secret<String>>,
    new_ids: OnceLock<(UserId, IdentityId)>,
    /// The account that the hook let be made.
    allowed: Option<User>,
    /// A confirmation, and whom it is for.
    mail: Option<(User, Prepared)>,
    /// A mail to the owner of an account, and his address.
    notice: Option<(String, NewOutbox)>,
}

impl Given {
    /// The ids of an account that is made, in every run the same.
    pub(crate) fn new_ids(&self, ctx: &Context) -> (UserId, IdentityId) {
        *self.new_ids.get_or_init(|| (UserId(ctx.entropy().uuid()), IdentityId(ctx.entropy().uuid())))
    }

    /// Whether `user` may be made, as far as the project's hook is concerned.
    pub(crate) fn lets_be_made(&self, ctx: &Context, user: &User) -> bool {
        let same = |allowed: &User| allowed.id == user.id && allowed.email == user.email;
        let asked = hooks::is_on(ctx, Point::BeforeUserCreated) || ctx.tenant.project.quotas.users.is_some();
        !asked || self.allowed.as_ref().is_some_and(same)
    }

    /// The confirmation that was prepared for `user`.
    pub(crate) fn mail_for(&self, user: &User) -> Option<Prepared> {
        let (prepared_for, mail) = self.mail.as_ref()?;
        (prepared_for.id == user.id && prepared_for.email == user.email).then(|| mail.clone())
    }

    /// The mails that were prepared for `user`, who is to confirm `email` as his new address.
    pub(crate) fn change_for(&self, user: &User, email: &str) -> Option<Prepared> {
        let (prepared_for, mail) = self.mail.as_ref()?;
        (prepared_for.id == user.id && prepared_for.email_change == email).then(|| mail.clone())
    }

    /// The mail that tells the owner of `email` that he has an account.
    pub(crate) fn notice_to(&self, email: &str) -> Option<NewOutbox> {
        self.notice.as_ref().filter(|(to, _)| to == email).map(|(_, row)| row.clone())
    }

    fn has_mail(&self) -> bool {
        self.mail.is_some() || self.notice.is_some()
    }
}

/// How a run ended.
pub(crate) enum Step {
    /// To be committed.
    Done(Box<Done>),
    /// To be committed; the account was made.
    Made(Box<Done>),
    /// To be committed although it is refused: wrong guesses were counted.
    Refused(Refusal),
    /// To be committed although it is refused; the account was made.
    MadeAndRefused(Box<User>, Refusal),
    /// To be rolled back: a password must be hashed first.
    NeedsHash(NewPassword),
    /// To be rolled back: the project's hook must be asked first whether this account may be made.
    NeedsLeave(Box<User>),
    /// To be rolled back: the confirmation of this account's address must be prepared first.
    NeedsMail(Box<User>),
    /// To be rolled back: the confirmation of an address that this account is to change to must be prepared first.
    NeedsChange(Box<User>, String),
    /// To be rolled back: a mail to the owner of this address, who has an account, must be prepared first.
    NeedsNotice(String),
    /// To be rolled back: somebody else was faster, and all must be looked at again.
    Again,
}

/// A password that is about to be set.
pub(crate) enum NewPassword {
    /// The user's choice, and what is known of him.
    Chosen(Secret<String>, String),
    /// One that nobody knows.
    Random,
}

/// What a run wrote.
pub(crate) struct Done {
    /// How it ends for who asked.
    pub(crate) end: End,
    /// The user as he is now.
    pub(crate) user: User,
    /// Sessions that ended.
    pub(crate) ended: Vec<SessionId>,
    /// What the user is told by mail.
    pub(crate) notices: Vec<Notice>,
}

/// How a proof ends.
pub(crate) enum End {
    /// With a session.
    Session(Box<Opened>),
    /// With the code of a flow that began with a challenge.
    Code(Secret<String>),
    /// With what it did to the account, and nothing to sign in with.
    Plain,
    /// With nothing yet: another confirmation is needed.
    HalfDone,
}

/// A session that a run opened.
pub(crate) struct Opened {
    session: Session,
    /// Where this run made it.
    opening: Option<Opening>,
    besides: Besides,
    provider_tokens: Option<ProviderTokens>,
}

impl End {
    /// A session's answer hands these over as well.
    pub(crate) fn handing(mut self, tokens: ProviderTokens) -> Self {
        if let Self::Session(opened) = &mut self {
            opened.provider_tokens = Some(tokens);
        }
        self
    }
}

/// What whoever proves something gets for it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gives {
    /// A session.
    Session,
    /// The code of a flow that began with a challenge and has this authentication method.
    Code(&'static str),
    /// Neither.
    Nothing,
}

/// How it ended.
pub(crate) enum Settled {
    /// Tokens.
    Session(Box<IssuedSession>),
    /// An authorization code.
    Code(Secret<String>),
    /// Neither, but it is done.
    Plain,
    /// One of two confirmations.
    HalfDone,
}

/// Opens a session that was got by `method`, inside `tx`; `user` is as he was before. In every run the same one.
pub(crate) async fn open(ctx: &Context, tx: &mut Tx, given: &Given, user: &User, method: &str) -> Result<End> {
    let mut made = None;
    let opening = match &given.opening {
        Some(opening) => opening,
        None => &*made.insert(issue::opening(ctx, user.id, method)),
    };
    let session = tx.sessions().insert(&opening.session, ctx.now).await?;
    let besides = issue::besides(ctx, tx, user, &opening.session).await?;
    Ok(End::Session(Box::new(Opened { session, opening: made, besides, provider_tokens: None })))
}

/// Runs `proving` until it is done, commits, and tells everybody who must know.
pub(crate) async fn settle(ctx: &Context, proving: &dyn Proving) -> Result<Settled> {
    let mut given = Given::default();
    let mut approved = Approved::none();
    let mut tries = TRIES;
    let asks = hooks::is_on(ctx, Point::CustomAccessToken);
    loop {
        let mut tx = ctx.store().begin().await?;
        let (mut done, made) = match proving.run(ctx, &mut tx, &given).await? {
            Step::Done(done) => (done, false),
            Step::Made(done) => (done, true),
            Step::Refused(refusal) => return refuse(ctx, tx, &given, refusal).await,
            Step::MadeAndRefused(user, refusal) => {
                let refused = refuse(ctx, tx, &given, refusal).await;
                hooks::after_user_created(ctx, &user).await?;
                return refused;
            }
            waits => {
                drop(tx);
                provide(ctx, waits, &mut given, &mut tries).await?;
                continue;
            }
        };
        if let End::Session(opened) = &mut done.end
            && asks
            && let Some(opening) = opened.opening.take()
        {
            drop(tx);
            approved = issue::approve(ctx, &opening, &done.user).await?;
            given.opening = Some(opening);
            continue;
        }
        if let End::Session(opened) = &mut done.end {
            done.ended.append(&mut opened.besides.ended);
            done.notices.extend(opened.besides.notice.take());
        }
        notices::write(ctx, &mut tx, &done.notices, &done.user).await?;
        tx.commit().await?;
        if given.has_mail() {
            message::sent(ctx);
        }
        if made {
            hooks::after_user_created(ctx, &done.user).await?;
        }
        return finish(ctx, *done, given.opening, approved).await;
    }
}

async fn refuse(ctx: &Context, tx: Tx, given: &Given, refusal: Refusal) -> Result<Settled> {
    tx.commit().await?;
    if given.has_mail() {
        message::sent(ctx);
    }
    Err(refusal.into())
}

/// Gets what a run waits for, while no connection is held.
async fn provide(ctx: &Context, step: Step, given: &mut Given, tries: &mut usize) -> Result<()> {
    *tries = tries.checked_sub(1).ok_or_else(|| Error::Busy("others were always faster".into()))?;
    match step {
        Step::NeedsHash(password) => given.hash = Some(hash(ctx, password).await?),
        Step::NeedsLeave(user) => {
            limits::account(ctx).await?;
            hooks::before_user_created(ctx, &user).await?;
            given.allowed = Some(*user);
        }
        Step::NeedsMail(user) => {
            let mail = message::mail(ctx, Kind::Confirmation, &user, None).await?;
            given.mail = Some((*user, mail));
        }
        Step::NeedsChange(user, email) => {
            let mail = message::email_change(ctx, &user, &email, None).await?;
            given.mail = Some((User { email_change: email, ..*user }, mail));
        }
        Step::NeedsNotice(email) => {
            // The account that would keep the pace is not the one of who asks.
            discretion::cool_down(ctx, &Contact::Email(email.clone())).await?;
            message::must_be_authorised(ctx, &email)?;
            limits::email(ctx).await?;
            let row = mail::compose_repeated_sign_up(ctx, &email)?;
            given.notice = Some((email, row));
        }
        Step::Again | Step::Done(_) | Step::Made(_) | Step::Refused(_) | Step::MadeAndRefused(..) => {}
    }
    Ok(())
}

async fn hash(ctx: &Context, password: NewPassword) -> Result<Secret<String>> {
    match password {
        NewPassword::Chosen(password, email) => {
            password_strength::accept(ctx, &password, &[&email]).await?;
            ctx.hash_password(&password).await
        }
        NewPassword::Random => ctx.hash_password(&Secret::new(ctx.entropy().uuid().to_string())).await,
    }
}

async fn finish(ctx: &Context, done: Done, approved_opening: Option<Opening>, approved: Approved) -> Result<Settled> {
    let Done { end, user, ended, notices } = done;
    ctx.forget_sessions(user.id, &ended).await;
    notices::tell(ctx, &notices, &user).await;
    match end {
        End::Session(opened) => {
            let Opened { session, opening, provider_tokens, .. } = *opened;
            let opening = opening.or(approved_opening).ok_or_else(|| Error::fault("a session without an opening"))?;
            let mut issued = opening.finish(ctx, user, session, approved).await?;
            issued.provider_tokens = provider_tokens;
            Ok(Settled::Session(Box::new(issued)))
        }
        End::Code(code) => Ok(Settled::Code(code)),
        End::Plain => Ok(Settled::Plain),
        End::HalfDone => Ok(Settled::HalfDone),
    }
}
