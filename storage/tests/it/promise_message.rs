//! A message is written with all that belongs to it, or not at all.

use domain::ids::UserId;
use domain::user::{Metadata, User};
use storage::{
    Expected, NewFlowState, NewOneTimeToken, NewOutbox, NewUser, PromiseMessage, SentAt, StoreError, TenantStore,
    TokenKind, UserChanges,
};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};
use crate::flow_states::flow;

on_both! {
    a_message_is_written_whole
    what_changed_meanwhile_stops_a_message
    the_last_message_may_not_be_too_recent
    of_a_hundred_messages_one_goes_out
    a_change_is_begun_with_its_message
    a_message_can_be_part_of_a_transaction
    a_message_can_belong_to_nobody
    an_account_is_made_with_its_message
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

pub(crate) fn promise(f: &Fixture, user: &User, hash: &str) -> PromiseMessage {
    PromiseMessage {
        user: user.id,
        expected: Some(Expected::from(user)),
        sent: SentAt::Recovery,
        not_sent_after: None,
        invited: false,
        email_change: None,
        phone_change: None,
        user_metadata: None,
        tokens: vec![token(f, user.id, TokenKind::Recovery, hash)],
        ended: Vec::new(),
        flow: None,
        audit: vec![f.audit("user_recovery_requested")],
        outbox: vec![NewOutbox { id: f.id(), kind: "mail", payload: hash.to_owned(), now: t(5) }],
        now: t(5),
    }
}

async fn somebody(f: &Fixture, store: &TenantStore) -> User {
    let id = f.user(store, "ada@example.com").await;
    store.find_user(id).await.unwrap().unwrap()
}

async fn payloads(f: &Fixture) -> Vec<String> {
    let claimed = f.database.claim_outbox(t(9), t(99), 1000).await.unwrap();
    claimed.into_iter().map(|row| row.payload).collect()
}

async fn a_message_is_written_whole(f: Fixture) {
    let store = f.tenant();
    let user = somebody(&f, &store).await;
    let metadata: Metadata = serde_json::from_str(r#"{"plan": "x"}"#).unwrap();
    let flow = NewFlowState { user_id: Some(user.id), ..flow(&f, "recovery", 5) };
    let promise = PromiseMessage {
        flow: Some(flow.clone()),
        invited: true,
        user_metadata: Some(metadata.clone()),
        ..promise(&f, &user, "hash")
    };
    assert!(store.promise_message(promise.clone()).await.unwrap());
    let mut tx = store.begin().await.unwrap();
    let locked = tx.users().lock(user.id).await.unwrap().unwrap();
    assert_eq!((locked.user.recovery_sent_at, locked.user.updated_at), (Some(t(5)), t(5)));
    assert_eq!((locked.user.invited_at, locked.user.confirmation_sent_at), (Some(t(5)), None));
    assert_eq!(locked.user.user_metadata, metadata);
    assert_eq!((locked.tokens.recovery.as_str(), locked.tokens.confirmation.as_str()), ("hash", ""));
    let row = tx.one_time_tokens().find_by_user(user.id, TokenKind::Recovery).await.unwrap().unwrap();
    let expected = &promise.tokens[0];
    assert_eq!((row.id, row.hash.as_str(), row.code_hash), (expected.id, "hash", Some(expected.code_hash.clone())));
    assert_eq!((row.relates_to.as_str(), row.attempts, row.created_at), ("ada@example.com", 0, t(5)));
    let waiting = tx.flow_states().newest(user.id, "recovery").await.unwrap().unwrap();
    assert_eq!((waiting.id, waiting.challenge, waiting.created_at), (flow.id, flow.challenge, t(5)));
    drop(tx);
    assert_eq!(payloads(&f).await, ["hash"]);
    let (logged, total) = store.list_audit(storage::ListAudit { search: None, limit: 9, offset: 0 }).await.unwrap();
    assert_eq!((total, logged.len()), (1, 1));

    // The next one takes its place, guesses and all.
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.one_time_tokens().count_attempt(row.id).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(store.promise_message(self::promise(&f, &user, "newer")).await.unwrap());
    let mut tx = store.begin().await.unwrap();
    let row = tx.one_time_tokens().find_by_user(user.id, TokenKind::Recovery).await.unwrap().unwrap();
    assert_eq!((row.hash.as_str(), row.attempts), ("newer", 0));
    assert_eq!(tx.users().lock(user.id).await.unwrap().unwrap().user.user_metadata, metadata);
}

async fn what_changed_meanwhile_stops_a_message(f: Fixture) {
    let store = f.tenant();
    let user = somebody(&f, &store).await;
    let text = |text: &str| Some(text.to_owned());
    for expected in [
        User { email: text("other@example.com"), ..user.clone() },
        User { email: None, ..user.clone() },
        User { phone: text("49"), ..user.clone() },
        User { email_change: "new@example.com".to_owned(), ..user.clone() },
        User { phone_change: "50".to_owned(), ..user.clone() },
        User { email_confirmed_at: user.email_confirmed_at.is_none().then(|| t(1)), ..user.clone() },
        User { phone_confirmed_at: Some(t(1)), ..user.clone() },
        User { id: UserId(f.id()), ..user.clone() },
    ] {
        assert!(!store.promise_message(promise(&f, &expected, "hash")).await.unwrap(), "{expected:?}");
    }
    assert_eq!(store.find_user(user.id).await.unwrap().unwrap(), user);
    assert!(payloads(&f).await.is_empty());
}

async fn the_last_message_may_not_be_too_recent(f: Fixture) {
    let store = f.tenant();
    let user = somebody(&f, &store).await;
    let by = |sent, not_sent_after, now| PromiseMessage {
        sent,
        not_sent_after: Some(not_sent_after),
        now,
        ..promise(&f, &user, "hash")
    };
    for sent in
        [SentAt::Confirmation, SentAt::Recovery, SentAt::EmailChange, SentAt::PhoneChange, SentAt::Reauthentication]
    {
        assert!(store.promise_message(by(sent, t(1), t(5))).await.unwrap(), "{sent:?}");
        let now = store.find_user(user.id).await.unwrap().unwrap();
        assert_eq!(sent.of(&now), Some(t(5)), "{sent:?}");
        assert!(!store.promise_message(by(sent, t(5).plus_seconds(-1), t(6))).await.unwrap(), "{sent:?}");
        assert!(store.promise_message(by(sent, t(5), t(6))).await.unwrap(), "{sent:?}");
    }
}

async fn of_a_hundred_messages_one_goes_out(f: Fixture) {
    let store = f.tenant();
    let user = somebody(&f, &store).await;
    let mut tries = JoinSet::new();
    for n in 0..100 {
        let promise = PromiseMessage { not_sent_after: Some(t(4)), ..promise(&f, &user, &format!("hash {n}")) };
        let store = store.clone();
        tries.spawn(async move { store.promise_message(promise).await.unwrap() });
    }
    let won = tries.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!((won, payloads(&f).await.len()), (1, 1));
}

async fn a_change_is_begun_with_its_message(f: Fixture) {
    let store = f.tenant();
    let user = somebody(&f, &store).await;
    let mut tx = store.begin().await.unwrap();
    tx.one_time_tokens().put(token(&f, user.id, TokenKind::EmailChangeCurrent, "older"), t(1)).await.unwrap();
    let changes = UserChanges { email_change_confirm_status: Some(1), ..UserChanges::default() };
    tx.users().update(user.id, changes, t(1)).await.unwrap();
    tx.commit().await.unwrap();
    let change = PromiseMessage {
        sent: SentAt::EmailChange,
        email_change: Some("new@example.com".to_owned()),
        tokens: vec![token(&f, user.id, TokenKind::EmailChangeNew, "hash")],
        ended: vec![TokenKind::EmailChangeCurrent],
        ..promise(&f, &user, "hash")
    };
    assert!(store.promise_message(change).await.unwrap());
    let user = store.find_user(user.id).await.unwrap().unwrap();
    assert_eq!((user.email_change.as_str(), user.email_change_confirm_status), ("new@example.com", 0));
    let number = PromiseMessage {
        sent: SentAt::PhoneChange,
        phone_change: Some("50".to_owned()),
        tokens: vec![token(&f, user.id, TokenKind::PhoneChange, "by sms")],
        ..promise(&f, &user, "hash")
    };
    assert!(store.promise_message(number).await.unwrap());
    let mut tx = store.begin().await.unwrap();
    let locked = tx.users().lock(user.id).await.unwrap().unwrap();
    assert_eq!((locked.user.phone_change.as_str(), locked.user.email_change.as_str()), ("50", "new@example.com"));
    assert_eq!((locked.tokens.email_change_new.as_str(), locked.tokens.email_change_current.as_str()), ("hash", ""));
    assert_eq!(locked.tokens.phone_change, "by sms");
    let ended = tx.one_time_tokens().find_by_user(user.id, TokenKind::EmailChangeCurrent).await.unwrap();
    assert_eq!(ended, None);
}

async fn a_message_can_be_part_of_a_transaction(f: Fixture) {
    let store = f.tenant();
    let user = somebody(&f, &store).await;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.promise_message(promise(&f, &user, "hash")).await.unwrap());
    drop(tx);
    assert!(payloads(&f).await.is_empty());
    // What the transaction itself has done to the account is no surprise to it.
    let mut tx = store.begin().await.unwrap();
    let changes = UserChanges { phone_change: Some("50".to_owned()), ..UserChanges::default() };
    tx.users().update(user.id, changes, t(5)).await.unwrap();
    let unguarded = PromiseMessage { expected: None, ..promise(&f, &user, "hash") };
    assert!(tx.promise_message(unguarded).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(payloads(&f).await, ["hash"]);
}

async fn a_message_can_belong_to_nobody(f: Fixture) {
    let row = NewOutbox { id: f.id(), kind: "decoy", payload: "nothing".to_owned(), now: t(5) };
    f.tenant().promise_to_nobody(row).await.unwrap();
    assert_eq!(payloads(&f).await, ["nothing"]);
}

async fn an_account_is_made_with_its_message(f: Fixture) {
    let store = f.tenant();
    let new = NewUser { email_confirmed_at: None, ..f.new_user("bob@example.com") };
    let identity = f.new_identity(new.id, "email", "bob@example.com");
    let hash = new.password_hash.clone();
    let user = User { id: new.id, ..somebody(&f, &store).await };
    let confirmation = |hash: &str| PromiseMessage {
        sent: SentAt::Confirmation,
        invited: true,
        tokens: vec![token(&f, new.id, TokenKind::Confirmation, hash)],
        ..promise(&f, &user, hash)
    };
    store.sign_up_with_message(new.clone(), vec![identity.clone()], confirmation("hash")).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let locked = tx.users().lock(new.id).await.unwrap().unwrap();
    assert_eq!((locked.user.confirmation_sent_at, locked.user.invited_at), (Some(t(5)), Some(t(5))));
    assert_eq!((locked.user.created_at, locked.user.email_confirmed_at), (t(5), None));
    assert_eq!((locked.user.identities[0].id, locked.tokens.confirmation.as_str()), (identity.id, "hash"));
    assert_eq!((locked.password_hash, locked.user.user_metadata), (hash, new.user_metadata.clone()));
    let row = tx.one_time_tokens().find_by_user(new.id, TokenKind::Confirmation).await.unwrap().unwrap();
    assert_eq!(row.hash, "hash");
    drop(tx);
    assert_eq!(payloads(&f).await, ["hash"]);
    // Taken: nothing of the second is left.
    let second = NewUser { id: UserId(f.id()), ..new.clone() };
    let identity = f.new_identity(second.id, "email", "bob@example.com");
    let conflict = PromiseMessage {
        user: second.id,
        tokens: vec![token(&f, second.id, TokenKind::Confirmation, "second")],
        ..confirmation("second")
    };
    let taken = store.sign_up_with_message(second.clone(), vec![identity], conflict).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    assert_eq!(store.find_user(second.id).await.unwrap(), None);
    assert_eq!(payloads(&f).await, Vec::<String>::new());
}
