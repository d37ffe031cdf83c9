//! Settings of the gateway itself, by name: the hash of the operator token.

use domain::time::Timestamp;

use super::ControlStore;
use crate::error::{Result, StoreError};
use crate::sql::same;
use crate::values::At;

statements! {
    control GET = same("select s.value from control.settings as s where s.name = $1");
    control PUT = same(
        "insert into control.settings (name, value, updated_at) values ($1, $2, $3)
         on conflict (name) do update set value = excluded.value, updated_at = excluded.updated_at"
    );
    control PUT_IF_ABSENT = same(
        "insert into control.settings (name, value, updated_at) values ($1, $2, $3) on conflict (name) do nothing"
    );
    control REPLACE = same("update control.settings as s set value = $3, updated_at = $4 where s.name = $1 and s.value = $2");
}

/// Works on settings.
pub struct Settings<'s> {
    pub(super) store: &'s ControlStore,
}

impl Settings<'_> {
    /// The value of a setting.
    pub async fn get(&self, name: &str) -> Result<Option<String>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, (String,), GET, name)?;
        Ok(row.map(|(value,)| value))
    }

    /// Sets a value in place of the older one.
    pub async fn put(&self, name: &str, value: &str, now: Timestamp) -> Result<()> {
        execute_now!(&self.store.backend, PUT, name, value, At(now))?;
        Ok(())
    }

    /// Sets a value where there is none and answers what stands there now: two gateways that start at once agree.
    pub async fn put_if_absent(&self, name: &str, value: &str, now: Timestamp) -> Result<String> {
        execute_now!(&self.store.backend, PUT_IF_ABSENT, name, value, At(now))?;
        self.get(name).await?.ok_or_else(|| StoreError::fault("a setting just made is not there"))
    }

    /// Sets a value in the place of `old` and answers what stands there now: of several who replace it at once one wins.
    pub async fn replace(&self, name: &str, old: &str, new: &str, now: Timestamp) -> Result<String> {
        execute_now!(&self.store.backend, REPLACE, name, old, new, At(now))?;
        self.get(name).await?.ok_or_else(|| StoreError::fault("a setting that was replaced is not there"))
    }
}
