//! Rows of `auth.audit_log_entries` (`contract/core.md` §19).

use domain::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::database::Tx;
use crate::error::Result;
use crate::sql::each;
use crate::values::At;

statements! {
    // As text: a payload that travels as `jsonb` would lose the order of its keys.
    project INSERT = each(
        "insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
         values ($1, $2, $3::text::json, $4, $5)",
        "insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address) values ($1, $2, $3, $4, $5)",
    );
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// The row.
    pub id: Uuid,
    /// Actor, action and traits.
    pub payload: Value,
    /// The client's address where the contract writes it, else empty.
    pub ip_address: String,
    /// When.
    pub created_at: Timestamp,
}

/// Writes the audit log.
pub struct Audit<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl Audit<'_> {
    /// Appends an entry.
    pub async fn insert(&mut self, entry: AuditEntry) -> Result<()> {
        execute!(
            &mut self.tx.work,
            INSERT,
            self.tx.instance.0,
            entry.id,
            entry.payload.to_string(),
            At(entry.created_at),
            &entry.ip_address,
        )?;
        Ok(())
    }
}

/// Audit entries as arrays, for the statements that carry them along.
#[derive(Default)]
pub(crate) struct AuditColumns {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) payloads: Vec<String>,
    pub(crate) created_at: Vec<At>,
    pub(crate) ip_addresses: Vec<String>,
}

impl AuditColumns {
    pub(crate) fn of<'e>(entries: impl IntoIterator<Item = &'e AuditEntry>) -> Self {
        let mut columns = Self::default();
        for entry in entries {
            columns.ids.push(entry.id);
            columns.payloads.push(entry.payload.to_string());
            columns.created_at.push(At(entry.created_at));
            columns.ip_addresses.push(entry.ip_address.clone());
        }
        columns
    }
}
