//! Lets clients act for a while, in a closed or an open loop, and records what came of it.
//!
//! In an open loop the n-th request has an intended start, whatever the server does. A client that is free takes the
//! next one and sleeps until its start; where all clients are busy the next free one takes it late, and its latency
//! counts from the intended start. So a stall shows in every request that it held up (no coordinated omission), and
//! there are never more requests in flight than clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use crate::process::{Process, Sample};
use crate::progress::{Live, Progress};
use crate::recorder::Recorder;
use crate::scenario::Act;
use crate::stop::Stop;

/// When requests start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// When the client's last one is answered.
    Closed,
    /// `rate` times a second.
    Open { rate: f64 },
}

/// How much load, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) pace: Pace,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
}

/// What was measured, without the warm-up.
pub(crate) struct Measured {
    pub(crate) recorder: Recorder,
    /// From the end of the warm-up to the last answer.
    pub(crate) elapsed: Duration,
    /// Requests that should have started but found no free client before the end.
    pub(crate) missed: u64,
    /// CPU and memory of the watched processes before and after.
    pub(crate) processes: Vec<(Sample, Sample)>,
}

/// A timer wakes up to a millisecond late, and a little more on a busy machine. That is not the server's latency.
const TIMER_SLACK: Duration = Duration::from_millis(2);

/// Fixed arrival times.
#[derive(Clone, Copy)]
struct Schedule {
    start: Instant,
    rate: f64,
}

impl Schedule {
    fn arrival(&self, number: u64) -> Instant {
        self.start + Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// How many arrivals lie before `at`.
    fn before(&self, at: Instant) -> u64 {
        let seconds = at.saturating_duration_since(self.start).as_secs_f64();
        let mut count = (seconds * self.rate).ceil() as u64;
        // The float product may miss a boundary by one.
        while count > 0 && self.arrival(count - 1) >= at {
            count -= 1;
        }
        while self.arrival(count) < at {
            count += 1;
        }
        count
    }
}

/// From when on a latency counts, for a client that took an arrival `intended` at `taken` and woke up at `woken`.
fn counts_from(intended: Instant, taken: Instant, woken: Instant) -> Instant {
    let slept = taken < intended;
    if slept && woken.saturating_duration_since(intended) <= TIMER_SLACK { woken } else { intended }
}

struct Run {
    pace: Pace,
    schedule: Option<Schedule>,
    next: AtomicU64,
    measured_from: Instant,
    end: Instant,
    live: Live,
    stop: Stop,
}

/// Lets every client act from now on and records the time after the warm-up.
pub(crate) async fn measure<A: Act>(
    clients: Vec<A>,
    load: Load,
    progress: &Progress,
    processes: &[Process],
    stop: &Stop,
) -> anyhow::Result<Measured> {
    let start = Instant::now();
    let schedule = match load.pace {
        Pace::Closed => None,
        Pace::Open { rate } => Some(Schedule { start, rate }),
    };
    let run = Arc::new(Run {
        pace: load.pace,
        schedule,
        next: AtomicU64::new(0),
        measured_from: start + load.warm_up,
        end: start + load.warm_up + load.duration,
        live: Live::default(),
        stop: stop.clone(),
    });
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(act_until_the_end(client, Arc::clone(&run)));
    }

    tokio::select! {
        () = sleep_until(run.measured_from) => {}
        () = stop.requested() => anyhow::bail!("interrupted before the measurement began"),
    }
    let before = processes.iter().map(Process::sample).collect::<Result<Vec<_>, _>>()?;
    let recorder = tokio::select! {
        recorder = collect(&mut tasks) => recorder?,
        () = show(&run, load.duration, progress) => Recorder::default(),
    };
    let elapsed = run.measured_from.elapsed();
    let after = processes.iter().map(Process::sample).collect::<Result<Vec<_>, _>>()?;

    let ended = run.end.min(run.measured_from + elapsed);
    let expected = schedule.map_or(0, |schedule| schedule.before(ended) - schedule.before(run.measured_from));
    Ok(Measured {
        missed: expected.saturating_sub(recorder.requests()),
        recorder,
        elapsed,
        processes: before.into_iter().zip(after).collect(),
    })
}

async fn collect(tasks: &mut JoinSet<Recorder>) -> anyhow::Result<Recorder> {
    let mut all = Recorder::default();
    while let Some(one) = tasks.join_next().await {
        all.merge(one?);
    }
    Ok(all)
}

async fn act_until_the_end<A: Act>(mut client: A, run: Arc<Run>) -> Recorder {
    let mut recorder = Recorder::default();
    while let Some(origin) = run.next_start().await {
        let outcome = client.act().await;
        run.live.count(outcome.result.is_err());
        if origin >= run.measured_from {
            recorder.record(outcome, origin.elapsed());
        }
    }
    recorder
}

impl Run {
    /// Waits until a client may send its next request: the instant from which its latency counts.
    async fn next_start(&self) -> Option<Instant> {
        let taken = Instant::now();
        if taken >= self.end || self.stop.is_requested() {
            return None;
        }
        let Some(schedule) = self.schedule else {
            return Some(taken);
        };
        let intended = schedule.arrival(self.next.fetch_add(1, Ordering::Relaxed));
        if intended >= self.end {
            return None;
        }
        tokio::select! {
            () = sleep_until(intended) => Some(counts_from(intended, taken, Instant::now())),
            () = self.stop.requested() => None,
        }
    }
}

/// Draws the progress; never ends by itself.
async fn show(run: &Run, span: Duration, progress: &Progress) {
    let bar = progress.time(span);
    bar.set_prefix(match run.pace {
        Pace::Closed => "measuring".to_owned(),
        Pace::Open { rate } => format!("measuring {rate}/s"),
    });
    let mut ticks = interval(Duration::from_millis(250));
    let mut last = (run.measured_from, run.live.answered());
    loop {
        let now = ticks.tick().await;
        let answered = run.live.answered();
        let seconds = now.saturating_duration_since(last.0).as_secs_f64();
        if seconds >= 1.0 {
            let rate = (answered - last.1) as f64 / seconds;
            bar.set_message(format!("{rate:.0} requests/s, {} failed", run.live.failed()));
            last = (now, answered);
        }
        let elapsed = now.saturating_duration_since(run.measured_from);
        bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Failure;
    use crate::scenario::Outcome;

    /// A server that takes its time.
    #[derive(Clone)]
    struct Slow(Duration);

    impl Act for Slow {
        async fn act(&mut self) -> Outcome {
            tokio::time::sleep(self.0).await;
            Outcome { operation: "slow", result: Ok(()) }
        }
    }

    async fn measured<A: Act + Clone>(client: A, clients: usize, pace: Pace, warm_up: u64) -> Measured {
        let load = Load { pace, warm_up: Duration::from_secs(warm_up), duration: Duration::from_secs(10) };
        let (_switch, stop) = Stop::by_hand();
        measure(vec![client; clients], load, &Progress::new(true), &[], &stop).await.unwrap()
    }

    fn percentile(measured: &Measured, percent: f64) -> f64 {
        let (_, operation) = measured.recorder.operations().next().unwrap();
        operation.percentile(percent).as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_sends_as_fast_as_answers_come() {
        let measured = measured(Slow(Duration::from_millis(100)), 2, Pace::Closed, 1).await;
        assert_eq!(measured.recorder.requests(), 200);
        assert_eq!(measured.missed, 0);
        assert_eq!(measured.elapsed, Duration::from_secs(10));
        assert!((percentile(&measured, 99.0) - 0.1).abs() < 0.001);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_loop_keeps_its_rate_while_clients_are_free() {
        let measured = measured(Slow(Duration::from_millis(50)), 20, Pace::Open { rate: 100.0 }, 1).await;
        assert_eq!(measured.recorder.requests(), 1_000);
        assert_eq!(measured.missed, 0);
        assert!((percentile(&measured, 99.0) - 0.05).abs() < 0.003);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waited_for_a_client_counts_from_its_intended_start() {
        // Ten a second arrive, five a second are served: the backlog grows by half a second each second.
        let measured = measured(Slow(Duration::from_millis(200)), 1, Pace::Open { rate: 10.0 }, 0).await;
        assert_eq!(measured.recorder.requests(), 50);
        assert_eq!(measured.missed, 50);
        assert!((percentile(&measured, 100.0) - 5.1).abs() < 0.02, "{}", percentile(&measured, 100.0));
        assert!((percentile(&measured, 50.0) - 2.6).abs() < 0.11, "{}", percentile(&measured, 50.0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_warm_up_is_not_recorded() {
        #[derive(Clone)]
        struct FailsEarly(Instant);
        impl Act for FailsEarly {
            async fn act(&mut self) -> Outcome {
                let early = self.0.elapsed() < Duration::from_secs(5);
                tokio::time::sleep(Duration::from_millis(10)).await;
                let result = if early { Err(Failure("503".to_owned())) } else { Ok(()) };
                Outcome { operation: "read", result }
            }
        }
        let measured = measured(FailsEarly(Instant::now()), 4, Pace::Closed, 5).await;
        let (_, read) = measured.recorder.operations().next().unwrap();
        assert_eq!((read.succeeded(), read.failed()), (4_000, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_early_reports_what_there_is() {
        let (switch, stop) = Stop::by_hand();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(4)).await;
            switch.send_replace(true);
            switch.closed().await;
        });
        let load = Load {
            pace: Pace::Open { rate: 10.0 },
            warm_up: Duration::from_secs(1),
            duration: Duration::from_secs(3_600),
        };
        let clients = vec![Slow(Duration::from_millis(10)); 100];
        let measured = measure(clients, load, &Progress::new(true), &[], &stop).await.unwrap();
        assert!((29..=31).contains(&measured.recorder.requests()), "{}", measured.recorder.requests());
        assert!(measured.missed <= 1);
        assert!(measured.elapsed < Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn arrivals_are_counted_exactly() {
        for rate in [0.3, 1.0, 3.0, 7.0, 1_000.0 / 3.0, 5_000.0] {
            let schedule = Schedule { start: Instant::now(), rate };
            for number in [0, 1, 2, 3, 7, 10, 100, 12_345] {
                let at = schedule.arrival(number);
                assert_eq!(schedule.before(at), number, "{rate}: up to arrival {number}");
                assert_eq!(schedule.before(at + Duration::from_nanos(1)), number + 1, "{rate}: past arrival {number}");
            }
        }
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
