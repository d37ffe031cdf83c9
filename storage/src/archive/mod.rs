//! All rows of a project, whatever they mean: for archives, for moves from one database to another, for the count of what is left.
//!
//! `tables.rs` lists tables and columns, `statements.rs` makes the statements from the list, `cells.rs` holds the form of values that
//! belongs to no database, `sync.rs` makes the rows of one database those of another.

mod apart;
mod cells;
#[cfg(test)]
mod schema;
#[macro_use]
mod statements;
mod sync;
mod tables;

use std::collections::BTreeMap;

use cells::Key;

use crate::backend::Work;
use crate::database::TenantStore;
use crate::error::{Result, StoreError};

#[cfg(test)]
pub(crate) use apart::STATEMENTS as APART_STATEMENTS;
pub use cells::{NoRow, Row};
pub use sync::{Sync, Synced};
#[cfg(test)]
pub(crate) use tables::STATEMENTS;
use tables::TABLES;
pub use tables::Table;

/// All tables, parents first.
pub fn tables() -> &'static [Table] {
    TABLES
}

/// The table of this name.
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// A place in the order of a table's rows, to go on from: the text of a JSON array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The place of a row.
    pub fn of(table: &Table, row: &Row) -> Self {
        Self::from_key(&row.key(table))
    }

    fn from_key(key: &Key) -> Self {
        let parts = key.iter().map(|part| match part {
            cells::KeyPart::Int(number) => number.to_string(),
            cells::KeyPart::Text(text) => text.clone(),
        });
        Self(serde_json::Value::from_iter(parts).to_string())
    }

    /// Reads what [`Place::as_str`] gave; `None` when it is no place in this table.
    pub fn parse(table: &Table, text: &str) -> Option<Self> {
        let parts: Vec<String> = serde_json::from_str(text).ok()?;
        let named = table.key.iter().zip(&parts).map(|(name, part)| {
            let column = table.columns.iter().find(|column| column.name == *name)?;
            cells::normal(column.kind, part)
        });
        let parts: Vec<String> = named.collect::<Option<_>>()?;
        (parts.len() == table.key.len()).then(|| Self(serde_json::Value::from_iter(parts).to_string()))
    }

    /// The place as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why rows were not written. None of them was.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The database does not take this one: a value it cannot hold, or one that is unique and belongs to another row.
    #[error("row {index} is refused by the database: {reason}")]
    Row {
        /// Which one, from 0.
        index: usize,
        /// The database's own words, without values.
        reason: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TenantStore {
    /// Up to `limit` rows of a table after a place, in its order. Their numbers of stored tokens are given without the `shift` they
    /// have in this database.
    pub async fn archive_page(
        &self,
        table: &'static Table,
        after: Option<&Place>,
        limit: u32,
        shift: i64,
    ) -> Result<Vec<Row>> {
        let (instance, limit) = (self.instance.0, i64::from(limit));
        let rows = match after {
            None => fetch_now!(self.backend(), fetch_all, (String,), table.first, instance, limit)?,
            Some(place) => {
                let place = shifted(table, place, shift)?;
                fetch_now!(self.backend(), fetch_all, (String,), table.after, instance, place.as_str(), limit)?
            }
        };
        rows.iter().map(|(cells,)| Row::from_database(table, cells, shift)).collect()
    }

    /// Gives every end of a session its number, as the reading of a table of ends needs it.
    pub async fn settle_archive(&self) -> Result<()> {
        self.number_all_revocations().await
    }

    /// Writes rows, all or none; rows that are there already become as they are given. Answers by table how many were left out
    /// because what they hang on is not there.
    ///
    /// # Errors
    /// The first row that the database refuses.
    pub async fn archive_write(
        &self,
        rows: &[(&'static Table, Row)],
        shift: i64,
    ) -> Result<BTreeMap<&'static str, u64>, WriteError> {
        let outcome = self.write_all(rows, shift).await;
        let Err(error @ (StoreError::Fault(_) | StoreError::Conflict)) = outcome else { return Ok(outcome?) };
        // Which one it is: one by one in a transaction that is not kept.
        let mut work = self.backend().begin().await?;
        for (index, (table, row)) in rows.iter().enumerate() {
            match self.replace(&mut work, table, std::slice::from_ref(row), shift).await {
                Ok(_) => {}
                Err(error @ (StoreError::Fault(_) | StoreError::Conflict)) => {
                    return Err(WriteError::Row { index, reason: reason(&error) });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(error.into())
    }

    async fn write_all(&self, rows: &[(&'static Table, Row)], shift: i64) -> Result<BTreeMap<&'static str, u64>> {
        let mut left_out = BTreeMap::new();
        let mut work = self.backend().begin().await?;
        for run in rows.chunk_by(|(one, _), (other, _)| one.name == other.name) {
            let Some((table, _)) = run.first() else { continue };
            let of_table: Vec<Row> = run.iter().map(|(_, row)| row.clone()).collect();
            let written = self.replace(&mut work, table, &of_table, shift).await?;
            let left = (of_table.len() as u64).saturating_sub(written);
            if left > 0 {
                *left_out.entry(table.name).or_default() += left;
            }
        }
        work.commit().await?;
        Ok(left_out)
    }

    /// Puts rows in the place of those with the same keys.
    async fn replace(&self, work: &mut Work, table: &'static Table, rows: &[Row], shift: i64) -> Result<u64> {
        if !table.is_parent {
            self.remove(work, table, rows, shift).await?;
        }
        execute!(work, table.insert, self.instance.0, objects(table, rows, shift)?)
    }

    async fn remove(&self, work: &mut Work, table: &'static Table, rows: &[Row], shift: i64) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        execute!(work, table.delete, self.instance.0, objects(table, rows, shift)?)
    }

    /// How many rows the project has in each table that can have any.
    pub async fn census(&self) -> Result<Vec<(&'static str, u64)>> {
        let mut counts = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            let (count,) = fetch_now!(self.backend(), fetch_one, (i64,), table.count, self.instance.0)?;
            counts.push((table.name, count.unsigned_abs()));
        }
        Ok(counts)
    }

    /// Whether `self` and `other` are the rows of one project in one and the same database: `mark` is an id that no row has.
    pub async fn is_same_place(&self, other: &Self, mark: uuid::Uuid) -> Result<bool> {
        let table = table("instances").ok_or_else(|| StoreError::fault("there is no table to write a mark into"))?;
        let row = Row::from_json(table, &format!("{{\"id\":\"{mark}\"}}"))
            .map_err(|_| StoreError::fault("a mark is no row"))?;
        let mut work = self.backend().begin().await?;
        self.replace(&mut work, table, std::slice::from_ref(&row), 0).await?;
        work.commit().await?;
        let seen = other.archive_page(table, None, u32::MAX, 0).await;
        let mut work = self.backend().begin().await?;
        self.remove(&mut work, table, std::slice::from_ref(&row), 0).await?;
        work.commit().await?;
        Ok(seen?.iter().any(|seen| seen.key(table) == row.key(table)))
    }
}

/// A place as the database numbers it.
fn shifted(table: &Table, place: &Place, shift: i64) -> Result<Place> {
    if table.name != "refresh_tokens" || shift == 0 {
        return Ok(place.clone());
    }
    let number =
        serde_json::from_str::<Vec<String>>(&place.0).ok().and_then(|parts| parts.first()?.parse::<i64>().ok());
    let moved = number.and_then(|number| number.checked_add(shift));
    let moved = moved.ok_or_else(|| StoreError::fault("a place among stored tokens is no number"))?;
    Ok(Place::from_key(&vec![cells::KeyPart::Int(moved)]))
}

/// Rows as the one parameter that takes them all.
fn objects(table: &Table, rows: &[Row], shift: i64) -> Result<String> {
    let objects = rows.iter().map(|row| row.to_database(table, shift)).collect::<Result<Vec<_>>>()?;
    serde_json::to_string(&objects).map_err(|_| StoreError::fault("rows cannot be written as JSON"))
}

/// What a database says about a row, as far as it holds none of its values.
fn reason(error: &StoreError) -> String {
    let (StoreError::Fault(cause) | StoreError::Busy(cause) | StoreError::Unknown(cause)) = error else {
        return "a unique value belongs to another row".to_owned();
    };
    let Some(refusal) = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error) else {
        return cause.to_string();
    };
    match (refusal.constraint(), refusal.code()) {
        (Some(constraint), _) => format!("constraint {constraint}"),
        (None, Some(code)) if refusal.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_none() => {
            format!("SQLSTATE {code}")
        }
        // SQLite names constraints and columns, and no values.
        _ => refusal.message().to_owned(),
    }
}
