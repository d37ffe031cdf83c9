use domain::ids::UserId;
use storage::{NewOneTimeToken, TokenKind, UserTokens};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

const KINDS: [TokenKind; 6] = [
    TokenKind::Confirmation,
    TokenKind::Reauthentication,
    TokenKind::Recovery,
    TokenKind::EmailChangeNew,
    TokenKind::EmailChangeCurrent,
    TokenKind::PhoneChange,
];

on_both! {
    a_token_is_found_by_hash_and_by_user
    a_newer_token_takes_the_place_of_the_older
    a_token_is_used_up_with_its_column
    of_a_hundred_uses_one_wins
    wrong_guesses_are_counted
    clearing_takes_every_token_of_the_user
    clearing_kinds_takes_rows_and_columns_of_those
    tokens_are_found_by_where_they_went
    rows_of_older_versions_have_one_hash
}

fn token(f: &Fixture, user_id: UserId, kind: TokenKind, hash: &str) -> NewOneTimeToken {
    NewOneTimeToken {
        id: f.id(),
        user_id,
        kind,
        hash: hash.to_owned(),
        code_hash: format!("code {hash}"),
        relates_to: "ada@example.com".to_owned(),
    }
}

async fn a_token_is_found_by_hash_and_by_user(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    for kind in KINDS {
        let new = token(&f, user, kind, &format!("hash of {kind:?}"));
        tx.one_time_tokens().put(new.clone(), t(3)).await.unwrap();
        let found = tx.one_time_tokens().find_by_hash(&new.hash, &KINDS).await.unwrap().unwrap();
        assert_eq!((found.id, found.user_id, found.kind, &found.hash), (new.id, user, kind, &new.hash));
        assert_eq!(found.code_hash, Some(new.code_hash));
        assert_eq!((found.relates_to.as_str(), found.attempts, found.created_at), ("ada@example.com", 0, t(3)));
        assert_eq!(tx.one_time_tokens().find_by_user(user, kind).await.unwrap(), Some(found));
        let others: Vec<_> = KINDS.into_iter().filter(|other| *other != kind).collect();
        assert_eq!(tx.one_time_tokens().find_by_hash(&new.hash, &others).await.unwrap(), None);
        assert_eq!(tx.one_time_tokens().find_by_hash(&new.hash, &[]).await.unwrap(), None);
    }
    let columns = UserTokens {
        confirmation: "hash of Confirmation".to_owned(),
        recovery: "hash of Recovery".to_owned(),
        email_change_new: "hash of EmailChangeNew".to_owned(),
        email_change_current: "hash of EmailChangeCurrent".to_owned(),
        phone_change: "hash of PhoneChange".to_owned(),
        reauthentication: "hash of Reauthentication".to_owned(),
    };
    assert_eq!(tx.users().lock(user).await.unwrap().unwrap().tokens, columns);
}

async fn a_newer_token_takes_the_place_of_the_older(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let (older, newer) = (token(&f, user, TokenKind::Recovery, "older"), token(&f, user, TokenKind::Recovery, "newer"));
    let mut tx = store.begin().await.unwrap();
    tx.one_time_tokens().put(older.clone(), t(3)).await.unwrap();
    tx.one_time_tokens().count_attempt(older.id).await.unwrap();
    tx.one_time_tokens().put(newer.clone(), t(4)).await.unwrap();
    assert_eq!(tx.one_time_tokens().find_by_hash("older", &KINDS).await.unwrap(), None);
    let found = tx.one_time_tokens().find_by_user(user, TokenKind::Recovery).await.unwrap().unwrap();
    assert_eq!((found.id, found.attempts, found.created_at), (newer.id, 0, t(4)));
    assert!(!tx.one_time_tokens().consume(older.id).await.unwrap());
    assert_eq!(tx.users().lock(user).await.unwrap().unwrap().tokens.recovery, "newer");
}

async fn a_token_is_used_up_with_its_column(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    let recovery = token(&f, user, TokenKind::Recovery, "one");
    tx.one_time_tokens().put(recovery.clone(), t(3)).await.unwrap();
    tx.one_time_tokens().put(token(&f, user, TokenKind::Confirmation, "two"), t(3)).await.unwrap();
    assert!(tx.one_time_tokens().consume(recovery.id).await.unwrap());
    assert!(!tx.one_time_tokens().consume(recovery.id).await.unwrap());
    let tokens = tx.users().lock(user).await.unwrap().unwrap().tokens;
    assert_eq!(tokens, UserTokens { confirmation: "two".to_owned(), ..UserTokens::default() });
}

async fn of_a_hundred_uses_one_wins(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let new = token(&f, user, TokenKind::Recovery, "hash");
    let mut tx = store.begin().await.unwrap();
    tx.one_time_tokens().put(new, t(3)).await.unwrap();
    tx.commit().await.unwrap();
    let mut racing = JoinSet::new();
    for _ in 0..100 {
        let store = store.clone();
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let found = tx.one_time_tokens().find_by_hash("hash", &[TokenKind::Recovery]).await.unwrap();
            let won = match found {
                Some(found) => tx.one_time_tokens().consume(found.id).await.unwrap(),
                None => false,
            };
            tx.commit().await.unwrap();
            won
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(f.count("auth.one_time_tokens").await, 0);
}

async fn wrong_guesses_are_counted(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let new = token(&f, user, TokenKind::Confirmation, "hash");
    let mut tx = store.begin().await.unwrap();
    tx.one_time_tokens().put(new.clone(), t(3)).await.unwrap();
    for expected in 1..=3 {
        assert_eq!(tx.one_time_tokens().count_attempt(new.id).await.unwrap(), expected);
    }
    assert_eq!(tx.one_time_tokens().find_by_user(user, TokenKind::Confirmation).await.unwrap().unwrap().attempts, 3);
    assert_eq!(tx.one_time_tokens().count_attempt(f.id()).await.unwrap(), 0);
}

async fn clearing_takes_every_token_of_the_user(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let other = f.user(&store, "bob@example.com").await;
    let mut tx = store.begin().await.unwrap();
    for (n, kind) in KINDS.into_iter().enumerate() {
        tx.one_time_tokens().put(token(&f, user, kind, &format!("a{n}")), t(3)).await.unwrap();
    }
    tx.one_time_tokens().put(token(&f, other, TokenKind::Recovery, "b"), t(3)).await.unwrap();
    tx.one_time_tokens().clear(user).await.unwrap();
    for kind in KINDS {
        assert_eq!(tx.one_time_tokens().find_by_user(user, kind).await.unwrap(), None);
    }
    assert!(tx.one_time_tokens().find_by_user(other, TokenKind::Recovery).await.unwrap().is_some());
    assert_eq!(tx.users().lock(user).await.unwrap().unwrap().tokens.recovery, "a2");
}

async fn clearing_kinds_takes_rows_and_columns_of_those(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let other = f.user(&store, "bob@example.com").await;
    let mut tx = store.begin().await.unwrap();
    for (n, kind) in KINDS.into_iter().enumerate() {
        tx.one_time_tokens().put(token(&f, user, kind, &format!("a{n}")), t(3)).await.unwrap();
        tx.one_time_tokens().put(token(&f, other, kind, &format!("b{n}")), t(3)).await.unwrap();
    }
    let cleared = [TokenKind::EmailChangeNew, TokenKind::EmailChangeCurrent];
    tx.one_time_tokens().clear_kinds(user, &cleared).await.unwrap();
    for kind in KINDS {
        let mine = tx.one_time_tokens().find_by_user(user, kind).await.unwrap();
        assert_eq!(mine.is_none(), cleared.contains(&kind), "{kind:?}");
        assert!(tx.one_time_tokens().find_by_user(other, kind).await.unwrap().is_some());
    }
    let tokens = tx.users().lock(user).await.unwrap().unwrap().tokens;
    assert_eq!((tokens.email_change_new.as_str(), tokens.email_change_current.as_str()), ("", ""));
    assert_eq!((tokens.confirmation.as_str(), tokens.phone_change.as_str()), ("a0", "a5"));
    assert_eq!(tx.users().lock(other).await.unwrap().unwrap().tokens.email_change_new, "b3");
}

async fn tokens_are_found_by_where_they_went(f: Fixture) {
    let store = f.tenant();
    let (first, second) = (f.user(&store, "bob@example.com").await, f.user(&store, "carl@example.com").await);
    let mut tx = store.begin().await.unwrap();
    let older = token(&f, first, TokenKind::EmailChangeNew, "one");
    let newer = token(&f, second, TokenKind::EmailChangeNew, "two");
    tx.one_time_tokens().put(older.clone(), t(3)).await.unwrap();
    tx.one_time_tokens().put(newer.clone(), t(4)).await.unwrap();
    tx.one_time_tokens().put(token(&f, first, TokenKind::Recovery, "three"), t(5)).await.unwrap();
    let found = tx.one_time_tokens().find_by_contact("ada@example.com", &[TokenKind::EmailChangeNew]).await.unwrap();
    assert_eq!(found.iter().map(|token| token.id).collect::<Vec<_>>(), [newer.id, older.id]);
    assert_eq!(tx.one_time_tokens().find_by_contact("ada@example.com", &KINDS).await.unwrap().len(), 3);
    assert_eq!(tx.one_time_tokens().find_by_contact("ada@example.com", &[]).await.unwrap(), []);
    assert_eq!(tx.one_time_tokens().find_by_contact("Ada@example.com", &KINDS).await.unwrap(), []);
}

async fn rows_of_older_versions_have_one_hash(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    tx.one_time_tokens().put(token(&f, user, TokenKind::Recovery, "hash"), t(3)).await.unwrap();
    tx.commit().await.unwrap();
    f.write("update auth.one_time_tokens set code_hash = null").await;
    let mut tx = store.begin().await.unwrap();
    let found = tx.one_time_tokens().find_by_hash("hash", &KINDS).await.unwrap().unwrap();
    assert_eq!((found.hash.as_str(), found.code_hash), ("hash", None));
}
