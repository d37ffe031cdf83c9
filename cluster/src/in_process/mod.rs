//! The services of a gateway that is alone.

mod bus;
mod counters;
mod expiring;
mod journal;
mod sessions;

pub(crate) use bus::LocalBus;
pub(crate) use counters::LocalCounters;
pub(crate) use sessions::Sessions;
