//! The bus over Redis: a channel that every gateway hears, and what happens to events while it is away.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use fred::clients::Client;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Message;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::link::{Link, answer, ping, unavailable};
use super::{CONNECT_TIMEOUT, HEARTBEAT, Task, Tasks};
use crate::Unavailable;
use crate::bus::{BACKLOG, Bus, Event, Events, Invalidation};

/// Publications kept for the time when the server is back; beyond it they become one [`Event::Resync`].
const MOST_UNSENT: usize = 256;

pub(super) struct RedisBus {
    listener: Arc<Listener>,
    _tasks: Tasks,
}

impl RedisBus {
    pub(super) fn new(listener: Arc<Listener>, tasks: Tasks) -> Self {
        Self { listener, _tasks: tasks }
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, invalidation: &Invalidation) -> Result<(), Unavailable> {
        let event = Event::Invalidation(invalidation.clone());
        let hearing = self.listener.is_hearing();
        let published = self.listener.publish(&event).await;
        if !hearing || published.is_err() {
            self.listener.tell(event.clone());
        }
        if published.is_err() {
            self.listener.unsent().push(event);
        }
        published
    }

    fn subscribe(&self) -> Events {
        Events::new(self.listener.events.subscribe())
    }

    fn healthy(&self) -> bool {
        self.listener.is_hearing() && self.listener.link.is_up()
    }
}

/// Hears the channel and repeats it to the subscribers of this process.
pub(super) struct Listener {
    client: Client,
    channel: String,
    link: Arc<Link>,
    events: broadcast::Sender<Event>,
    hearing: watch::Sender<bool>,
    unsent: Mutex<Unsent>,
}

impl Listener {
    pub(super) fn new(client: Client, channel: String, link: Arc<Link>) -> Self {
        Self {
            client,
            channel,
            link,
            events: broadcast::Sender::new(BACKLOG),
            hearing: watch::Sender::new(false),
            unsent: Mutex::default(),
        }
    }

    pub(super) async fn until_hearing(&self) {
        // The sender is ours and alive, so waiting cannot fail.
        let _ = self.hearing.subscribe().wait_for(|hearing| *hearing).await;
    }

    fn is_hearing(&self) -> bool {
        *self.hearing.borrow() && self.client.is_connected()
    }

    fn tell(&self, event: Event) {
        // An error here only says that nobody has subscribed.
        let _ = self.events.send(event);
    }

    fn unsent(&self) -> std::sync::MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn publish(&self, event: &Event) -> Result<(), Unavailable> {
        let text = serde_json::to_string(event).map_err(|error| Unavailable::new(error.to_string()))?;
        let command = self.link.client().publish(self.channel.as_str(), text);
        self.link.call(command).await.map_err(unavailable)
    }

    /// Keeps the subscription alive. Events are handled in the order in which they come about: a connection is lost,
    /// then it is back, then there are messages.
    pub(super) async fn listen(self: Arc<Self>) {
        let mut errors = self.client.error_rx();
        let mut connections = self.client.reconnect_rx();
        let mut messages = self.client.message_rx();
        let mut connection = Task(self.client.connect());
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Ok(_) = errors.recv() => {
                    self.hearing.send_replace(false);
                }
                Ok(_) = connections.recv() => self.resume().await,
                Some(event) = next_event(&mut messages) => self.tell(event),
                _ = heartbeat.tick() => {
                    if connection.is_finished() {
                        connection = Task(self.client.connect());
                    }
                    self.check().await;
                }
            }
        }
    }

    /// Subscribes on a new connection. What was published in between is lost, so everything must be read again.
    async fn resume(&self) {
        let subscribed = answer(CONNECT_TIMEOUT, self.client.subscribe(self.channel.as_str())).await;
        self.hearing.send_replace(subscribed.is_ok());
        match subscribed {
            Ok(()) => self.tell(Event::Resync),
            Err(error) => tracing::warn!(reason = error.details(), "invalidations of other gateways are not heard"),
        }
        self.send_unsent().await;
    }

    async fn check(&self) {
        if self.client.is_connected() {
            if !*self.hearing.borrow() {
                self.resume().await;
            } else if !ping(&self.client, CONNECT_TIMEOUT).await {
                self.hearing.send_replace(false);
            }
        }
        self.send_unsent().await;
    }

    async fn send_unsent(&self) {
        while self.link.is_up() {
            let next = self.unsent().0.pop_front();
            let Some(event) = next else {
                return;
            };
            if self.publish(&event).await.is_err() {
                self.unsent().push(event);
                return;
            }
        }
    }
}

async fn next_event(messages: &mut broadcast::Receiver<Message>) -> Option<Event> {
    match messages.recv().await {
        // What a newer gateway says and this one does not understand is taken as: read everything again.
        Ok(message) => {
            let text = message.value.as_string().unwrap_or_default();
            Some(serde_json::from_str(&text).unwrap_or(Event::Resync))
        }
        Err(RecvError::Lagged(_)) => Some(Event::Resync),
        Err(RecvError::Closed) => None,
    }
}

/// Events that could not be published, oldest first.
#[derive(Default)]
struct Unsent(VecDeque<Event>);

impl Unsent {
    fn push(&mut self, event: Event) {
        if self.0.len() >= MOST_UNSENT {
            self.0.clear();
            self.0.push_back(Event::Resync);
        }
        self.0.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::ProjectId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn unsent_events_are_bounded_and_become_one_resync() {
        let mut unsent = Unsent::default();
        let event = |number| Event::Invalidation(Invalidation::Config(ProjectId(Uuid::from_u128(number))));
        for number in 0..=(MOST_UNSENT as u128) {
            unsent.push(event(number));
        }
        assert_eq!(unsent.0, [Event::Resync, event(MOST_UNSENT as u128)]);
    }

    #[tokio::test]
    async fn a_message_that_is_not_understood_means_read_everything_again() {
        let (sender, mut receiver) = broadcast::channel(2);
        let message = |text: &str| Message {
            channel: "c".into(),
            value: text.into(),
            kind: fred::types::MessageKind::Message,
            server: fred::types::config::Server::new("localhost", 6379),
        };
        sender.send(message(r#"{"from_the_future":1}"#)).unwrap();
        sender.send(message(r#"{"invalidation":{"config":"00000000-0000-0000-0000-000000000007"}}"#)).unwrap();
        assert_eq!(next_event(&mut receiver).await, Some(Event::Resync));
        let config = Invalidation::Config(ProjectId(Uuid::from_u128(7)));
        assert_eq!(next_event(&mut receiver).await, Some(Event::Invalidation(config)));
    }
}
