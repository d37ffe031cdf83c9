//! The list of projects, page by page.

use std::collections::BTreeSet;

use domain::operator::Reach;
use domain::project::Status;
use flows::management::{Error, Management, ProjectPage, ReadProjects};
use serde_json::json;
use testkit::TestApp;

use super::acting;
use crate::both::on_both;

async fn five(app: &TestApp) {
    for name in ["echo", "alpha", "delta", "bravo", "charlie"] {
        app.project(name, json!({})).await;
    }
}

fn names(page: &ProjectPage) -> Vec<&str> {
    page.projects.iter().map(|view| view.project.project_ref.as_str()).collect()
}

async fn read(manage: &Management, read: ReadProjects) -> ProjectPage {
    manage.list_projects(read).await.unwrap()
}

on_both!(projects_are_listed_by_ref, projects_are_listed_by_ref_on_postgres, pages);
async fn pages(app: TestApp) {
    five(&app).await;
    let manage = &app.management;
    let first = read(manage, ReadProjects { limit: 2, ..ReadProjects::default() }).await;
    assert_eq!((names(&first), first.total), (vec!["alpha", "bravo"], 5));
    let second = read(manage, ReadProjects { after: first.next, limit: 2, ..ReadProjects::default() }).await;
    assert_eq!(names(&second), ["charlie", "delta"]);
    let third = read(manage, ReadProjects { after: second.next, limit: 2, ..ReadProjects::default() }).await;
    assert_eq!((names(&third), &third.next), (vec!["echo"], &None));
    let offset = read(manage, ReadProjects { offset: 3, limit: 5, ..ReadProjects::default() }).await;
    assert_eq!(names(&offset), ["delta", "echo"]);
    for wrong in [
        ReadProjects { limit: 0, ..ReadProjects::default() },
        ReadProjects { limit: 1001, ..ReadProjects::default() },
        ReadProjects { offset: 10_001, ..ReadProjects::default() },
    ] {
        assert!(matches!(manage.list_projects(wrong).await, Err(Error::Invalid(_))));
    }
}

on_both!(projects_are_searched_and_filtered, projects_are_searched_and_filtered_on_postgres, search);
async fn search(app: TestApp) {
    five(&app).await;
    let manage = &app.management;
    manage.rename_project(&"echo".parse().unwrap(), "Bravo Limited").await.unwrap();
    manage.set_paused(&"alpha".parse().unwrap(), true).await.unwrap();
    manage.delete_project(&"delta".parse().unwrap(), None).await.unwrap();
    let found = read(manage, ReadProjects { search: Some("BRA".to_owned()), ..ReadProjects::default() }).await;
    assert_eq!((names(&found), found.total), (vec!["bravo", "echo"], 2));
    let all = read(manage, ReadProjects::default()).await;
    assert_eq!((names(&all), all.total), (vec!["alpha", "bravo", "charlie", "echo"], 4));
    let with = |statuses: &[Status]| ReadProjects { statuses: Some(statuses.to_vec()), ..ReadProjects::default() };
    assert_eq!(names(&read(manage, with(&[Status::Paused])).await), ["alpha"]);
    assert_eq!(names(&read(manage, with(&[Status::Deleting, Status::Paused])).await), ["alpha", "delta"]);
}

on_both!(an_operator_sees_his_own, an_operator_sees_his_own_on_postgres, own);
async fn own(app: TestApp) {
    five(&app).await;
    let mut ids = BTreeSet::new();
    for name in ["echo", "bravo"] {
        ids.insert(app.management.project_id(&name.parse().unwrap()).await.unwrap());
    }
    let manage = acting(&app, "bob", Reach::Projects(ids));
    let page = read(&manage, ReadProjects { limit: 1, ..ReadProjects::default() }).await;
    assert_eq!((names(&page), page.total), (vec!["bravo"], 2));
    let rest = read(&manage, ReadProjects { after: page.next, ..ReadProjects::default() }).await;
    assert_eq!((names(&rest), &rest.next), (vec!["echo"], &None));
}
