//! An archive becomes a project (docs/archive.md). Lines come in requests of any size, in their order; what has been taken is noted,
//! so that whoever was interrupted goes on. The project is there from the beginning, held, and serves once everything has come.

use std::collections::BTreeMap;
use std::time::Duration;

use crypto::digest;
use crypto::seal::MasterKey;
use domain::ids::{ProjectId, ProjectRef};
use domain::project::{Hold, HoldReason, Placement, Project, Status};
use domain::secret::Secret;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use storage::archive::{Row, Table, WriteError};
use storage::control::{Bundle, Import};
use storage::{StoreError, TenantStore, archive};
use uuid::Uuid;

use super::archive::{End, Progress, ROOM};
use super::archive_header::{Header, archive_key};
use super::marks::taken;
use super::{Error, Management, ProjectView, Result};
use crate::delivery;
use crate::source::{self, purpose};

/// What the key of an archive is sealed as, while lines come.
const ARCHIVE_KEY: &str = "archive_key";

/// How long who writes lines has the import alone, in seconds: whoever comes then may take it that he was killed.
const TURN: i64 = 60;

/// How long he writes at most.
const WRITING: Duration = Duration::from_secs(25);

/// The end of a hold that somebody lifts: far from every clock.
const NEVER: i64 = 253_370_764_800;

/// An archive that is to become a project.
#[derive(Debug)]
pub struct StartImport {
    /// Its first line.
    pub header: Value,
    /// What its secrets are sealed under: 32 bytes in base64.
    pub archive_key: Secret<String>,
    /// Another ref than the archive's.
    pub project_ref: Option<String>,
    /// Where the rows are to be; `None` = in the database that is named, or else in the gateway's.
    pub placement: Option<Placement>,
    /// A PostgreSQL database of its own.
    pub database_url: Option<Secret<String>>,
}

/// How far an import is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportView {
    /// Of the import.
    pub id: Uuid,
    /// The project it becomes.
    pub project: ProjectId,
    /// How it is called.
    pub project_ref: ProjectRef,
    /// The number of the line that comes next.
    pub next_line: i64,
    /// Rows that came, by table.
    pub rows: BTreeMap<String, i64>,
    /// Rows among them that hang on something that is not in the archive, by table. They were left out.
    pub skipped: BTreeMap<String, i64>,
    /// When it began.
    pub created_at: Timestamp,
    /// When lines last came.
    pub updated_at: Timestamp,
}

/// What is kept of an import between its requests.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// The archive's key, sealed.
    key: String,
    /// The ref that the archive has.
    exported_ref: ProjectRef,
    hold: Uuid,
    /// What is added to the numbers of stored tokens.
    shift: i64,
    /// Between which numbers they are in the archive.
    token_ids: (i64, i64),
    /// The table of the newest row.
    table: usize,
    progress: Progress,
    skipped: BTreeMap<String, i64>,
    is_complete: bool,
}

/// A line after the first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    table: Option<String>,
    #[serde(borrow)]
    row: Option<&'l RawValue>,
    end: Option<End>,
}

/// Lines that were read, and what they make of the import.
struct Written {
    store: TenantStore,
    rows: Vec<(&'static Table, Row)>,
    /// The line of each row.
    numbers: Vec<i64>,
    state: State,
    /// The number of the first line.
    next: i64,
}

impl Management {
    /// Begins to make a project of an archive. It has the archive's ids and keys, so that every token goes on working.
    pub async fn start_import(&self, request: StartImport) -> Result<ImportView> {
        let now = self.now();
        let line = request.header.to_string();
        let header = Header::read(request.header)?;
        let key = archive_key(&request.archive_key)?;
        let project_ref = match &request.project_ref {
            Some(text) => text.parse::<ProjectRef>().map_err(|error| Error::Invalid(error.to_string()))?,
            None => header.project.project_ref.clone(),
        };
        let mut opened = header.open(project_ref, (&key, &self.master_key), &*self.entropy, now)?;
        let hold = Hold { reason: HoldReason::Importing, id: self.entropy.uuid(), until: Timestamp::from_unix(NEVER) };
        opened.bundle.project.hold = Some(hold);
        let url = request.database_url.as_ref();
        opened.bundle.project.placement = match (request.placement, url) {
            (Some(placement), _) => placement,
            (None, Some(_)) => Placement::Postgres,
            (None, None) => Placement::Gateway,
        };
        let store = self.place_for(&mut opened.bundle, url).await?;
        let shift = token_shift(&store, header.token_ids).await?;
        let id = self.entropy.uuid();
        let mut progress = Progress::default();
        progress.line(&line, None);
        let project = opened.bundle.project.clone();
        let sealed_key =
            self.master_key.seal(&purpose(ARCHIVE_KEY, project.id), key.to_text().expose().as_bytes(), &*self.entropy);
        let state = State {
            key: sealed_key,
            exported_ref: header.project.project_ref,
            hold: hold.id,
            shift,
            token_ids: header.token_ids,
            table: 0,
            progress,
            skipped: BTreeMap::new(),
            is_complete: false,
        };
        let header = serde_json::to_value(&state).map_err(|error| Error::Fault(error.into()))?;
        let import = Import { id, project: project.id, header, next_line: 2, created_at: now, updated_at: now };
        let after = json!({ "placement": project.placement, "exported_ref": state.exported_ref });
        let control = self.noting("import.started", Some(&project), None, Some(after));
        let marks = self.marks(Some(&opened.jwt_secret), &opened.keys);
        match control.projects().create(&opened.bundle, &marks, now).await {
            Ok(true) => {}
            Ok(false) => return Err(taken()),
            Err(StoreError::Conflict) => {
                return Err(Error::Conflict(format!(
                    "project {}, or one with its id, exists already: an archive becomes a project where it is not",
                    project.project_ref
                )));
            }
            Err(other) => return Err(other.into()),
        }
        self.control.imports().start(&import).await?;
        self.announce_route(&project).await;
        view(&import, &state, project.project_ref)
    }

    /// How far an import is.
    pub async fn import(&self, id: Uuid) -> Result<ImportView> {
        let (import, state, project) = self.read_import(id).await?;
        view(&import, &state, project.project_ref)
    }

    /// Takes lines of an archive, the first of them number `from`. Lines that were taken before are passed over; either all others are
    /// taken or none.
    pub async fn import_rows(&self, id: Uuid, from: i64, ndjson: &str) -> Result<ImportView> {
        let (mut import, mut state, project) = self.read_import(id).await?;
        let next = import.next_line;
        if !(2..=next).contains(&from) {
            return Err(Error::Conflict(format!("line {next} comes next")));
        }
        let bundle = self.bundle(&project.project_ref).await?;
        // Whoever began before the import may not know that the rows are a project's again.
        if self.control.leftovers().is_being_cleared(project.id, self.now()).await? {
            return Err(Error::Busy("what a move has left of the project is still being removed".into()));
        }
        let key = self.key_of(&state, project.id)?;
        let known = usize::try_from(next - from).unwrap_or(usize::MAX);
        let lines = ndjson.lines().filter(|line| !line.trim().is_empty()).skip(known);
        let mut rows = Vec::new();
        let mut numbers = Vec::new();
        for (number, line) in (next..).zip(lines) {
            let broken = |why: String| Error::Invalid(format!("line {number}: {why}"));
            if let Some(row) = self.take(&mut state, line, &key, &project).map_err(broken)? {
                rows.push(row);
                numbers.push(number);
            }
            import.next_line = number + 1;
        }
        if import.next_line == next {
            return view(&import, &state, project.project_ref);
        }
        let written = Written { store: self.rows(&bundle)?, rows, numbers, state, next };
        // Whoever sent the lines may go away; what was begun comes to its end, so that the next lines need not wait for it.
        let (management, writing) = (self.clone(), import.clone());
        let writing = tokio::spawn(async move { management.write(writing, written).await });
        writing.await.map_err(|error| Error::Fault(error.into()))??;
        // Where it was given up meanwhile, nothing is said to be taken.
        let (import, state, project) = self.read_import(id).await?;
        view(&import, &state, project.project_ref)
    }

    /// Writes the rows of lines that were read, alone: the import cannot be taken away meanwhile without it being known.
    async fn write(&self, mut import: Import, written: Written) -> Result<()> {
        let Written { store, rows, numbers, mut state, next } = written;
        let (imports, writer, now) = (self.control.imports(), self.entropy.uuid(), self.now());
        let reached = std::mem::replace(&mut import.next_line, next);
        if !imports.begin_writing(&import, writer, now.plus_seconds(TURN), now).await? {
            // Given up meanwhile?
            self.read_import(import.id).await?;
            return Err(Error::Conflict("somebody else sends lines of this archive: ask how far it is".to_owned()));
        }
        let outcome = tokio::time::timeout(WRITING, store.archive_write(&rows, state.shift)).await;
        let outcome = match outcome {
            Ok(outcome) => outcome.map_err(|error| match error {
                WriteError::Row { index, reason } => {
                    let number = numbers.get(index).copied().unwrap_or(next);
                    Error::Invalid(format!("line {number}: the database refuses the row: {reason}"))
                }
                WriteError::Store(error) => error.into(),
            }),
            Err(_) => Err(Error::Busy("writing lines took longer than it may".into())),
        };
        let left_out = match outcome {
            Ok(left_out) => left_out,
            Err(error) => {
                // Where that fails, his turn ends by itself.
                let _ended = imports.end_writing(import.id, writer).await;
                return Err(error);
            }
        };
        for (table, count) in left_out {
            *state.skipped.entry(table.to_owned()).or_default() += i64::try_from(count).unwrap_or(i64::MAX);
        }
        let header = serde_json::to_value(&state).map_err(|error| Error::Fault(error.into()))?;
        if imports.advance(import.id, writer, reached, &header, self.now()).await? {
            return Ok(());
        }
        self.read_import(import.id).await?;
        Err(Error::Conflict("somebody else sends lines of this archive: ask how far it is".to_owned()))
    }

    /// Lets the project serve, once its archive has come to its end.
    ///
    /// Nobody writes any more then: lines that come late, or again, are refused before anything of them is written.
    pub async fn finish_import(&self, id: Uuid) -> Result<ProjectView> {
        let (import, state, project) = self.read_import(id).await?;
        if !state.is_complete {
            return Err(Error::Conflict(format!("the archive has not ended: line {} comes next", import.next_line)));
        }
        let now = self.now();
        let after = json!({ "lines": state.progress.lines, "skipped": state.skipped });
        let control = self.noting("import.finished", Some(&project), None, Some(after));
        control.projects().release(project.id, state.hold, now).await?;
        self.control.projects().schedule_sweeps(&[project.id], now).await?;
        self.control.imports().remove(id).await?;
        self.announce_route(&project).await;
        self.project(&project.project_ref).await
    }

    /// Gives an import up: the project and everything that came of it is removed.
    pub async fn cancel_import(&self, id: Uuid) -> Result<()> {
        let (_, state, project) = self.read_import(id).await?;
        if project.hold.is_none_or(|hold| hold.id != state.hold) {
            return Err(Error::Conflict("the project serves already: delete it".to_owned()));
        }
        let now = self.now();
        let control = self.noting("import.cancelled", Some(&project), None, None);
        // From here on nobody begins to write; whoever does already is waited for.
        if !control.projects().abandon(project.id, state.hold, now).await? {
            return Err(Error::Conflict("the project serves already, or is gone".to_owned()));
        }
        self.announce_route(&project).await;
        self.purge_now(&Project { status: Status::Deleting, purge_at: Some(now), ..project }).await;
        Ok(())
    }

    /// The rows of a project that is to be made, in a database that has none of it yet.
    async fn place_for(&self, bundle: &mut Bundle, url: Option<&Secret<String>>) -> Result<TenantStore> {
        let project = &bundle.project;
        if let Some(why) = self.databases.why_not(project.placement, url) {
            return Err(Error::Invalid(why.to_owned()));
        }
        if url.is_some() && project.placement != Placement::Postgres {
            return Err(Error::Invalid("database_url is for a PostgreSQL database of the project's own".to_owned()));
        }
        if self.control.projects().by_id(project.id).await?.is_some() {
            return Err(Error::Conflict(
                "the archive's project is on this gateway already: move it, or delete it first".to_owned(),
            ));
        }
        let database = self.open_place(project.placement, url, project.id).await?;
        self.clear_for(project.id, project.placement, url).await?;
        let store = TenantStore::new(database, project.instance);
        if store.census().await?.iter().any(|(_, count)| *count > 0) {
            return Err(Error::Conflict("rows of the archive's project are in that database already".to_owned()));
        }
        if let Some(url) = url {
            let sealed = self.master_key.seal(
                &purpose(source::DATABASE_URL, project.id),
                url.expose().as_bytes(),
                &*self.entropy,
            );
            bundle.secrets.push((source::DATABASE_URL.to_owned(), Secret::new(sealed)));
        }
        Ok(store)
    }

    async fn read_import(&self, id: Uuid) -> Result<(Import, State, Project)> {
        let import = self.control.imports().read(id).await?.ok_or(Error::NotFound)?;
        let state = serde_json::from_value(import.header.clone()).map_err(|error| Error::Fault(error.into()))?;
        let project = self.control.projects().by_id(import.project).await?.ok_or(Error::NotFound)?;
        if project.status == Status::Deleting {
            return Err(Error::NotFound);
        }
        Ok((import, state, project))
    }

    fn key_of(&self, state: &State, project: ProjectId) -> Result<MasterKey> {
        let text = source::open_secret(&self.master_key, ARCHIVE_KEY, project, &state.key)?;
        MasterKey::from_text(text.expose()).map_err(|error| Error::Fault(error.into()))
    }

    /// Reads one line: a row that is to be written, or the end.
    fn take(
        &self,
        state: &mut State,
        line: &str,
        key: &MasterKey,
        project: &Project,
    ) -> std::result::Result<Option<(&'static Table, Row)>, String> {
        if state.is_complete {
            return Err("nothing comes after the end".to_owned());
        }
        match serde_json::from_str::<Line<'_>>(line).map_err(|_| "neither a row nor the end".to_owned())? {
            Line { table: Some(name), row: Some(row), end: None } => {
                let at = archive::tables().iter().position(|table| table.name() == name);
                let Some((at, table)) = at.and_then(|at| Some((at, archive::tables().get(at)?))) else {
                    return Err(format!("there is no table {name:?}"));
                };
                if at < state.table {
                    return Err(format!("rows of {name} come earlier"));
                }
                state.table = at;
                let mut row = Row::from_json(table, row.get()).map_err(|error| error.to_string())?;
                self.fit(state, table, &mut row, key, project)?;
                state.progress.line(line, Some(table.name()));
                Ok(Some((table, row)))
            }
            Line { table: None, row: None, end: Some(end) } => {
                let expected = state.progress.end(key);
                if end.lines != expected.lines || end.tables != expected.tables {
                    return Err("lines are missing: the end counts others than came".to_owned());
                }
                if !digest::constant_time_eq(end.digest.as_bytes(), expected.digest.as_bytes()) {
                    return Err("the lines are not those that were exported: their digest differs".to_owned());
                }
                state.progress.lines += 1;
                state.is_complete = true;
                Ok(None)
            }
            _ => Err("neither a row nor the end".to_owned()),
        }
    }

    /// Makes a row one of this gateway.
    fn fit(
        &self,
        state: &State,
        table: &Table,
        row: &mut Row,
        key: &MasterKey,
        project: &Project,
    ) -> std::result::Result<(), String> {
        let number = || row.text(table, "id").and_then(|id| id.parse::<i64>().ok());
        if table.name() == "refresh_tokens" {
            let (least, most) = state.token_ids;
            if !number().is_some_and(|id| (least.saturating_sub(ROOM)..=most.saturating_add(ROOM)).contains(&id)) {
                return Err("refresh_tokens.id is not between the numbers that line 1 names".to_owned());
            }
        }
        if table.name() == "outbox" {
            let to = Some(&project.project_ref).filter(|new| **new != state.exported_ref);
            let payload = row.text(table, "payload").unwrap_or_default();
            let sealed = delivery::reseal(payload, key, &self.master_key, to, &*self.entropy);
            row.set_text(table, "payload", sealed.ok_or("outbox.payload cannot be opened with the archive's key")?);
        }
        Ok(())
    }
}

/// Puts numbers aside for the archive's stored tokens, and says by how much theirs are behind.
pub(super) async fn token_shift(store: &TenantStore, (least, most): (i64, i64)) -> Result<i64> {
    let span = most.saturating_sub(least).saturating_add(2 * ROOM + 1);
    let first = store.database().put_token_ids_aside(span).await?;
    Ok(first.saturating_add(ROOM).saturating_sub(least))
}

fn view(import: &Import, state: &State, project_ref: ProjectRef) -> Result<ImportView> {
    Ok(ImportView {
        id: import.id,
        project: import.project,
        project_ref,
        next_line: import.next_line,
        rows: state.progress.tables.clone(),
        skipped: state.skipped.clone(),
        created_at: import.created_at,
        updated_at: import.updated_at,
    })
}
