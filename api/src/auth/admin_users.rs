//! `/admin/users` (`contract/core.md` §17.2 to §17.6).

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use domain::admin_users::{Attributes, Create, Delete, Get, List, Update};
use domain::refusal::Refusal;
use domain::secret::Secret;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::object::Object;
use crate::output::{json, pages};
use crate::wire::user::User;

/// The id of a path. One that cannot be read is empty, and refused as any malformed id is.
#[derive(Default, Deserialize)]
pub(crate) struct Id {
    id: String,
}

type UserPath = Result<Path<Id>, PathRejection>;

fn id(path: UserPath) -> String {
    path.map(|Path(Id { id })| id).unwrap_or_default()
}

#[derive(Serialize)]
struct Users<'a> {
    users: Vec<User<'a>>,
    aud: &'a str,
}

/// `GET /admin/users`: a page of users.
pub(crate) async fn list(edge: Edge) -> Result<Response, Failure> {
    let list = edge.behind(Gate::Admin, parse_list(&edge)).await?;
    let listing = edge.ask(list).await?;
    let users = Users { users: listing.users.items.iter().map(User::listed).collect(), aud: &listing.aud };
    let mut response = json::answer(StatusCode::OK, &users)?;
    pages::add_headers(&mut response, &edge.path, &edge.query, &listing.users)?;
    Ok(response)
}

fn parse_list(edge: &Edge) -> Result<List, Refusal> {
    let query = &edge.query;
    Ok(List {
        bearer: edge.bearer.clone(),
        page: query.get("page")?.map(str::to_owned),
        per_page: query.get("per_page")?.map(str::to_owned),
        sort: query.all("sort").map(|sort| sort.map(str::to_owned)).collect::<Result<_, _>>()?,
        filter: query.text("filter")?,
    })
}

/// `POST /admin/users`.
pub(crate) async fn create(edge: Edge) -> Result<Response, Failure> {
    let attributes = edge.fields(Gate::Admin, attributes).await?;
    let user = edge.ask(Create { bearer: edge.bearer.clone(), attributes }).await?;
    json::answer(StatusCode::OK, &User::new(&user))
}

/// `GET /admin/users/{id}`.
pub(crate) async fn get(edge: Edge, path: UserPath) -> Result<Response, Failure> {
    let user = edge.ask(Get { bearer: edge.bearer.clone(), user: id(path) }).await?;
    json::answer(StatusCode::OK, &User::of(&user))
}

/// `PUT /admin/users/{id}`.
pub(crate) async fn update(edge: Edge, path: UserPath) -> Result<Response, Failure> {
    let attributes = edge.fields(Gate::Admin, attributes).await?;
    let user = edge.ask(Update { bearer: edge.bearer.clone(), user: id(path), attributes }).await?;
    json::answer(StatusCode::OK, &User::of(&user))
}

/// `DELETE /admin/users/{id}`: without a body the row goes.
pub(crate) async fn delete(edge: Edge, path: UserPath) -> Result<Response, Failure> {
    let soft = edge.behind(Gate::Admin, should_soft_delete(&edge)).await?;
    edge.ask(Delete { bearer: edge.bearer.clone(), user: id(path), soft }).await?;
    json::answer(StatusCode::OK, &json!({}))
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
