//! `GET /admin/audit` (`contract/core.md` §17.9).

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::pagination::Paged;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::time::Timestamp;

/// A page of the audit log is asked for.
#[derive(Clone, Debug)]
pub struct List {
    /// The admin's token.
    pub bearer: Bearer,
    /// `page` and `per_page` as given.
    pub page: Option<String>,
    /// See `page`.
    pub per_page: Option<String>,
    /// `query` as given, empty when absent.
    pub query: String,
}

/// A row of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The row.
    pub id: Uuid,
    /// As it was written.
    pub payload: Box<RawValue>,
    /// When.
    pub created_at: Timestamp,
    /// Of whom, where the action keeps it.
    pub ip_address: String,
}

/// A page of entries, newest first.
pub type Listing = Paged<Entry>;

/// Which part of an entry is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `actor_username` or `actor_name`.
    Author,
    /// `action`.
    Action,
    /// `log_type`.
    Type,
}

/// Reads `query`: a scope, a colon and the text. An empty text finds everything.
///
/// # Errors
/// No colon, or no such scope.
pub fn search(query: &str) -> Result<Option<(Scope, String)>, Refusal> {
    if query.is_empty() {
        return Ok(None);
    }
    let invalid = || Refusal::AuditQuery(query.to_owned());
    let (scope, text) = query.split_once(':').ok_or_else(invalid)?;
    let scope = match scope {
        "author" => Scope::Author,
        "action" => Scope::Action,
        "type" => Scope::Type,
        _ => return Err(invalid()),
    };
    Ok((!text.is_empty()).then(|| (scope, text.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_its_scope() {
        assert_eq!(search(""), Ok(None));
        assert_eq!(search("author:"), Ok(None));
        assert_eq!(search("action:log:in"), Ok(Some((Scope::Action, "log:in".to_owned()))));
        for bad in ["login", "actor:x", "Author:x"] {
            assert_eq!(search(bad), Err(Refusal::AuditQuery(bad.to_owned())), "{bad}");
        }
    }
}
