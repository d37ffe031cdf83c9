//! What users do.

use clap::ValueEnum;

use crate::client::Failure;

pub(crate) mod sign_in_and_refresh;
pub(crate) mod user_read;

/// The bundled scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    SignInAndRefresh,
    UserRead,
}

impl Scenario {
    pub(crate) const ALL: &'static [Self] = &[Self::SignInAndRefresh, Self::UserRead];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SignInAndRefresh => "sign-in-and-refresh",
            Self::UserRead => "user-read",
        }
    }

    /// One line for people.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::SignInAndRefresh => "sessions refresh their tokens; now and then a user signs in with a password",
            Self::UserRead => "signed-in users read themselves (GET /user)",
        }
    }
}

/// What came of one request.
pub(crate) struct Outcome {
    /// The row of the report it belongs to.
    pub(crate) operation: &'static str,
    pub(crate) result: Result<(), Failure>,
}

/// One client's part in a scenario.
pub(crate) trait Act: Send + 'static {
    /// Sends one request and reads its answer.
    fn act(&mut self) -> impl Future<Output = Outcome> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        assert_eq!(Scenario::ALL, Scenario::value_variants());
        for scenario in Scenario::ALL {
            assert_eq!(scenario.to_possible_value().unwrap().get_name(), scenario.name());
        }
    }
}
