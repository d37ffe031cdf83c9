//! What people see while the load runs: on stderr, a line that is drawn anew on a terminal, else a line now and then.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::client::Failure;
use crate::recorder::{Point, Recorder};

/// How often a terminal is drawn.
const FRAME: Duration = Duration::from_millis(250);
/// How often a log gets a line.
const LINE: Duration = Duration::from_secs(10);
/// Kinds of failures that are shown; the report has them all.
const FAILURES: usize = 4;

/// What is shown.
pub(crate) struct LiveOptions {
    /// Nothing at all.
    pub(crate) quiet: bool,
    pub(crate) what: String,
    pub(crate) recorder: Arc<Recorder>,
    /// The end of the warm-up.
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    /// Journeys a second that should begin, at the most.
    pub(crate) rate: Option<f64>,
}

/// A view that is open.
pub(crate) struct Live(Option<(oneshot::Sender<()>, JoinHandle<()>)>);

impl Live {
    /// Opens it; it follows the recorder by itself.
    pub(crate) fn start(options: LiveOptions) -> Self {
        if options.quiet {
            return Self(None);
        }
        let (close, closed) = oneshot::channel();
        let view = async move {
            if std::io::stderr().is_terminal() { draw(options, closed).await } else { log(options, closed).await }
        };
        Self(Some((close, tokio::spawn(view))))
    }

    /// Closes it and leaves the terminal as it was.
    pub(crate) async fn finish(self) {
        if let Some((close, task)) = self.0 {
            // Both fail only where the view is gone already.
            let _ = close.send(());
            let _ = task.await;
        }
    }
}

async fn draw(options: LiveOptions, mut closed: oneshot::Receiver<()>) {
    let span = options.until - options.from;
    let length = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {msg}");
    let bar = match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    };
    bar.set_prefix(options.what.clone());
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = frames.tick() => {}
            _ = &mut closed => break,
        }
        let now = Instant::now();
        let passed = now.saturating_duration_since(options.from);
        bar.set_position(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).min(length));
        bar.set_message(message(&options, now));
    }
    bar.finish_and_clear();
}

async fn log(options: LiveOptions, mut closed: oneshot::Receiver<()>) {
    let mut next = options.from + LINE;
    loop {
        tokio::select! {
            () = sleep_until(next) => {}
            _ = &mut closed => break,
        }
        eprintln!("{}: {}", options.what, message(&options, Instant::now()));
        next += LINE;
    }
}

fn message(options: &LiveOptions, now: Instant) -> String {
    if now < options.from {
        return "warming up".to_owned();
    }
    let (recent, failures) = options.recorder.recent(now);
    let (requests, _) = options.recorder.counts();
    let passed = now.saturating_duration_since(options.from).as_secs();
    let span = options.until.saturating_duration_since(options.from).as_secs_f64().ceil();
    let mut text = format!("{passed}/{span} s, {requests} requests");
    if let Some(rate) = options.rate {
        // Writing to a string cannot fail.
        let _ = write!(text, ", wanted {rate:.0} journeys/s");
    }
    if let Some(recent) = recent {
        text.push_str(", ");
        text.push_str(&last(&recent));
    }
    text + &shown(&failures)
}

/// The last interval that is over.
fn last(point: &Point) -> String {
    let rate = if point.seconds > 0.0 { (point.requests - point.errors) as f64 / point.seconds } else { 0.0 };
    match point.latency_ms {
        Some(latency) => format!("now {rate:.0}/s, p50 {:.1} ms, p99 {:.1} ms", latency.p50, latency.p99),
        None => "now 0/s".to_owned(),
    }
}

/// The most frequent failures so far.
fn shown(failures: &BTreeMap<Failure, u64>) -> String {
    if failures.is_empty() {
        return String::new();
    }
    let total: u64 = failures.values().sum();
    let mut most: Vec<_> = failures.iter().collect();
    most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let kinds: Vec<_> =
        most.iter().take(FAILURES).map(|(failure, count)| format!("{count} x {}", plain(failure))).collect();
    let more = if most.len() > FAILURES { ", .." } else { "" };
    format!(", {total} errors ({}{more})", kinds.join(", "))
}

/// A server's words must not steer the terminal.
fn plain(failure: &Failure) -> String {
    failure.0.chars().filter(|character| !character.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(recorder: Recorder, from: Instant) -> LiveOptions {
        let until = from + Duration::from_secs(10);
        LiveOptions {
            quiet: false,
            what: "user-read".to_owned(),
            recorder: Arc::new(recorder),
            from,
            until,
            rate: None,
        }
    }

    #[test]
    fn the_line_says_how_far_it_is_and_how_it_goes() {
        let from = Instant::now();
        let recorder = Recorder::over(from, Duration::from_secs(10));
        let at = |millis| from + Duration::from_millis(millis);
        recorder.record("read", from, at(20), Ok(()));
        recorder.record("read", from, at(30), Err(Failure("503".to_owned())));
        let mut options = options(recorder, from);
        assert_eq!(message(&options, at(500)), "0/10 s, 2 requests, 1 errors (1 x 503)");
        options.rate = Some(40.0);
        let text = message(&options, at(1_200));
        assert!(text.starts_with("1/10 s, 2 requests, wanted 40 journeys/s, now 1/s, p50 20."), "{text}");
        assert!(message(&options, at(2_500)).contains("now 0/s"));
    }

    #[test]
    fn the_warm_up_is_named() {
        let now = Instant::now();
        let from = now + Duration::from_secs(1);
        assert_eq!(message(&options(Recorder::over(from, Duration::from_secs(1)), from), now), "warming up");
    }

    #[test]
    fn the_most_frequent_failures_are_shown_without_what_steers_a_terminal() {
        let failures: BTreeMap<_, _> =
            (1..=6).map(|number| (Failure(format!("50{number}\u{1b}[2J")), number)).collect();
        assert_eq!(shown(&failures), ", 21 errors (6 x 506[2J, 5 x 505[2J, 4 x 504[2J, 3 x 503[2J, ..)");
        assert_eq!(shown(&BTreeMap::new()), "");
    }
}
