//! Numbers that are kept as things come and go: to count them would take longer the more there are.

use crate::backend::{Backend, Work};
use crate::error::Result;
use crate::sql::same;

statements! {
    control ADD = same("update control.totals as t set value = t.value + $2 where t.name = $1");
    control READ = same("select t.value from control.totals as t where t.name = $1");
}

/// Projects that are not deleted.
pub(super) const PROJECTS: &str = "projects";

pub(super) async fn add(work: &mut Work, name: &str, more: i64) -> Result<()> {
    execute!(work, ADD, name, more)?;
    Ok(())
}

pub(super) async fn read(backend: &Backend, name: &str) -> Result<u64> {
    Ok(fetch_now!(backend, fetch_one, (i64,), READ, name)?.0.unsigned_abs())
}
