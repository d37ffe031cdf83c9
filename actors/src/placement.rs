//! Which database a project lives in.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use domain::secret::Secret;
use flows::Tenant;

/// A database, told apart without keeping its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The gateway's.
    Gateway,
    /// A project's own.
    Own(u64),
}

impl Place {
    /// Where the rows of `tenant` are.
    pub(crate) fn of(tenant: &Tenant) -> Self {
        Self::at(tenant.project.database_url.as_ref())
    }

    /// The database at `url`, `None` = the gateway's.
    pub(crate) fn at(url: Option<&Secret<String>>) -> Self {
        match url {
            None => Self::Gateway,
            Some(url) => {
                let mut hasher = DefaultHasher::new();
                url.expose().hash(&mut hasher);
                Self::Own(hasher.finish())
            }
        }
    }
}

/// Whole seconds of a duration.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
