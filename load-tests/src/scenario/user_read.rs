//! Signed-in users read themselves: the request that every server-rendered page makes.

use crate::client::Client;
use crate::scenario::{Act, Outcome};

/// One client of the scenario.
pub(crate) struct Script(Client);

impl Script {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }
}

impl Act for Script {
    async fn act(&mut self) -> Outcome {
        Outcome { operation: "user-read", result: self.0.read_user().await }
    }
}
