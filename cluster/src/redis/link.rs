//! The connection for commands: bounded calls that fail at once while the server is away.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface, FredResult};
use fred::types::config::Server;
use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio::time::{sleep, timeout};

use super::{HEARTBEAT, RETRY, Task};
use crate::Unavailable;

/// Calls under way at once; more are refused.
const MOST_CALLS: usize = 2048;

pub(super) struct Link {
    client: Client,
    call_timeout: Duration,
    calls: Semaphore,
    /// Whether calls are let through. Closed by the first call that meets a dead connection, opened by an answered ping.
    up: watch::Sender<bool>,
    suspect: Notify,
}

impl Link {
    pub(super) fn new(client: Client, call_timeout: Duration) -> Self {
        Self {
            client,
            call_timeout,
            calls: Semaphore::new(MOST_CALLS),
            up: watch::Sender::new(false),
            suspect: Notify::new(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn is_up(&self) -> bool {
        *self.up.borrow() && self.client.is_connected()
    }

    pub(super) async fn until_up(&self) {
        // The sender is ours and alive, so waiting cannot fail.
        let _ = self.up.subscribe().wait_for(|up| *up).await;
    }

    pub(super) fn refusals(&self) -> Refusals {
        Refusals(self.client.error_rx())
    }

    /// Awaits the answer to a command, unless the server is away or too many calls are under way.
    pub(super) async fn call<T>(&self, command: impl Future<Output = FredResult<T>>) -> FredResult<T> {
        if !self.is_up() {
            return Err(Error::new(ErrorKind::IO, "not connected"));
        }
        let Ok(_permit) = self.calls.try_acquire() else {
            return Err(Error::new(ErrorKind::Backpressure, "too many calls at once"));
        };
        let result = answer(self.call_timeout, command).await;
        if let Err(error) = &result
            && is_connection_fault(error)
        {
            self.report(false, error.details());
            self.suspect.notify_one();
        }
        result
    }

    /// Keeps the connection alive and decides whether calls are let through.
    pub(super) async fn keep_up(self: Arc<Self>) {
        let mut errors = self.client.error_rx();
        let mut connection = Task(self.client.connect());
        loop {
            if connection.is_finished() {
                connection = Task(self.client.connect());
            }
            let alive = self.client.is_connected() && ping(&self.client, self.call_timeout).await;
            self.report(alive, "no answer to a ping");
            let pause = if alive { HEARTBEAT } else { RETRY };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.suspect.notified() => {}
                Ok((error, _)) = errors.recv() => self.report(false, error.details()),
            }
        }
    }

    fn report(&self, up: bool, reason: &str) {
        let changed = self.up.send_if_modified(|known| std::mem::replace(known, up) != up);
        match (changed, up) {
            (true, true) => tracing::info!("redis is reachable"),
            (true, false) => tracing::warn!(reason, "redis is lost"),
            (false, _) => {}
        }
    }
}

/// Listens for the server's refusal of our credentials.
pub(super) struct Refusals(broadcast::Receiver<(Error, Option<Server>)>);

impl Refusals {
    /// Waits, for ever if need be, for a refusal.
    pub(super) async fn next(&mut self) -> String {
        loop {
            match self.0.recv().await {
                Ok((error, _)) if *error.kind() == ErrorKind::Auth => return error.details().to_owned(),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

pub(super) async fn ping(client: &Client, limit: Duration) -> bool {
    answer(limit, client.ping::<()>(None)).await.is_ok()
}

pub(super) async fn answer<T>(limit: Duration, command: impl Future<Output = FredResult<T>>) -> FredResult<T> {
    match timeout(limit, command).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(ErrorKind::Timeout, "no answer in time")),
    }
}

pub(super) fn unavailable(error: Error) -> Unavailable {
    Unavailable::new(error.details())
}

fn is_connection_fault(error: &Error) -> bool {
    use ErrorKind::{Auth, Canceled, IO, Protocol, Routing, Timeout, Tls};
    matches!(error.kind(), Auth | Canceled | IO | Protocol | Routing | Timeout | Tls)
}
