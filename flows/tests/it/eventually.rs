//! Waiting for what others do when they get to it.

use std::time::Duration;

/// Asks again and again until `condition` holds; whoever is to bring it about runs in between.
pub(crate) async fn eventually(condition: impl AsyncFn() -> bool) {
    let asking = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("the condition holds in time");
}
