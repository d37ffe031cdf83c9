//! Challenges: codes, links and stored refresh tokens, whose attempts must be counted one after the other.

use std::time::Duration;

use flows::WarmSession;

use crate::keyed::Kind;
use crate::limits::Limits;
use crate::stats::{Gauge, Stats};

/// Leaves that stand for challenges; the database remembers for them.
pub(crate) struct Challenges;

impl Kind for Challenges {
    type Key = String;

    fn idle(limits: &Limits) -> Duration {
        limits.challenge_idle
    }

    fn memory() -> Option<WarmSession> {
        None
    }

    fn gauge(stats: &Stats) -> &Gauge {
        &stats.challenges
    }
}
