use domain::user::User;
use serde_json::json;
use storage::{ListUsers, ListUsersAfter, NewUser};

use crate::fixture::{Fixture, object, t};

on_both! {
    listing_pages_filters_and_counts
    reading_on_after_a_user_misses_and_repeats_nobody
}

async fn listing_pages_filters_and_counts(f: Fixture) {
    let store = f.tenant();
    f.user(&f.tenant(), "elsewhere@example.com").await;
    let mut tx = store.begin().await.unwrap();
    let names = ["ada", "bob", "carl", "dora", "a_a"];
    for (hour, name) in names.iter().enumerate() {
        let user_metadata = object(json!({ "full_name": format!("{} Smith", name.to_uppercase()) }));
        let user = NewUser { user_metadata, ..f.new_user(&format!("{name}@example.com")) };
        tx.users().insert(&user, t(hour as i64)).await.unwrap();
    }
    let other = NewUser { aud: "other".to_owned(), ..f.new_user("other@example.com") };
    tx.users().insert(&other, t(0)).await.unwrap();
    tx.commit().await.unwrap();

    let list = |filter: &str, ascending, limit, offset| {
        let store = store.clone();
        let list = ListUsers { aud: "authenticated".to_owned(), filter: filter.to_owned(), ascending, limit, offset };
        async move {
            let (users, total) = store.list_users(list).await.unwrap();
            let name = |user: User| user.email.unwrap().split('@').next().unwrap().to_owned();
            (users.into_iter().map(name).collect::<Vec<_>>(), total)
        }
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(list("", true, 50, 0).await, (names(&["ada", "bob", "carl", "dora", "a_a"]), 5));
    assert_eq!(list("", false, 2, 1).await, (names(&["dora", "carl"]), 5));
    assert_eq!(list("", false, 2, 9).await, (vec![], 5));
    assert_eq!(list("bob@", true, 50, 0).await, (names(&["bob"]), 1));
    assert_eq!(list("Bob@", true, 50, 0).await, (vec![], 0));
    assert_eq!(list("bob sm", true, 50, 0).await, (names(&["bob"]), 1));
    assert_eq!(list("a_a@", true, 50, 0).await, (names(&["ada", "a_a"]), 2));
    assert_eq!(list("a%l@", true, 50, 0).await, (names(&["carl"]), 1));
    assert_eq!(list("[a]", true, 50, 0).await, (vec![], 0));
    assert_eq!(list("*", true, 50, 0).await, (vec![], 0));
    let page = ListUsers { aud: "other".to_owned(), filter: String::new(), ascending: true, limit: 1, offset: 0 };
    let (users, total) = store.list_users(page).await.unwrap();
    assert_eq!((users[0].id, users[0].identities.len(), total), (other.id, 0, 1));
}

async fn reading_on_after_a_user_misses_and_repeats_nobody(f: Fixture) {
    let store = f.tenant();
    let mut made = Vec::new();
    for n in 0..12 {
        let mut user = f.new_user(&format!("user{n}@example.com"));
        user.aud = if n == 11 { "other".to_owned() } else { user.aud };
        user.user_metadata = object(json!({ "full_name": if n % 2 == 0 { "Even" } else { "Odd" } }));
        let mut tx = store.begin().await.unwrap();
        // Three at each instant: the id decides.
        tx.users().insert(&user, t(n / 3)).await.unwrap();
        tx.commit().await.unwrap();
        if n != 11 {
            made.push((t(n / 3), user.id, n % 2 == 0));
        }
    }
    made.sort();
    for (filter, ascending) in [("", true), ("", false), ("even", true), ("even", false)] {
        let mut expected: Vec<_> =
            made.iter().filter(|(_, _, even)| filter.is_empty() || *even).map(|one| one.1).collect();
        if !ascending {
            expected.reverse();
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let (aud, filter) = ("authenticated".to_owned(), filter.to_owned());
            let page = ListUsersAfter { aud, filter, ascending, limit: 2, after };
            let page = store.list_users_after(page).await.unwrap();
            assert!(page.len() <= 2);
            let Some(last) = page.last() else { break };
            after = Some((last.created_at, last.id));
            seen.extend(page.iter().map(|user| user.id));
        }
        assert_eq!(seen, expected, "{filter:?} {ascending}");
    }
}
