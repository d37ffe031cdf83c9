//! Sessions: refresh, logout and whatever else must not overtake itself within one session.

use std::time::Duration;

use domain::ids::SessionId;
use flows::WarmSession;

use crate::keyed::Kind;
use crate::limits::Limits;
use crate::stats::{Gauge, Stats};

/// Leaves that stand for sessions and remember the session's facts between two requests.
pub(crate) struct Sessions;

impl Kind for Sessions {
    type Key = SessionId;

    fn idle(limits: &Limits) -> Duration {
        limits.session_idle
    }

    fn memory() -> Option<WarmSession> {
        Some(WarmSession::default())
    }

    fn gauge(stats: &Stats) -> &Gauge {
        &stats.sessions
    }
}
