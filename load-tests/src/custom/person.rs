//! Who acts as a file says: one step of the mix after the other, by weight and without chance.

use futures::future::BoxFuture;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::client::{Failure, Session, User, admin, mail, send, sessions, sign_up};
use crate::scenario::Act;
use crate::stage::Ledger;
use crate::steps::Steps;

/// What a step can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Operation {
    /// The project's public settings.
    Settings,
    /// Its public keys.
    Jwks,
    Health,
    /// A new account with a password; it is removed at the end.
    SignUp,
    SignIn,
    Refresh,
    UserRead,
    /// Writes the user's own metadata.
    UpdateUser,
    SignOut,
    /// The user's list of sessions.
    Sessions,
    /// Asks for a mail with a code.
    Otp,
    /// Asks for a mail to set another password.
    Recover,
    /// The first page of the users, as an operator sees it.
    AdminList,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Jwks => "jwks",
            Self::Health => "health",
            Self::SignUp => "sign-up",
            Self::SignIn => "sign-in",
            Self::Refresh => "refresh",
            Self::UserRead => "user-read",
            Self::UpdateUser => "update-user",
            Self::SignOut => "sign-out",
            Self::Sessions => "sessions",
            Self::Otp => "otp",
            Self::Recover => "recover",
            Self::AdminList => "admin-list",
        }
    }

    /// Tables of the auth schema that it reads or writes.
    pub(super) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Settings | Self::Jwks | Self::Health => &[],
            Self::SignUp | Self::SignIn => &["users", "identities", "sessions", "refresh_tokens", "mfa_amr_claims"],
            Self::Refresh | Self::SignOut => &["sessions", "refresh_tokens"],
            Self::UserRead | Self::UpdateUser => &["users", "identities", "sessions"],
            Self::Sessions => &["users", "sessions"],
            Self::Otp | Self::Recover => &["users", "one_time_tokens"],
            Self::AdminList => &["users", "identities"],
        }
    }

    fn needs_session(self) -> bool {
        matches!(self, Self::Refresh | Self::UserRead | Self::UpdateUser | Self::SignOut | Self::Sessions)
    }
}

/// Steps and how often each is taken.
#[derive(Clone)]
pub(super) struct Mix(Vec<(Operation, u32)>);

impl Mix {
    pub(super) fn new(steps: impl IntoIterator<Item = (Operation, u32)>) -> Self {
        Self(steps.into_iter().collect())
    }

    pub(super) fn needs_sessions(&self) -> bool {
        self.0.iter().any(|(operation, _)| operation.needs_session())
    }

    /// The turns of a client; each begins elsewhere, so that clients do not go in step.
    pub(super) fn turns(&self, client: usize) -> Turns {
        let steps = self.0.iter().map(|(operation, weight)| Turn {
            operation: *operation,
            weight: i64::from(*weight),
            credit: 0,
        });
        let mut turns = Turns(steps.collect());
        let round: usize = self.0.iter().map(|(_, weight)| *weight as usize).sum();
        for _ in 0..client * 7 % round.max(1) {
            turns.next();
        }
        turns
    }
}

/// What comes next: over a whole round each step as often as its weight, spread evenly.
pub(super) struct Turns(Vec<Turn>);

struct Turn {
    operation: Operation,
    weight: i64,
    credit: i64,
}

impl Turns {
    fn next(&mut self) -> Option<Operation> {
        let round: i64 = self.0.iter().map(|turn| turn.weight).sum();
        for turn in &mut self.0 {
            turn.credit += turn.weight;
        }
        let next = self.0.iter_mut().max_by_key(|turn| turn.credit)?;
        next.credit -= round;
        Some(next.operation)
    }
}

/// A user who goes through the mix.
pub(super) struct Person {
    user: User,
    session: Option<Session>,
    /// Where the addresses of its accounts come from.
    address: String,
    accounts: u64,
    ledger: Ledger,
    turns: Turns,
}

impl Person {
    pub(super) fn new(user: User, session: Option<Session>, address: String, ledger: Ledger, turns: Turns) -> Self {
        Self { user, session, address, accounts: 0, ledger, turns }
    }

    async fn sign_up(&mut self) -> Result<(), Failure> {
        self.accounts += 1;
        let email = format!("n{}-{}", self.accounts, self.address);
        let id = sign_up::sign_up(&self.user.project, &email, &self.user.password).await?;
        self.ledger.note(&self.user.project, &id);
        Ok(())
    }

    async fn without_session(&mut self, operation: Operation) -> Result<(), Failure> {
        let project = &self.user.project;
        let get = |path| send(project.public(Method::GET, path));
        let body = json!({"email": self.user.email});
        match operation {
            Operation::Settings => get("settings").await.map(|_| ()),
            Operation::Jwks => get(".well-known/jwks.json").await.map(|_| ()),
            Operation::Health => get("health").await.map(|_| ()),
            Operation::Otp => mail::ask(&self.user, None).await,
            Operation::Recover => send(project.public(Method::POST, "recover").json(&body)).await.map(|_| ()),
            Operation::AdminList => admin::page(project, 1, 50).await.map(|_| ()),
            Operation::SignUp => self.sign_up().await,
            _ => {
                self.session = Some(Session::sign_in(self.user.clone()).await?);
                Ok(())
            }
        }
    }

    async fn turn(&mut self, operation: Operation, steps: &mut Steps) -> Result<(), Failure> {
        let name = operation.name();
        if !operation.needs_session() {
            return steps.step(name, self.without_session(operation)).await;
        }
        if self.session.is_none() {
            steps.step("sign-in", self.without_session(Operation::SignIn)).await?;
        }
        let Some(session) = &mut self.session else { return Ok(()) };
        match operation {
            Operation::Refresh => {
                let refreshed = steps.step(name, session.refresh()).await;
                if refreshed.is_err() {
                    // It may be gone: the next turn signs in, as an app would.
                    self.session = None;
                }
                refreshed
            }
            Operation::SignOut => {
                let ended = steps.step(name, sessions::sign_out(session)).await;
                self.session = None;
                ended
            }
            Operation::UpdateUser => {
                let request = session.request(Method::PUT, "user").json(&json!({"data": {"load": self.accounts}}));
                self.accounts += 1;
                steps.step(name, send(request)).await.map(|_| ())
            }
            Operation::Sessions => steps.step(name, sessions::list(session)).await.map(|_| ()),
            _ => steps.step(name, session.read_user()).await,
        }
    }
}

impl Act for Person {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            match self.turns.next() {
                Some(operation) => self.turn(operation, steps).await,
                None => Ok(()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_takes_every_step_as_often_as_it_weighs_and_spreads_them() {
        let mix = Mix::new([(Operation::UserRead, 6), (Operation::Refresh, 3), (Operation::SignIn, 1)]);
        for client in 0..5 {
            let mut turns = mix.turns(client);
            let round: Vec<_> = std::iter::from_fn(|| turns.next()).take(10).collect();
            let count = |wanted| round.iter().filter(|operation| **operation == wanted).count();
            assert_eq!([Operation::UserRead, Operation::Refresh, Operation::SignIn].map(count), [6, 3, 1], "{round:?}");
            assert!(round.windows(2).all(|pair| pair != [Operation::Refresh; 2]), "{round:?}");
        }
    }
}
