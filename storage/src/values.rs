//! How values are written in each database, so that one SQL text and one row type serve both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Type};
use uuid::Uuid;

use crate::error::StoreError;

/// An instant: `timestamptz` on PostgreSQL; on SQLite text of fixed width in UTC, so that the order of texts is the order of instants.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct At(pub(crate) Timestamp);

/// An instant in a PostgreSQL column without time zone, which holds UTC. On SQLite the same as `At`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall(pub(crate) Timestamp);

/// A word of an enumeration: of whatever type PostgreSQL expects in that place; text on SQLite.
#[derive(Clone, Debug)]
pub(crate) struct Label(pub(crate) String);

/// A list of texts: `text[]` on PostgreSQL, a JSON array in text on SQLite.
#[derive(Clone, Debug)]
pub(crate) struct Texts(pub(crate) Vec<String>);

/// A list of ids: `uuid[]` on PostgreSQL, a JSON array of hexadecimal texts on SQLite.
#[derive(Clone, Debug)]
pub(crate) struct Ids(pub(crate) Vec<Uuid>);

/// A client's address: `inet` on PostgreSQL, text on SQLite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(pub(crate) IpAddr);

/// A batch as SQLite gets it: one JSON text, an array of rows that are arrays.
pub(crate) fn json(rows: impl Iterator<Item = impl Serialize>) -> Result<String, StoreError> {
    serde_json::to_string(&rows.collect::<Vec<_>>()).map_err(|_| StoreError::fault("a batch has no JSON"))
}

impl Address {
    /// The address in `text`, if it is one.
    pub(crate) fn parse(text: Option<&str>) -> Option<Self> {
        text.and_then(|text| text.parse().ok()).map(Self)
    }

    /// The address in `text` in its usual form, if it is one.
    pub(crate) fn text(text: Option<&str>) -> Option<String> {
        Self::parse(text).map(|address| address.0.to_string())
    }
}

impl From<Timestamp> for At {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

/// Seconds from the Unix epoch to PostgreSQL's.
const POSTGRES_EPOCH: i64 = 946_684_800;

pub(crate) fn sqlite_text(at: Timestamp) -> String {
    // Years of other than four digits would break the order.
    let first = Timestamp::from_unix(-62_135_596_800);
    let last = Timestamp::from_unix(253_402_300_799);
    at.clamp(first, last).utc().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

pub(crate) fn from_sqlite_text(text: &str) -> Result<Timestamp, BoxDynError> {
    Ok(Timestamp::new(DateTime::parse_from_rfc3339(text)?.with_timezone(&Utc)))
}

impl Type<Postgres> for At {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for At {
    fn array_type_info() -> PgTypeInfo {
        <DateTime<Utc> as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for At {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <DateTime<Utc> as Encode<Postgres>>::encode_by_ref(&self.0.utc(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for At {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        if value.format() == PgValueFormat::Binary {
            // Adopted rows may hold `infinity`, which chrono's decoder does not survive.
            let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
            return Ok(Self(Timestamp::from_unix(POSTGRES_EPOCH).plus(TimeDelta::microseconds(micros))));
        }
        Ok(Self(Timestamp::new(<DateTime<Utc> as Decode<Postgres>>::decode(value)?)))
    }
}

impl Type<Sqlite> for At {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for At {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(sqlite_text(self.0), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for At {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(from_sqlite_text(<&str as Decode<Sqlite>>::decode(value)?)?))
    }
}

impl Type<Postgres> for Wall {
    fn type_info() -> PgTypeInfo {
        <NaiveDateTime as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Wall {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <NaiveDateTime as Encode<Postgres>>::encode_by_ref(&self.0.utc().naive_utc(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Wall {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(Timestamp::new(<NaiveDateTime as Decode<Postgres>>::decode(value)?.and_utc())))
    }
}

impl Type<Sqlite> for Wall {
    fn type_info() -> SqliteTypeInfo {
        <At as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Wall {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <At as Encode<Sqlite>>::encode_by_ref(&At(self.0), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Wall {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(<At as Decode<Sqlite>>::decode(value)?.0))
    }
}

impl Type<Postgres> for Label {
    fn type_info() -> PgTypeInfo {
        // `unknown`: the server takes the type from the context.
        PgTypeInfo::with_oid(Oid(705))
    }

    fn compatible(_: &PgTypeInfo) -> bool {
        true
    }
}

impl Encode<'_, Postgres> for Label {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <&str as Encode<Postgres>>::encode(self.0.as_str(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Label {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(value.as_str()?.to_owned()))
    }
}

impl Type<Sqlite> for Label {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Label {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.clone(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Label {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(<String as Decode<Sqlite>>::decode(value)?))
    }
}

impl Type<Postgres> for Texts {
    fn type_info() -> PgTypeInfo {
        <Vec<String> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Texts {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <Vec<String> as Encode<Postgres>>::encode_by_ref(&self.0, buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Texts {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(<Vec<String> as Decode<Postgres>>::decode(value)?))
    }
}

impl Type<Sqlite> for Texts {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Texts {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(serde_json::to_string(&self.0)?, buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Texts {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(serde_json::from_str(<&str as Decode<Sqlite>>::decode(value)?)?))
    }
}

impl Type<Postgres> for Ids {
    fn type_info() -> PgTypeInfo {
        <Vec<Uuid> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Ids {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <Vec<Uuid> as Encode<Postgres>>::encode_by_ref(&self.0, buffer)
    }
}

impl Type<Sqlite> for Ids {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Ids {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        let texts: Vec<String> = self.0.iter().map(|id| id.simple().to_string()).collect();
        Encode::<Sqlite>::encode(serde_json::to_string(&texts)?, buffer)
    }
}

// The binary form of `inet`: family, prefix length, whether it is a network, number of bytes, the bytes.
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 3;

impl Type<Postgres> for Address {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(869))
    }

    fn compatible(_: &PgTypeInfo) -> bool {
        true
    }
}

impl Encode<'_, Postgres> for Address {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self.0 {
            IpAddr::V4(address) => {
                buffer.extend_from_slice(&[FAMILY_V4, 32, 0, 4]);
                buffer.extend_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                buffer.extend_from_slice(&[FAMILY_V6, 128, 0, 16]);
                buffer.extend_from_slice(&address.octets());
            }
        }
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for Address {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        if value.format() == PgValueFormat::Text {
            let text = value.as_str()?;
            return Ok(Self(text.split_once('/').map_or(text, |(host, _)| host).parse()?));
        }
        let octets = value.as_bytes()?.get(4..).unwrap_or_default();
        if let Ok(octets) = <[u8; 4]>::try_from(octets) {
            return Ok(Self(Ipv4Addr::from(octets).into()));
        }
        let octets = <[u8; 16]>::try_from(octets)?;
        Ok(Self(Ipv6Addr::from(octets).into()))
    }
}

impl Type<Sqlite> for Address {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Address {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.to_string(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Address {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(<&str as Decode<Sqlite>>::decode(value)?.parse()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_sqlite_texts_is_order_of_instants() {
        let micros = [0, 1, 999, 1_000, 123_456, 999_999];
        let seconds = [i64::MIN / 2, -1, 0, 99, 1_700_000_000, 253_402_300_799];
        let mut instants: Vec<Timestamp> = seconds
            .iter()
            .flat_map(|s| micros.iter().map(|m| Timestamp::from_unix(*s).plus(TimeDelta::microseconds(*m))))
            .collect();
        instants.sort();
        let texts: Vec<String> = instants.iter().map(|at| sqlite_text(*at)).collect();
        assert!(texts.is_sorted());
        assert!(texts.iter().all(|text| text.len() == 27), "{texts:?}");
        assert_eq!(from_sqlite_text(&texts[20]).unwrap(), instants[20]);
    }

    #[test]
    fn what_is_no_address_is_none() {
        assert!(Address::parse(Some("192.0.2.1")).is_some());
        assert!(Address::parse(Some("2001:db8::1")).is_some());
        for bad in [None, Some(""), Some("192.0.2.1:80"), Some("localhost"), Some("fe80::1%eth0")] {
            assert!(Address::parse(bad).is_none(), "{bad:?}");
        }
    }
}
