//! Deleting, restoring, removing.

use domain::ids::ProjectId;
use domain::project::Status;
use storage::StoreError;
use storage::control::Change;
use tokio::task::JoinSet;

use super::{bundle, made, named, refs};
use crate::fixture::{Fixture, t};

on_both! {
    a_deleted_project_comes_back_as_it_was
    a_deleted_project_keeps_its_ref
    a_project_that_is_being_removed_does_not_come_back
    of_many_gateways_one_removes_a_project
    one_project_is_claimed_by_itself
    deleting_again_moves_the_date
    every_turn_of_life_is_announced
}

async fn a_deleted_project_comes_back_as_it_was(f: Fixture) {
    let control = f.control().await;
    let projects = control.projects();
    let (active, paused) = (made(&f, &control, "active").await, made(&f, &control, "paused").await);
    assert!(projects.set_status(paused, Status::Paused, t(2)).await.unwrap());
    assert_eq!(projects.undelete(active, t(2)).await.unwrap(), None, "it is not deleted");
    for (id, before) in [(active, Status::Active), (paused, Status::Paused)] {
        assert!(projects.delete_softly(id, t(9), t(3)).await.unwrap());
        let deleted = projects.by_id(id).await.unwrap().unwrap();
        assert_eq!((deleted.status, deleted.purge_at), (Status::Deleting, Some(t(9))));
        assert_eq!(projects.total().await.unwrap(), 1);
        for status in [Status::Active, Status::Paused] {
            assert!(!projects.set_status(id, status, t(4)).await.unwrap(), "restoring is another thing");
        }
        assert!(matches!(projects.set_status(id, Status::Deleting, t(4)).await, Err(StoreError::Fault(_))));
        assert_eq!(projects.undelete(id, t(4)).await.unwrap(), Some(before));
        let restored = projects.by_id(id).await.unwrap().unwrap();
        assert_eq!((restored.status, restored.purge_at), (before, None));
        assert_eq!(projects.total().await.unwrap(), 2);
    }
    assert!(projects.claim_purges(t(99), t(100), 10).await.unwrap().is_empty());
    assert_eq!(projects.undelete(ProjectId(f.id()), t(4)).await.unwrap(), None);
}

async fn a_deleted_project_keeps_its_ref(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    assert!(control.projects().delete_softly(id, t(9), t(2)).await.unwrap());
    let again = control.projects().create(&bundle(&f, "first"), &[], t(3)).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    assert_eq!(control.projects().bundle(&named("first")).await.unwrap().unwrap().project.status, Status::Deleting);
    assert!(control.projects().remove(id, t(9)).await.unwrap());
    assert_eq!(control.projects().total().await.unwrap(), 0);
    made(&f, &control, "first").await;
    assert_eq!(control.projects().total().await.unwrap(), 1);
}

async fn a_project_that_is_being_removed_does_not_come_back(f: Fixture) {
    let control = f.control().await;
    let projects = control.projects();
    let (id, later) = (made(&f, &control, "first").await, made(&f, &control, "later").await);
    assert!(projects.delete_softly(id, t(5), t(2)).await.unwrap());
    assert!(projects.delete_softly(later, t(6), t(2)).await.unwrap());
    assert!(projects.claim_purges(t(4), t(8), 10).await.unwrap().is_empty());
    let claimed = projects.claim_purges(t(5), t(8), 10).await.unwrap();
    assert_eq!(claimed.iter().map(|project| project.id).collect::<Vec<_>>(), [id]);
    assert_eq!(projects.undelete(id, t(5)).await.unwrap(), None);
    assert!(!projects.delete_softly(id, t(50), t(5)).await.unwrap());
    assert!(refs(&control).await.is_empty());

    // Who claimed it died: somebody else goes on when the lease is over.
    let ids = |projects: Vec<domain::project::Project>| projects.iter().map(|project| project.id).collect::<Vec<_>>();
    assert_eq!(ids(projects.claim_purges(t(7), t(10), 10).await.unwrap()), [later]);
    assert_eq!(ids(projects.claim_purges(t(8), t(12), 10).await.unwrap()), [id]);
    assert!(projects.remove(id, t(9)).await.unwrap());
    assert_eq!(ids(projects.claim_purges(t(20), t(30), 10).await.unwrap()), [later]);
}

async fn of_many_gateways_one_removes_a_project(f: Fixture) {
    let control = f.control().await;
    for number in 0..10 {
        let id = made(&f, &control, &format!("project-{number}")).await;
        assert!(control.projects().delete_softly(id, t(5), t(2)).await.unwrap());
    }
    let mut racing = JoinSet::new();
    for _ in 0..8 {
        let control = control.clone();
        racing.spawn(async move { control.projects().claim_purges(t(6), t(9), 3).await.unwrap() });
    }
    let mut claimed: Vec<_> = racing.join_all().await.into_iter().flatten().map(|project| project.id).collect();
    let count = claimed.len();
    claimed.sort();
    claimed.dedup();
    assert_eq!((count, claimed.len()), (10, 10));
}

async fn one_project_is_claimed_by_itself(f: Fixture) {
    let control = f.control().await;
    let projects = control.projects();
    let (id, other) = (made(&f, &control, "first").await, made(&f, &control, "second").await);
    assert!(!projects.claim_purge(id, t(9), t(12)).await.unwrap(), "it is not deleted");
    for project in [id, other] {
        assert!(projects.delete_softly(project, t(5), t(2)).await.unwrap());
    }
    assert!(!projects.claim_purge(id, t(4), t(12)).await.unwrap(), "it is not due");
    assert!(projects.claim_purge(id, t(5), t(12)).await.unwrap());
    assert!(!projects.claim_purge(id, t(6), t(13)).await.unwrap(), "it is somebody's");
    assert_eq!(projects.undelete(id, t(6)).await.unwrap(), None);
    let left = projects.claim_purges(t(6), t(12), 10).await.unwrap();
    assert_eq!(left.iter().map(|project| project.id).collect::<Vec<_>>(), [other]);
    assert!(projects.claim_purge(id, t(12), t(20)).await.unwrap(), "the lease is over");
}

async fn deleting_again_moves_the_date(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    assert!(control.projects().set_status(id, Status::Paused, t(1)).await.unwrap());
    assert!(control.projects().delete_softly(id, t(50), t(2)).await.unwrap());
    assert!(control.projects().delete_softly(id, t(3), t(3)).await.unwrap());
    assert_eq!(control.projects().by_id(id).await.unwrap().unwrap().purge_at, Some(t(3)));
    assert_eq!(control.projects().total().await.unwrap(), 0, "it is counted once");
    assert_eq!(control.projects().undelete(id, t(3)).await.unwrap(), Some(Status::Paused));
    assert!(!control.projects().delete_softly(ProjectId(f.id()), t(3), t(3)).await.unwrap());
}

async fn every_turn_of_life_is_announced(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let start = control.events().latest().await.unwrap();
    assert!(control.projects().delete_softly(id, t(9), t(2)).await.unwrap());
    assert!(control.projects().undelete(id, t(3)).await.unwrap().is_some());
    assert!(control.projects().undelete(id, t(3)).await.unwrap().is_none());
    assert!(control.projects().delete_softly(id, t(4), t(4)).await.unwrap());
    control.projects().claim_purges(t(5), t(9), 10).await.unwrap();
    assert!(control.projects().remove(id, t(6)).await.unwrap());
    let events = control.events().after(start, 10).await.unwrap();
    let changes: Vec<_> = events.iter().map(|event| (event.project, event.change, event.created_at)).collect();
    assert_eq!(changes, [2, 3, 4, 6].map(|hour| (id, Change::Project, t(hour))));
}
