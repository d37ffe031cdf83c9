//! Passwords that are known from breaches (`contract/core.md` §5.1): asked of a service, looked up in a file, or both;
//! and a list of common ones that needs neither.

pub mod blocklist;
mod bloom;
mod range;
mod recording;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use domain::secret::Secret;
use sha1::{Digest, Sha1};

pub use bloom::{BloomFile, BuildError};
pub use range::HttpBreaches;
pub use recording::RecordingBreaches;

use crate::http::HttpError;

/// SHA-1 of a password: how collections of breached passwords name them.
pub type Fingerprint = [u8; 20];

/// The fingerprint of a password.
pub fn fingerprint(password: &str) -> Fingerprint {
    Sha1::digest(password.as_bytes()).into()
}

/// Tells whether a password is known from a breach.
#[async_trait]
pub trait BreachCheck: Send + Sync {
    /// Whether `password` is known from a breach.
    ///
    /// # Errors
    /// It cannot be told; what then happens to the password is for the caller to say.
    async fn is_breached(&self, password: &Secret<String>) -> Result<bool, BreachError>;
}

/// Why nobody knows whether a password is breached.
#[derive(Debug, thiserror::Error)]
pub enum BreachError {
    /// The service could not be asked.
    #[error("the breach service could not be asked: {0}")]
    Http(#[from] HttpError),
    /// The service did not answer with a list.
    #[error("the breach service answered with status {0}")]
    Status(u16),
    /// The file could not be read.
    #[error("the file of breached passwords could not be read: {0}")]
    File(#[from] io::Error),
}

/// A file in front of a service: what the file does not hold is not breached, and the service is not asked; what it holds
/// is most likely breached, and the service has the last word as long as it can be asked.
pub struct FilteredBreaches {
    file: BloomFile,
    service: Arc<dyn BreachCheck>,
}

impl FilteredBreaches {
    /// `file` in front of `service`.
    pub fn new(file: BloomFile, service: Arc<dyn BreachCheck>) -> Self {
        Self { file, service }
    }
}

#[async_trait]
impl BreachCheck for FilteredBreaches {
    async fn is_breached(&self, password: &Secret<String>) -> Result<bool, BreachError> {
        if !self.file.is_breached(password).await? {
            return Ok(false);
        }
        match self.service.is_breached(password).await {
            Ok(breached) => Ok(breached),
            Err(error) => {
                tracing::warn!(%error, "breach service is out of reach, the file alone decides");
                Ok(true)
            }
        }
    }
}
