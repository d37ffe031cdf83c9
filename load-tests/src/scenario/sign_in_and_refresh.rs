//! Sessions refresh their tokens; a share of the requests are password sign-ins.

use crate::client::Client;
use crate::scenario::{Act, Outcome};

/// One client of the scenario.
pub(crate) struct Script {
    client: Client,
    turns: Turns,
    /// After a failed refresh the session may be gone, and the client signs in as an app would.
    lost: bool,
}

impl Script {
    pub(crate) fn new(client: Client, sign_in_share: f64) -> Self {
        Self { client, turns: Turns { share: sign_in_share, taken: 0 }, lost: false }
    }
}

impl Act for Script {
    async fn act(&mut self) -> Outcome {
        if self.turns.next_is_sign_in() || self.lost {
            let result = self.client.sign_in_again().await;
            self.lost = result.is_err();
            return Outcome { operation: "sign-in", result };
        }
        let result = self.client.refresh().await;
        self.lost = result.is_err();
        Outcome { operation: "refresh", result }
    }
}

/// Spreads a share evenly over a sequence.
struct Turns {
    share: f64,
    taken: u64,
}

impl Turns {
    fn next_is_sign_in(&mut self) -> bool {
        let before = (self.taken as f64 * self.share).floor();
        self.taken += 1;
        (self.taken as f64 * self.share).floor() > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spread_evenly() {
        let sign_ins = |share: f64, turns: usize| -> Vec<bool> {
            let mut sequence = Turns { share, taken: 0 };
            (0..turns).map(|_| sequence.next_is_sign_in()).collect()
        };
        assert_eq!(sign_ins(0.0, 3), [false; 3]);
        assert_eq!(sign_ins(1.0, 3), [true; 3]);
        assert_eq!(sign_ins(0.25, 8), [false, false, false, true, false, false, false, true]);
        assert_eq!(sign_ins(0.05, 1000).iter().filter(|sign_in| **sign_in).count(), 50);
    }
}
