//! What the operator grants a project of what all projects share. A quota belongs to the project, not to its configuration: who
//! may configure a project must not be able to give it more.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quota {
    /// Requests under way at a time, on each gateway.
    InFlight,
    /// Requests a second in the long run, on each gateway; twice as many at once after a pause.
    RequestsPerSecond,
    /// Password hashes that may wait for a thread, on each gateway.
    Hashing,
    /// Database connections held at a time, on each gateway.
    Database,
    /// Accounts.
    Users,
    /// Mails an hour, counted by all gateways together.
    MailsPerHour,
}

impl Quota {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::InFlight, Self::RequestsPerSecond, Self::Hashing, Self::Database, Self::Users, Self::MailsPerHour];

    /// The name in JSON, in metrics and in refusals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::RequestsPerSecond => "requests_per_second",
            Self::Hashing => "hashing",
            Self::Database => "database",
            Self::Users => "users",
            Self::MailsPerHour => "mails_per_hour",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The quotas of one project. `None` = what the gateway gives every project; for accounts and mails that is no limit beside
/// those of the project's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// See [`Quota::InFlight`].
    pub in_flight: Option<u32>,
    /// See [`Quota::RequestsPerSecond`].
    pub requests_per_second: Option<u32>,
    /// See [`Quota::Hashing`].
    pub hashing: Option<u32>,
    /// See [`Quota::Database`].
    pub database: Option<u32>,
    /// See [`Quota::Users`].
    pub users: Option<u32>,
    /// See [`Quota::MailsPerHour`].
    pub mails_per_hour: Option<u32>,
}

impl Quotas {
    /// The project's own value.
    pub fn get(&self, quota: Quota) -> Option<u32> {
        match quota {
            Quota::InFlight => self.in_flight,
            Quota::RequestsPerSecond => self.requests_per_second,
            Quota::Hashing => self.hashing,
            Quota::Database => self.database,
            Quota::Users => self.users,
            Quota::MailsPerHour => self.mails_per_hour,
        }
    }

    /// The first quota that nobody could work with: each is at least 1 where it is given.
    pub fn useless(&self) -> Option<Quota> {
        Quota::ALL.into_iter().find(|quota| self.get(*quota) == Some(0))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_in_json_are_names_in_refusals() {
        for quota in Quota::ALL {
            assert_eq!(serde_json::to_value(quota).unwrap(), json!(quota.as_str()));
            let given: Quotas = serde_json::from_value(json!({ quota.as_str(): 7 })).unwrap();
            assert_eq!(given.get(quota), Some(7));
        }
        assert!(serde_json::from_value::<Quotas>(json!({ "disk": 1 })).is_err());
    }

    #[test]
    fn a_quota_of_nothing_is_useless() {
        assert_eq!(Quotas { users: Some(0), ..Quotas::default() }.useless(), Some(Quota::Users));
        assert_eq!(Quotas::default().useless(), None);
    }
}
