//! Breaches for tests.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use domain::secret::Secret;

use super::{BreachCheck, BreachError};
use crate::http::HttpError;

/// Knows the passwords that a test names, and is out of reach when a test says so.
#[derive(Default)]
pub struct RecordingBreaches {
    breached: Mutex<HashSet<String>>,
    away: AtomicBool,
    asked: AtomicUsize,
}

impl RecordingBreaches {
    /// No breach so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// `password` becomes known.
    pub fn breach(&self, password: &str) {
        self.breached.lock().unwrap_or_else(PoisonError::into_inner).insert(password.to_owned());
    }

    /// Whether the service is out of reach.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// How often a password was asked about.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl BreachCheck for RecordingBreaches {
    async fn is_breached(&self, password: &Secret<String>) -> Result<bool, BreachError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(HttpError::Timeout.into());
        }
        Ok(self.breached.lock().unwrap_or_else(PoisonError::into_inner).contains(password.expose()))
    }
}
