//! How many accounts a project has, as far as somebody needs to know.

use crate::database::TenantStore;
use crate::error::Result;
use crate::sql::same;

statements! {
    project COUNT = same("select count(*) from (select 1 from auth.users as x where x.instance_id = $1 limit $2) as counted");
}

impl TenantStore {
    /// The number of the project's accounts, at most `most`: beyond that nobody counts.
    pub async fn count_users(&self, most: u32) -> Result<u32> {
        let (count,) = fetch_now!(self.backend(), fetch_one, (i64,), COUNT, self.instance.0, i64::from(most))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}
