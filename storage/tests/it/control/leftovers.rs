//! Notes of rows that moves have left.

use domain::ids::{InstanceId, ProjectId};
use domain::project::Placement;
use storage::ControlStore;
use storage::control::{Leftover, Move, MovePhase};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::holds::new_move;
use super::{made, named, secret};
use crate::fixture::{Fixture, t};

on_both! {
    the_next_move_notes_what_the_last_one_has_left
    what_is_cleared_away_is_not_noted
    rows_are_removed_by_one_at_a_time_and_not_on_the_way
    a_note_outlives_its_project
}

/// A move that was given up and has left copies.
async fn failed(f: &Fixture, control: &ControlStore, project: ProjectId) -> Move {
    let movement = new_move(f, project);
    assert!(control.moves().start(&movement).await.unwrap());
    assert!(control.moves().advance(project, movement.id, MovePhase::Failed, 0, Some("away"), t(1)).await.unwrap());
    control.moves().lay_down(project, movement.id, false).await.unwrap();
    movement
}

async fn notes(control: &ControlStore, project: ProjectId) -> Vec<Uuid> {
    control.leftovers().of_project(project).await.unwrap().into_iter().map(|left| left.id).collect()
}

async fn the_next_move_notes_what_the_last_one_has_left(f: Fixture) {
    let control = f.control().await;
    let (id, other) = (made(&f, &control, "first").await, made(&f, &control, "second").await);
    let first = failed(&f, &control, id).await;
    failed(&f, &control, other).await;
    assert!(notes(&control, id).await.is_empty(), "the move remembers it itself");
    assert_eq!(control.moves().copies(t(1), 10).await.unwrap().len(), 0);
    assert_eq!(control.moves().copies(t(2), 10).await.unwrap().len(), 2);
    let second = Move { placement: Placement::Sqlite, sealed_url: None, started_at: t(2), ..new_move(&f, id) };
    assert!(control.moves().start(&second).await.unwrap());
    let left = control.leftovers().of_project(id).await.unwrap().remove(0);
    let project = control.projects().by_id(id).await.unwrap().unwrap();
    assert_eq!((left.id, left.project, left.project_ref), (first.id, id, named("first")));
    assert_eq!((left.instance, left.placement), (project.instance, Placement::Postgres));
    assert_eq!(left.sealed_url, first.sealed_url);
    assert_eq!(control.leftovers().due(t(1), 10).await.unwrap().len(), 0);
    assert_eq!(control.leftovers().due(t(2), 10).await.unwrap().len(), 1);
    assert!(notes(&control, other).await.is_empty());

    // What a third one finds is noted beside it.
    assert!(control.moves().advance(id, second.id, MovePhase::Failed, 0, None, t(3)).await.unwrap());
    control.moves().lay_down(id, second.id, false).await.unwrap();
    assert!(control.moves().start(&Move { started_at: t(4), ..new_move(&f, id) }).await.unwrap());
    assert_eq!(notes(&control, id).await, [first.id, second.id]);
}

async fn what_is_cleared_away_is_not_noted(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let first = failed(&f, &control, id).await;
    control.moves().cleared(id, f.id()).await.unwrap();
    assert!(control.moves().left_behind(id).await.unwrap().is_some(), "that was another one");
    control.moves().cleared(id, first.id).await.unwrap();
    assert!(control.moves().left_behind(id).await.unwrap().is_none());
    assert_eq!(control.moves().copies(t(9), 10).await.unwrap().len(), 0);
    assert!(control.moves().start(&new_move(&f, id)).await.unwrap());
    assert!(notes(&control, id).await.is_empty());
}

async fn rows_are_removed_by_one_at_a_time_and_not_on_the_way(f: Fixture) {
    let control = f.control().await;
    let leftovers = control.leftovers();
    let id = made(&f, &control, "first").await;
    failed(&f, &control, id).await;
    let second = new_move(&f, id);
    assert!(control.moves().start(&second).await.unwrap());
    let left = leftovers.of_project(id).await.unwrap().remove(0);
    assert!(!leftovers.claim(&left, f.id(), t(2), t(3)).await.unwrap(), "the project may be on its way to there");
    assert!(control.moves().advance(id, second.id, MovePhase::Done, 0, None, t(2)).await.unwrap());
    control.moves().lay_down(id, second.id, true).await.unwrap();
    let mut racing = JoinSet::new();
    for _ in 0..8 {
        let (control, left, worker) = (control.clone(), left.clone(), f.id());
        racing.spawn(
            async move { control.leftovers().claim(&left, worker, t(2), t(5)).await.unwrap().then_some(worker) },
        );
    }
    let workers: Vec<Uuid> = racing.join_all().await.into_iter().flatten().collect();
    let [worker] = workers[..] else { panic!("one at a time: {workers:?}") };
    assert!(leftovers.is_being_cleared(id, t(4)).await.unwrap());
    let third = Move { started_at: t(4), ..new_move(&f, id) };
    assert!(!control.moves().start(&third).await.unwrap(), "somebody removes rows");
    assert!(leftovers.due(t(4), 10).await.unwrap().is_empty());
    leftovers.put_off(left.id, f.id(), t(9)).await.unwrap();
    assert!(leftovers.is_being_cleared(id, t(4)).await.unwrap(), "it is another's");

    // Who says nothing until the end of his time is taken to be gone.
    assert!(!leftovers.is_being_cleared(id, t(5)).await.unwrap());
    let next = f.id();
    assert!(leftovers.claim(&left, next, t(5), t(7)).await.unwrap());
    assert!(!leftovers.remove(left.id, worker).await.unwrap());
    leftovers.put_off(left.id, next, t(9)).await.unwrap();
    assert!(!leftovers.is_being_cleared(id, t(5)).await.unwrap());
    assert!(leftovers.due(t(8), 10).await.unwrap().is_empty());
    assert!(leftovers.claim(&left, next, t(8), t(9)).await.unwrap(), "who needs the place need not wait");
    assert!(leftovers.remove(left.id, next).await.unwrap());
    assert!(leftovers.read(left.id).await.unwrap().is_none());
    assert!(control.moves().start(&third).await.unwrap());
}

async fn a_note_outlives_its_project(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let left = Leftover {
        id: f.id(),
        project: id,
        project_ref: named("first"),
        instance: InstanceId(f.id()),
        placement: Placement::Postgres,
        sealed_url: Some(secret("to")),
        due_at: t(3),
    };
    control.leftovers().keep(&left, t(2)).await.unwrap();
    assert!(control.projects().remove(id, t(2)).await.unwrap());
    let kept = control.leftovers().read(left.id).await.unwrap().unwrap();
    assert_eq!((kept.instance, kept.sealed_url, kept.due_at), (left.instance, left.sealed_url.clone(), t(3)));
    assert!(control.leftovers().claim(&left, f.id(), t(3), t(4)).await.unwrap());
}
