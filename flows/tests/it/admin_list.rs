//! The administrator's list of users: pages, cursors, filter and sort.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;

/// Seven users, of whom some were made at the same instant.
async fn populated(app: &TestApp) -> TestProject {
    let project = app.project("list", json!({})).await;
    for number in 0..7 {
        if number % 3 == 0 {
            app.clock.advance(60);
        }
        let name = if number % 2 == 0 { "Even Person" } else { "Odd Person" };
        let body = json!({ "email": format!("user{number}@example.com"), "user_metadata": { "full_name": name } });
        project.post("/admin/users", body).bearer(&project.service_role_key).send().await.expect(200);
    }
    project
}

fn emails(answer: &Value) -> Vec<String> {
    let users = answer["users"].as_array().unwrap().iter();
    users.map(|user| user["email"].as_str().unwrap().to_owned()).collect()
}

on_both!(pages_are_counted, pages_are_counted_on_postgres, pages);
async fn pages(app: TestApp) {
    let project = populated(&app).await;
    let list = |query: &str| project.get(&format!("/admin/users?{query}")).bearer(&project.service_role_key).send();
    let mut seen = BTreeSet::new();
    for page in 1..=3 {
        let answer = list(&format!("page={page}&per_page=3")).await.expect(200);
        assert_eq!(answer.header("x-total-count"), "7");
        assert_eq!(answer.header("link").contains("rel=\"next\""), page < 3, "{}", answer.header("link"));
        assert!(answer.header("link").contains("page=3&per_page=3>; rel=\"last\""), "{}", answer.header("link"));
        let emails = emails(&answer.json());
        assert_eq!(emails.len(), if page < 3 { 3 } else { 1 });
        seen.extend(emails);
    }
    assert_eq!(seen.len(), 7, "every user stands on one page");
    assert_eq!(emails(&list("page=4&per_page=3").await.expect(200).json()), Vec::<String>::new());
    // What is out of range is clamped, what is no number is refused.
    assert_eq!(emails(&list("page=0&per_page=0").await.expect(200).json()).len(), 1);
    assert_eq!(emails(&list("per_page=4000000000").await.expect(200).json()).len(), 7);
    assert_eq!(emails(&list("page=18446744073709551615").await.expect(200).json()).len(), 0);
    for bad in ["page=x", "page=%2B1", "per_page=-1", "page=18446744073709551616", "sort=email", "sort=created_at%20up"]
    {
        assert_eq!(list(bad).await.expect(400).error_code(), "validation_failed", "{bad}");
    }
    assert_eq!(list("filter=%00").await.expect(400).error_code(), "validation_failed");
}

on_both!(a_cursor_walks_every_user_once, a_cursor_walks_every_user_once_on_postgres, cursors);
async fn cursors(app: TestApp) {
    let project = populated(&app).await;
    for sort in ["created_at%20asc", "created_at%20desc"] {
        let whole = project.get(&format!("/admin/users?sort={sort}")).bearer(&project.service_role_key);
        let whole = emails(&whole.send().await.expect(200).json());
        let mut walked = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/admin/users?page=&per_page=&limit=2&sort={sort}&cursor={cursor}");
            let answer = project.get(&path).bearer(&project.service_role_key).send().await.expect(200);
            assert_eq!(answer.header("x-total-count"), "");
            let body = answer.json();
            walked.extend(emails(&body));
            assert_eq!(answer.header("link").contains("rel=\"next\""), body["pagination"]["has_more"] == json!(true));
            match body["pagination"]["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(walked, whole, "{sort}");
    }
    for bad in ["cursor=&limit=0", "cursor=&limit=x", "cursor=x", "cursor=e30"] {
        let answer = project.get(&format!("/admin/users?{bad}")).bearer(&project.service_role_key).send().await;
        assert_eq!(answer.expect(400).error_code(), "validation_failed", "{bad}");
    }
}

on_both!(a_filter_looks_at_address_and_name, a_filter_looks_at_address_and_name_on_postgres, filter);
async fn filter(app: TestApp) {
    let project = populated(&app).await;
    for (filter, count) in
        [("user3", 1), ("even", 4), ("Odd%20Person", 3), ("USER3", 0), ("nobody", 0), ("%27%3B--", 0), ("%5C", 0)]
    {
        for more in ["", "&cursor=&limit=50"] {
            let path = format!("/admin/users?filter={filter}{more}");
            let answer = project.get(&path).bearer(&project.service_role_key).send().await.expect(200);
            assert_eq!(emails(&answer.json()).len(), count, "{path}");
        }
    }
}

on_both!(a_list_is_of_one_audience, a_list_is_of_one_audience_on_postgres, audience);
async fn audience(app: TestApp) {
    let project = populated(&app).await;
    let body = json!({ "email": "other@example.com", "aud": "staff" });
    project.post("/admin/users", body).bearer(&project.service_role_key).send().await.expect(200);
    let list = || project.get("/admin/users").bearer(&project.service_role_key);
    let own = list().send().await.expect(200).json();
    assert_eq!((own["aud"].as_str(), emails(&own).len()), (Some("authenticated"), 7));
    let staff = list().header("x-jwt-aud", "staff").send().await.expect(200).json();
    assert_eq!((staff["aud"].as_str(), emails(&staff)), (Some("staff"), vec!["other@example.com".to_owned()]));
}
