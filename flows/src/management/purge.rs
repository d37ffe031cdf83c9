//! The end of a deleted project: everything it has goes, and that it went is proven and noted.

use std::time::Duration;

use domain::ids::ProjectId;
use domain::project::{Placement, Project, Status};
use domain::secret::Secret;
use serde_json::{Map, Value, json};
use storage::TenantStore;
use storage::control::{Bundle, Leftover};
use tokio::time::{Instant, sleep};

use super::{Error, Management, Result, leftovers};
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
        let Some(mut found) = self.remove_leftovers(project.id).await? else { return Ok(None) };
        let places = self.places_of(&bundle).await?;
        let mut left = Vec::new();
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
        let mut after = rows(&left);
        let unreached = self.left_at(project.id).await?;
        if let (Some(after), false) = (after.as_object_mut(), unreached.is_empty()) {
            after.insert("left_at".to_owned(), unreached.into());
        }
        let control = self.noting("project.purged", Some(project), Some(rows(&found)), Some(after));
        control.projects().remove(project.id, self.now()).await?;
        self.announce_route(project).await;
        Ok(Some(found))
    }

    /// Removes what earlier moves have left, as far as it can be reached. Answers what went, `None` where somebody else is at it.
    async fn remove_leftovers(&self, project: ProjectId) -> Result<Option<Vec<(&'static str, u64)>>> {
        let mut gone = Vec::new();
        for left in self.control.leftovers().of_project(project).await? {
            match self.clear_left(&left).await {
                Ok(Some(rows)) => add(&mut gone, rows),
                Ok(None) => return Ok(None),
                // The note stays, and with it whoever looks what is due.
                Err(Error::Busy(error)) => {
                    tracing::warn!(%project, %error, "rows that a move has left cannot be reached")
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(gone))
    }

    /// The places where rows of the project are left that nobody has reached, for the operator log.
    async fn left_at(&self, project: ProjectId) -> Result<Vec<Value>> {
        let notes = self.control.leftovers().of_project(project).await?;
        let named = |left: Leftover| {
            Ok(leftovers::place(left.placement, self.opened_url(project, left.sealed_url.as_ref())?.as_ref()))
        };
        notes.into_iter().map(named).collect()
    }

    /// Everywhere that rows of the project may be: where it is, and where its last move has left some. A place of that one that cannot be
    /// reached is noted, for whoever looks what is due: the move is forgotten with the project.
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
            match self.databases.open(placement, url.as_ref(), project.id).await {
                Ok(database) => places.push((placement, TenantStore::new(database, project.instance))),
                Err(crate::Error::Busy(error)) => {
                    tracing::warn!(project = %project.id, %error, "rows that a move has left cannot be reached");
                    self.keep_left(project, placement, sealed.clone()).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.control.moves().cleared(project.id, movement.id).await?;
        Ok(places)
    }

    async fn keep_left(
        &self,
        project: &Project,
        placement: Placement,
        sealed_url: Option<Secret<String>>,
    ) -> Result<()> {
        let now = self.now();
        let left = Leftover {
            id: self.entropy.uuid(),
            project: project.id,
            project_ref: project.project_ref.clone(),
            instance: project.instance,
            placement,
            sealed_url,
            due_at: now.plus_seconds(AFTER_FAULT),
        };
        Ok(self.control.leftovers().keep(&left, now).await?)
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

/// How many rows there are, as the operator log has it.
pub(super) fn rows(census: &[(&'static str, u64)]) -> Value {
    let rows: Map<String, Value> = census.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
    json!({ "rows": rows })
}
