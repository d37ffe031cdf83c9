//! What an operator of a project asks.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Failure, Project, send_json};

/// A part of the list of users.
pub(crate) struct Listed {
    pub(crate) ids: Vec<String>,
    /// Where the list goes on; none at its end, and none where the server does not know cursors.
    pub(crate) next: Option<String>,
    /// Whether it answers cursors.
    pub(crate) by_cursor: bool,
}

#[derive(Deserialize)]
struct Body {
    users: Vec<Row>,
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
}

#[derive(Deserialize)]
struct Pagination {
    next_cursor: Option<String>,
}

async fn listed(project: &Project, path: &str) -> Result<Listed, Failure> {
    let Body { users, pagination } = send_json(project.admin(Method::GET, path)).await?;
    let by_cursor = pagination.is_some();
    let next = pagination.and_then(|pagination| pagination.next_cursor);
    Ok(Listed { ids: users.into_iter().map(|user| user.id).collect(), next, by_cursor })
}

/// A page of the users, from 1 on.
pub(crate) async fn page(project: &Project, page: u32, per_page: u32) -> Result<Listed, Failure> {
    listed(project, &format!("users?page={page}&per_page={per_page}")).await
}

/// The users behind a cursor; none is the beginning.
pub(crate) async fn stretch(project: &Project, after: Option<&str>, limit: u32) -> Result<Listed, Failure> {
    listed(project, &format!("users?cursor={}&limit={limit}", after.unwrap_or_default())).await
}

/// Reads one user, and makes sure that it is the right one.
pub(crate) async fn user(project: &Project, id: &str) -> Result<(), Failure> {
    let row: Row = send_json(project.admin(Method::GET, &format!("users/{id}"))).await?;
    if row.id == id { Ok(()) } else { Err(Failure("another user's data".to_owned())) }
}

/// The user with this address, where there is one.
pub(crate) async fn find(project: &Project, email: &str) -> Result<Option<String>, Failure> {
    let found = listed(project, &format!("users?page=1&per_page=1&filter={email}")).await?;
    Ok(found.ids.into_iter().next())
}

/// Makes a user who cannot sign in: with the hash of no password, so that the server need not hash one.
pub(crate) async fn create(project: &Project, email: &str, hash: &str) -> Result<String, Failure> {
    let body = json!({"email": email, "password_hash": hash, "email_confirm": true});
    let row: Row = send_json(project.admin(Method::POST, "users").json(&body)).await?;
    Ok(row.id)
}

/// How many sessions a user has, as an operator sees them.
pub(crate) async fn count_sessions(project: &Project, user: &str) -> Result<usize, Failure> {
    let request = project.admin(Method::GET, &format!("users/{user}/sessions"));
    Ok(send_json::<super::sessions::List>(request).await?.sessions.len())
}
