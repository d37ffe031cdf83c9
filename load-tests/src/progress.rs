//! What people see while it runs; on stderr, and only on a terminal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws progress, or nothing.
pub(crate) struct Progress {
    quiet: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// A bar over a known number of steps.
    pub(crate) fn steps(&self, what: &'static str, count: u64) -> ProgressBar {
        self.bar(count, "{msg:16} [{bar:30}] {pos}/{len}").with_message(what)
    }

    /// A bar over a span of time.
    pub(crate) fn time(&self, span: Duration) -> ProgressBar {
        self.bar(u64::try_from(span.as_millis()).unwrap_or(u64::MAX), "{prefix:16} [{bar:30}] {msg}")
    }

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        }
    }
}

/// Counts that the clients keep while they act.
#[derive(Default)]
pub(crate) struct Live {
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Live {
    pub(crate) fn count(&self, failed: bool) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}
