//! Instants with the precision the database keeps, and where they come from.

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A UTC instant in whole microseconds: what PostgreSQL stores, so that a value reads back as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Cuts `at` to microseconds.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(at.trunc_subsecs(6))
    }

    /// The instant `seconds` after the Unix epoch; the epoch itself where that is out of range.
    pub fn from_unix(seconds: i64) -> Self {
        Self(DateTime::from_timestamp(seconds, 0).unwrap_or_default())
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub fn unix(self) -> i64 {
        self.0.timestamp()
    }

    /// Microseconds since the Unix epoch.
    pub fn unix_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The instant as chrono's type.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// This instant moved by `delta`; clamped to the ends of the calendar.
    pub fn plus(self, delta: TimeDelta) -> Self {
        let end = if delta < TimeDelta::zero() { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        Self(self.0.checked_add_signed(delta).unwrap_or(end))
    }

    /// This instant moved by whole seconds.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus(TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX))
    }

    /// How much later this instant is than `earlier`; negative where it is not.
    pub fn since(self, earlier: Self) -> TimeDelta {
        self.0 - earlier.0
    }

    /// RFC 3339 in UTC with `Z`, up to six fractional digits without trailing zeros (`contract/core.md` §1.1).
    pub fn to_wire(self) -> String {
        let mut text = self.0.to_rfc3339_opts(SecondsFormat::Micros, true);
        let digits = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.').len();
        text.truncate(digits);
        text.push('Z');
        text
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_wire())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DateTime::<Utc>::deserialize(deserializer).map(Self::new)
    }
}

/// Where the current time comes from. Nothing below the composition root reads the system clock itself.
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form_drops_trailing_zeros() {
        let at = |micros: i64| Timestamp::from_unix(1_700_000_000).plus(TimeDelta::microseconds(micros));
        assert_eq!(at(0).to_wire(), "2023-11-14T22:13:20Z");
        assert_eq!(at(120_000).to_wire(), "2023-11-14T22:13:20.12Z");
        assert_eq!(at(1).to_wire(), "2023-11-14T22:13:20.000001Z");
    }

    #[test]
    fn precision_is_microseconds() {
        let fine = DateTime::from_timestamp(1, 123_456_789).unwrap();
        assert_eq!(Timestamp::new(fine).utc().timestamp_subsec_nanos(), 123_456_000);
    }
}
