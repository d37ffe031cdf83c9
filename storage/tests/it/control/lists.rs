//! Lists of projects.

use std::collections::BTreeSet;

use domain::ids::ProjectId;
use domain::project::Status;
use storage::ControlStore;
use storage::control::ListProjects;

use super::{bundle, made, named};
use crate::fixture::{Fixture, t};

on_both! {
    pages_follow_each_other_by_ref
    a_list_is_of_some_statuses
    the_beginning_of_a_ref_or_a_name_is_found
    a_name_of_many_is_found_as_one_of_few
    a_list_of_some_projects_alone
    the_only_project_is_known
    refs_of_projects_are_found
}

async fn named_projects(f: &Fixture, control: &ControlStore, names: &[(&str, &str)]) {
    for (project_ref, name) in names {
        let mut new = bundle(f, project_ref);
        new.project.name = (*name).to_owned();
        assert!(control.projects().create(&new, &[], t(1)).await.unwrap());
    }
}

async fn list(control: &ControlStore, list: ListProjects) -> Vec<String> {
    let projects = control.projects().list(&list).await.unwrap();
    projects.into_iter().map(|project| project.project_ref.to_string()).collect()
}

async fn search(control: &ControlStore, text: &str) -> Vec<String> {
    list(control, ListProjects { search: Some(text.to_owned()), ..ListProjects::default() }).await
}

async fn pages_follow_each_other_by_ref(f: Fixture) {
    let control = f.control().await;
    // The byte order: a hyphen before a letter, whatever language the database speaks.
    for name in ["abd", "ab-c", "abc", "a1b", "zzz"] {
        made(&f, &control, name).await;
    }
    let paused = made(&f, &control, "mmm").await;
    assert!(control.projects().set_status(paused, Status::Paused, t(2)).await.unwrap());
    let all = ["a1b", "ab-c", "abc", "abd", "mmm", "zzz"];
    assert_eq!(list(&control, ListProjects::default()).await, all);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = list(&control, ListProjects { after, limit: 2, ..ListProjects::default() }).await;
        let Some(last) = page.last() else { break };
        after = Some(named(last));
        seen.extend(page);
    }
    assert_eq!(seen, all);
    assert_eq!(list(&control, ListProjects { offset: 3, limit: 2, ..ListProjects::default() }).await, ["abd", "mmm"]);
    assert_eq!(list(&control, ListProjects { limit: 0, ..ListProjects::default() }).await, [""; 0]);
    assert_eq!(control.projects().total().await.unwrap(), 6);
}

async fn a_list_is_of_some_statuses(f: Fixture) {
    let control = f.control().await;
    made(&f, &control, "active").await;
    let paused = made(&f, &control, "paused").await;
    let deleted = made(&f, &control, "deleted").await;
    assert!(control.projects().set_status(paused, Status::Paused, t(2)).await.unwrap());
    assert!(control.projects().delete_softly(deleted, t(9), t(2)).await.unwrap());
    let of = |statuses: &[Status]| ListProjects { statuses: Some(statuses.to_vec()), ..ListProjects::default() };
    assert_eq!(list(&control, ListProjects::default()).await, ["active", "paused"]);
    assert_eq!(list(&control, of(&[Status::Paused])).await, ["paused"]);
    assert_eq!(list(&control, of(&[Status::Deleting, Status::Active, Status::Active])).await, ["active", "deleted"]);
    assert_eq!(list(&control, of(&[])).await, [""; 0]);
    assert_eq!(search(&control, "de").await, [""; 0]);
}

async fn the_beginning_of_a_ref_or_a_name_is_found(f: Fixture) {
    let control = f.control().await;
    let names = [
        ("shop", "Acme Shop"),
        ("acme", "Main"),
        ("blog", "ÄRA blog"),
        ("odd", "100%_[x]*\\ odd"),
        ("end", "acme\u{10fffd} end"),
        ("over", "acmf"),
    ];
    named_projects(&f, &control, &names).await;
    assert_eq!(search(&control, "ACME").await, ["acme", "end", "shop"]);
    assert_eq!(search(&control, "acme s").await, ["shop"]);
    assert_eq!(search(&control, "ära").await, ["blog"]);
    assert_eq!(search(&control, "100%_[X]*\\").await, ["odd"]);
    assert_eq!(search(&control, "hop").await, [""; 0], "only beginnings");
    assert_eq!(search(&control, "").await.len(), 6);
    let shop = control.projects().by_ref(&named("shop")).await.unwrap().unwrap().id;
    assert!(control.projects().rename(shop, "Bazaar", t(2)).await.unwrap());
    assert_eq!(search(&control, "acme").await, ["acme", "end"]);
    assert_eq!(search(&control, "baz").await, ["shop"]);
    let next = ListProjects { search: Some("acme".to_owned()), after: Some(named("acme")), ..ListProjects::default() };
    assert_eq!(list(&control, next).await, ["end"]);
}

async fn a_name_of_many_is_found_as_one_of_few(f: Fixture) {
    let control = f.control().await;
    let many: Vec<(String, &str)> = (0..40).map(|n| (format!("p{n:03}"), "Project")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(project_ref, name)| (project_ref.as_str(), *name)).collect();
    named_projects(&f, &control, &many).await;
    named_projects(&f, &control, &[("rare", "Rare"), ("project-x", "X")]).await;
    let page = |after: &str| ListProjects {
        search: Some("proj".to_owned()),
        after: after.parse().ok(),
        limit: 3,
        ..ListProjects::default()
    };
    assert_eq!(list(&control, page("")).await, ["p000", "p001", "p002"]);
    assert_eq!(list(&control, page("p037")).await, ["p038", "p039", "project-x"]);
    assert_eq!(search(&control, "rare").await, ["rare"]);
    let deep = ListProjects { search: Some("proj".to_owned()), offset: 39, ..ListProjects::default() };
    assert_eq!(list(&control, deep).await, ["p039", "project-x"]);
}

async fn a_list_of_some_projects_alone(f: Fixture) {
    let control = f.control().await;
    let (one, two) = (made(&f, &control, "one").await, made(&f, &control, "two").await);
    made(&f, &control, "three").await;
    let paused = made(&f, &control, "paused").await;
    assert!(control.projects().delete_softly(paused, t(9), t(2)).await.unwrap());
    let only = Some(BTreeSet::from([two, one, paused, ProjectId(f.id())]));
    let own = ListProjects { only, ..ListProjects::default() };
    assert_eq!(list(&control, own.clone()).await, ["one", "two"]);
    assert_eq!(list(&control, ListProjects { after: Some(named("one")), ..own.clone() }).await, ["two"]);
    assert_eq!(list(&control, ListProjects { search: Some("th".to_owned()), ..own.clone() }).await, [""; 0]);
    assert_eq!(list(&control, ListProjects { search: Some("tw".to_owned()), ..own.clone() }).await, ["two"]);
    assert_eq!(list(&control, ListProjects { offset: 1, limit: 1, ..own.clone() }).await, ["two"]);
    assert_eq!(list(&control, ListProjects { only: Some(BTreeSet::new()), ..own }).await, [""; 0]);
}

async fn the_only_project_is_known(f: Fixture) {
    let control = f.control().await;
    assert_eq!(control.projects().only().await.unwrap(), None);
    let one = made(&f, &control, "one").await;
    assert_eq!(control.projects().only().await.unwrap(), Some(named("one")));
    let two = made(&f, &control, "two").await;
    assert_eq!(control.projects().only().await.unwrap(), None);
    assert!(control.projects().set_status(one, Status::Paused, t(2)).await.unwrap());
    assert_eq!(control.projects().only().await.unwrap(), None, "a paused one is one too");
    assert!(control.projects().delete_softly(two, t(9), t(2)).await.unwrap());
    assert_eq!(control.projects().only().await.unwrap(), Some(named("one")));
}

async fn refs_of_projects_are_found(f: Fixture) {
    let control = f.control().await;
    let (one, two) = (made(&f, &control, "one").await, made(&f, &control, "two").await);
    let found = control.projects().refs(&[two, ProjectId(f.id()), one]).await.unwrap();
    assert_eq!(found, [(one, named("one")), (two, named("two"))]);
    assert_eq!(control.projects().refs(&[]).await.unwrap(), []);
}
