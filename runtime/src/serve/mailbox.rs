//! The development mailbox of `outbound`, in the form in which `api` shows it: neither crate knows the other.

use std::sync::Arc;

use api::mail::{MailScope, MailStore};
use outbound::mailbox::{Mailbox, Page, Scope};
use serde::Serialize;
use serde_json::Value;

/// The mailbox as `api` sees it.
pub(super) struct SharedMailbox(pub(super) Arc<Mailbox>);

impl MailStore for SharedMailbox {
    fn search(&self, scope: MailScope, query: &str, start: usize, limit: usize) -> Value {
        json(&self.0.search(of(scope), query, Page { start, limit }))
    }

    fn message(&self, scope: MailScope, id: &str) -> Option<Value> {
        self.0.get(of(scope), id).as_ref().map(json)
    }

    fn set_read(&self, scope: MailScope, ids: &[String], read: bool) {
        self.0.set_read(of(scope), ids, read);
    }

    fn delete(&self, scope: MailScope, ids: &[String]) {
        self.0.delete(of(scope), ids);
    }

    fn delete_matching(&self, scope: MailScope, query: &str) {
        self.0.delete_matching(of(scope), query);
    }
}

fn of(scope: MailScope) -> Scope {
    match scope {
        MailScope::All => Scope::All,
        MailScope::Project(project) => Scope::Project(project),
    }
}

/// Mailpit's shapes hold text and numbers only, which always are JSON.
fn json(shape: &impl Serialize) -> Value {
    serde_json::to_value(shape).unwrap_or_default()
}
