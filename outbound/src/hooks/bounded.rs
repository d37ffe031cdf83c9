//! Hooks that hang keep their callers waiting, and nobody else's.

use std::sync::Arc;

use async_trait::async_trait;
use domain::hook::HttpHook;
use serde_json::Value;

use super::{HookError, HookTransport};
use crate::in_flight::InFlight;

/// Refuses a call at once while as many calls to the same URI as allowed have no answer yet: what waits for a hook holds a
/// place among the requests of the whole process.
pub struct BoundedHooks {
    hooks: Arc<dyn HookTransport>,
    in_flight: InFlight<String>,
}

impl BoundedHooks {
    /// Calls by way of `hooks`, at most `most` at a time to one URI.
    pub fn new(hooks: Arc<dyn HookTransport>, most: usize) -> Self {
        Self { hooks, in_flight: InFlight::new(most) }
    }
}

#[async_trait]
impl HookTransport for BoundedHooks {
    async fn call(&self, hook: &HttpHook, payload: &Value) -> Result<Value, HookError> {
        let _place = self.in_flight.enter(hook.uri.clone()).ok_or(HookError::Unavailable)?;
        self.hooks.call(hook, payload).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::RecordingHooks;

    const SLOW: &str = "https://slow.example/";

    async fn call(hooks: Arc<BoundedHooks>, uri: &str) -> Result<Value, HookError> {
        hooks.call(&HttpHook { uri: uri.to_owned(), secrets: Vec::new() }, &Value::Null).await
    }

    #[tokio::test]
    async fn a_hook_that_hangs_does_not_fill_the_process() {
        let recording = Arc::new(RecordingHooks::new());
        recording.hold(SLOW);
        let hooks = Arc::new(BoundedHooks::new(recording.clone(), 2));
        let waiting: Vec<_> = (0..2).map(|_| tokio::spawn(call(Arc::clone(&hooks), SLOW))).collect();
        while recording.calls().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(call(Arc::clone(&hooks), SLOW).await, Err(HookError::Unavailable));
        assert_eq!(call(Arc::clone(&hooks), "https://other.example/").await, Ok(Value::Null));

        // Who gives up frees the place of his call.
        for task in waiting {
            task.abort();
            assert!(task.await.is_err());
        }
        recording.release(SLOW);
        assert_eq!(call(hooks, SLOW).await, Ok(Value::Null));
    }
}
