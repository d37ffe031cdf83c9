//! Projects that exist because a test says so.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use crypto::jwt::KeySet;
use crypto::project_key::ProjectKey;
use domain::config::{Explicit, Policy};
use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::project::{Placement, Profile, Project, Status};
use domain::quota::Quotas;
use domain::secret::Secret;
use domain::time::Timestamp;
use flows::{Tenant, TenantSource};
use storage::{Database, TenantStore};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::defaults;

/// A control store in memory.
pub(crate) struct FakeSource {
    projects: Mutex<HashMap<ProjectRef, Project>>,
    ids: AtomicU64,
    version: AtomicI64,
    loads: AtomicUsize,
    failing: AtomicBool,
    panicking: AtomicBool,
    door: Semaphore,
    shut: AtomicBool,
    database: Database,
}

impl FakeSource {
    /// No projects, version 1 of everything.
    pub(crate) fn new(database: Database) -> Self {
        Self {
            projects: Mutex::default(),
            ids: AtomicU64::new(1),
            version: AtomicI64::new(1),
            loads: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            panicking: AtomicBool::new(false),
            door: Semaphore::new(0),
            shut: AtomicBool::new(false),
            database,
        }
    }

    /// Makes a project.
    pub(crate) fn create(&self, name: &str) -> ProjectId {
        let id = ProjectId(Uuid::from_u128(u128::from(self.ids.fetch_add(1, Ordering::SeqCst))));
        let project = Project {
            id,
            project_ref: super::project(name),
            instance: InstanceId(id.0),
            name: name.to_owned(),
            status: Status::Active,
            profile: Profile::Compat,
            placement: Placement::Gateway,
            database_url: None,
            quotas: Quotas::default(),
            hold: None,
            purge_at: None,
            created_at: Timestamp::from_unix(0),
        };
        self.projects.lock().unwrap().insert(super::project(name), project);
        id
    }

    /// Changes a project.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Project)) {
        change(self.projects.lock().unwrap().get_mut(&super::project(name)).unwrap());
    }

    /// Changes a project's status.
    pub(crate) fn set_status(&self, name: &str, status: Status) {
        self.change(name, |project| project.status = status);
    }

    /// Ends a project.
    pub(crate) fn delete(&self, name: &str) {
        self.projects.lock().unwrap().remove(&super::project(name));
    }

    /// Every configuration is at this version from now on.
    pub(crate) fn set_version(&self, version: i64) {
        self.version.store(version, Ordering::SeqCst);
    }

    /// How often a project was asked for.
    pub(crate) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    /// Whether loads fail.
    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// Whether loads panic.
    pub(crate) fn panic(&self, panicking: bool) {
        self.panicking.store(panicking, Ordering::SeqCst);
    }

    /// Loads wait from now on.
    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }

    /// One load goes on.
    pub(crate) fn let_one_through(&self) {
        self.door.add_permits(1);
    }

    /// Loads go on.
    pub(crate) fn open(&self) {
        self.shut.store(false, Ordering::SeqCst);
        self.door.add_permits(1000);
    }

    fn tenant(&self, project: &ProjectRef) -> Option<Tenant> {
        let found = self.projects.lock().unwrap().get(project)?.clone();
        let instance = found.instance;
        Some(Tenant {
            project: found,
            base_url: format!("http://localhost/p/{project}/auth/v1"),
            policy: Policy::from_explicit(&Explicit::default(), &defaults()),
            keys: KeySet::new(Secret::new("a secret of thirty-two characters".to_owned()), Vec::new()),
            project_key: ProjectKey::new([7; 32]),
            api_keys: Vec::new(),
            third_party: Vec::new(),
            legacy_keys_enabled: true,
            store: TenantStore::new(self.database.clone(), instance),
            config_version: self.version.load(Ordering::SeqCst),
        })
    }
}

#[async_trait]
impl TenantSource for FakeSource {
    async fn load(&self, project: &ProjectRef) -> flows::Result<Option<Tenant>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        // Read first, wait then: what is handed out may be old by then, as with a real database.
        let found = self.tenant(project);
        if self.shut.load(Ordering::SeqCst) {
            self.door.acquire().await.unwrap().forget();
        }
        assert!(!self.panicking.load(Ordering::SeqCst), "the source panics");
        if self.failing.load(Ordering::SeqCst) {
            return Err(flows::Error::Busy("the control store is away".into()));
        }
        Ok(found)
    }

    async fn project_ref(&self, project: ProjectId) -> flows::Result<Option<ProjectRef>> {
        let projects = self.projects.lock().unwrap();
        Ok(projects.values().find(|found| found.id == project).map(|found| found.project_ref.clone()))
    }
}
