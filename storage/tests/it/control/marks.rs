//! Marks of keys, hosts of projects' own.

use domain::project::Status;
use storage::StoreError;
use storage::control::{DomainStatus, KeyStatus};
use tokio::task::JoinSet;

use super::{bundle, made, named, secret, signing_key};
use crate::fixture::{Fixture, t};

on_both! {
    two_projects_never_have_the_same_key
    of_many_projects_with_a_key_one_is_made
    a_host_belongs_to_the_project_for_which_it_is_active
}

fn marks(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

async fn two_projects_never_have_the_same_key(f: Fixture) {
    let control = f.control().await;
    let (first, second) = (bundle(&f, "first"), bundle(&f, "second"));
    let projects = control.projects();
    assert!(projects.create(&first, &marks(&["secret", "key"]), t(1)).await.unwrap());
    assert!(!projects.create(&second, &marks(&["another", "key"]), t(1)).await.unwrap());
    assert!(projects.by_ref(&named("second")).await.unwrap().is_none(), "whole or not at all");
    assert_eq!(projects.total().await.unwrap(), 1);
    assert!(projects.create(&second, &marks(&["another"]), t(1)).await.unwrap(), "nothing of the refused one is left");

    let (one, two) = (first.project.id, second.project.id);
    let key = signing_key(&f, KeyStatus::Standby, 2);
    assert!(!control.signing_keys().insert(two, &key, &marks(&["key"])).await.unwrap());
    assert!(control.signing_keys().get(two, key.id).await.unwrap().is_none());
    assert!(control.signing_keys().insert(one, &key, &marks(&["key"])).await.unwrap(), "its own again");
    assert!(!control.secrets().put(two, "jwt_secret", &secret("x"), &marks(&["secret"]), t(2)).await.unwrap());
    assert!(control.secrets().list(two).await.unwrap().contains(&("jwt_secret".to_owned(), secret("a"))));
    assert!(!projects.mark(two, &marks(&["new", "secret"])).await.unwrap());
    assert!(projects.mark(one, &marks(&["new", "secret"])).await.unwrap());

    // What belonged to a project that is gone is free.
    assert!(projects.delete_softly(one, t(9), t(3)).await.unwrap());
    assert!(!projects.mark(two, &marks(&["key"])).await.unwrap(), "it may come back");
    assert!(projects.remove(one, t(9)).await.unwrap());
    assert!(projects.mark(two, &marks(&["key"])).await.unwrap());
}

async fn of_many_projects_with_a_key_one_is_made(f: Fixture) {
    let control = f.control().await;
    let mut racing = JoinSet::new();
    for number in 0..8 {
        let (control, new) = (control.clone(), bundle(&f, &format!("project-{number}")));
        racing.spawn(async move {
            let order = if number % 2 == 0 { ["one", "two"] } else { ["two", "one"] };
            control.projects().create(&new, &marks(&order), t(1)).await.unwrap()
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(control.projects().total().await.unwrap(), 1);
}

async fn a_host_belongs_to_the_project_for_which_it_is_active(f: Fixture) {
    let control = f.control().await;
    let domains = control.domains();
    let (id, other) = (made(&f, &control, "first").await, made(&f, &control, "second").await);
    assert_eq!(domains.of(id).await.unwrap(), None);
    domains.initiate(id, "auth.example.com", t(2)).await.unwrap();
    domains.initiate(other, "auth.example.com", t(2)).await.unwrap();
    assert_eq!(domains.route("auth.example.com").await.unwrap(), None);
    assert!(!domains.activate(id, "auth.example.org", t(3)).await.unwrap(), "it has another one");
    assert!(domains.verify(id, "auth.example.com", t(3)).await.unwrap());
    let verified = domains.of(id).await.unwrap().unwrap();
    assert_eq!((verified.status, verified.created_at, verified.updated_at), (DomainStatus::Verified, t(2), t(3)));
    assert!(domains.activate(id, "auth.example.com", t(4)).await.unwrap());
    assert_eq!(domains.route("auth.example.com").await.unwrap(), Some(named("first")));
    assert_eq!(
        control.projects().bundle(&named("first")).await.unwrap().unwrap().domain.as_deref(),
        Some("auth.example.com")
    );
    assert!(matches!(domains.activate(other, "auth.example.com", t(5)).await, Err(StoreError::Conflict)));
    assert_eq!(control.projects().bundle(&named("second")).await.unwrap().unwrap().domain, None);

    assert!(control.projects().set_status(id, Status::Paused, t(5)).await.unwrap());
    assert_eq!(domains.route("auth.example.com").await.unwrap(), Some(named("first")), "to be told that it is paused");
    assert!(control.projects().delete_softly(id, t(9), t(5)).await.unwrap());
    assert_eq!(domains.route("auth.example.com").await.unwrap(), None);
    assert!(control.projects().undelete(id, t(6)).await.unwrap().is_some());
    domains.initiate(id, "new.example.com", t(7)).await.unwrap();
    assert_eq!(domains.route("auth.example.com").await.unwrap(), None);
    assert!(domains.activate(other, "auth.example.com", t(8)).await.unwrap());
    assert!(domains.remove(other, t(9)).await.unwrap());
    assert!(!domains.remove(other, t(9)).await.unwrap());
    assert_eq!(domains.route("auth.example.com").await.unwrap(), None);
}
