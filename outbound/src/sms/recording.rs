//! A transport for tests: it keeps what it is given.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::config::SmsProvider;
use domain::secret::Secret;
use domain::sms::Sms;

use super::{SmsError, SmsTransport};

/// Keeps every message instead of sending it, and fails when told to. No code is right until a test says which.
#[derive(Default)]
pub struct RecordingSms {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sent: Vec<(SmsProvider, Sms)>,
    checked: Vec<(String, String)>,
    failures: VecDeque<SmsError>,
    right: Option<String>,
}

impl RecordingSms {
    /// A transport that has sent nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The messages sent so far, oldest first.
    pub fn sent(&self) -> Vec<Sms> {
        self.state().sent.iter().map(|(_, message)| message.clone()).collect()
    }

    /// The messages sent so far with the provider each went to, forgotten afterwards.
    pub fn take(&self) -> Vec<(SmsProvider, Sms)> {
        std::mem::take(&mut self.state().sent)
    }

    /// The checks asked for so far: phone and code.
    pub fn checked(&self) -> Vec<(String, String)> {
        self.state().checked.clone()
    }

    /// Makes the next unplanned call fail with this text; several calls plan several failures in order.
    pub fn fail_next(&self, text: impl Into<String>) {
        self.state().failures.push_back(SmsError::new(text));
    }

    /// The one code that checks find right from now on.
    pub fn approve(&self, code: impl Into<String>) {
        self.state().right = Some(code.into());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SmsTransport for RecordingSms {
    async fn send(&self, provider: &SmsProvider, message: &Sms) -> Result<(), SmsError> {
        let mut state = self.state();
        if let Some(failure) = state.failures.pop_front() {
            return Err(failure);
        }
        state.sent.push((provider.clone(), message.clone()));
        Ok(())
    }

    async fn check(&self, _: &SmsProvider, phone: &str, code: &Secret<String>) -> Result<bool, SmsError> {
        let mut state = self.state();
        if let Some(failure) = state.failures.pop_front() {
            return Err(failure);
        }
        state.checked.push((phone.to_owned(), code.expose().clone()));
        Ok(state.right.as_ref() == Some(code.expose()))
    }
}
