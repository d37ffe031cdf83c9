//! A project of the gateway, as the control store knows it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{InstanceId, ProjectId, ProjectRef};
use crate::quota::Quotas;
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
    /// It was deleted: it is not served, can be restored until [`Project::purge_at`], and then its data is removed.
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

/// Where a project's rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// In the gateway's database, beside those of other projects.
    #[default]
    Gateway,
    /// In a PostgreSQL database that the project names.
    Postgres,
    /// In a SQLite file of the project's own, in the data directory.
    Sqlite,
}

impl Placement {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }

    /// Reads the stored word.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Gateway, Self::Postgres, Self::Sqlite].into_iter().find(|placement| placement.as_str() == text)
    }
}

/// Why a project that is active refuses its clients for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// Its last rows go to another database.
    Moving,
    /// Its rows are being brought in.
    Importing,
}

impl HoldReason {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moving => "moving",
            Self::Importing => "importing",
        }
    }

    /// Reads the stored word.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Moving, Self::Importing].into_iter().find(|reason| reason.as_str() == text)
    }
}

/// A short refusal of everything, so that nothing is written while rows change their place. It ends by itself: who holds a
/// project and dies holds it no longer than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// Whose: a hold is only lifted or used by who knows its id.
    pub id: Uuid,
    /// Until when.
    pub until: Timestamp,
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
    /// Where its rows are.
    pub placement: Placement,
    /// The address of a PostgreSQL database of its own, once it was opened.
    pub database_url: Option<Secret<String>>,
    /// What the operator grants it.
    pub quotas: Quotas,
    /// While nothing is served for a moment.
    pub hold: Option<Hold>,
    /// When the data of a deleted project is removed for good.
    pub purge_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Project {
    /// Whether nothing may be written at `now` because rows change their place.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.hold.is_some_and(|hold| now < hold.until)
    }
}
