//! What this process notes beside its requests: how many accounts a project has, when API keys were used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::ProjectId;
use domain::time::Timestamp;

use crate::context::Context;
use crate::error::Result;

/// How long a count of accounts is believed, in seconds. What other gateways make meanwhile is not in it.
const BELIEVED: i64 = 5;

/// Counts of accounts that are remembered.
const MOST_COUNTS: usize = 4096;

/// Uses of keys that are remembered until they are written down.
const MOST_KEYS: usize = 65_536;

/// A number of accounts, counted then and raised with every account that was made here since.
struct Counted {
    at: Timestamp,
    accounts: u32,
}

/// The notes of one process.
#[derive(Default)]
pub struct Books {
    accounts: Mutex<HashMap<ProjectId, Arc<tokio::sync::Mutex<Option<Counted>>>>>,
    keys: Mutex<HashMap<String, Timestamp>>,
}

impl Books {
    /// A new-style API key, known by its hash, was used then.
    pub fn key_used(&self, hash: &str, at: Timestamp) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = keys.get_mut(hash) {
            *last = at.max(*last);
        } else if keys.len() < MOST_KEYS {
            keys.insert(hash.to_owned(), at);
        }
    }

    /// Keys with their last uses since the last call.
    pub fn take_used_keys(&self) -> Vec<(String, Timestamp)> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *keys).into_iter().collect()
    }

    /// Whether there is room for one more account within `quota`; if so, it is taken.
    pub(crate) async fn take_account(&self, ctx: &Context, quota: u32) -> Result<bool> {
        self.look(ctx, quota, true).await
    }

    /// Whether there is room for one more account within `quota`.
    pub(crate) async fn has_room(&self, ctx: &Context, quota: u32) -> Result<bool> {
        self.look(ctx, quota, false).await
    }

    async fn look(&self, ctx: &Context, quota: u32, take: bool) -> Result<bool> {
        let count = self.count_of(ctx.tenant.project.id);
        // One at a time counts; who comes meanwhile has the same count.
        let mut counted = count.lock().await;
        let known = counted.as_ref().filter(|counted| ctx.now.since(counted.at).num_seconds().abs() < BELIEVED);
        let (at, accounts) = match known {
            Some(counted) => (counted.at, counted.accounts),
            None => (ctx.now, ctx.store().count_users(quota).await?),
        };
        let room = accounts < quota;
        *counted = Some(Counted { at, accounts: accounts + u32::from(room && take) });
        Ok(room)
    }

    fn count_of(&self, project: ProjectId) -> Arc<tokio::sync::Mutex<Option<Counted>>> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= MOST_COUNTS && !accounts.contains_key(&project) {
            accounts.clear();
        }
        Arc::clone(accounts.entry(project).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_key_the_last_use_is_taken_once() {
        let books = Books::default();
        books.key_used("a", Timestamp::from_unix(1));
        books.key_used("b", Timestamp::from_unix(2));
        books.key_used("a", Timestamp::from_unix(3));
        books.key_used("b", Timestamp::from_unix(1));
        let mut used = books.take_used_keys();
        used.sort_unstable();
        assert_eq!(used, [("a".to_owned(), Timestamp::from_unix(3)), ("b".to_owned(), Timestamp::from_unix(2))]);
        assert!(books.take_used_keys().is_empty());
    }
}
