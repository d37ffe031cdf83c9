//! Holds, places, moves, imports.

use domain::ids::ProjectId;
use domain::project::{Hold, HoldReason, Placement, Status};
use domain::time::Timestamp;
use serde_json::json;
use storage::StoreError;
use storage::control::{Import, Move, MovePhase};
use tokio::task::JoinSet;

use super::{bundle, made, named, secret};
use crate::fixture::{Fixture, t};

on_both! {
    a_hold_belongs_to_who_made_it
    a_place_changes_under_a_hold_alone
    a_place_that_is_taken_is_a_conflict
    a_move_is_one_at_a_time
    a_move_that_nobody_works_on_is_taken_over_once
    a_deleted_project_moves_no_more
    lines_are_taken_in_their_order
}

fn hold(f: &Fixture, until: Timestamp) -> Hold {
    Hold { reason: HoldReason::Moving, id: f.id(), until }
}

async fn a_hold_belongs_to_who_made_it(f: Fixture) {
    let control = f.control().await;
    let projects = control.projects();
    let id = made(&f, &control, "first").await;
    let (mine, yours) = (hold(&f, t(10)), hold(&f, t(10)));
    assert!(projects.hold(id, mine, t(2)).await.unwrap());
    let held = projects.bundle(&named("first")).await.unwrap().unwrap().project;
    assert_eq!(held.hold, Some(mine));
    assert!(held.is_held(t(9)) && !held.is_held(t(10)));
    assert!(!projects.hold(id, yours, t(3)).await.unwrap());
    assert!(!projects.release(id, yours.id, t(3)).await.unwrap());
    let longer = Hold { until: t(12), ..mine };
    assert!(projects.hold(id, longer, t(3)).await.unwrap());
    assert_eq!(projects.by_id(id).await.unwrap().unwrap().hold, Some(longer));
    assert!(projects.release(id, mine.id, t(4)).await.unwrap());
    assert_eq!(projects.by_id(id).await.unwrap().unwrap().hold, None);
    assert!(!projects.release(id, mine.id, t(4)).await.unwrap());

    // One that has ended stands in nobody's way, and cannot be lifted by its owner any more once another has come.
    assert!(projects.hold(id, mine, t(5)).await.unwrap());
    assert!(projects.hold(id, Hold { until: t(20), ..yours }, t(10)).await.unwrap());
    assert!(!projects.release(id, mine.id, t(11)).await.unwrap());
    assert!(projects.delete_softly(id, t(30), t(11)).await.unwrap());
    assert!(!projects.hold(id, yours, t(12)).await.unwrap());
    assert!(!projects.hold(ProjectId(f.id()), mine, t(12)).await.unwrap());
    let mut born = bundle(&f, "second");
    born.project.hold = Some(Hold { reason: HoldReason::Importing, ..mine });
    assert!(projects.create(&born, &[], t(1)).await.unwrap());
    assert_eq!(projects.by_ref(&named("second")).await.unwrap().unwrap().hold, born.project.hold);
}

async fn a_place_changes_under_a_hold_alone(f: Fixture) {
    let control = f.control().await;
    let projects = control.projects();
    let id = made(&f, &control, "first").await;
    let mine = hold(&f, t(10));
    let url = secret("sealed url");
    assert!(!projects.place(id, mine.id, Placement::Postgres, Some(&url), t(2)).await.unwrap());
    assert!(projects.hold(id, mine, t(2)).await.unwrap());
    assert!(!projects.place(id, f.id(), Placement::Postgres, Some(&url), t(3)).await.unwrap());
    assert!(!projects.place(id, mine.id, Placement::Postgres, Some(&url), t(10)).await.unwrap());
    let too_late = t(10).plus_seconds(-1);
    assert!(!projects.place(id, mine.id, Placement::Postgres, Some(&url), too_late).await.unwrap());
    assert_eq!(projects.by_id(id).await.unwrap().unwrap().placement, Placement::Gateway);
    assert!(!projects.place(id, mine.id, Placement::Postgres, Some(&url), t(3)).await.unwrap(), "it is on no move");
    let first = new_move(&f, id);
    assert!(control.moves().start(&first).await.unwrap());

    assert!(projects.place(id, mine.id, Placement::Postgres, Some(&url), t(3)).await.unwrap());
    let moved = projects.bundle(&named("first")).await.unwrap().unwrap();
    assert_eq!((moved.project.placement, moved.project.hold), (Placement::Postgres, Some(mine)));
    assert!(moved.secrets.contains(&("database_url".to_owned(), url)));
    let cleaning = control.moves().read(id).await.unwrap().unwrap();
    assert_eq!((cleaning.phase, cleaning.updated_at), (MovePhase::Cleaning, t(3)));

    assert!(!projects.place(id, mine.id, Placement::Gateway, None, t(4)).await.unwrap(), "it has moved");
    assert!(control.moves().advance(id, first.id, MovePhase::Done, 1, None, t(4)).await.unwrap());
    control.moves().lay_down(id, first.id, true).await.unwrap();
    let cancelled = new_move(&f, id);
    assert!(control.moves().start(&cancelled).await.unwrap());
    assert!(control.moves().advance(id, cancelled.id, MovePhase::Failed, 0, Some("cancelled"), t(4)).await.unwrap());
    assert!(!projects.place(id, mine.id, Placement::Gateway, None, t(4)).await.unwrap(), "it was cancelled");
    control.moves().lay_down(id, cancelled.id, true).await.unwrap();
    assert!(control.moves().start(&Move { phase: MovePhase::Holding, ..new_move(&f, id) }).await.unwrap());
    assert!(projects.place(id, mine.id, Placement::Gateway, None, t(4)).await.unwrap());
    let back = projects.bundle(&named("first")).await.unwrap().unwrap();
    assert_eq!(back.project.placement, Placement::Gateway);
    assert!(back.secrets.iter().all(|(name, _)| name != "database_url"));
}

async fn a_place_that_is_taken_is_a_conflict(f: Fixture) {
    let control = f.control().await;
    let first = bundle(&f, "first");
    let mut copy = bundle(&f, "copy");
    (copy.project.instance, copy.project.placement) = (first.project.instance, Placement::Sqlite);
    let mine = hold(&f, t(10));
    copy.project.hold = Some(mine);
    for bundle in [&first, &copy] {
        assert!(control.projects().create(bundle, &[], t(1)).await.unwrap());
    }
    assert!(control.moves().start(&new_move(&f, copy.project.id)).await.unwrap());
    let placed = control.projects().place(copy.project.id, mine.id, Placement::Gateway, None, t(2)).await;
    assert!(matches!(placed, Err(StoreError::Conflict)));
    assert_eq!(control.projects().by_ref(&named("copy")).await.unwrap().unwrap().placement, Placement::Sqlite);
}

/// A move to a database of the project's own that has begun to copy.
pub(super) fn new_move(f: &Fixture, project: ProjectId) -> Move {
    Move {
        project,
        id: f.id(),
        placement: Placement::Postgres,
        sealed_url: Some(secret("to")),
        source: Placement::Gateway,
        source_sealed_url: None,
        max_pause: 30,
        phase: MovePhase::Copying,
        rows: 0,
        error: None,
        started_at: t(1),
        updated_at: t(1),
    }
}

async fn a_move_is_one_at_a_time(f: Fixture) {
    let control = f.control().await;
    let moves = control.moves();
    let (id, other) = (made(&f, &control, "first").await, made(&f, &control, "second").await);
    assert!(moves.read(id).await.unwrap().is_none());
    let (first, second) = (new_move(&f, id), new_move(&f, id));
    assert!(moves.start(&first).await.unwrap());
    assert!(!moves.start(&second).await.unwrap());
    let read = moves.read(id).await.unwrap().unwrap();
    assert_eq!((read.id, read.placement, read.source), (first.id, Placement::Postgres, Placement::Gateway));
    assert_eq!((read.sealed_url, read.source_sealed_url, read.max_pause), (Some(secret("to")), None, 30));
    assert_eq!((read.phase, read.rows, read.error, read.started_at), (MovePhase::Copying, 0, None, t(1)));
    assert!(moves.read(other).await.unwrap().is_none());

    assert!(!moves.advance(id, second.id, MovePhase::Holding, 5, None, t(2)).await.unwrap());
    assert!(moves.advance(id, first.id, MovePhase::Holding, 5, None, t(2)).await.unwrap());
    assert!(moves.advance(id, first.id, MovePhase::Failed, 5, Some("took too long"), t(3)).await.unwrap());
    assert!(!moves.advance(id, first.id, MovePhase::Done, 6, None, t(4)).await.unwrap(), "it is over");
    let failed = moves.read(id).await.unwrap().unwrap();
    assert_eq!(
        (failed.phase, failed.error.as_deref(), failed.updated_at),
        (MovePhase::Failed, Some("took too long"), t(3))
    );
    assert!(failed.phase.is_over());
    assert!(moves.is_worked_on(id, t(3)).await.unwrap());
    assert!(!moves.start(&second).await.unwrap(), "whoever worked on it may be clearing away");
    moves.lay_down(id, second.id, true).await.unwrap();
    assert!(moves.is_worked_on(id, t(3)).await.unwrap(), "it is another's");
    moves.lay_down(id, first.id, false).await.unwrap();
    assert!(!moves.is_worked_on(id, t(3)).await.unwrap());
    assert_eq!(moves.left_behind(id).await.unwrap().map(|left| left.id), Some(first.id));
    assert!(moves.start(&second).await.unwrap());
    let again = moves.read(id).await.unwrap().unwrap();
    assert_eq!((again.id, again.phase, again.error), (second.id, MovePhase::Copying, None));
}

async fn a_move_that_nobody_works_on_is_taken_over_once(f: Fixture) {
    let control = f.control().await;
    let moves = control.moves();
    let (id, other) = (made(&f, &control, "first").await, made(&f, &control, "second").await);
    let old = new_move(&f, id);
    assert!(moves.start(&old).await.unwrap());
    assert!(moves.start(&Move { updated_at: t(5), ..new_move(&f, other) }).await.unwrap());
    assert!(moves.stale(t(1), 10).await.unwrap().is_empty());
    let stale = moves.stale(t(5), 10).await.unwrap();
    assert_eq!(stale.iter().map(|stale| stale.id).collect::<Vec<_>>(), [old.id]);
    let mut racing = JoinSet::new();
    for _ in 0..8 {
        let control = control.clone();
        racing.spawn(async move { control.moves().claim(id, old.id, t(1), t(6)).await.unwrap() });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|claimed| *claimed).count(), 1);
    assert_eq!(moves.stale(t(6), 10).await.unwrap()[0].project, other);
    assert!(moves.advance(id, old.id, MovePhase::Done, 9, None, t(7)).await.unwrap());
    assert_eq!(moves.stale(t(99), 10).await.unwrap().len(), 1, "what is over is nobody's");
    assert!(!moves.claim(id, old.id, t(7), t(8)).await.unwrap());
}

async fn a_deleted_project_moves_no_more(f: Fixture) {
    let control = f.control().await;
    let (id, switched) = (made(&f, &control, "first").await, made(&f, &control, "second").await);
    for (project, phase) in [(id, MovePhase::Holding), (switched, MovePhase::Cleaning)] {
        assert!(control.moves().start(&Move { phase, ..new_move(&f, project) }).await.unwrap());
        assert!(control.projects().delete_softly(project, t(9), t(2)).await.unwrap());
    }
    assert_eq!(control.moves().read(id).await.unwrap().unwrap().phase, MovePhase::Failed);
    let cleaning = control.moves().read(switched).await.unwrap().unwrap();
    assert_eq!(cleaning.phase, MovePhase::Cleaning, "old rows must go all the same");
    assert!(control.projects().remove(id, t(10)).await.unwrap());
    assert!(control.moves().read(id).await.unwrap().is_none());
}

async fn lines_are_taken_in_their_order(f: Fixture) {
    let control = f.control().await;
    let imports = control.imports();
    let project = made(&f, &control, "first").await;
    assert!(control.projects().set_status(project, Status::Paused, t(1)).await.unwrap());
    let header = json!({ "format": 1 });
    let new = Import { id: f.id(), project, header, next_line: 2, created_at: t(1), updated_at: t(1) };
    imports.start(&new).await.unwrap();
    assert_eq!(imports.read(new.id).await.unwrap(), Some(new.clone()));
    assert_eq!(imports.of_project(project).await.unwrap(), Some(new.clone()));
    let counted = json!({ "format": 1, "rows": 7 });
    let mut racing = JoinSet::new();
    for _ in 0..4 {
        let (control, new, writer) = (control.clone(), new.clone(), f.id());
        racing.spawn(async move {
            let begun = control.imports().begin_writing(&new, writer, t(60), t(1)).await.unwrap();
            begun.then_some(writer)
        });
    }
    let writers: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    let [writer] = writers[..] else { panic!("one at a time: {writers:?}") };
    assert!(imports.is_written(project, t(59)).await.unwrap());
    assert!(!imports.is_written(project, t(60)).await.unwrap(), "his time is over");
    assert!(!imports.advance(new.id, f.id(), 9, &counted, t(2)).await.unwrap(), "it is another's");
    assert!(imports.advance(new.id, writer, 9, &counted, t(2)).await.unwrap());
    assert!(!imports.advance(new.id, writer, 9, &counted, t(2)).await.unwrap(), "once");
    assert!(!imports.is_written(project, t(2)).await.unwrap());
    assert!(!imports.begin_writing(&new, writer, t(60), t(2)).await.unwrap(), "those lines have come");
    let read = imports.read(new.id).await.unwrap().unwrap();
    assert_eq!((read.next_line, &read.header, read.updated_at), (9, &counted, t(2)));
    assert!(imports.stale(t(2), 10).await.unwrap().is_empty());
    assert_eq!(imports.stale(t(3), 10).await.unwrap(), [read]);
    assert!(imports.remove(new.id).await.unwrap());
    assert!(!imports.remove(new.id).await.unwrap());
    assert_eq!(imports.of_project(project).await.unwrap(), None);
    imports.start(&new).await.unwrap();
    assert!(control.projects().remove(project, t(4)).await.unwrap());
    assert_eq!(imports.read(new.id).await.unwrap(), None, "it goes with its project");
}
