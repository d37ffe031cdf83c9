//! A page of a project's audit log (`contract/core.md` §17.9).

use domain::audit_log::{Entry, Scope};
use domain::time::Timestamp;
use serde_json::value::RawValue;
use sqlx::FromRow;
use uuid::Uuid;

use crate::backend::Search;
use crate::database::TenantStore;
use crate::error::{Result, StoreError};
use crate::sql::each;
use crate::values::At;

/// All entries, or those whose part `$2` contains `$3`.
macro_rules! chosen {
    ($database:ident, all) => {
        "from auth.audit_log_entries as a where a.instance_id = $1"
    };
    (postgres, matching) => {
        "from auth.audit_log_entries as a where a.instance_id = $1 and (
             $2 = 'action' and a.payload ->> 'action' ilike $3
             or $2 = 'type' and a.payload ->> 'log_type' ilike $3
             or $2 = 'author' and (a.payload ->> 'actor_username' ilike $3 or a.payload ->> 'actor_name' ilike $3))"
    };
    (sqlite, matching) => {
        "from auth.audit_log_entries as a where a.instance_id = $1 and (
             $2 = 'action' and a.payload ->> '$.action' like $3 escape '\\'
             or $2 = 'type' and a.payload ->> '$.log_type' like $3 escape '\\'
             or $2 = 'author' and (a.payload ->> '$.actor_username' like $3 escape '\\'
                                   or a.payload ->> '$.actor_name' like $3 escape '\\'))"
    };
}

macro_rules! page {
    (postgres, $which:ident, $limit:literal, $offset:literal) => {
        page!("a.payload::text as payload", postgres, $which, $limit, $offset)
    };
    (sqlite, $which:ident, $limit:literal, $offset:literal) => {
        page!("a.payload", sqlite, $which, $limit, $offset)
    };
    ($payload:literal, $database:ident, $which:ident, $limit:literal, $offset:literal) => {
        concat!(
            "select a.id, ",
            $payload,
            ", a.created_at, a.ip_address ",
            chosen!($database, $which),
            " order by a.created_at desc, a.id desc limit ",
            $limit,
            " offset ",
            $offset
        )
    };
}

statements! {
    project COUNT = each(concat!("select count(*) ", chosen!(postgres, all)), concat!("select count(*) ", chosen!(sqlite, all)));
    project COUNT_MATCHING = each(
        concat!("select count(*) ", chosen!(postgres, matching)),
        concat!("select count(*) ", chosen!(sqlite, matching)),
    );
    project NEWEST = each(page!(postgres, all, "$2", "$3"), page!(sqlite, all, "$2", "$3"));
    project NEWEST_MATCHING = each(page!(postgres, matching, "$4", "$5"), page!(sqlite, matching, "$4", "$5"));
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    payload: Option<String>,
    created_at: Option<At>,
    ip_address: String,
}

impl TryFrom<Row> for Entry {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let payload = RawValue::from_string(row.payload.unwrap_or_else(|| "{}".to_owned()));
        Ok(Self {
            id: row.id,
            payload: payload.map_err(|_| StoreError::fault("a payload of the audit log is not JSON"))?,
            created_at: row.created_at.map_or(Timestamp::from_unix(0), |at| at.0),
            ip_address: row.ip_address,
        })
    }
}

/// Which entries, and which part of them.
#[derive(Clone, Debug)]
pub struct ListAudit {
    /// Only those where this part contains the text, without regard to case; `%` and `_` are wildcards.
    pub search: Option<(Scope, String)>,
    /// At most so many.
    pub limit: u64,
    /// Skip so many.
    pub offset: u64,
}

impl TenantStore {
    /// The entries of a page, newest first, and how many there are in all. Payloads are what was written, to the letter.
    pub async fn list_audit(&self, list: ListAudit) -> Result<(Vec<Entry>, u64)> {
        let (backend, instance) = (self.backend(), self.instance.0);
        let limit = i64::try_from(list.limit).unwrap_or(i64::MAX);
        let offset = i64::try_from(list.offset).unwrap_or(i64::MAX);
        let (rows, (total,)) = match &list.search {
            None => {
                let mut work = backend.begin_search(Search::Count).await?;
                let total = fetch!(&mut work, fetch_one, (i64,), COUNT, instance)?;
                let rows = fetch!(&mut work, fetch_all, Row, NEWEST, instance, limit, offset)?;
                work.commit().await?;
                (rows, total)
            }
            Some((scope, text)) => {
                let (scope, like) = (word(*scope), format!("%{text}%"));
                let mut work = backend.begin_search(Search::InOrder).await?;
                let total = fetch!(&mut work, fetch_one, (i64,), COUNT_MATCHING, instance, scope, &like)?;
                let rows = fetch!(&mut work, fetch_all, Row, NEWEST_MATCHING, instance, scope, &like, limit, offset)?;
                work.commit().await?;
                (rows, total)
            }
        };
        let entries: Result<Vec<Entry>> = rows.into_iter().map(Entry::try_from).collect();
        Ok((entries?, total.unsigned_abs()))
    }
}

fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::Author => "author",
        Scope::Action => "action",
        Scope::Type => "type",
    }
}
