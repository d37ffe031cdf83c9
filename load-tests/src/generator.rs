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

use crate::journeys;
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
    /// Journeys of the measured time that began.
    pub(crate) begun: u64,
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
pub(crate) struct Run {
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
    for Group { pace, begins, acts } in cast.groups {
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
        if let Pace::Journeys(manner) = &run.pace {
            tasks.spawn(journeys::drive(acts, Arc::clone(&run), manner.clone()));
        } else {
            for act in acts {
                tasks.spawn(act_until_the_end(act, Arc::clone(&run)));
            }
        }
        runs.push(run);
    }
    let mut last = clock.start;
    while let Some(ended) = tasks.join_next().await {
        last = last.max(ended??);
    }
    anyhow::ensure!(last >= clock.measured_from, "interrupted before the measurement began");
    let elapsed = last - clock.measured_from;
    let ended = clock.end.min(clock.measured_from + elapsed);
    let begun = runs.iter().map(|run| run.begun.load(Ordering::Relaxed)).sum();
    Ok(Measured { elapsed, begun, missed: runs.iter().map(|run| run.missed(ended)).sum() })
}

/// Says when its last journey ended.
async fn act_until_the_end(mut act: Box<dyn Act>, run: Arc<Run>) -> anyhow::Result<Instant> {
    let mut steps = run.steps();
    while let Some(origin) = run.next_start().await {
        run.begins_at(origin, &mut steps);
        // Its steps are counted; what ended this journey may not end the next.
        let _ = act.act(&mut steps).await;
    }
    Ok(Instant::now())
}

impl Run {
    /// For one client's steps.
    pub(crate) fn steps(&self) -> Steps {
        Steps::new(Arc::clone(&self.recorder), self.clock.measured_from, self.clock.end)
    }

    /// A journey begins that should have begun at `origin`.
    pub(crate) fn begins_at(&self, origin: Instant, steps: &mut Steps) {
        if origin >= self.clock.measured_from {
            self.begun.fetch_add(1, Ordering::Relaxed);
        }
        steps.begin(origin);
    }

    /// Waits for the group's beginning; false if the run is stopped before.
    pub(crate) async fn has_begun(&self) -> bool {
        tokio::select! {
            () = sleep_until(self.begins) => true,
            () = self.stop.requested() => false,
        }
    }

    /// Resolves at the end of the time, or when the run is stopped.
    pub(crate) async fn is_over(&self) {
        tokio::select! {
            () = sleep_until(self.clock.end) => {}
            () = self.stop.requested() => {}
        }
    }

    /// Waits until a client may begin its next journey: the instant from which its first latency counts.
    pub(crate) async fn next_start(&self) -> Option<Instant> {
        if self.stop.is_requested() || self.recorder.counts().0 >= self.max_requests || !self.has_begun().await {
            return None;
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

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;
    use tokio::time::sleep;

    use super::*;
    use crate::client::Failure;

    /// A server that takes its time, and fails until it is up.
    #[derive(Clone)]
    struct Slow {
        takes: Duration,
        up: Instant,
    }

    impl Act for Slow {
        fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
            let ready = Instant::now() >= self.up;
            let takes = self.takes;
            Box::pin(steps.step("slow", async move {
                sleep(takes).await;
                if ready { Ok(()) } else { Err(Failure("503".to_owned())) }
            }))
        }
    }

    fn slow(millis: u64) -> Slow {
        Slow { takes: Duration::from_millis(millis), up: Instant::now() }
    }

    async fn run(act: Slow, clients: usize, pace: Pace, limits: Limits, stop: &Stop) -> (Measured, Arc<Recorder>) {
        let cast = Cast::default().with(pace, 0.0, vec![act; clients]);
        let clock = Clock::start(limits);
        let recorder = Arc::new(Recorder::over(clock.measured_from, limits.duration));
        let measured = measure(cast, clock, limits.max_requests, &recorder, stop).await.unwrap();
        (measured, recorder)
    }

    fn limits(warm_up: u64) -> Limits {
        Limits { warm_up: Duration::from_secs(warm_up), duration: Duration::from_secs(10), max_requests: u64::MAX }
    }

    fn percentile(recorder: &Recorder, percent: f64) -> f64 {
        recorder.operations()["slow"].percentile(percent).as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_sends_as_fast_as_answers_come() {
        let (_switch, stop) = Stop::by_hand();
        let (measured, recorder) = run(slow(100), 2, Pace::Closed, limits(1), &stop).await;
        assert_eq!((recorder.counts(), measured.missed), ((200, 0), 0));
        assert_eq!(measured.elapsed, Duration::from_secs(10));
        assert!((percentile(&recorder, 99.0) - 0.1).abs() < 0.001);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_loop_keeps_its_rate_while_clients_are_free() {
        let (_switch, stop) = Stop::by_hand();
        let (measured, recorder) = run(slow(50), 20, Pace::steady(100.0), limits(1), &stop).await;
        assert_eq!((recorder.counts().0, measured.missed), (1_000, 0));
        assert!((percentile(&recorder, 99.0) - 0.05).abs() < 0.003);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waited_for_a_client_counts_from_its_intended_start() {
        // Ten a second arrive, five a second are served: the backlog grows by half a second each second.
        let (_switch, stop) = Stop::by_hand();
        let (measured, recorder) = run(slow(200), 1, Pace::steady(10.0), limits(0), &stop).await;
        assert_eq!((recorder.counts().0, measured.missed), (50, 50));
        assert!((percentile(&recorder, 100.0) - 5.1).abs() < 0.02, "{}", percentile(&recorder, 100.0));
        assert!((percentile(&recorder, 50.0) - 2.6).abs() < 0.11, "{}", percentile(&recorder, 50.0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_warm_up_is_not_recorded() {
        let (_switch, stop) = Stop::by_hand();
        let late = Slow { up: Instant::now() + Duration::from_secs(5), ..slow(10) };
        let (_, recorder) = run(late, 4, Pace::Closed, limits(5), &stop).await;
        assert_eq!(recorder.counts(), (4_000, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_early_reports_what_there_is() {
        let (switch, stop) = Stop::by_hand();
        tokio::spawn(async move {
            sleep(Duration::from_secs(4)).await;
            switch.send_replace(true);
            switch.closed().await;
        });
        let (measured, recorder) = run(slow(10), 100, Pace::steady(10.0), limits(1), &stop).await;
        assert!((29..=31).contains(&recorder.counts().0), "{:?}", recorder.counts());
        assert!(measured.missed <= 1);
        assert!(measured.elapsed < Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_last_request_that_is_allowed_only_what_is_under_way_is_finished() {
        let (_switch, stop) = Stop::by_hand();
        let few = Limits { max_requests: 30, ..limits(0) };
        let (_, recorder) = run(slow(100), 3, Pace::Closed, few, &stop).await;
        assert!((30..33).contains(&recorder.counts().0), "{:?}", recorder.counts());
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_timers_own_lateness_is_forgiven() {
        let intended = Instant::now() + Duration::from_secs(1);
        let before = intended - Duration::from_millis(500);
        let late = |millis| intended + Duration::from_millis(millis);
        assert_eq!(counts_from(intended, before, late(1)), late(1));
        assert_eq!(counts_from(intended, before, late(50)), intended, "the machine stalled");
        assert_eq!(counts_from(intended, late(1), late(1)), intended, "no client was free");
    }
}
