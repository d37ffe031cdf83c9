//! Rows of `auth.known_devices`: what a user has signed in with, which outlives his sessions.

use domain::ids::UserId;
use domain::time::Timestamp;
use sqlx::types::Json;

use crate::database::Tx;
use crate::error::Result;
use crate::sql::{each, same};
use crate::values::At;

statements! {
    project TOUCH = same(
        "update auth.known_devices as k set last_seen_at = $4
         where k.instance_id = $1 and k.user_id = $2 and k.device = $3"
    );
    project INSERT = each(
        "insert into auth.known_devices (instance_id, user_id, device, first_seen_at, last_seen_at)
         select $1, $2, n.device, $3, $3 from jsonb_array_elements_text($4) as n(device) order by n.device
         on conflict do nothing
         returning device",
        "insert into auth.known_devices (instance_id, user_id, device, first_seen_at, last_seen_at)
         select $1, $2, n.value, $3, $3 from json_each($4) as n where true
         on conflict do nothing
         returning device",
    );
}

/// Works on known devices.
pub struct KnownDevices<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl KnownDevices<'_> {
    /// Marks a device as seen. False when the user is not known to have it.
    pub async fn touch(&mut self, user: UserId, device: &str, now: Timestamp) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, TOUCH, self.tx.instance.0, user.0, device, At(now))? == 1)
    }

    /// Stores devices, each of which may be known already, and answers which were not. Of two transactions that store the same
    /// one, the later waits for the end of the earlier.
    pub async fn insert(&mut self, user: UserId, devices: &[String], now: Timestamp) -> Result<Vec<String>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let added = fetch!(work, fetch_all, (String,), INSERT, instance, user.0, At(now), Json(devices))?;
        Ok(added.into_iter().map(|(device,)| device).collect())
    }
}
