//! The notice that somebody signed in from a device that he was not known to have: by browser, system and kind. What he is known to
//! have outlives his sessions. Costs nothing where the project does not want it.

use std::collections::BTreeSet;

use domain::device;
use domain::user::User;
use storage::{NewSession, Tx};

use crate::context::Context;
use crate::error::Result;
use crate::hooks::NewDevice;
use crate::notices::Notice;

/// The switch, as notices are named.
const NOTICE: &str = "new_device";

/// Other sessions whose devices are looked at.
const MOST: u32 = 1000;

/// Whether the project wants such notices.
pub(crate) fn is_wanted(ctx: &Context) -> bool {
    ctx.policy().notices.contains(NOTICE)
}

/// The notice about `session`, which was just written in `tx`; none for the first session of an account. `before` is the user as
/// he was before he signed in. From here on the device is known.
pub(crate) async fn notice(ctx: &Context, tx: &mut Tx, before: &User, session: &NewSession) -> Result<Option<Notice>> {
    if !is_wanted(ctx) {
        return Ok(None);
    }
    let (user, agent) = (session.user_id, session.user_agent.as_deref());
    let device = device::key(agent);
    if tx.known_devices().touch(user, &device, ctx.now).await? {
        return Ok(None);
    }
    // Sessions from before the project wanted to know, or of a client that changed between two refreshes.
    let others = tx.sessions().user_agents(user, session.id, MOST).await?;
    let others: BTreeSet<String> = others.iter().map(|agent| device::key(agent.as_deref())).collect();
    let is_on_record = others.contains(&device);
    let mut seen = others;
    seen.insert(device.clone());
    let seen: Vec<String> = seen.into_iter().collect();
    // Of two sign-ins at once one finds it new.
    let is_new = tx.known_devices().insert(user, &seen, ctx.now).await?.contains(&device);
    if !is_new || is_on_record || before.last_sign_in_at.is_none() {
        return Ok(None);
    }
    Ok(Some(Notice::NewDevice(NewDevice {
        name: device::name(agent),
        ip: session.ip.clone().unwrap_or_default(),
        time: ctx.now.utc().format("%Y-%m-%d %H:%M UTC").to_string(),
    })))
}
