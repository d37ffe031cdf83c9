//! The end of a deleted project: everything it has goes, and that it went is proven and noted.

use std::time::Duration;

use domain::ids::ProjectId;
use domain::project::{Placement, Project, Status};
use domain::secret::Secret;
use serde_json::{Map, Value, json};
use storage::TenantStore;
use storage::control::Bundle;
use tokio::time::{Instant, sleep};

use super::{Error, Management, Result};
use crate::gateways::all_acknowledge;
use crate::source;

/// How long a purge waits for the other gateways to let go of the project, and for who still writes; then it is tried again later.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at whether somebody writes.
const LOOK: Duration = Duration::from_millis(50);

/// After how many seconds a purge is tried again that had to wait.
const AGAIN: i64 = 5;

/// After how many seconds one is that failed.
const AFTER_FAULT: i64 = 60;

/// How long who purges a project has it alone, in seconds.
const LEASE: i64 = 900;

impl Management {
    /// Removes everything of a deleted project whose time is over, if nobody else does; see [`Self::purge_claimed`].
    pub async fn purge(&self, project: &Project) -> Result<Option<Vec<(&'static str, u64)>>> {
        let now = self.now();
        if !self.control.projects().claim_purge(project.id, now, now.plus_seconds(LEASE)).await? {
            return Ok(None);
        }
        self.purge_claimed(project).await
    }

    /// Removes everything of a deleted project that was claimed for it: its rows, wherever a move or an import has left any, its files,
    /// what gateways share about it, and last the project itself with its keys and settings. That its tables are empty is counted
    /// before, and noted in the operator log with what was there. Answers how many rows there were by table, `None` where somebody may
    /// still serve the project or write rows of it: then the claim is given back, and it is to be tried again. Who is interrupted
    /// begins again.
    pub async fn purge_claimed(&self, project: &Project) -> Result<Option<Vec<(&'static str, u64)>>> {
        let outcome = self.remove_everything(project).await;
        let again = match &outcome {
            Ok(Some(_)) => return outcome,
            Ok(None) => AGAIN,
            Err(_) => AFTER_FAULT,
        };
        if let Err(error) = self.control.projects().put_off_purge(project.id, self.now().plus_seconds(again)).await {
            tracing::debug!(%error, project = %project.id, "the claim of a purge ends by itself");
        }
        outcome
    }

    async fn remove_everything(&self, project: &Project) -> Result<Option<Vec<(&'static str, u64)>>> {
        let Some(bundle) = self.control.projects().bundle(&project.project_ref).await? else {
            return Ok(Some(Vec::new()));
        };
        if bundle.project.id != project.id {
            return Ok(Some(Vec::new()));
        }
        if bundle.project.status != Status::Deleting {
            return Ok(None);
        }
        self.control.moves().end(project.id, "the project was deleted").await?;
        if !self.is_let_go().await? || !self.has_no_writer(project.id).await? {
            return Ok(None);
        }
        let places = self.places_of(&bundle).await?;
        let (mut found, mut left) = (Vec::new(), Vec::new());
        for (placement, store) in &places {
            add(&mut found, store.census().await.map_err(crate::Error::from)?);
            store.purge().await.map_err(crate::Error::from)?;
            add(&mut left, store.census().await.map_err(crate::Error::from)?);
            if let Some((table, rows)) = left.iter().find(|(_, rows)| *rows > 0) {
                return Err(Error::fault(format!("{rows} rows of a project that was removed are left in {table}")));
            }
            if *placement == Placement::Sqlite {
                self.databases.remove_file(project.id).await?;
            }
        }
        self.cluster.forget(project.id).await.map_err(|error| Error::Busy(error.into()))?;
        let control = self.noting("project.purged", Some(project), Some(rows(&found)), Some(rows(&left)));
        control.projects().remove(project.id, self.now()).await?;
        self.announce_route(project).await;
        Ok(Some(found))
    }

    /// Everywhere that rows of the project may be: where it is, and where a move has left some.
    async fn places_of(&self, bundle: &Bundle) -> Result<Vec<(Placement, TenantStore)>> {
        let project = &bundle.project;
        let mut places = vec![(project.placement, self.rows(bundle)?)];
        let Some(movement) = self.control.moves().left_behind(project.id).await? else { return Ok(places) };
        let here = source::secret(&self.master_key, source::DATABASE_URL, bundle)?;
        for (placement, sealed) in
            [(movement.source, &movement.source_sealed_url), (movement.placement, &movement.sealed_url)]
        {
            let url = self.opened_url(project.id, sealed.as_ref())?;
            let same_url = here.as_ref().map(Secret::expose) == url.as_ref().map(Secret::expose);
            if placement == project.placement && (placement != Placement::Postgres || same_url) {
                continue;
            }
            let database = self.databases.open(placement, url.as_ref(), project.id).await?;
            places.push((placement, TenantStore::new(database, project.instance)));
        }
        Ok(places)
    }

    /// Whether nobody writes rows of the project any more for an import, or a move that has ended; waits a little for who does.
    pub(super) async fn has_no_writer(&self, project: ProjectId) -> Result<bool> {
        let until = Instant::now() + PATIENCE;
        loop {
            let now = self.now();
            if !self.control.moves().is_worked_on(project, now).await?
                && !self.control.imports().is_written(project, now).await?
            {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            sleep(LOOK).await;
        }
    }

    /// Whether every gateway knows of all changes until now, and has finished what it had begun before.
    async fn is_let_go(&self) -> Result<bool> {
        let latest = self.control.events().latest().await?;
        Ok(all_acknowledge(&self.control, &*self.clock, latest, PATIENCE).await?)
    }
}

fn add(sum: &mut Vec<(&'static str, u64)>, census: Vec<(&'static str, u64)>) {
    for (table, rows) in census {
        match sum.iter_mut().find(|(name, _)| *name == table) {
            Some((_, so_far)) => *so_far += rows,
            None => sum.push((table, rows)),
        }
    }
}

fn rows(census: &[(&'static str, u64)]) -> Value {
    let rows: Map<String, Value> = census.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
    json!({ "rows": rows })
}
