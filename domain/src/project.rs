//! A project of the gateway, as the control store knows it.

use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, ProjectId, ProjectRef};
use crate::secret::Secret;
use crate::time::Timestamp;

/// Whether a project serves requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    Active,
    /// It keeps its data and refuses everything.
    Paused,
    /// Its data is being removed.
    Deleting,
}

impl Status {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Deleting => "deleting",
        }
    }

    /// Reads the stored word.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Deleting].into_iter().find(|status| status.as_str() == text)
    }
}

/// Which column of defaults a project lives by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// The values Supabase Auth ships with.
    #[default]
    Compat,
    /// The strict rules of the house.
    Shield,
}

impl Profile {
    /// The value of `security_profile`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compat => "compat",
            Self::Shield => "shield",
        }
    }

    /// Reads the stored word.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Compat, Self::Shield].into_iter().find(|profile| profile.as_str() == text)
    }
}

/// One project.
#[derive(Clone, Debug)]
pub struct Project {
    /// Keys everything outside a single database.
    pub id: ProjectId,
    /// The public name.
    pub project_ref: ProjectRef,
    /// Its rows inside its database.
    pub instance: InstanceId,
    /// A name for people.
    pub name: String,
    /// Whether it serves.
    pub status: Status,
    /// The profile it was created in; the configuration's `security_profile` decides from then on.
    pub profile: Profile,
    /// A database of its own; `None` = the gateway's.
    pub database_url: Option<Secret<String>>,
    /// When it was made.
    pub created_at: Timestamp,
}
