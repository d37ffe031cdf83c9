//! The mailbox for development: a page where a person follows the link of a mail, and Mailpit's API for tools. It shows
//! whatever was mailed, so only this very machine may look.

mod api;
mod guard;
mod page;
mod view;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use domain::ids::ProjectId;
use serde_json::Value;

use crate::state::ApiState;

/// Where mails stay while a project has no mail server. Mails are given in the shapes of Mailpit's API v1, with the kind of
/// mail as the first of `Tags` and `Link`, `LinkText`, `Code` besides.
pub trait MailStore: Send + Sync + 'static {
    /// A page of the mails that match `query`, newest first, as Mailpit lists messages. The empty query matches all.
    fn search(&self, scope: MailScope, query: &str, start: usize, limit: usize) -> Value;

    /// One mail, from now on read; the id `latest` is the newest.
    fn message(&self, scope: MailScope, id: &str) -> Option<Value>;

    /// Marks the mails with these ids, or all where there are none.
    fn set_read(&self, scope: MailScope, ids: &[String], read: bool);

    /// Throws away the mails with these ids, or all where there are none.
    fn delete(&self, scope: MailScope, ids: &[String]);

    /// Throws away the mails that match `query`.
    fn delete_matching(&self, scope: MailScope, query: &str);
}

/// Whose mails are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailScope {
    /// Every project's.
    All,
    /// One project's.
    Project(ProjectId),
}

/// `/mail/...` for all projects and `/p/{ref}/mail/...` for one.
pub(crate) fn routes(state: &ApiState) -> Router<ApiState> {
    let mailbox = || {
        Router::new()
            .route("/mail", get(page::to_list))
            .route("/mail/", get(page::list))
            .route("/mail/list", get(page::entries))
            .route("/mail/style.css", get(page::style))
            .route("/mail/mail.js", get(page::script))
            .route("/mail/icon.svg", get(page::icon))
            .route("/mail/message/{id}", get(page::message))
            .route("/mail/message/{id}/html", get(page::html))
            .route("/mail/api/v1/messages", get(api::list).put(api::set_read).delete(api::delete))
            .route("/mail/api/v1/search", get(api::search).delete(api::delete_matching))
            .route("/mail/api/v1/message/{id}", get(api::message))
    };
    Router::new().merge(mailbox()).nest("/p/{ref}", mailbox()).layer(from_fn_with_state(state.clone(), guard::guard))
}
