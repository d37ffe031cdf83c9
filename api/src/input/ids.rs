//! The ids in a path.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::Deserialize;

/// The ids of a path as they were sent. One that cannot be read is empty, and refused as any malformed id is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ids {
    /// What the path is about; a user on the admin's routes.
    pub(crate) id: String,
    /// A session of that user.
    pub(crate) session: String,
    /// A second factor of that user.
    pub(crate) factor: String,
    /// A passkey of that user.
    pub(crate) passkey: String,
    /// A provider of the project's own.
    pub(crate) identifier: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = Path::<Self>::from_request_parts(parts, state).await;
        Ok(path.map(|Path(ids)| ids).unwrap_or_default())
    }
}
