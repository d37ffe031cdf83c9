//! A transport for tests: it keeps what it is given.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::mail::Message;
use crate::transport::{MailTransport, SendError, SmtpServer};

/// Keeps every message instead of sending it, and fails when told to.
#[derive(Default)]
pub struct RecordingTransport {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sent: Vec<(SmtpServer, Message)>,
    failures: VecDeque<bool>,
}

impl RecordingTransport {
    /// A transport that has sent nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The messages sent so far, oldest first.
    pub fn sent(&self) -> Vec<Message> {
        self.state().sent.iter().map(|(_, message)| message.clone()).collect()
    }

    /// The messages sent so far with the server each went to, forgotten afterwards.
    pub fn take(&self) -> Vec<(SmtpServer, Message)> {
        std::mem::take(&mut self.state().sent)
    }

    /// Makes the next unplanned send fail; several calls plan several failures in order.
    pub fn fail_next(&self, permanent: bool) {
        self.state().failures.push_back(permanent);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MailTransport for RecordingTransport {
    async fn send(&self, server: &SmtpServer, message: &Message) -> Result<(), SendError> {
        let mut state = self.state();
        if let Some(permanent) = state.failures.pop_front() {
            return Err(SendError { permanent, source: "planned failure".into() });
        }
        state.sent.push((server.clone(), message.clone()));
        Ok(())
    }
}
