//! Where projects are placed: the gateway's own database, or one of a project's own, connected on first use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::secret::Secret;
use storage::{Database, Placement};

use crate::error::{Error, Result};

/// Connections a project's own database gets.
const OWN_CONNECTIONS: u32 = 4;

/// All databases in use.
#[derive(Clone)]
pub struct Databases {
    gateway: Database,
    own: Arc<Mutex<HashMap<String, Database>>>,
}

impl Databases {
    /// `gateway` takes every project that has no database of its own.
    pub fn new(gateway: Database) -> Self {
        Self { gateway, own: Arc::default() }
    }

    /// The gateway's own database.
    pub fn gateway(&self) -> &Database {
        &self.gateway
    }

    /// All databases that are connected now, each with its URL; the gateway's own comes first and has none.
    pub fn connected(&self) -> Vec<(Option<Secret<String>>, Database)> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let own = own.iter().map(|(url, database)| (Some(Secret::new(url.clone())), database.clone()));
        std::iter::once((None, self.gateway.clone())).chain(own).collect()
    }

    /// The database at `url`, `None` = the gateway's. Connected and migrated on first use.
    pub async fn get(&self, url: Option<&Secret<String>>) -> Result<Database> {
        let Some(url) = url else { return Ok(self.gateway.clone()) };
        if let Some(known) = self.own.lock().unwrap_or_else(PoisonError::into_inner).get(url.expose()) {
            return Ok(known.clone());
        }
        let placement = Placement::Postgres { url: url.clone(), max_connections: OWN_CONNECTIONS };
        let database = Database::connect(&placement).await?;
        database.migrate().await.map_err(|error| Error::Busy(error.into()))?;
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(own.entry(url.expose().clone()).or_insert(database).clone())
    }
}
