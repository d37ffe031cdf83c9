//! Ctrl-C: nothing new starts, what is under way is finished, and what was made is still removed. A second one ends the
//! program at once; it says what is left behind.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// As a shell reports a program that an interrupt has ended.
const INTERRUPTED: i32 = 130;

type Left = Box<dyn Fn() -> Option<String> + Send>;

/// Tells when to stop.
#[derive(Clone)]
pub(crate) struct Stop {
    requested: watch::Receiver<bool>,
    left: Arc<Mutex<Option<Left>>>,
}

impl Stop {
    fn listening(requested: watch::Receiver<bool>) -> Self {
        Self { requested, left: Arc::default() }
    }

    /// Stops at the first Ctrl-C, and ends the program at the second.
    pub(crate) fn on_ctrl_c() -> Self {
        let (sender, receiver) = watch::channel(false);
        let stop = Self::listening(receiver);
        let left = Arc::clone(&stop.left);
        // Goose would set a handler that takes the signal from us, but for one that is there already. Ours does nothing:
        // tokio's handler, set after it, passes the signal on.
        let _ = ctrlc::set_handler(|| {});
        tokio::spawn(async move {
            let interrupts = async {
                if tokio::signal::ctrl_c().await.is_ok() {
                    sender.send_replace(true);
                    eprintln!("tenantry-load: stopping; what was made is removed (once more to end at once)");
                    if tokio::signal::ctrl_c().await.is_ok() {
                        give_up(&left);
                    }
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = interrupts => {}
                // Nobody listens any more: the next run has a switch of its own.
                () = sender.closed() => {}
            }
        });
        stop
    }

    /// What a second Ctrl-C leaves behind, in words.
    pub(crate) fn on_second(&self, left: impl Fn() -> Option<String> + Send + 'static) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(left));
    }

    /// Resolves when it is time to stop.
    pub(crate) async fn requested(&self) {
        if self.requested.clone().wait_for(|stop| *stop).await.is_err() {
            std::future::pending().await
        }
    }

    pub(crate) fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// A switch and what listens to it.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self::listening(receiver))
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever interrupts twice does not want to wait for anything")]
fn give_up(left: &Mutex<Option<Left>>) {
    let left = left.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|left| left());
    match left {
        Some(left) => eprintln!("tenantry-load: ended at once; left behind: {left}"),
        None => eprintln!("tenantry-load: ended at once; nothing is left behind"),
    }
    std::process::exit(INTERRUPTED);
}
