//! Lets a cast act for a while, in a closed or an open loop, and records what came of it.
//!
//! In an open loop the n-th journey has an intended start, whatever the server does. A client that is free takes the
//! next one and sleeps until its start; where all clients are busy the next free one takes it late, and its latency
//! counts from the intended start. So a stall shows in every journey that it held up (no coordinated omission), and
//! there are never more journeys under way than clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::recorder::Recorder;
use crate::scenario::{Act, Cast, Group, Pace};
use crate::steps::Steps;
use crate::stop::Stop;

/// For how long, and how much at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    pub(crate) max_requests: u64,
}

/// What the open loops came to, beside what the recorder has.
pub(crate) struct Measured {
    /// From the end of the warm-up to the last answer.
    pub(crate) elapsed: Duration,
    /// Journeys that should have begun but found no free client before the end.
    pub(crate) missed: u64,
}

/// A timer wakes up to a millisecond late, and a little more on a busy machine. That is not the server's latency.
const TIMER_SLACK: Duration = Duration::from_millis(2);

/// The times of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) start: Instant,
    pub(crate) measured_from: Instant,
    pub(crate) end: Instant,
}

impl Clock {
    /// A run that begins now.
    pub(crate) fn start(limits: Limits) -> Self {
        let start = Instant::now();
        let measured_from = start + limits.warm_up;
        Self { start, measured_from, end: measured_from + limits.duration }
    }
}

/// From when on a latency counts, for a client that took an arrival `intended` at `taken` and woke up at `woken`.
fn counts_from(intended: Instant, taken: Instant, woken: Instant) -> Instant {
    let slept = taken < intended;
    if slept && woken.saturating_duration_since(intended) <= TIMER_SLACK { woken } else { intended }
}

/// What the clients of one group share.
struct Run {
    pace: Pace,
    begins: Instant,
    next: AtomicU64,
    /// Journeys of the measured time that began.
    begun: AtomicU64,
    clock: Clock,
    max_requests: u64,
    recorder: Arc<Recorder>,
    stop: Stop,
}

/// Lets every group act by `clock` and records the time after the warm-up.
pub(crate) async fn measure(
    cast: Cast,
    clock: Clock,
    max_requests: u64,
    recorder: &Arc<Recorder>,
    stop: &Stop,
) -> anyhow::Result<Measured> {
    let mut tasks = JoinSet::new();
    let mut runs = Vec::new();
    for Group { pace, begins, acts, .. } in cast.groups {
        let span = (clock.end - clock.measured_from).mul_f64(begins.clamp(0.0, 1.0));
        let run = Arc::new(Run {
            pace,
            begins: if begins > 0.0 { clock.measured_from + span } else { clock.start },
            next: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            clock,
            max_requests,
            recorder: Arc::clone(recorder),
            stop: stop.clone(),
        });
        for act in acts {
            tasks.spawn(act_until_the_end(act, Arc::clone(&run)));
        }
        runs.push(run);
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    anyhow::ensure!(Instant::now() >= clock.measured_from, "interrupted before the measurement began");
    let elapsed = clock.measured_from.elapsed();
    let ended = clock.end.min(clock.measured_from + elapsed);
    Ok(Measured { elapsed, missed: runs.iter().map(|run| run.missed(ended)).sum() })
}

async fn act_until_the_end(mut act: Box<dyn Act>, run: Arc<Run>) {
    let mut steps = Steps::new(Arc::clone(&run.recorder), run.clock.measured_from, run.clock.end);
    while let Some(origin) = run.next_start().await {
        if origin >= run.clock.measured_from {
            run.begun.fetch_add(1, Ordering::Relaxed);
        }
        steps.begin(origin);
        // Its steps are counted; what ended this journey may not end the next.
        let _ = act.act(&mut steps).await;
    }
}

impl Run {
    /// Waits until a client may begin its next journey: the instant from which its first latency counts.
    async fn next_start(&self) -> Option<Instant> {
        if self.stop.is_requested() || self.recorder.counts().0 >= self.max_requests {
            return None;
        }
        tokio::select! {
            () = sleep_until(self.begins) => {}
            () = self.stop.requested() => return None,
        }
        let taken = Instant::now();
        if taken >= self.clock.end {
            return None;
        }
        let Pace::Open(arrivals) = &self.pace else {
            return Some(taken);
        };
        let intended = self.begins + arrivals.at(self.next.fetch_add(1, Ordering::Relaxed));
        if intended >= self.clock.end {
            return None;
        }
        tokio::select! {
            () = sleep_until(intended) => Some(counts_from(intended, taken, Instant::now())),
            () = self.stop.requested() => None,
        }
    }

    /// Journeys of the measured time, up to `ended`, that nobody began.
    fn missed(&self, ended: Instant) -> u64 {
        let Pace::Open(arrivals) = &self.pace else { return 0 };
        let before = |at: Instant| arrivals.before(at.saturating_duration_since(self.begins));
        let expected = before(ended).saturating_sub(before(self.clock.measured_from));
        expected.saturating_sub(self.begun.load(Ordering::Relaxed))
    }
}
