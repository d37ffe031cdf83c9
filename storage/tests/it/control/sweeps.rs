//! When projects are swept.

use domain::ids::ProjectId;
use domain::project::Project;
use tokio::task::JoinSet;

use super::made;
use crate::fixture::{Fixture, t};

on_both! {
    a_project_is_due_at_the_earliest_date
    of_many_gateways_one_sweeps_a_project
    a_deleted_project_is_not_swept
}

fn ids(projects: Vec<Project>) -> Vec<ProjectId> {
    let mut ids: Vec<_> = projects.into_iter().map(|project| project.id).collect();
    ids.sort();
    ids
}

fn sorted(mut ids: Vec<ProjectId>) -> Vec<ProjectId> {
    ids.sort();
    ids
}

async fn a_project_is_due_at_the_earliest_date(f: Fixture) {
    let control = f.control().await;
    let projects = control.projects();
    let (one, two, three) =
        (made(&f, &control, "one").await, made(&f, &control, "two").await, made(&f, &control, "three").await);
    let start = control.events().latest().await.unwrap();
    assert!(projects.claim_sweeps(t(99), t(100), 10).await.unwrap().is_empty(), "nobody has asked for it");
    projects.schedule_sweeps(&[one, two, ProjectId(f.id())], t(5)).await.unwrap();
    projects.schedule_sweeps(&[two, three], t(3)).await.unwrap();
    projects.schedule_sweeps(&[three], t(9)).await.unwrap();
    projects.schedule_sweeps(&[], t(1)).await.unwrap();
    assert!(projects.claim_sweeps(t(2), t(10), 10).await.unwrap().is_empty());
    assert_eq!(ids(projects.claim_sweeps(t(4), t(10), 10).await.unwrap()), sorted(vec![two, three]));
    assert!(projects.claim_sweeps(t(4), t(10), 10).await.unwrap().is_empty(), "they are taken");
    assert_eq!(ids(projects.claim_sweeps(t(5), t(20), 10).await.unwrap()), [one]);

    assert!(projects.swept(two, t(10), Some(t(7))).await.unwrap());
    assert_eq!(ids(projects.claim_sweeps(t(7), t(30), 10).await.unwrap()), [two]);
    assert!(!projects.swept(two, t(10), None).await.unwrap(), "another lease by now");
    assert!(projects.swept(two, t(30), None).await.unwrap());
    // Who asked for an earlier date meanwhile is heard.
    projects.schedule_sweeps(&[three], t(8)).await.unwrap();
    assert!(!projects.swept(three, t(10), None).await.unwrap());
    assert_eq!(ids(projects.claim_sweeps(t(8), t(40), 10).await.unwrap()), [three]);
    // Who claimed it and died: it is due when the lease is over.
    assert_eq!(ids(projects.claim_sweeps(t(20), t(50), 10).await.unwrap()), [one]);
    assert_eq!(control.events().latest().await.unwrap(), start, "nobody loads a project again for this");
}

async fn of_many_gateways_one_sweeps_a_project(f: Fixture) {
    let control = f.control().await;
    let mut all = Vec::new();
    for number in 0..12 {
        all.push(made(&f, &control, &format!("project-{number}")).await);
    }
    let mut scheduling = JoinSet::new();
    for round in 0..6 {
        let (control, mut all) = (control.clone(), all.clone());
        all.rotate_left(round);
        scheduling.spawn(async move { control.projects().schedule_sweeps(&all, t(2)).await.unwrap() });
    }
    scheduling.join_all().await;
    let mut racing = JoinSet::new();
    for _ in 0..8 {
        let control = control.clone();
        racing.spawn(async move { control.projects().claim_sweeps(t(3), t(9), 4).await.unwrap() });
    }
    let claimed: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(ids(claimed), sorted(all));
}

async fn a_deleted_project_is_not_swept(f: Fixture) {
    let control = f.control().await;
    let projects = control.projects();
    let id = made(&f, &control, "first").await;
    projects.schedule_sweeps(&[id], t(2)).await.unwrap();
    assert!(projects.delete_softly(id, t(50), t(2)).await.unwrap());
    projects.schedule_sweeps(&[id], t(3)).await.unwrap();
    assert!(projects.claim_sweeps(t(9), t(10), 10).await.unwrap().is_empty());
    assert!(projects.undelete(id, t(4)).await.unwrap().is_some());
    assert_eq!(ids(projects.claim_sweeps(t(4), t(10), 10).await.unwrap()), [id]);
}
