//! The work of a move, from the first copy to the last removal.
//!
//! Who works on a move says so every few seconds. Whoever has not for a minute is taken to be gone, and another gateway goes on from
//! the phase that was noted; so a worker that cannot say so for half that time stops by itself, before anything it writes. Before
//! everything it writes it looks whether the move still goes on, and once it writes no more it says so: whoever removes the project, or
//! begins another move, waits for that.

use std::time::Duration;

use domain::project::{Hold, HoldReason, Placement, Project, Status};
use domain::secret::Secret;
use serde_json::json;
use storage::TenantStore;
use storage::archive::{Sync, Synced};
use storage::control::{Move, MovePhase};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::imports::token_shift;
use super::{Error, Management};
use crate::gateways::{ALIVE, any_silent};

/// After how many seconds without a word a worker is taken to be gone.
pub(super) const LEASE: i64 = storage::control::MOVE_SILENCE;
/// How often a worker says that it is there.
const WORD: Duration = Duration::from_secs(5);
/// How long a worker writes without having been able to say so.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a database is asked again that is busy or away.
const ATTEMPTS: u32 = 8;
/// Between two attempts.
const BREATH: Duration = Duration::from_millis(500);
/// Between two looks at who has heard.
const LOOK: Duration = Duration::from_millis(50);
/// Copies while the project serves: each has less to do than the one before.
const COPIES: u32 = 6;
/// So few rows that no further copy is worth its while.
const FEW: u64 = 500;
/// How many seconds a hold outlives what it is for, so that the switch is durable before anybody serves again.
const MARGIN: i64 = 5;
/// How long messages are waited for that somebody is delivering.
const DELIVERING: Duration = Duration::from_secs(2);
/// How long the other gateways get to serve from the new place before another worker has to look after what is left.
const FOLLOWING: Duration = Duration::from_secs(60);

/// Who works on a move.
pub(super) struct Mover {
    management: Management,
    movement: Move,
    worker: Uuid,
    /// As it was at the beginning: where it is gone, its copies are not.
    known: Option<Project>,
    last_word: Instant,
}

/// How work ended that did not come to its end.
enum Stop {
    /// It cannot be done.
    Failed(String),
    /// It is somebody else's, or was cancelled.
    NotMine,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(match error {
            Error::Busy(source) => format!("a database is busy or away: {source}"),
            Error::Fault(source) => format!("fault: {source}"),
            other => other.to_string(),
        })
    }
}

impl From<storage::StoreError> for Stop {
    fn from(error: storage::StoreError) -> Self {
        match error {
            storage::StoreError::Conflict => {
                Self::Failed("an id of this project's rows belongs to another project's row there".to_owned())
            }
            other => Error::from(other).into(),
        }
    }
}

impl Mover {
    pub(super) fn new(management: Management, movement: Move, worker: Uuid) -> Self {
        Self { management, movement, worker, known: None, last_word: Instant::now() }
    }

    /// Does what is left of the move.
    pub(super) async fn run(mut self) {
        let is_clean = self.work().await;
        self.lay_down(is_clean).await;
    }

    /// Removes the copies of a move that was given up.
    pub(super) async fn clear_up(self) {
        let is_clean = self.clear_away().await;
        self.lay_down(is_clean).await;
    }

    async fn lay_down(&self, is_clean: bool) {
        let (moves, project) = (self.management.control.moves(), self.movement.project);
        if let Err(error) = moves.lay_down(project, self.worker, is_clean).await {
            tracing::warn!(%project, %error, "the end of the work on a move could not be noted; it is taken for over in a minute");
        }
    }

    /// Answers whether no rows are left where the project is not.
    async fn work(&mut self) -> bool {
        let project = self.movement.project;
        if self.movement.phase != MovePhase::Cleaning {
            match self.bring().await {
                Ok(()) => {}
                Err(Stop::Failed(why)) => {
                    tracing::warn!(%project, %why, "a move was given up");
                    return self.give_up(&why).await;
                }
                Err(Stop::NotMine) => return self.step_back().await,
            }
        }
        match self.clean().await {
            Ok(()) => {
                tracing::info!(%project, rows = self.movement.rows, "a project was moved");
                return true;
            }
            // The project serves. What is left is somebody's who looks for moves that nobody works on.
            Err(Stop::Failed(why)) => tracing::warn!(%project, %why, "the old rows of a moved project are still there"),
            Err(Stop::NotMine) => {}
        }
        false
    }

    /// Everything up to the switch, and the end of the pause.
    async fn bring(&mut self) -> Result<(), Stop> {
        let project = self.project().await?;
        self.known = Some(project.clone());
        let url = self.management.opened_url(project.id, self.movement.sealed_url.as_ref())?;
        let databases = &self.management.databases;
        databases.open(self.movement.placement, url.as_ref(), project.id).await.map_err(Error::from)?;
        let (source, target) = self.places(&project)?;
        let range = self.token_ids(&source).await?;
        let shift = token_shift(&target, range).await?;
        let mut took = Duration::MAX;
        for _ in 0..COPIES {
            let began = Instant::now();
            let done = self.copy(&source, &target, shift, None).await?;
            took = began.elapsed();
            if done.written + done.removed <= FEW {
                break;
            }
        }
        let budget = Duration::from_secs(self.movement.max_pause.unsigned_abs().into());
        if took > budget {
            return Err(Stop::Failed(format!(
                "the last copy would hold the project for about {} seconds",
                took.as_secs() + 1
            )));
        }
        self.await_silent().await?;
        let hold = self.hold(budget).await?;
        let outcome = self.switch(&source, &target, shift, hold, Instant::now() + budget).await;
        if outcome.is_err() {
            // Where that fails, the messages wait for the end of the hold.
            let _returned = source.return_outbox(hold.until).await;
        }
        self.release(hold.id).await;
        outcome
    }

    /// What happens while nobody is served.
    async fn switch(
        &mut self,
        source: &TenantStore,
        target: &TenantStore,
        shift: i64,
        hold: Hold,
        until: Instant,
    ) -> Result<(), Stop> {
        let project = self.movement.project;
        self.note(MovePhase::Holding).await?;
        if let Some(behind) = self.await_gateways(until.min(Instant::now() + FOLLOWING)).await? {
            return Err(Stop::Failed(format!("gateway {behind} has not stopped serving the project")));
        }
        let delivering = until.min(Instant::now() + DELIVERING);
        while source.lease_outbox(hold.until, self.management.now()).await? > 0 && Instant::now() < delivering {
            sleep(LOOK).await;
        }
        loop {
            let began = Instant::now();
            let done = self.copy(source, target, shift, Some(until)).await?;
            // Once more, where there is time: nobody may have written meanwhile.
            if done.written + done.removed == 0 || Instant::now() + 2 * began.elapsed() > until {
                break;
            }
        }
        let placed = self.management.control.projects();
        let (placement, url) = (self.movement.placement, self.movement.sealed_url.clone());
        let placed = placed.place(project, hold.id, placement, url.as_ref(), self.management.now()).await;
        let switched = match placed {
            Ok(placed) => placed,
            // The answer was lost; what was asked for was done or not.
            Err(_) => self.has_switched().await?,
        };
        if !switched {
            return Err(Stop::Failed("the pause was over before everything was copied".to_owned()));
        }
        self.management.announce(project).await;
        self.after_switch().await?;
        // Whoever has not heard by the end of the hold reads the project anew before serving it.
        let _late = self.await_gateways(until).await;
        Ok(())
    }

    /// What the switch has noted is what this worker goes on from; somebody is to look after what the project has to do in its new place.
    async fn after_switch(&mut self) -> Result<(), Stop> {
        let Move { project, id, .. } = self.movement;
        let read = self.management.control.moves().read(project).await?.filter(|read| read.id == id);
        self.movement.updated_at = read.ok_or(Stop::NotMine)?.updated_at;
        self.movement.phase = MovePhase::Cleaning;
        self.management.control.projects().schedule_sweeps(&[project], self.management.now()).await?;
        Ok(())
    }

    /// Copies once. `until` = the project is held, and this is how long it may be: messages go along.
    async fn copy(
        &mut self,
        source: &TenantStore,
        target: &TenantStore,
        shift: i64,
        until: Option<Instant>,
    ) -> Result<Synced, Stop> {
        let rows = self.movement.rows;
        let mut attempts = 0;
        loop {
            let mut sync = Sync::new(source.clone(), target.clone(), shift, until.is_some());
            let outcome = loop {
                self.speak().await?;
                self.look().await?;
                if until.is_some_and(|until| Instant::now() >= until) {
                    return Err(Stop::Failed("the pause would have been longer than it may be".to_owned()));
                }
                match sync.step(self.last_word + SILENCE).await {
                    Ok(true) => {}
                    Ok(false) => break Ok(sync.so_far()),
                    Err(error) => break Err(error),
                }
                let written = sync.so_far().written;
                self.movement.rows = rows.saturating_add(i64::try_from(written).unwrap_or(i64::MAX));
            };
            attempts += 1;
            match outcome {
                Ok(done) => return Ok(done),
                Err(storage::StoreError::Busy(_) | storage::StoreError::Unknown(_)) if attempts < ATTEMPTS => {
                    sleep(BREATH * attempts).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes the rows from where they were.
    async fn clean(&mut self) -> Result<(), Stop> {
        if let Some(behind) = self.await_gateways(Instant::now() + FOLLOWING).await? {
            return Err(Stop::Failed(format!("gateway {behind} has not heard of the new place")));
        }
        let project = self.project().await?;
        let (source, target) = self.places(&project)?;
        // Rows that are in one database under two names are removed under neither.
        if source.is_same_place(&target, self.management.entropy.uuid()).await? {
            return Err(Stop::Failed("the old place is the new one".to_owned()));
        }
        self.note(MovePhase::Cleaning).await?;
        self.clear(self.movement.source, &source).await?;
        let (from, to) =
            (json!({ "placement": self.movement.source }), json!({ "placement": self.movement.placement }));
        let control = self.management.noting("project.moved", Some(&project), Some(from), Some(to));
        let Move { id, rows, .. } = self.movement;
        control.moves().advance(project.id, id, MovePhase::Done, rows, None, self.management.now()).await?;
        Ok(())
    }

    /// Ends a move before its switch. Answers whether its copies are gone.
    async fn give_up(&mut self, why: &str) -> bool {
        let Move { project: id, id: movement, rows, .. } = self.movement;
        // Where that cannot be found out, the move stays as it is, for whoever looks after it later.
        let (Ok(false), Ok(found)) = (self.has_switched().await, self.management.control.projects().by_id(id).await)
        else {
            return false;
        };
        let Some(project) = found else { return self.step_back().await };
        let after = json!({ "placement": self.movement.placement, "error": why });
        let control = self.management.noting("project.move_failed", Some(&project), None, Some(after));
        match control.moves().advance(id, movement, MovePhase::Failed, rows, Some(why), self.management.now()).await {
            Ok(true) => return self.clear_away().await,
            Ok(false) => return self.step_back().await,
            Err(error) => tracing::warn!(project = %id, %error, "a move that was given up could not be ended"),
        }
        false
    }

    /// Looks whose the move is now: what was cancelled, or ended with its project, is cleared away by whoever worked on it.
    async fn step_back(&self) -> bool {
        // Where the project has switched, its rows are not copies.
        if self.movement.phase == MovePhase::Cleaning {
            return false;
        }
        match self.management.control.moves().read(self.movement.project).await {
            Ok(Some(now)) if now.id == self.movement.id && now.phase == MovePhase::Failed => self.clear_away().await,
            Ok(None) => self.clear_away().await,
            _ => false,
        }
    }

    /// Removes the copies of a move that was given up. Answers whether they are gone.
    async fn clear_away(&self) -> bool {
        let id = self.movement.project;
        let cleared = async {
            let found = self.management.control.projects().by_id(id).await?;
            let is_gone = found.is_none();
            let Some(project) = found.or_else(|| self.known.clone()) else { return Ok(()) };
            // Not where the project is, whoever brought it there.
            if !is_gone && project.placement == self.movement.placement && project.placement != Placement::Postgres {
                return Err(Stop::NotMine);
            }
            let (_, target) = self.places(&project)?;
            self.clear(self.movement.placement, &target).await
        };
        match cleared.await {
            Ok(()) => true,
            Err(Stop::Failed(why)) => {
                tracing::warn!(project = %id, %why, "copies of a move that was given up are still there");
                false
            }
            Err(Stop::NotMine) => false,
        }
    }

    /// Removes the rows, and says meanwhile that somebody is at it.
    async fn clear(&self, placement: Placement, store: &TenantStore) -> Result<(), Stop> {
        let project = self.movement.project;
        if placement == Placement::Sqlite {
            self.management.databases.remove_file(project).await.map_err(Error::from)?;
            return Ok(());
        }
        let mut purging = std::pin::pin!(store.purge());
        loop {
            tokio::select! {
                purged = &mut purging => {
                    purged?;
                    return Ok(());
                }
                () = sleep(WORD) => {
                    let (moves, now) = (self.management.control.moves(), self.management.now());
                    // Where the project is gone nobody else is at it either.
                    if !moves.keep(project, self.worker, now).await? && moves.read(project).await?.is_some() {
                        return Err(Stop::NotMine);
                    }
                }
            }
        }
    }

    async fn project(&self) -> Result<Project, Stop> {
        let project = self.management.control.projects().by_id(self.movement.project).await?;
        project.ok_or_else(|| Stop::Failed("the project was deleted".to_owned()))
    }

    /// The rows where they are, and where they go.
    fn places(&self, project: &Project) -> Result<(TenantStore, TenantStore), Stop> {
        let at = |placement, sealed: Option<&Secret<String>>| -> Result<_, Stop> {
            let url = self.management.opened_url(project.id, sealed)?;
            let database = self.management.databases.of(placement, url.as_ref(), project.id).map_err(Error::from)?;
            Ok(TenantStore::new(database, project.instance))
        };
        let source = at(self.movement.source, self.movement.source_sealed_url.as_ref())?;
        Ok((source, at(self.movement.placement, self.movement.sealed_url.as_ref())?))
    }

    /// Between which numbers the project's stored refresh tokens are, or will be.
    async fn token_ids(&self, source: &TenantStore) -> Result<(i64, i64), Stop> {
        if let Some(range) = source.token_ids().await? {
            return Ok(range);
        }
        let near = source.database().put_token_ids_aside(1).await?;
        Ok((near, near))
    }

    /// Holds the project. Whoever worked on the move before may have held it, and a hold ends by itself.
    async fn hold(&mut self, budget: Duration) -> Result<Hold, Stop> {
        let seconds = i64::from(self.movement.max_pause);
        let patience = Instant::now() + 2 * budget + FOLLOWING;
        let id = self.management.entropy.uuid();
        loop {
            let now = self.management.now();
            let hold = Hold { reason: HoldReason::Moving, id, until: now.plus_seconds(seconds + MARGIN) };
            if self.management.control.projects().hold(self.movement.project, hold, now).await? {
                self.management.announce(self.movement.project).await;
                return Ok(hold);
            }
            if self.project().await?.status == Status::Deleting || Instant::now() >= patience {
                return Err(Stop::Failed("the project cannot be held".to_owned()));
            }
            self.speak().await?;
            sleep(BREATH).await;
        }
    }

    /// Lets the project serve.
    async fn release(&self, hold: Uuid) {
        let project = self.movement.project;
        for _ in 0..ATTEMPTS {
            match self.management.control.projects().release(project, hold, self.management.now()).await {
                Ok(_) => break,
                Err(error) => tracing::warn!(%project, %error, "a hold could not be lifted; it ends by itself"),
            }
            sleep(BREATH).await;
        }
        self.management.announce(project).await;
    }

    /// Waits until every gateway serves by what has been changed so far. Names one that does not in time.
    async fn await_gateways(&mut self, until: Instant) -> Result<Option<String>, Stop> {
        let seq = self.management.control.events().latest().await?;
        loop {
            let alive = self.management.now().plus_seconds(-ALIVE);
            let behind = self.management.control.gateways().behind(seq, alive).await?;
            let Some(first) = behind.into_iter().next() else { return Ok(None) };
            if Instant::now() >= until {
                return Ok(Some(first.name));
            }
            self.speak().await?;
            self.look().await?;
            sleep(LOOK).await;
        }
    }

    /// Waits for gateways that have fallen silent, while the project serves: they speak again, or count as gone.
    async fn await_silent(&mut self) -> Result<(), Stop> {
        let until = Instant::now() + FOLLOWING;
        while any_silent(&self.management.control, self.management.now()).await? && Instant::now() < until {
            self.speak().await?;
            self.look().await?;
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn has_switched(&self) -> Result<bool, Stop> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.management.control.moves().read(self.movement.project).await {
                Ok(read) => {
                    let id = self.movement.id;
                    return Ok(read.is_some_and(|read| read.id == id && read.phase == MovePhase::Cleaning));
                }
                Err(_) if attempts < ATTEMPTS => sleep(BREATH * attempts).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Looks whether the move still goes on. Where that cannot be found out, [`Self::speak`] says for how long it does.
    async fn look(&self) -> Result<(), Stop> {
        match self.management.control.moves().is_under_way(self.movement.project, self.movement.id).await {
            Ok(false) => Err(Stop::NotMine),
            _ => Ok(()),
        }
    }

    /// Says that somebody works on the move, now and then.
    async fn speak(&mut self) -> Result<(), Stop> {
        if self.last_word.elapsed() < WORD {
            return Ok(());
        }
        match self.note(self.movement.phase).await {
            // Somebody else would be taken to be needed only later: there is time to ask again.
            Err(Stop::Failed(_)) if self.last_word.elapsed() < SILENCE => Ok(()),
            Err(Stop::Failed(_)) => Err(Stop::NotMine),
            outcome => outcome,
        }
    }

    /// Says how far the move is, if it is still this worker's.
    async fn note(&mut self, phase: MovePhase) -> Result<(), Stop> {
        let (moves, now) = (self.management.control.moves(), self.management.now());
        let Move { project, id, updated_at, rows, .. } = self.movement;
        if !moves.claim(project, id, updated_at, now).await?
            || !moves.advance(project, id, phase, rows, None, now).await?
        {
            return Err(Stop::NotMine);
        }
        self.movement.updated_at = now;
        self.movement.phase = phase;
        self.last_word = Instant::now();
        Ok(())
    }
}
