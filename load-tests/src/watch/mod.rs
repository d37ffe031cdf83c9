//! What the server spends while it is under load: its processes on this machine, and what it tells at `/metrics`.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::Http;
use crate::recorder::interval;

mod metrics;
mod process;

use metrics::Metrics;
pub(crate) use metrics::{GAUGES, Scraped};
use process::machine_busy;
pub(crate) use process::{Process, Sample};

/// What is watched.
pub(crate) struct Watch {
    pids: Vec<u32>,
    metrics: Option<Metrics>,
}

/// A watch that is under way.
pub(crate) struct Watching {
    enough: oneshot::Sender<()>,
    task: JoinHandle<Watched>,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Watched {
    /// The processes that were named, children included.
    pub(crate) processes: Vec<Load>,
    /// This program.
    pub(crate) generator: Option<Load>,
    /// Where `/metrics` answered.
    pub(crate) metrics: Option<Scraped>,
    /// All that runs on this machine, in percent of one core, where the system tells.
    pub(crate) machine_percent: Option<f64>,
}

/// One process over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Load {
    pub(crate) name: String,
    pub(crate) pid: Option<u32>,
    pub(crate) samples: Vec<LoadSample>,
}

/// A process at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LoadSample {
    /// Since the beginning of the measurement.
    pub(crate) at: Duration,
    /// Since the process began.
    pub(crate) cpu: Duration,
    pub(crate) resident_mb: f64,
}

impl Watch {
    /// Watches these processes, which must exist, and what is told at `metrics`, if anything is.
    pub(crate) fn open(pids: &[u32], metrics: Option<String>, http: &Http) -> anyhow::Result<Self> {
        for pid in pids {
            Process::open(*pid)?;
        }
        Ok(Self { pids: pids.to_vec(), metrics: metrics.map(|url| Metrics::new(url, http.clone())) })
    }

    /// Begins at `from`; the samples of `duration` stay few.
    pub(crate) fn start(&self, from: Instant, duration: Duration) -> Watching {
        let (enough, end) = oneshot::channel();
        let processes =
            self.pids.iter().map(|pid| Process::of(*pid)).chain([Process::of(std::process::id())]).collect();
        let task = tokio::spawn(watch(processes, self.metrics.clone(), from, interval(duration), end));
        Watching { enough, task }
    }
}

impl Watching {
    /// Takes a last sample and says what was seen.
    pub(crate) async fn finish(self) -> Watched {
        // Fails only where the task is gone, and then there is nothing to tell.
        let _ = self.enough.send(());
        self.task.await.unwrap_or_default()
    }
}

async fn watch(
    processes: Vec<Process>,
    metrics: Option<Metrics>,
    from: Instant,
    interval: Duration,
    mut end: oneshot::Receiver<()>,
) -> Watched {
    tokio::time::sleep_until(from).await;
    let mut loads = vec![Load::default(); processes.len()];
    let mut scraped = None;
    let (began, busy_before) = (Instant::now(), machine_busy());
    let mut next = from;
    let mut last = false;
    loop {
        let at = from.elapsed();
        for (load, sample) in loads.iter_mut().zip(Process::sample_all(&processes).await) {
            load.add(at, sample);
        }
        if let Some(metrics) = &metrics {
            metrics.scrape(&mut scraped, from).await;
        }
        if last {
            break;
        }
        next += interval;
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            _ = &mut end => last = true,
        }
    }
    let generator = loads.pop().filter(|load| !load.samples.is_empty());
    loads.retain(|load| !load.samples.is_empty());
    let busy = busy_before.zip(machine_busy()).map(|(before, after)| after.saturating_sub(before));
    let machine_percent = busy.map(|busy| busy.as_secs_f64() * 100.0 / began.elapsed().as_secs_f64());
    Watched { processes: loads, generator, metrics: scraped, machine_percent }
}

impl Load {
    /// A process that is not there leaves a gap: it may be started again under the same number.
    fn add(&mut self, at: Duration, sample: Option<Sample>) {
        let Some(Sample { pid, name, cpu, resident }) = sample else { return };
        self.name = name;
        self.pid = Some(pid);
        self.samples.push(LoadSample { at, cpu, resident_mb: resident as f64 / 1024.0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::guarded;
    use crate::guard::Guard;

    #[tokio::test]
    async fn named_processes_and_this_one_are_watched() {
        let http = guarded(1, Duration::from_secs(1), &Guard::default()).unwrap();
        let own = std::process::id();
        let watch = Watch::open(&[own], None, &http).unwrap();
        let watched = watch.start(Instant::now(), Duration::from_secs(1)).finish().await;
        let [process] = watched.processes.as_slice() else { panic!("{watched:?}") };
        assert_eq!(process.pid, Some(own));
        assert!(process.samples.iter().all(|sample| sample.resident_mb > 0.0));
        assert_eq!(watched.generator.unwrap().pid, Some(own));
        assert_eq!(watched.metrics, None);
        assert!(watched.machine_percent.is_some());
    }

    #[test]
    fn a_process_that_is_not_there_is_refused_at_once() {
        let http = guarded(1, Duration::from_secs(1), &Guard::default()).unwrap();
        assert!(Watch::open(&[u32::MAX], None, &http).is_err());
    }
}
