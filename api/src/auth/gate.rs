//! Who may learn that a path or a method does not exist, or that a body is wrong: behind a gate the token is checked first
//! (`contract/core.md` §1.1).

use domain::refusal::{PasskeyRefusal, Refusal};
use domain::{admin_users, passkeys, user_read};

use crate::edge::Edge;
use crate::failure::Failure;

/// Whose token opens a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Nobody's is needed.
    Open,
    /// A user's.
    User,
    /// An admin's.
    Admin,
    /// Nobody's, where the project has passkeys.
    Passkeys,
    /// A user's, where the project has passkeys: elsewhere nobody's token is looked at.
    PasskeyUser,
}

impl Gate {
    /// Lets a request pass that will be refused for another reason, or refuses its token. Requests that can be served
    /// are checked by their own flow.
    ///
    /// # Errors
    /// What the contract says about the token.
    pub(crate) async fn pass(self, edge: &Edge) -> Result<(), Failure> {
        if matches!(self, Self::User | Self::Admin) && edge.bearer.0.is_none() {
            return Err(Refusal::NoAuthorization.into());
        }
        let bearer = edge.bearer.clone();
        match self {
            Self::Open => Ok(()),
            // The audience is a matter of `GET /user` alone.
            Self::User => match edge.ask(user_read::Request { bearer }).await {
                Ok(_) | Err(Failure::Refused(Refusal::AudienceMismatch)) => Ok(()),
                Err(failure) => Err(failure),
            },
            // Nobody has an empty id: once it is looked at, the token was good.
            Self::Admin => match edge.ask(admin_users::Get { bearer, user: String::new() }).await {
                Ok(_) | Err(Failure::Refused(Refusal::UserIdMalformed)) => Ok(()),
                Err(failure) => Err(failure),
            },
            // The list looks at the project's switch first and at the token next.
            Self::Passkeys => match edge.ask(passkeys::List { bearer }).await {
                Err(failure @ Failure::Refused(Refusal::Passkey(PasskeyRefusal::Disabled))) => Err(failure),
                _ => Ok(()),
            },
            Self::PasskeyUser => edge.ask(passkeys::List { bearer }).await.map(drop),
        }
    }

    /// What becomes of a request that cannot be served because of `failure`: what is wrong with its token is told first.
    pub(crate) async fn before(self, edge: &Edge, failure: Failure) -> Failure {
        self.pass(edge).await.err().unwrap_or(failure)
    }
}
