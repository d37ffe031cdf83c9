//! Ctrl-C: nothing new starts, what is under way is finished, and the users are still removed.

use tokio::sync::watch;

/// Tells when to stop.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Stops at the first Ctrl-C.
    pub(crate) fn on_ctrl_c() -> Self {
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                sender.send_replace(true);
            }
            sender.closed().await;
        });
        Self(receiver)
    }

    /// Resolves when it is time to stop.
    pub(crate) async fn requested(&self) {
        if self.0.clone().wait_for(|stop| *stop).await.is_err() {
            std::future::pending().await
        }
    }

    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// A switch and what listens to it.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }
}
