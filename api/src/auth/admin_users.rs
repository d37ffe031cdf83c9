//! `/admin/users` (`contract/core.md` §17.2 to §17.6).

use axum::response::Response;
use domain::admin_users::{Attributes, Create, Delete, Get, List, Listing, Update, Users};
use domain::pagination::Stretch;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::user;
use domain::user_json::User;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::ids::Ids;
use crate::input::object::Object;
use crate::input::query::Query;
use crate::output::{json, pages};
use crate::wire::cursor;

#[derive(Serialize)]
struct Body<'a> {
    users: Vec<User<'a>>,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Pagination<'a>>,
}

#[derive(Serialize)]
struct Pagination<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
    has_more: bool,
}

/// `GET /admin/users`: a page of users, or a stretch of them behind a cursor.
pub(crate) async fn list(edge: Edge) -> Result<Response, Failure> {
    let list = edge.behind(Gate::Admin, parse_list(&edge)).await?;
    let Listing { aud, users } = edge.ask(list).await?;
    match users {
        Users::Page(page) => {
            let body = Body { users: listed(&page.items), aud: &aud, pagination: None };
            let mut response = json::answer(StatusCode::OK, &body)?;
            pages::add_headers(&mut response, &edge.path, &edge.query, &page)?;
            Ok(response)
        }
        Users::Stretch { items, next } => {
            let next = next.as_ref().map(cursor::write).transpose()?;
            let pagination = Pagination { next_cursor: next.as_deref(), has_more: next.is_some() };
            let body = Body { users: listed(&items), aud: &aud, pagination: Some(pagination) };
            let mut response = json::answer(StatusCode::OK, &body)?;
            if let Some(next) = &next {
                pages::add_next(&mut response, &edge.path, &edge.query, next)?;
            }
            Ok(response)
        }
    }
}

fn listed(users: &[user::User]) -> Vec<User<'_>> {
    users.iter().map(User::listed).collect()
}

fn parse_list(edge: &Edge) -> Result<List, Refusal> {
    let query = &edge.query;
    Ok(List {
        bearer: edge.bearer.clone(),
        page: query.get("page")?.map(str::to_owned),
        per_page: query.get("per_page")?.map(str::to_owned),
        stretch: parse_stretch(query)?,
        sort: query.all("sort").map(|sort| sort.map(str::to_owned)).collect::<Result<_, _>>()?,
        filter: query.text("filter")?,
    })
}

/// What is asked for in place of a page: a cursor says so, at the start an empty one, and a page number says otherwise.
fn parse_stretch(query: &Query) -> Result<Option<Stretch>, Refusal> {
    let given = |name| Ok::<_, Refusal>(query.get(name)?.filter(|text| !text.is_empty()));
    let Some(cursor) = query.get("cursor")? else { return Ok(None) };
    if given("page")?.is_some() || given("per_page")?.is_some() {
        return Ok(None);
    }
    let after = if cursor.is_empty() { None } else { Some(cursor::read(cursor)?) };
    Stretch::parse(after, given("limit")?).map(Some)
}

/// `POST /admin/users`.
pub(crate) async fn create(edge: Edge) -> Result<Response, Failure> {
    let attributes = edge.fields(Gate::Admin, attributes).await?;
    let without_metadata = attributes.leaves_metadata_null();
    let user = edge.ask(Create { bearer: edge.bearer.clone(), attributes }).await?;
    let user = if without_metadata { User::without_metadata(&user) } else { User::new(&user) };
    json::answer(StatusCode::OK, &user)
}

/// `GET /admin/users/{id}`.
pub(crate) async fn get(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let user = edge.ask(Get { bearer: edge.bearer.clone(), user: ids.id }).await?;
    json::answer(StatusCode::OK, &User::of(&user))
}

/// `PUT /admin/users/{id}`.
pub(crate) async fn update(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let user = ids.id;
    let read = edge.object().and_then(|fields| Ok(attributes(fields)?));
    let attributes = for_user(&edge, &user, read).await?;
    let user = edge.ask(Update { bearer: edge.bearer.clone(), user, attributes }).await?;
    json::answer(StatusCode::OK, &User::of(&user))
}

/// `DELETE /admin/users/{id}`: without a body the row goes.
pub(crate) async fn delete(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let user = ids.id;
    let soft = for_user(&edge, &user, should_soft_delete(&edge)).await?;
    edge.ask(Delete { bearer: edge.bearer.clone(), user, soft }).await?;
    json::answer(StatusCode::OK, &json!({}))
}

/// Gives what was `read` from the body; where that failed, first what is wrong with the token and then with the user.
async fn for_user<T>(edge: &Edge, user: &str, read: Result<T, Failure>) -> Result<T, Failure> {
    if read.is_err() {
        edge.ask(Get { bearer: edge.bearer.clone(), user: user.to_owned() }).await?;
    }
    read
}

fn should_soft_delete(edge: &Edge) -> Result<bool, Failure> {
    let body = edge.body()?;
    Ok(!body.is_empty() && Object::parse(body)?.flag("should_soft_delete")?)
}

fn attributes(mut fields: Object) -> Result<Attributes, Refusal> {
    Ok(Attributes {
        aud: fields.text("aud")?,
        role: fields.text("role")?,
        email: fields.text("email")?,
        phone: fields.text("phone")?,
        password: fields.optional_text("password")?.map(Secret::new),
        password_hash: fields.secret("password_hash")?,
        email_confirm: fields.flag("email_confirm")?,
        phone_confirm: fields.flag("phone_confirm")?,
        user_metadata: fields.object("user_metadata")?,
        app_metadata: fields.object("app_metadata")?,
        ban_duration: fields.text("ban_duration")?,
        id: fields.text("id")?,
    })
}
