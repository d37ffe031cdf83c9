//! Whose account a proven identity is (`contract/mfa-passkeys-oauth.md` §3.5): the decision of `domain::account` is applied here,
//! for the callback, ID tokens, wallets and tokens of others. Accounts are locked before they are changed, and what was decided
//! upon is looked at again once they are.

mod cleanup;
mod entry;
mod facts;
mod invitation;
mod linking;
mod sign_in;

pub(crate) use cleanup::clean_up;
pub(crate) use entry::link_traits;

use domain::account::believed;
use domain::ids::{SessionId, UserId};
use domain::provider::Profile;
use domain::refusal::ProviderRefusal;
use domain::user::User;
use storage::Tx;

use crate::context::Context;
use crate::error::Result;
use crate::notices::Notice;
use crate::settle::{Done, End, Given, Step};

/// Somebody has proven an identity at a provider.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// The provider's name, in lower case; of a foreign issuer its URL.
    pub(crate) provider: &'a str,
    /// Who he is there.
    pub(crate) profile: &'a Profile,
    /// Spellings of the subject in the order in which they are looked for, after it where it is not among them. Only the
    /// subject itself is stored.
    pub(crate) also_known_as: &'a [String],
    /// Who has no address may come in.
    pub(crate) email_optional: bool,
    /// What he is here for.
    pub(crate) way: Way<'a>,
    /// What he gets in the same transaction.
    pub(crate) gets: Gets,
}

/// What somebody is here for.
#[derive(Clone, Copy)]
pub(crate) enum Way<'a> {
    /// To sign in, with an account of his or a new one.
    SignIn,
    /// To accept the invitation whose token has this stored hash.
    Invitation(&'a str),
    /// To link the identity to this account.
    Link(UserId),
}

/// What follows in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gets {
    /// A session.
    Session,
    /// A code, for a session later.
    Code,
    /// Nothing: an account is to stand behind the token of somebody else. Addresses that are not verified are not taken.
    Account,
}

/// What became of it.
pub(crate) enum Admission {
    /// The account is written.
    Admitted(Box<Admitted>),
    /// The run ends with this step.
    Waits(Step),
}

/// Who comes in.
pub(crate) struct Admitted {
    /// As he is now, and as answers show him; locked.
    pub(crate) user: User,
    /// As he was before.
    pub(crate) before: User,
    made: bool,
    ended: Vec<SessionId>,
    notices: Vec<Notice>,
}

impl Admitted {
    /// The step that ends the run.
    pub(crate) fn done(self, end: End) -> Step {
        let done = Box::new(Done { end, user: self.user, ended: self.ended, notices: self.notices });
        if self.made { Step::Made(done) } else { Step::Done(done) }
    }
}

/// Finds or makes the account, and writes what the identity changes about it.
pub(crate) async fn admit(ctx: &Context, tx: &mut Tx, given: &Given, arrival: &Arrival<'_>) -> Result<Admission> {
    if !arrival.profile.is_of_somebody() {
        return Err(ProviderRefusal::ProfileFailed.into());
    }
    let profile = believed(arrival.profile.without_nul(), arrival.provider, ctx.policy());
    let arrival = &Arrival { profile: &profile, ..*arrival };
    match arrival.way {
        Way::SignIn => sign_in::admit(ctx, tx, given, arrival).await,
        Way::Invitation(hash) => invitation::admit(ctx, tx, arrival, hash).await,
        Way::Link(user) => linking::admit(ctx, tx, given, arrival, user).await,
    }
}
