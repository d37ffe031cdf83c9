//! The transaction at the end of a proof: what it proves is written together with the session it opens, or with the code of
//! the flow that it finishes. What takes its time (hashing, a hook) is done between two tries, while no connection is held;
//! a try that is not the last one is rolled back.

use async_trait::async_trait;
use domain::hook::Point;
use domain::ids::SessionId;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::session::Session;
use domain::tokens::IssuedSession;
use domain::user::User;
use storage::Tx;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::hooks;
use crate::issue::{self, Approved, Besides, Opening};
use crate::notices::{self, Notice};
use crate::password_strength;

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
}

/// How a run ended.
pub(crate) enum Step {
    /// To be committed.
    Done(Box<Done>),
    /// To be committed although it is refused: wrong guesses were counted.
    Refused(Refusal),
    /// To be rolled back: a password must be hashed first.
    NeedsHash(NewPassword),
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
    Ok(End::Session(Box::new(Opened { session, opening: made, besides })))
}

/// Runs `proving` until it is done, commits, and tells everybody who must know.
pub(crate) async fn settle(ctx: &Context, proving: &dyn Proving) -> Result<Settled> {
    let mut given = Given::default();
    let mut approved = Approved::none();
    let asks = hooks::is_on(ctx, Point::CustomAccessToken);
    loop {
        let mut tx = ctx.store().begin().await?;
        let mut done = match proving.run(ctx, &mut tx, &given).await? {
            Step::Done(done) => done,
            Step::Refused(refusal) => {
                tx.commit().await?;
                return Err(refusal.into());
            }
            Step::NeedsHash(password) => {
                drop(tx);
                given.hash = Some(hash(ctx, password).await?);
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
        return finish(ctx, *done, given.opening, approved).await;
    }
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
            let Opened { session, opening, .. } = *opened;
            let opening = opening.or(approved_opening).ok_or_else(|| Error::fault("a session without an opening"))?;
            let issued = opening.finish(ctx, user, session, approved).await?;
            Ok(Settled::Session(Box::new(issued)))
        }
        End::Code(code) => Ok(Settled::Code(code)),
        End::Plain => Ok(Settled::Plain),
        End::HalfDone => Ok(Settled::HalfDone),
    }
}
