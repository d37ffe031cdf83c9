//! Which gateways there are, and how far each has followed the list of changes.

use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use super::ControlStore;
use crate::error::Result;
use crate::sql::same;
use crate::values::At;

macro_rules! columns {
    () => {
        "g.id, g.name, g.version, g.started_at, g.seen_at, g.seq"
    };
}

statements! {
    control BEAT = same(
        "insert into control.gateways (id, name, version, started_at, seen_at, seq) values ($1, $2, $3, $4, $5, $6)
         on conflict (id) do update set name = excluded.name, version = excluded.version, started_at = excluded.started_at,
             seen_at = excluded.seen_at, seq = excluded.seq"
    );
    control LEAVE = same("delete from control.gateways as g where g.id = $1");
    control LIST = same(concat!("select ", columns!(), " from control.gateways as g order by g.started_at, g.id"));
    control BEHIND = same(concat!(
        "select ", columns!(), " from control.gateways as g where g.seq < $1 and g.seen_at >= $2 order by g.started_at, g.id"
    ));
    control FORGET = same("delete from control.gateways as g where g.seen_at < $1");
}

/// One gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Of this process.
    pub id: Uuid,
    /// Its host, or what the operator calls it.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last gave a sign of life.
    pub seen_at: Timestamp,
    /// The number of the newest change it serves by.
    pub seq: i64,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    name: String,
    version: String,
    started_at: At,
    seen_at: At,
    seq: i64,
}

impl From<Row> for Gateway {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            version: row.version,
            started_at: row.started_at.0,
            seen_at: row.seen_at.0,
            seq: row.seq,
        }
    }
}

/// Works on gateways.
pub struct Gateways<'s> {
    pub(super) store: &'s ControlStore,
}

impl Gateways<'_> {
    /// Gives a sign of life.
    pub async fn beat(&self, gateway: &Gateway) -> Result<()> {
        execute_now!(
            &self.store.backend,
            BEAT,
            gateway.id,
            &gateway.name,
            &gateway.version,
            At(gateway.started_at),
            At(gateway.seen_at),
            gateway.seq,
        )?;
        Ok(())
    }

    /// Says good-bye: nobody waits for this gateway any more.
    pub async fn leave(&self, id: Uuid) -> Result<()> {
        execute_now!(&self.store.backend, LEAVE, id)?;
        Ok(())
    }

    /// All gateways, oldest first, with those that were not seen for long.
    pub async fn list(&self) -> Result<Vec<Gateway>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, LIST)?;
        Ok(rows.into_iter().map(Gateway::from).collect())
    }

    /// Those seen since `alive_since` that do not serve by change number `seq` yet.
    pub async fn behind(&self, seq: i64, alive_since: Timestamp) -> Result<Vec<Gateway>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, BEHIND, seq, At(alive_since))?;
        Ok(rows.into_iter().map(Gateway::from).collect())
    }

    /// Whether every gateway seen since `alive_since` serves by change number `seq`.
    pub async fn all_reached(&self, seq: i64, alive_since: Timestamp) -> Result<bool> {
        Ok(self.behind(seq, alive_since).await?.is_empty())
    }

    /// Forgets gateways that were not seen since an instant. Gives how many.
    pub async fn forget(&self, before: Timestamp) -> Result<u64> {
        execute_now!(&self.store.backend, FORGET, At(before))
    }
}
