//! Nothing of one project can be seen or changed through another.

use domain::audit_log::Scope;
use domain::contact::Contact;
use domain::ids::{SessionId, UserId};
use domain::pkce::Method;
use domain::user::Metadata;
use storage::{
    EndSessions, ListAudit, ListUsers, ListUsersAfter, NewFlowState, NewOneTimeToken, OpenSession, RotateSession,
    SoftDelete, StoreError, TenantStore, TokenKind, UserChanges, Which,
};
use uuid::Uuid;

use crate::fixture::{Fixture, t};

on_both! {
    nothing_is_seen_from_another_project
    nothing_is_changed_from_another_project
    rows_cannot_point_into_another_project
}

struct Planted {
    owner: TenantStore,
    user: UserId,
    session: SessionId,
    token: i64,
    one_time: Uuid,
    flow: Uuid,
}

/// A project with a row of every kind.
async fn plant(f: &Fixture) -> Planted {
    let owner = f.tenant();
    let (user, session) = f.signed_in(&owner, "ada@example.com").await;
    let mut tx = owner.begin().await.unwrap();
    let secret = domain::secret::Secret::new("token".to_owned());
    let token = tx.refresh_tokens().insert(&secret, user, session, None, t(1)).await.unwrap().id;
    let one_time = NewOneTimeToken {
        id: f.id(),
        user_id: user,
        kind: TokenKind::Recovery,
        hash: "hash".to_owned(),
        code_hash: "code hash".to_owned(),
        relates_to: "ada@example.com".to_owned(),
    };
    tx.one_time_tokens().put(one_time.clone(), t(1)).await.unwrap();
    let flow = NewFlowState {
        id: f.id(),
        user_id: Some(user),
        challenge: Some((Method::S256, "challenge".to_owned())),
        provider_type: "email".to_owned(),
        authentication_method: "magiclink".to_owned(),
        referrer: None,
        now: t(1),
    };
    tx.flow_states().insert(flow.clone()).await.unwrap();
    tx.flow_states().issue_code(flow.id, "code", t(1)).await.unwrap();
    let (phone, phone_change) = (Some(Some("49".to_owned())), Some("50".to_owned()));
    let changes = UserChanges { phone, phone_change, ..UserChanges::default() };
    tx.users().update(user, changes, t(1)).await.unwrap();
    tx.audit().insert(f.audit("login")).await.unwrap();
    tx.commit().await.unwrap();
    Planted { owner, user, session, token, one_time: one_time.id, flow: flow.id }
}

fn end(user: UserId, bearer_session: Option<SessionId>, which: Which) -> EndSessions {
    EndSessions { user, bearer_session, which, audit: None, now: t(2) }
}

fn rotation(session: SessionId) -> RotateSession {
    RotateSession {
        session,
        expected_counter: 0,
        next_counter: 1,
        user_agent: None,
        ip: None,
        audit: vec![],
        now: t(2),
    }
}

async fn nothing_is_seen_from_another_project(f: Fixture) {
    let planted = plant(&f).await;
    let (user, session) = (planted.user, planted.session);
    let stranger = f.tenant();
    assert!(stranger.read_user(user, Some(session)).await.unwrap().is_none());
    assert!(stranger.read_session(session).await.unwrap().is_none());
    assert!(stranger.find_user(user).await.unwrap().is_none());
    assert!(stranger.find_password(user).await.unwrap().is_none());
    assert!(stranger.list_sessions(user).await.unwrap().is_empty());
    assert!(stranger.find_refresh_token("token").await.unwrap().is_none());
    for contact in [Contact::Email("ada@example.com".to_owned()), Contact::Phone("49".to_owned())] {
        assert!(planted.owner.find_account(&contact, "authenticated").await.unwrap().is_some());
        assert!(stranger.find_credentials(&contact, "authenticated").await.unwrap().is_none());
        assert!(stranger.find_account(&contact, "authenticated").await.unwrap().is_none());
    }
    let all =
        ListUsers { aud: "authenticated".to_owned(), filter: String::new(), ascending: true, limit: 9, offset: 0 };
    assert_eq!(stranger.list_users(all).await.unwrap(), (vec![], 0));
    for filter in [String::new(), "ada".to_owned()] {
        let (aud, ascending, limit) = ("authenticated".to_owned(), true, 9);
        let page = ListUsersAfter { aud, filter, ascending, limit, after: None };
        assert_eq!(planted.owner.list_users_after(page.clone()).await.unwrap().len(), 1);
        assert_eq!(stranger.list_users_after(page).await.unwrap(), []);
    }
    for search in [None, Some((Scope::Action, "login".to_owned()))] {
        let page = ListAudit { search, limit: 9, offset: 0 };
        assert_eq!(planted.owner.list_audit(page.clone()).await.unwrap().1, 1);
        let (entries, total) = stranger.list_audit(page).await.unwrap();
        assert_eq!((entries.len(), total), (0, 0));
    }

    let mut tx = stranger.begin().await.unwrap();
    assert!(tx.users().lock(user).await.unwrap().is_none());
    assert!(tx.users().read(user).await.unwrap().is_none());
    assert!(tx.users().find_by_email("ada@example.com").await.unwrap().is_none());
    assert!(tx.users().find_by_phone("49").await.unwrap().is_none());
    assert!(tx.users().find_by_phone_change("50").await.unwrap().is_empty());
    assert!(tx.identities().list(user).await.unwrap().is_empty());
    assert!(tx.sessions().lock(session).await.unwrap().is_none());
    assert!(tx.sessions().read(session).await.unwrap().is_none());
    assert!(tx.refresh_tokens().lock("token").await.unwrap().is_none());
    assert!(tx.refresh_tokens().active(session).await.unwrap().is_none());
    assert!(tx.one_time_tokens().find_by_hash("hash", &[TokenKind::Recovery]).await.unwrap().is_none());
    assert!(tx.one_time_tokens().find_by_user(user, TokenKind::Recovery).await.unwrap().is_none());
    let sent = tx.one_time_tokens().find_by_contact("ada@example.com", &[TokenKind::Recovery]).await.unwrap();
    assert_eq!(sent, []);
    assert!(tx.flow_states().newest(user, "magiclink").await.unwrap().is_none());
    assert!(tx.flow_states().find_by_code("code").await.unwrap().is_none());
}

async fn nothing_is_changed_from_another_project(f: Fixture) {
    let planted = plant(&f).await;
    let (user, session) = (planted.user, planted.session);
    let before = f.read(&planted.owner, user, session).await;
    let identity = before.user.identities[0].id;
    let stranger = f.tenant();
    let seen = stranger.end_sessions(end(user, None, Which::All)).await.unwrap();
    assert_eq!((seen.user_exists, seen.ended), (false, vec![]));
    let (own, _) = f.signed_in(&stranger, "eve@example.com").await;
    assert_eq!(stranger.end_sessions(end(own, None, Which::One(session))).await.unwrap().ended, []);
    assert!(!stranger.end_sessions(end(own, Some(session), Which::All)).await.unwrap().session_exists);
    assert!(stranger.rotate_session(rotation(session)).await.unwrap().is_none());
    let open =
        OpenSession { session: f.new_session(user), verified_hash: None, upgraded_hash: None, audit: None, now: t(2) };
    assert!(stranger.open_session(open).await.unwrap().is_none());
    let promise = crate::promise_message::promise(&f, &before.user, "hash of a stranger");
    assert!(!stranger.promise_message(promise).await.unwrap());

    let mut tx = stranger.begin().await.unwrap();
    assert!(!tx.users().update(user, UserChanges::default(), t(2)).await.unwrap());
    assert!(!tx.users().delete(user).await.unwrap());
    let replacement = SoftDelete {
        email: String::new(),
        phone: String::new(),
        email_change: String::new(),
        phone_change: String::new(),
        identities: vec![(identity, "x".to_owned())],
        now: t(2),
    };
    assert!(!tx.users().soft_delete(user, replacement.clone()).await.unwrap());
    assert!(tx.users().soft_delete(own, replacement).await.unwrap());
    assert!(!tx.identities().update_data(identity, &Metadata::new(), t(2)).await.unwrap());
    assert!(!tx.identities().delete(identity).await.unwrap());
    assert!(!tx.sessions().delete(session).await.unwrap());
    assert_eq!(tx.sessions().delete_all(user).await.unwrap(), []);
    assert_eq!(tx.sessions().delete_others(user, f.new_session(own).id).await.unwrap(), []);
    assert!(!tx.sessions().touch_refreshed(session, None, None, t(2)).await.unwrap());
    assert!(!tx.sessions().set_counter(session, 9, t(2)).await.unwrap());
    assert!(!tx.refresh_tokens().revoke(planted.token, t(2)).await.unwrap());
    assert_eq!(tx.refresh_tokens().revoke_family(session, t(2)).await.unwrap(), 0);
    assert!(!tx.refresh_tokens().delete(planted.token).await.unwrap());
    assert!(!tx.one_time_tokens().consume(planted.one_time).await.unwrap());
    assert_eq!(tx.one_time_tokens().count_attempt(planted.one_time).await.unwrap(), 0);
    tx.one_time_tokens().clear(user).await.unwrap();
    tx.one_time_tokens().clear_kinds(user, &[TokenKind::Recovery]).await.unwrap();
    assert_eq!(tx.flow_states().delete_all(user).await.unwrap(), 0);
    assert!(!tx.flow_states().issue_code(planted.flow, "other", t(2)).await.unwrap());
    assert!(!tx.flow_states().consume(planted.flow).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(f.read(&planted.owner, user, session).await, before);
    let mut tx = planted.owner.begin().await.unwrap();
    assert_eq!(tx.users().lock(user).await.unwrap().unwrap().tokens.recovery, "hash");
    assert!(!tx.refresh_tokens().lock("token").await.unwrap().unwrap().revoked);
    assert!(tx.flow_states().find_by_code("code").await.unwrap().is_some());
    assert!(tx.one_time_tokens().consume(planted.one_time).await.unwrap());
}

async fn rows_cannot_point_into_another_project(f: Fixture) {
    let planted = plant(&f).await;
    let stranger = f.tenant();
    let mut tx = stranger.begin().await.unwrap();
    let foreign = tx.sessions().insert(&f.new_session(planted.user), t(2)).await;
    assert!(matches!(foreign, Err(StoreError::Fault(_))), "{foreign:?}");
    drop(tx);
    let mut tx = stranger.begin().await.unwrap();
    let foreign = tx.identities().insert(&f.new_identity(planted.user, "google", "ada@example.com"), t(2)).await;
    assert!(matches!(foreign, Err(StoreError::Fault(_))), "{foreign:?}");
}
