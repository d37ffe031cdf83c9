//! The values of a row in a form that belongs to no database, and the same as JSON.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::tables::Table;
use crate::error::{Result, StoreError};
use crate::values;

/// What a column holds, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With hyphens, in lower case.
    Uuid,
    /// Text, words of enumerations too.
    Text,
    /// An instant as `2026-01-31T12:00:00.000000Z`.
    Time,
    /// A text of JSON, as it is in the database.
    Json,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// The number of a stored refresh token: given by the database, in the order of giving.
    Token,
    /// Where the session's tokens are stored: the number of one of them. Else a counter.
    Raised,
    /// Bytes in lower-case hexadecimal.
    Bytes,
    /// A JSON array of texts.
    Texts,
    /// An IP address.
    Address,
}

/// A row of a table, in a form that belongs to no database.
#[derive(Clone, Debug)]
pub struct Row {
    /// In the order of the table's columns; `None` = NULL.
    pub(crate) cells: Vec<Option<String>>,
}

/// Why a line of an archive is no row. The text names what is wrong, and never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoRow(pub(crate) String);

/// Where a row stands among the others of its table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyPart {
    Int(i64),
    /// Everything else is ordered by its bytes.
    Text(String),
}

/// The place of a row in the order of its table.
pub(crate) type Key = Vec<KeyPart>;

impl Table {
    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

impl Row {
    /// Reads what a database answered: `shift` is what its numbers of stored tokens are ahead by.
    pub(super) fn from_database(table: &Table, cells: &str, shift: i64) -> Result<Self> {
        let cells: Vec<Option<String>> =
            serde_json::from_str(cells).map_err(|_| StoreError::fault("a row is no array of texts"))?;
        let cells = table
            .columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| {
                let Some(cell) = cell else { return Ok(None) };
                let cell = normal(column.kind, &cell);
                cell.map(Some).ok_or_else(|| StoreError::fault("a row holds a value that is not of its column's type"))
            })
            .collect::<Result<_>>()?;
        let mut row = Self { cells };
        row.shift(table, shift.checked_neg().unwrap_or_default())?;
        Ok(row)
    }

    /// The row as the statements take it.
    pub(super) fn to_database(&self, table: &Table, shift: i64) -> Result<BTreeMap<&'static str, String>> {
        let mut row = self.clone();
        row.shift(table, shift)?;
        let named = table.columns.iter().map(|column| column.name).zip(row.cells);
        Ok(named.filter_map(|(name, cell)| cell.map(|cell| (name, cell))).collect())
    }

    /// Moves the numbers of stored tokens.
    fn shift(&mut self, table: &Table, by: i64) -> Result<()> {
        let counts =
            table.position("refresh_token_counter").and_then(|at| self.cells.get(at)).is_some_and(Option::is_some);
        for (column, cell) in table.columns.iter().zip(&mut self.cells) {
            let moves = match column.kind {
                Kind::Token => true,
                Kind::Raised => !counts,
                _ => false,
            };
            if let Some(text) = cell.as_mut().filter(|_| moves) {
                let moved = text.parse::<i64>().ok().and_then(|number| number.checked_add(by));
                *text = moved.ok_or_else(|| StoreError::fault("the numbers of stored tokens are used up"))?.to_string();
            }
        }
        Ok(())
    }

    /// Where it stands.
    pub(super) fn key(&self, table: &Table) -> Key {
        table.key.iter().map(|name| self.part(table, name)).collect()
    }

    fn part(&self, table: &Table, name: &str) -> KeyPart {
        let at = table.position(name).unwrap_or_default();
        let text = self.cells.get(at).cloned().flatten().unwrap_or_default();
        match table.columns.get(at).map(|column| column.kind) {
            Some(Kind::Int | Kind::Token) => KeyPart::Int(text.parse().unwrap_or_default()),
            _ => KeyPart::Text(text),
        }
    }

    /// Whether nothing has to be written for one to become the other.
    pub(super) fn is_same(&self, table: &Table, other: &Self) -> bool {
        table.columns.iter().zip(self.cells.iter().zip(&other.cells)).all(|(column, (one, other))| {
            one == other
                || matches!((column.kind, one, other), (Kind::Json, Some(one), Some(other)) if canonical(one) == canonical(other))
        })
    }

    /// The row as a JSON object: absent = NULL, numbers of counts as numbers, bytes in hexadecimal.
    ///
    /// # Errors
    /// A `Fault` where the database holds JSON that is none.
    pub fn to_json(&self, table: &Table) -> Result<String> {
        let mut object: BTreeMap<&str, Box<RawValue>> = BTreeMap::new();
        for (column, cell) in table.columns.iter().zip(&self.cells) {
            let Some(cell) = cell else { continue };
            let value = match column.kind {
                Kind::Bool | Kind::Int | Kind::Token | Kind::Raised => cell.clone(),
                Kind::Json | Kind::Texts => {
                    canonical(cell).ok_or_else(|| StoreError::fault("a row holds JSON that is none"))?
                }
                Kind::Uuid | Kind::Text | Kind::Time | Kind::Bytes | Kind::Address => {
                    serde_json::Value::from(cell.as_str()).to_string()
                }
            };
            let value =
                RawValue::from_string(value).map_err(|_| StoreError::fault("a row cannot be written as JSON"))?;
            object.insert(column.name, value);
        }
        serde_json::to_string(&object).map_err(|_| StoreError::fault("a row cannot be written as JSON"))
    }

    /// Reads what [`Row::to_json`] wrote.
    ///
    /// # Errors
    /// A column that the table does not have, or a value that is not of its column's type.
    pub fn from_json(table: &Table, object: &str) -> Result<Self, NoRow> {
        let object: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(object).map_err(|_| NoRow("row is no JSON object".to_owned()))?;
        let mut cells = vec![None; table.columns.len()];
        for (name, value) in &object {
            let known = table.position(name).and_then(|at| Some((table.columns.get(at)?, cells.get_mut(at)?)));
            let Some((column, cell)) = known else {
                return Err(NoRow(format!("{} has no column {name:?}", table.name)));
            };
            let text = text_of(column.kind, value.get());
            let text = text.and_then(|text| normal(column.kind, &text));
            *cell = Some(text.ok_or_else(|| NoRow(format!("{}.{name} is not of its type", table.name)))?);
        }
        if let Some(name) = table.key.iter().find(|name| !object.contains_key(**name)) {
            return Err(NoRow(format!("{}.{name} is missing", table.name)));
        }
        Ok(Self { cells })
    }

    /// The text of a column, for values that are to be sealed anew.
    pub fn text(&self, table: &Table, column: &str) -> Option<&str> {
        self.cells.get(table.position(column)?)?.as_deref()
    }

    /// Puts a text into a column.
    pub fn set_text(&mut self, table: &Table, column: &str, text: String) {
        if let Some(cell) = table.position(column).and_then(|at| self.cells.get_mut(at)) {
            *cell = Some(text);
        }
    }
}

/// The text a JSON value stands for, if it is of the form that the kind has in JSON.
fn text_of(kind: Kind, json: &str) -> Option<String> {
    match kind {
        Kind::Uuid | Kind::Text | Kind::Time | Kind::Bytes | Kind::Address => serde_json::from_str(json).ok(),
        Kind::Bool | Kind::Int | Kind::Token | Kind::Raised | Kind::Json | Kind::Texts => Some(json.to_owned()),
    }
}

/// A value in the one form it has here, `None` when it is not of the kind.
pub(super) fn normal(kind: Kind, text: &str) -> Option<String> {
    match kind {
        Kind::Uuid => Some(text.parse::<Uuid>().ok()?.hyphenated().to_string()),
        Kind::Text => Some(text.to_owned()),
        Kind::Time => Some(values::sqlite_text(values::from_sqlite_text(text).ok()?)),
        Kind::Json => serde_json::from_str::<&RawValue>(text).ok().map(|json| json.get().to_owned()),
        Kind::Bool => matches!(text, "true" | "false").then(|| text.to_owned()),
        Kind::Int | Kind::Token | Kind::Raised => Some(text.parse::<i64>().ok()?.to_string()),
        Kind::Bytes => {
            let is_hex = text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit());
            is_hex.then(|| text.to_ascii_lowercase())
        }
        Kind::Texts => serde_json::to_string(&serde_json::from_str::<Vec<String>>(text).ok()?).ok(),
        Kind::Address => Some(text.parse::<IpAddr>().ok()?.to_string()),
    }
}

/// JSON without what says nothing: white space, the order of members. Numbers stay as they are written.
fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    match text.as_bytes().first()? {
        b'{' => {
            let object: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            let members = object
                .into_iter()
                .map(|(name, value)| Some(format!("{}:{}", serde_json::Value::from(name), canonical(value.get())?)));
            Some(format!("{{{}}}", members.collect::<Option<Vec<_>>>()?.join(",")))
        }
        b'[' => {
            let array: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let items = array.into_iter().map(|value| canonical(value.get()));
            Some(format!("[{}]", items.collect::<Option<Vec<_>>>()?.join(",")))
        }
        b'"' => Some(serde_json::Value::from(serde_json::from_str::<String>(text).ok()?).to_string()),
        _ => serde_json::from_str::<&RawValue>(text).ok().map(|plain| plain.get().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::TABLES;
    use super::*;

    fn table(name: &str) -> &'static Table {
        TABLES.iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn json_is_the_same_whatever_its_order_and_its_spaces() {
        let one = r#" { "b" : [1, 2.50, {"y":null,"x":"\u00fc"}], "a":12345678901234567890123 } "#;
        let other = r#"{"a":12345678901234567890123,"b":[1,2.50,{"x":"ü","y":null}]}"#;
        assert_eq!(canonical(one).unwrap(), other);
        assert_eq!(canonical(other).unwrap(), other);
        assert_ne!(canonical(r#"{"a":[1,2]}"#), canonical(r#"{"a":[2,1]}"#));
        assert_eq!(canonical("{"), None);
    }

    #[test]
    fn a_row_comes_back_from_json_as_it_was() {
        let sessions = table("sessions");
        let line = r#"{"id":"11111111-1111-1111-1111-111111111111","ip":"2001:db8::1","raised_from":7,"refresh_token_counter":9,"refreshed_at":"2026-01-31T12:00:00.000001Z"}"#;
        let row = Row::from_json(sessions, line).unwrap();
        assert_eq!(row.to_json(sessions).unwrap(), line);
        let users = table("users");
        let line = r#"{"id":"11111111-1111-1111-1111-111111111111","is_anonymous":false,"raw_user_meta_data":null}"#;
        let row = Row::from_json(users, line).unwrap();
        assert_eq!(row.to_json(users).unwrap(), line, "JSON's null is a value, no row without one");
        assert_eq!(row.text(users, "raw_app_meta_data"), None);
    }

    #[test]
    fn a_line_that_is_no_row_says_what_is_wrong() {
        let id = r#""id":"11111111-1111-1111-1111-111111111111""#;
        let broken = [
            ("[]".to_owned(), "row is no JSON object"),
            ("{}".to_owned(), "users.id is missing"),
            (format!(r#"{{{id},"shoe_size":1}}"#), r#"users has no column "shoe_size""#),
            (r#"{"id":"1"}"#.to_owned(), "users.id is not of its type"),
            (format!(r#"{{{id},"created_at":"yesterday"}}"#), "users.created_at is not of its type"),
            (format!(r#"{{{id},"is_anonymous":1}}"#), "users.is_anonymous is not of its type"),
            (format!(r#"{{{id},"email":null}}"#), "users.email is not of its type"),
        ];
        for (line, why) in broken {
            assert_eq!(Row::from_json(table("users"), &line).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn numbers_of_stored_tokens_move_and_counters_do_not() {
        let tokens = table("refresh_tokens");
        let row = Row::from_json(tokens, r#"{"id":5,"token":"abc"}"#).unwrap();
        assert_eq!(row.to_database(tokens, 1000).unwrap()["id"], "1005");
        let sessions = table("sessions");
        let id = "11111111-1111-1111-1111-111111111111";
        let stored = Row::from_json(sessions, &format!(r#"{{"id":"{id}","raised_from":5}}"#)).unwrap();
        assert_eq!(stored.to_database(sessions, 1000).unwrap()["raised_from"], "1005");
        let line = format!(r#"{{"id":"{id}","raised_from":5,"refresh_token_counter":8}}"#);
        let bound = Row::from_json(sessions, &line).unwrap();
        assert_eq!(bound.to_database(sessions, 1000).unwrap()["raised_from"], "5");
        assert!(row.to_database(tokens, i64::MAX).is_err());
    }
}
