use storage::{NewUser, SignUp, StoreError};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    signing_up_answers_what_a_read_then_finds
    an_account_without_a_session
    a_taken_address_leaves_nothing_behind
    a_taken_id_is_nobodys_answer
    of_many_sign_ups_of_one_address_one_wins
}

fn sign_up(f: &Fixture, user: NewUser) -> SignUp {
    let session = f.new_session_with_token(user.id, &format!("token-{}", user.id));
    let email = user.email.clone().unwrap_or_default();
    let identities = vec![f.new_identity(user.id, "email", &email), f.new_identity(user.id, "phone", &email)];
    let audit = vec![f.audit("user_signedup"), f.audit("login")];
    SignUp { user, identities, session: Some(session), audit, now: t(10) }
}

async fn signing_up_answers_what_a_read_then_finds(f: Fixture) {
    let store = f.tenant();
    let new = sign_up(&f, NewUser { phone: Some("49".to_owned()), ..f.new_user("ada@example.com") });
    let (user, session) = (new.user.id, new.session.clone().unwrap().id);
    let before = store.database().statements();
    let made = store.sign_up(new).await.unwrap();
    if f.is_postgres() {
        assert_eq!(store.database().statements() - before, 1);
    }
    assert_eq!(made, f.read(&store, user, session).await);
    assert_eq!((made.user.last_sign_in_at, made.user.created_at, made.user.updated_at), (Some(t(10)), t(10), t(10)));
    assert_eq!(made.user.identities.len(), 2);
    assert_eq!(made.session.unwrap().amr[0].method, "password");
    let token = store.find_refresh_token(&format!("token-{user}")).await.unwrap().unwrap();
    assert_eq!(token.session_id, Some(session));
    assert_eq!(f.count("auth.audit_log_entries").await, 2);
}

async fn an_account_without_a_session(f: Fixture) {
    let store = f.tenant();
    let user = NewUser { email: None, is_anonymous: true, password_hash: None, ..f.new_user("") };
    let id = user.id;
    let new = SignUp { user, identities: vec![], session: None, audit: vec![], now: t(10) };
    let made = store.sign_up(new).await.unwrap();
    assert_eq!((made.session, made.user.last_sign_in_at, made.user.is_anonymous), (None, None, true));
    assert_eq!(store.find_user(id).await.unwrap(), Some(made.user));
    assert_eq!(store.find_password(id).await.unwrap(), None);
}

async fn a_taken_id_is_nobodys_answer(f: Fixture) {
    let store = f.tenant();
    let first = f.user(&store, "ada@example.com").await;
    for session in [true, false] {
        let mut taken = sign_up(&f, NewUser { id: first, ..f.new_user("bob@example.com") });
        if !session {
            taken.session = None;
        }
        assert!(matches!(store.sign_up(taken).await, Err(StoreError::Conflict)));
    }
    let bare = SignUp { identities: vec![], session: None, ..sign_up(&f, NewUser { id: first, ..f.new_user("") }) };
    assert!(matches!(store.sign_up(bare).await, Err(StoreError::Conflict)));
    assert_eq!(f.count("auth.users").await, 1);
}

async fn a_taken_address_leaves_nothing_behind(f: Fixture) {
    let store = f.tenant();
    f.user(&store, "ada@example.com").await;
    let taken = sign_up(&f, f.new_user("ada@example.com"));
    assert!(matches!(store.sign_up(taken).await, Err(StoreError::Conflict)));
    for table in ["auth.identities", "auth.sessions", "auth.refresh_tokens", "auth.audit_log_entries"] {
        assert_eq!(f.count(table).await, 0, "{table}");
    }
    assert_eq!(f.count("auth.users").await, 1);
}

async fn of_many_sign_ups_of_one_address_one_wins(f: Fixture) {
    let store = f.tenant();
    let mut racing = JoinSet::new();
    for _ in 0..32 {
        let (store, new) = (store.clone(), sign_up(&f, f.new_user("ada@example.com")));
        racing.spawn(async move {
            match store.sign_up(new).await {
                Ok(_) => true,
                Err(StoreError::Conflict) => false,
                Err(other) => panic!("{other:?}"),
            }
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(f.count("auth.users").await, 1);
}
