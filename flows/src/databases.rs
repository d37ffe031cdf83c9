//! Where projects are placed: the gateway's own database, or one of a project's own, opened on use.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ids::ProjectId;
use domain::project::Placement;
use domain::secret::Secret;
use storage::{Database, PoolBudget, WeakDatabase};

use crate::error::{Error, Result};

/// Connections a project's own database gets at most.
const OWN_CONNECTIONS: u32 = 4;
/// How long an operator waits until a database is open that he named.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long those are waited for who still work with a database that is to be closed.
const CLOSING: Duration = Duration::from_secs(5);
/// Connections of an embedded gateway that one project may hold where nothing else is said: its writes are one queue, in which the others
/// stand no further behind.
const EMBEDDED_SHARE: u32 = 8;

/// How many databases of their own projects may have open, and where their files lie.
#[derive(Clone, Debug)]
pub struct OwnDatabases {
    /// The folder of projects' own SQLite files; `None` = projects have none here.
    pub files: Option<PathBuf>,
    /// How many databases of projects' own are open at a time.
    pub most_open: usize,
}

impl Default for OwnDatabases {
    fn default() -> Self {
        Self { files: None, most_open: 128 }
    }
}

/// All databases. Cheap to clone.
#[derive(Clone)]
pub struct Databases {
    gateway: Database,
    own: Arc<Own>,
}

struct Own {
    files: Option<PathBuf>,
    budget: PoolBudget,
    known: Mutex<Known>,
}

/// What of projects' own somebody keeps.
#[derive(Default)]
struct Known {
    databases: HashMap<Address, WeakDatabase>,
    /// At how many it is looked who keeps nothing any more.
    sweep_at: usize,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Address {
    Url(String),
    File(ProjectId),
}

impl Databases {
    /// `gateway` takes every project that has no database of its own; there are no files of projects' own.
    pub fn new(gateway: Database) -> Self {
        Self::with(gateway, OwnDatabases::default())
    }

    /// `gateway` takes every project that has no database of its own.
    pub fn with(gateway: Database, own: OwnDatabases) -> Self {
        let own = Own { files: own.files, budget: PoolBudget::new(own.most_open), known: Mutex::default() };
        Self { gateway, own: Arc::new(own) }
    }

    /// The gateway's own database.
    pub fn gateway(&self) -> &Database {
        &self.gateway
    }

    /// Why no project can be placed there by this gateway, if so.
    pub fn why_not(&self, placement: Placement, url: Option<&Secret<String>>) -> Option<&'static str> {
        match (placement, url) {
            (Placement::Gateway, _) => None,
            (Placement::Postgres, None) => Some("a PostgreSQL database of its own needs a database_url"),
            (Placement::Postgres, Some(url)) => (!storage::is_postgres_url(url.expose()))
                .then_some("database_url must be a PostgreSQL address (postgres://user:password@host/database)"),
            (Placement::Sqlite, _) => self.own.files.is_none().then_some(
                "a project has a SQLite file of its own only where the gateway keeps everything in SQLite files",
            ),
        }
    }

    /// The database that a project is placed in. Never waits and connects nothing: the first statement does, and finds out whether the
    /// database is away.
    ///
    /// # Errors
    /// `Busy` when this gateway has no such place.
    pub fn of(&self, placement: Placement, url: Option<&Secret<String>>, project: ProjectId) -> Result<Database> {
        if let Some(why) = self.why_not(placement, url) {
            return Err(Error::Busy(why.into()));
        }
        let (address, place) = match (placement, url, &self.own.files) {
            (Placement::Postgres, Some(url), _) => {
                let place = storage::Placement::Postgres { url: url.clone(), max_connections: OWN_CONNECTIONS };
                (Address::Url(url.expose().clone()), place)
            }
            (Placement::Sqlite, _, Some(files)) => {
                (Address::File(project), storage::Placement::Sqlite { file: file_of(files, project) })
            }
            _ => return Ok(self.gateway.clone()),
        };
        let mut known = self.known();
        if let Some(database) = known.databases.get(&address).and_then(WeakDatabase::upgrade) {
            return Ok(database);
        }
        let database = Database::on_use(place, self.own.budget.clone());
        known.note(address, &database);
        Ok(database)
    }

    /// The database that a project is to be placed in, made where it is a file that is not there, connected and migrated.
    ///
    /// # Errors
    /// `Busy` with the cause when it cannot be opened within twenty seconds.
    pub async fn open(
        &self,
        placement: Placement,
        url: Option<&Secret<String>>,
        project: ProjectId,
    ) -> Result<Database> {
        if let (Placement::Sqlite, Some(files)) = (placement, &self.own.files) {
            let file = file_of(files, project);
            blocking(move || make(&file)).await?;
        }
        let database = self.of(placement, url, project)?;
        database.open(PATIENCE).await?;
        Ok(database)
    }

    /// How many connections a project may hold at a time, where the operator grants it `quota`: without a word of his, three quarters of
    /// those that all projects share, so that one is always left for others, and all of those it has for itself.
    pub fn share(&self, placement: Placement, quota: Option<u32>) -> Option<u32> {
        if quota.is_some() || placement != Placement::Gateway {
            return quota;
        }
        if !self.gateway.is_postgres() {
            return Some(EMBEDDED_SHARE);
        }
        self.gateway.connections().map(|all| all.saturating_sub((all / 4).max(1)).max(1))
    }

    /// Removes a project's own file, and whatever is kept of it in memory. One that is not there is removed already.
    pub async fn remove_file(&self, project: ProjectId) -> Result<()> {
        let Some(files) = &self.own.files else { return Ok(()) };
        let kept = self.known().databases.remove(&Address::File(project));
        if let Some(database) = kept.and_then(|kept| kept.upgrade()) {
            // Whoever is still at work there works on rows that are not wanted any more.
            let _closed = tokio::time::timeout(CLOSING, database.close()).await;
        }
        let file = file_of(files, project);
        blocking(move || remove(&file)).await
    }

    /// The databases that are open now, the gateway's first.
    pub fn in_use(&self) -> Vec<Database> {
        let own: Vec<Database> = self.known().databases.values().filter_map(WeakDatabase::upgrade).collect();
        std::iter::once(self.gateway.clone()).chain(own.into_iter().filter(Database::is_open)).collect()
    }

    /// How many databases of projects' own are open, or are being opened.
    pub fn open_now(&self) -> usize {
        self.own.budget.taken()
    }

    /// How many databases of projects' own may be open at a time.
    pub fn most_open(&self) -> usize {
        self.own.budget.most()
    }

    /// Closes the databases of projects' own, for good.
    pub async fn close_own(&self) {
        let kept: Vec<Database> = self.known().databases.drain().filter_map(|(_, kept)| kept.upgrade()).collect();
        let _closed = tokio::time::timeout(CLOSING, futures::future::join_all(kept.iter().map(Database::close))).await;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.own.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn note(&mut self, address: Address, database: &Database) {
        if self.databases.len() >= self.sweep_at {
            self.databases.retain(|_, kept| kept.upgrade().is_some());
            self.sweep_at = 2 * self.databases.len() + 64;
        }
        self.databases.insert(address, database.downgrade());
    }
}

/// The file of a project: its id, which stays the same whatever the project is called.
fn file_of(files: &Path, project: ProjectId) -> PathBuf {
    files.join(format!("{project}.db"))
}

/// Makes an empty file that only this user reads, unless there is one.
fn make(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    if let Some(folder) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file).map(drop)
}

/// Removes a file and what SQLite lays beside it.
fn remove(file: &Path) -> std::io::Result<()> {
    for beside in ["-wal", "-shm", ""] {
        let mut name = file.as_os_str().to_owned();
        name.push(beside);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn blocking(work: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<()> {
    let done = tokio::task::spawn_blocking(work).await.map_err(Error::fault)?;
    done.map_err(|error| Error::Busy(error.into()))
}
