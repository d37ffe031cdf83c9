//! What people see while it runs; on stderr, and only on a terminal.

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

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        }
    }
}
