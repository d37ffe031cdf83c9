//! Signs of life on the terminal for what takes longer than a second. Nothing is drawn where stderr is no terminal.

use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How long a person waits without wondering.
const UNNOTICED: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(100);

/// Waits for `work`; after a second a spinner says what for.
pub(super) async fn with_sign_of_life<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = tokio::time::timeout(UNNOTICED, &mut work).await {
        return done;
    }
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(STEP);
    let done = work.await;
    spinner.finish_and_clear();
    done
}

/// Something without a known end: what is done so far stands in its message.
pub(super) fn endless(message: impl Into<String>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message.into());
    spinner.enable_steady_tick(STEP);
    spinner
}

/// A known number of bytes.
pub(super) fn bytes(what: &'static str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    let bar = ProgressBar::new(total).with_message(what);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
