//! What a client reports while it goes through its journey.

use std::sync::Arc;

use tokio::time::Instant;

use crate::client::Failure;
use crate::recorder::Recorder;

/// Times the requests of one client's journeys.
pub(crate) struct Steps {
    recorder: Arc<Recorder>,
    measured_from: Instant,
    end: Instant,
    /// From when on the next step counts, where that is not when it is sent: the intended start of the journey.
    origin: Option<Instant>,
}

impl Steps {
    pub(crate) fn new(recorder: Arc<Recorder>, measured_from: Instant, end: Instant) -> Self {
        Self { recorder, measured_from, end, origin: None }
    }

    /// The next step is the first of a journey that should have begun at `origin`.
    pub(crate) fn begin(&mut self, origin: Instant) {
        self.origin = Some(origin);
    }

    /// For requests that are sent together: steps of their own, the first of which counts from where the next of these
    /// would.
    pub(crate) fn beside(&self) -> Self {
        let recorder = Arc::clone(&self.recorder);
        Self { recorder, measured_from: self.measured_from, end: self.end, origin: self.origin }
    }

    /// Waits for a request and its answer, and counts it under `operation`. What began in the warm-up is not counted.
    pub(crate) async fn step<T>(
        &mut self,
        operation: &'static str,
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let origin = self.origin.take().unwrap_or_else(Instant::now);
        let result = request.await;
        self.count(operation, origin, result.as_ref().map(|_| ()).map_err(Clone::clone));
        result
    }

    /// As [`Self::step`], for a request that has to be refused with one of these failures; another answer is a failure.
    pub(crate) async fn refused<T>(
        &mut self,
        operation: &'static str,
        with: &[&str],
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Result<(), Failure> {
        let outcome = async {
            match request.await {
                Err(Failure(reason)) if with.contains(&reason.as_str()) => Ok(()),
                Err(other) => Err(other),
                Ok(_) => Err(Failure("was not refused".to_owned())),
            }
        };
        self.step(operation, outcome).await
    }

    /// The share of the measured time that has passed: below 0 in the warm-up, 1 at the end.
    pub(crate) fn progress(&self) -> f64 {
        let span = (self.end - self.measured_from).as_secs_f64();
        let now = Instant::now();
        if now < self.measured_from { -1.0 } else { (now - self.measured_from).as_secs_f64() / span }
    }

    fn count(&self, operation: &'static str, origin: Instant, result: Result<(), Failure>) {
        if origin >= self.measured_from {
            self.recorder.record(operation, origin, Instant::now(), result);
        }
    }
}
