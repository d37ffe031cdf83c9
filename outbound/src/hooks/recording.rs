//! Hooks for tests: they keep what they are told, and answer what a test wants.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::hook::HttpHook;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{HookError, HookTransport};

type Answer = Arc<dyn Fn(&Value) -> Result<Value, HookError> + Send + Sync>;

/// Keeps every payload instead of sending it. A URI without a planned answer says nothing ([`Value::Null`]).
#[derive(Default)]
pub struct RecordingHooks {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<(String, Value)>,
    next: HashMap<String, VecDeque<Result<Value, HookError>>>,
    always: HashMap<String, Answer>,
    held: HashMap<String, Arc<Semaphore>>,
}

impl RecordingHooks {
    /// Hooks that were never called.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plans the next unplanned answer of `uri`; several calls plan several answers in order.
    pub fn reply_next(&self, uri: &str, answer: Result<Value, HookError>) {
        self.state().next.entry(uri.to_owned()).or_default().push_back(answer);
    }

    /// What `uri` answers whenever nothing is planned.
    pub fn reply(&self, uri: &str, answer: Result<Value, HookError>) {
        self.reply_with(uri, move |_| answer.clone());
    }

    /// Answers of `uri` that depend on the payload, whenever nothing is planned.
    pub fn reply_with(&self, uri: &str, answer: impl Fn(&Value) -> Result<Value, HookError> + Send + Sync + 'static) {
        self.state().always.insert(uri.to_owned(), Arc::new(answer));
    }

    /// Lets calls of `uri` wait, after they are recorded, until [`Self::release`].
    pub fn hold(&self, uri: &str) {
        self.state().held.entry(uri.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0)));
    }

    /// Lets every call of `uri` go on.
    pub fn release(&self, uri: &str) {
        if let Some(gate) = self.state().held.remove(uri) {
            gate.close();
        }
    }

    /// All calls so far, oldest first: URI and payload.
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.state().calls.clone()
    }

    /// The payloads that `uri` got, oldest first, forgotten afterwards.
    pub fn take(&self, uri: &str) -> Vec<Value> {
        let calls = &mut self.state().calls;
        let taken = calls.extract_if(.., |(called, _)| called == uri).map(|(_, payload)| payload);
        taken.collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HookTransport for RecordingHooks {
    async fn call(&self, hook: &HttpHook, payload: &Value) -> Result<Value, HookError> {
        let gate = {
            let mut state = self.state();
            state.calls.push((hook.uri.clone(), payload.clone()));
            state.held.get(&hook.uri).cloned()
        };
        if let Some(gate) = gate {
            // It never has a permit: this ends with an error, when the gate is closed.
            drop(gate.acquire().await);
        }
        let answer = {
            let mut state = self.state();
            match state.next.get_mut(&hook.uri).and_then(VecDeque::pop_front) {
                Some(planned) => return planned,
                None => state.always.get(&hook.uri).cloned(),
            }
        };
        answer.map_or(Ok(Value::Null), |answer| answer(payload))
    }
}
