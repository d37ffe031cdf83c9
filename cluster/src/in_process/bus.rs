//! The bus of a gateway that is alone.

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::Unavailable;
use crate::bus::{BACKLOG, Bus, Event, Events, Invalidation};

pub(crate) struct LocalBus(broadcast::Sender<Event>);

impl Default for LocalBus {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, invalidation: &Invalidation) -> Result<(), Unavailable> {
        // An error here only says that nobody has subscribed.
        let _ = self.0.send(Event::Invalidation(invalidation.clone()));
        Ok(())
    }

    fn subscribe(&self) -> Events {
        Events::new(self.0.subscribe())
    }

    fn healthy(&self) -> bool {
        true
    }
}
