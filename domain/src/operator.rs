//! Who may do what with the gateway's projects: operator tokens, their roles, and the decision.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::ProjectId;
use crate::time::Timestamp;

/// What the bearer of an operator token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything, tokens included.
    Owner,
    /// May do everything with projects.
    Operator,
    /// May look, but at no secret.
    ReadOnly,
}

impl Role {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::ReadOnly => "read_only",
        }
    }

    /// Whether a token can be for some projects alone. What an owner may beyond an operator is the gateway's: tokens, above all.
    pub fn can_be_bound(self) -> bool {
        self != Self::Owner
    }

    /// Reads the stored word.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Owner, Self::Operator, Self::ReadOnly].into_iter().find(|role| role.as_str() == text)
    }
}

/// Which projects a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All there are and will be.
    Everything,
    /// These alone.
    Projects(BTreeSet<ProjectId>),
}

/// Who asks for something: a token, as the gateway knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The token; `None` = the gateway itself.
    pub token: Option<Uuid>,
    /// The token's name for people.
    pub name: String,
    /// What its bearer is.
    pub role: Role,
    /// Which projects it is for.
    pub reach: Reach,
}

impl Operator {
    /// The gateway itself, as at its first run.
    pub fn gateway() -> Self {
        Self { token: None, name: "gateway".to_owned(), role: Role::Owner, reach: Reach::Everything }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// To look at something that is no secret.
    Read,
    /// To see secrets of a project in clear: keys, an export.
    Reveal,
    /// To change a project's settings, keys, users or sessions, or to pause it.
    Change,
    /// To decide about a project's life, place or quotas: create, delete, move, import.
    Dispose,
    /// To make, list and revoke operator tokens.
    Tokens,
}

/// Where something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The gateway as a whole.
    Gateway,
    /// One project.
    Project(ProjectId),
}

/// What an operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allowed,
    /// The token is not for this; it may know that the thing exists.
    Forbidden,
    /// The token is for other projects: this one does not exist for it.
    Hidden,
}

impl Operator {
    /// Whether it may.
    pub fn may(&self, access: Access, scope: Scope) -> Verdict {
        match (&self.reach, scope) {
            (Reach::Projects(projects), Scope::Project(project)) if !projects.contains(&project) => {
                return Verdict::Hidden;
            }
            // The list of projects may be read: it shows this token's own.
            (Reach::Projects(_), Scope::Gateway) if access != Access::Read => return Verdict::Forbidden,
            (Reach::Projects(_), Scope::Project(_)) if access == Access::Dispose => return Verdict::Forbidden,
            _ => {}
        }
        let allowed = match self.role {
            Role::Owner => true,
            Role::Operator => access != Access::Tokens,
            Role::ReadOnly => access == Access::Read,
        };
        if allowed { Verdict::Allowed } else { Verdict::Forbidden }
    }
}

/// A token as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// The row.
    pub id: Uuid,
    /// For people.
    pub name: String,
    /// How the token begins.
    pub prefix: String,
    /// What its bearer is.
    pub role: Role,
    /// Which projects it is for.
    pub reach: Reach,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl TokenView {
    /// Whether it opens anything at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(number: u128) -> ProjectId {
        ProjectId(Uuid::from_u128(number))
    }

    fn operator(role: Role, projects: &[u128]) -> Operator {
        let reach = match projects {
            [] => Reach::Everything,
            some => Reach::Projects(some.iter().map(|number| project(*number)).collect()),
        };
        Operator { token: Some(Uuid::nil()), name: "t".to_owned(), role, reach }
    }

    #[test]
    fn each_role_may_what_its_name_says() {
        use Access::{Change, Dispose, Read, Reveal, Tokens};
        use Verdict::{Allowed, Forbidden};
        let table = [
            (Role::Owner, [Allowed, Allowed, Allowed, Allowed, Allowed]),
            (Role::Operator, [Allowed, Allowed, Allowed, Allowed, Forbidden]),
            (Role::ReadOnly, [Allowed, Forbidden, Forbidden, Forbidden, Forbidden]),
        ];
        for (role, verdicts) in table {
            for (access, verdict) in [Read, Reveal, Change, Dispose, Tokens].into_iter().zip(verdicts) {
                for scope in [Scope::Gateway, Scope::Project(project(1))] {
                    assert_eq!(operator(role, &[]).may(access, scope), verdict, "{role:?} {access:?} {scope:?}");
                }
            }
        }
    }

    #[test]
    fn a_token_for_some_projects_knows_no_others_and_decides_about_none() {
        let own = operator(Role::Operator, &[1, 2]);
        assert_eq!(own.may(Access::Change, Scope::Project(project(2))), Verdict::Allowed);
        assert_eq!(own.may(Access::Dispose, Scope::Project(project(2))), Verdict::Forbidden);
        assert_eq!(own.may(Access::Read, Scope::Project(project(3))), Verdict::Hidden);
        assert_eq!(own.may(Access::Read, Scope::Gateway), Verdict::Allowed, "the list of its own");
        assert_eq!(own.may(Access::Dispose, Scope::Gateway), Verdict::Forbidden);
        assert_eq!(operator(Role::Owner, &[1]).may(Access::Tokens, Scope::Gateway), Verdict::Forbidden);
    }

    #[test]
    fn a_token_ends_at_its_end_or_when_it_is_revoked() {
        let at = Timestamp::from_unix;
        let token = TokenView {
            id: Uuid::nil(),
            name: "t".to_owned(),
            prefix: "sbp_0000".to_owned(),
            role: Role::Owner,
            reach: Reach::Everything,
            created_at: at(0),
            expires_at: Some(at(100)),
            last_used_at: None,
            revoked_at: None,
        };
        assert!(token.is_good(at(99)) && !token.is_good(at(100)));
        assert!(!TokenView { revoked_at: Some(at(5)), ..token }.is_good(at(6)));
    }
}
