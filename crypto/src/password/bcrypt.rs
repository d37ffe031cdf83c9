//! bcrypt hashes, as Supabase and most other servers write them.

use std::str::FromStr;

use bcrypt::HashParts;

use super::{HashError, bounded};
use crate::digest::constant_time_eq;

/// bcrypt reads no more of a password.
const LONGEST: usize = 72;

/// One hash of cost 18 already takes as long as the most expensive argon2 hash that is read; cost 31 takes days.
const HIGHEST_COST: u32 = 18;

const UNREADABLE: HashError = HashError("is no bcrypt hash this server reads");

/// A stored `$2a$`, `$2b$` or `$2y$` hash, which differ in nothing that matters for valid UTF-8.
pub(super) struct Parsed {
    cost: u32,
    parts: HashParts,
}

impl Parsed {
    pub(super) fn read(stored: &str) -> Result<Self, HashError> {
        let known = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| stored.starts_with(prefix));
        let cost = stored.get(4..6).and_then(|cost| bounded(cost, 4..=HIGHEST_COST)).filter(|_| known);
        let parts = HashParts::from_str(stored).map_err(|_| UNREADABLE)?;
        Ok(Self { cost: cost.ok_or(UNREADABLE)?, parts })
    }

    pub(super) fn matches(&self, password: &str) -> Result<bool, HashError> {
        let computed = bcrypt::hash_with_salt(password, self.cost, self.parts.get_salt_raw())
            .map_err(|_| HashError("could not be computed"))?;
        let same = constant_time_eq(computed.to_string().as_bytes(), self.parts.to_string().as_bytes());
        Ok(same && password.len() <= LONGEST)
    }
}
