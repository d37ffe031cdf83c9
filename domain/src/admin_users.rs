//! `/admin/users` (`contract/core.md` §17.2 to §17.6).

use crate::pagination::Paged;
use crate::request::Bearer;
use crate::secret::Secret;
use crate::user::{Metadata, User};

/// `GET /admin/users`.
#[derive(Clone, Debug)]
pub struct List {
    /// The admin's token.
    pub bearer: Bearer,
    /// `page` and `per_page` as given.
    pub page: Option<String>,
    /// See `page`.
    pub per_page: Option<String>,
    /// Every `sort` parameter as given.
    pub sort: Vec<String>,
    /// The `filter` parameter, empty when absent.
    pub filter: String,
}

/// A page of users of one audience.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The request's audience.
    pub aud: String,
    /// The page; identities and factors are not loaded.
    pub users: Paged<User>,
}

/// `GET /admin/users/{id}`. Answers a `User`.
#[derive(Clone, Debug)]
pub struct Get {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's id.
    pub user: String,
}

/// The body of create and update. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Audience, create only.
    pub aud: String,
    /// PostgreSQL role.
    pub role: String,
    /// Address.
    pub email: String,
    /// Number.
    pub phone: String,
    /// Password.
    pub password: Option<Secret<String>>,
    /// A hash to be imported, create only.
    pub password_hash: Secret<String>,
    /// Confirms the address.
    pub email_confirm: bool,
    /// Confirms the number.
    pub phone_confirm: bool,
    /// Merged on update.
    pub user_metadata: Option<Metadata>,
    /// Merged.
    pub app_metadata: Option<Metadata>,
    /// `none` or a Go duration, empty = untouched.
    pub ban_duration: String,
    /// The wanted id, create only, empty = any.
    pub id: String,
}

/// `POST /admin/users`. Answers a `User`.
#[derive(Clone, Debug)]
pub struct Create {
    /// The admin's token.
    pub bearer: Bearer,
    /// The body.
    pub attributes: Attributes,
}

/// `PUT /admin/users/{id}`. Answers a `User`.
#[derive(Clone, Debug)]
pub struct Update {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's id.
    pub user: String,
    /// The body.
    pub attributes: Attributes,
}

/// `DELETE /admin/users/{id}`. Answers nothing.
#[derive(Clone, Debug)]
pub struct Delete {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's id.
    pub user: String,
    /// Keep an unusable row.
    pub soft: bool,
}

