//! Nothing of one project can be seen or changed through another.

use domain::audit_log::Scope;
use domain::contact::Contact;
use domain::custom_providers::CustomProvider;
use domain::factor::FactorType;
use domain::ids::{ChallengeId, FactorId, PasskeyId, SessionId, UserId};
use domain::session::{Aal, Live, SessionLimits};
use domain::user::Metadata;
use storage::{
    CeremonyKind, ChallengeFactor, EndSessions, ListAudit, ListSessions, ListUsers, ListUsersAfter, NewFactor,
    NewFlowState, NewMfaChallenge, NewOneTimeToken, NewWebauthnChallenge, OpenSession, PasskeyUse, Revocations,
    RotateSession, SoftDelete, StoreError, StoredPasskey, TenantStore, TokenKind, UserChanges, Which,
};
use uuid::Uuid;

use crate::custom_providers::oauth2;
use crate::factors::new_factor;
use crate::fixture::{Fixture, t};
use crate::flow_states::flow;
use crate::passkeys::new_passkey;
use crate::recovery_codes::codes;

on_both! {
    nothing_is_seen_from_another_project
    nothing_is_changed_from_another_project
    flows_through_providers_are_seen_and_changed_by_nobody_else
    second_factors_are_not_changed_from_another_project
    rows_cannot_point_into_another_project
}

struct Planted {
    owner: TenantStore,
    user: UserId,
    session: SessionId,
    token: i64,
    one_time: Uuid,
    flow: Uuid,
    factor: FactorId,
    challenge: ChallengeId,
    passkey: PasskeyId,
    ceremony: ChallengeId,
    code: Uuid,
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
    let flow = NewFlowState { user_id: Some(user), ..flow(f, "magiclink", 1) };
    tx.flow_states().insert(flow.clone()).await.unwrap();
    tx.flow_states().issue_code(flow.id, "code", t(1)).await.unwrap();
    let (phone, phone_change) = (Some(Some("49".to_owned())), Some("50".to_owned()));
    let changes = UserChanges { phone, phone_change, ..UserChanges::default() };
    tx.users().update(user, changes, t(1)).await.unwrap();
    tx.audit().insert(f.audit("login")).await.unwrap();
    tx.known_devices().insert(user, &["Firefox".to_owned()], t(1)).await.unwrap();
    tx.commit().await.unwrap();
    let (factor, challenge, passkey, ceremony, code) = plant_second_factors(f, &owner, user).await;
    let (one_time, flow) = (one_time.id, flow.id);
    Planted { owner, user, session, token, one_time, flow, factor, challenge, passkey, ceremony, code }
}

async fn plant_second_factors(
    f: &Fixture,
    owner: &TenantStore,
    user: UserId,
) -> (FactorId, ChallengeId, PasskeyId, ChallengeId, Uuid) {
    let factor = NewFactor { phone: Some("51".to_owned()), ..new_factor(f, user, FactorType::Phone, "") };
    let challenge = mfa_challenge(f, factor.id);
    let passkey = StoredPasskey { sign_count: 3, ..new_passkey(f, user, b"credential") };
    let ceremony = NewWebauthnChallenge {
        id: ChallengeId(f.id()),
        user: Some(user),
        kind: CeremonyKind::Registration,
        session_data: serde_json::json!({}),
        now: t(1),
        expires_at: t(2),
    };
    let codes = codes(f, "");
    let ids = (factor.id, challenge.challenge.id, passkey.passkey.id, ceremony.id, codes[0].id);
    let mut tx = owner.begin().await.unwrap();
    tx.factors().insert(factor).await.unwrap();
    tx.passkeys().insert(&passkey).await.unwrap();
    tx.recovery_codes().replace(user, f.id(), &codes, t(1)).await.unwrap();
    tx.commit().await.unwrap();
    owner.insert_webauthn_challenge(ceremony).await.unwrap();
    assert!(owner.challenge_factor(challenge).await.unwrap());
    ids
}

fn mfa_challenge(f: &Fixture, factor: FactorId) -> ChallengeFactor {
    let id = ChallengeId(f.id());
    let challenge = NewMfaChallenge { id, factor, ip: None, code_hash: None, session_data: None, now: t(1) };
    ChallengeFactor { challenge, not_challenged_after: None, audit: None }
}

fn live() -> Live {
    Live::at(t(2), Aal::Aal2, &SessionLimits::default())
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
    assert!(f.sessions(&stranger, user).await.is_empty());
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

    let all = ListSessions { user, live: live(), used_after: None, limit: 9, offset: 0 };
    assert_eq!(planted.owner.list_sessions(&all).await.unwrap().1, 1);
    let (sessions, total) = stranger.list_sessions(&all).await.unwrap();
    assert_eq!((sessions.len(), total), (0, 0));
    assert!(stranger.read_factor(planted.factor).await.unwrap().is_none());
    assert!(stranger.list_factors(user).await.unwrap().is_empty());
    assert!(stranger.find_mfa_challenge(planted.challenge, planted.factor).await.unwrap().is_none());
    assert!(stranger.find_passkey(b"credential").await.unwrap().is_none());
    assert!(stranger.list_passkeys(user).await.unwrap().is_empty());
    assert!(stranger.list_recovery_codes(user).await.unwrap().is_empty());
    planted.owner.end_sessions(end(user, None, Which::All)).await.unwrap();
    assert_eq!(stranger.read_revocations(Some(0), 9).await.unwrap(), Revocations::default());
    assert_eq!(planted.owner.read_revocations(Some(0), 9).await.unwrap().newest, 1);
    assert_eq!(stranger.read_revocations(Some(0), 9).await.unwrap(), Revocations::default());

    let mut tx = stranger.begin().await.unwrap();
    assert!(tx.users().lock(user).await.unwrap().is_none());
    assert!(tx.factors().lock(planted.factor).await.unwrap().is_none());
    assert!(tx.factors().list(user).await.unwrap().is_empty());
    assert_eq!(tx.passkeys().count(user).await.unwrap(), 0);
    assert!(tx.recovery_codes().list(user).await.unwrap().is_empty());
    assert!(tx.sessions().user_agents(user, SessionId(f.id()), 9).await.unwrap().is_empty());
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
    assert!(!tx.known_devices().touch(user, "Firefox", t(2)).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(f.read(&planted.owner, user, session).await, before);
    let mut tx = planted.owner.begin().await.unwrap();
    assert_eq!(tx.users().lock(user).await.unwrap().unwrap().tokens.recovery, "hash");
    assert!(!tx.refresh_tokens().lock("token").await.unwrap().unwrap().revoked);
    assert!(tx.flow_states().find_by_code("code").await.unwrap().is_some());
    assert!(tx.one_time_tokens().consume(planted.one_time).await.unwrap());
    assert!(tx.known_devices().touch(user, "Firefox", t(2)).await.unwrap());
}

async fn flows_through_providers_are_seen_and_changed_by_nobody_else(f: Fixture) {
    let (owner, stranger) = (f.tenant(), f.tenant());
    let user = f.user(&owner, "ada@example.com").await;
    let identity = f.new_identity(user, "google", "ada@example.com");
    let subject = identity.provider_id.as_str();
    let provider = oauth2(&f, "custom:one", 1);
    let begun = flow(&f, "oauth", 1);
    owner.insert_flow_state(begun.clone()).await.unwrap();
    let mut tx = owner.begin().await.unwrap();
    tx.identities().insert(&identity, t(1)).await.unwrap();
    tx.custom_providers().insert(&provider).await.unwrap();
    tx.factors().insert(new_factor(&f, user, FactorType::Totp, "")).await.unwrap();
    assert!(tx.spend_signature(&[1; 32], t(9)).await.unwrap());
    tx.commit().await.unwrap();
    let before = owner.find_user(user).await.unwrap();

    let emails = ["ada@example.com".to_owned()];
    assert!(stranger.read_flow_state(begun.id).await.unwrap().is_none());
    assert_eq!(stranger.read_user_by_identity("google", subject).await.unwrap(), None);
    assert_eq!(stranger.list_custom_providers(None).await.unwrap(), []);
    assert_eq!(stranger.read_custom_provider("custom:one").await.unwrap(), None);
    let mut tx = stranger.begin().await.unwrap();
    assert!(!tx.flow_states().lock(begun.id).await.unwrap());
    assert!(!tx.flow_states().finish(begun.id, user, "code", "", "", t(2)).await.unwrap());
    assert!(tx.identities().find("google", subject).await.unwrap().is_none());
    assert!(tx.identities().by_emails(&emails).await.unwrap().is_empty());
    assert!(!tx.identities().used(identity.id, &Metadata::new(), t(2)).await.unwrap());
    assert!(tx.users().by_emails(&emails).await.unwrap().is_empty());
    tx.users().forget_credentials(user).await.unwrap();
    assert_eq!(tx.custom_providers().count().await.unwrap(), 0);
    assert_eq!(tx.custom_providers().lock("custom:one").await.unwrap(), None);
    assert!(!tx.custom_providers().update(&CustomProvider { enabled: false, ..provider.clone() }).await.unwrap());
    assert!(!tx.custom_providers().delete("custom:one").await.unwrap());
    assert!(tx.spend_signature(&[1; 32], t(9)).await.unwrap(), "what one project has seen says nothing to another");
    tx.commit().await.unwrap();

    assert_eq!(owner.find_user(user).await.unwrap(), before);
    assert_eq!(owner.read_user_by_identity("google", subject).await.unwrap(), before);
    assert_eq!(owner.list_custom_providers(None).await.unwrap(), [provider]);
    let mut tx = owner.begin().await.unwrap();
    assert!(!tx.spend_signature(&[1; 32], t(9)).await.unwrap());
    assert_eq!(tx.users().by_emails(&emails).await.unwrap(), [user]);
    assert_eq!(tx.identities().by_emails(&emails).await.unwrap().len(), 1);
    assert!(tx.flow_states().finish(begun.id, user, "code", "", "", t(2)).await.unwrap());
}

async fn second_factors_are_not_changed_from_another_project(f: Fixture) {
    let planted = plant(&f).await;
    let (user, session, factor) = (planted.user, planted.session, planted.factor);
    let mut tx = planted.owner.begin().await.unwrap();
    tx.sessions().raise(session, Some(factor), "totp", f.id(), 2, t(1)).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let before = f.read(&planted.owner, user, session).await;
    let stranger = f.tenant();
    let (own, keep) = f.signed_in(&stranger, "eve@example.com").await;
    assert!(!stranger.challenge_factor(mfa_challenge(&f, factor)).await.unwrap());
    let used = PasskeyUse { id: planted.passkey, expected: 3, sign_count: 9, backed_up: true, now: t(2) };
    assert!(!stranger.use_passkey(used).await.unwrap());
    let registration = CeremonyKind::Registration;
    assert!(stranger.consume_webauthn_challenge(planted.ceremony, registration, Some(user)).await.unwrap().is_none());

    let mut tx = stranger.begin().await.unwrap();
    assert!(!tx.factors().delete(factor).await.unwrap());
    assert_eq!(tx.factors().delete_stale(user, t(9)).await.unwrap(), 0);
    assert_eq!(tx.factors().delete_unverified(user, FactorType::Phone).await.unwrap(), 0);
    assert_eq!(tx.factors().delete_unverified_phone(user, "51").await.unwrap(), 0);
    assert!(!tx.factors().verify(factor, t(2)).await.unwrap());
    assert!(!tx.factors().accept_step(factor, 9).await.unwrap());
    let secret = domain::secret::Secret::new(String::new());
    assert!(!tx.factors().set_secret(factor, &secret, &secret).await.unwrap());
    assert!(!tx.factors().set_credential(factor, &serde_json::json!(1), None).await.unwrap());
    assert!(!tx.factors().set_challenge_data(factor, &serde_json::json!(1)).await.unwrap());
    assert!(!tx.factors().update(factor, Some("x"), Some("1"), t(2)).await.unwrap());
    assert!(!tx.mfa_challenges().consume(planted.challenge, t(2)).await.unwrap());
    assert!(!tx.mfa_challenges().delete(planted.challenge).await.unwrap());
    assert!(tx.passkeys().rename(planted.passkey, user, "x", t(2)).await.unwrap().is_none());
    assert!(!tx.passkeys().delete(planted.passkey, user).await.unwrap());
    assert!(!tx.recovery_codes().consume(planted.code, t(2)).await.unwrap());
    assert_eq!(tx.recovery_codes().delete_all(user).await.unwrap(), None);
    assert!(tx.sessions().raise(session, None, "totp", f.id(), 2, t(2)).await.unwrap().is_none());
    assert_eq!(tx.sessions().delete_low(user, keep).await.unwrap(), []);
    assert_eq!(tx.sessions().drop_factor(user, factor, "totp", t(2)).await.unwrap(), []);
    assert_eq!(tx.sessions().drop_method(user, "totp", t(2)).await.unwrap(), []);
    assert_eq!(tx.sessions().delete_beyond(user, keep, 1, &live()).await.unwrap(), []);
    assert_eq!(tx.sessions().delete_beyond(own, session, 1, &live()).await.unwrap(), [keep]);
    tx.commit().await.unwrap();

    assert_eq!(f.read(&planted.owner, user, session).await, before);
    let challenge = planted.owner.find_mfa_challenge(planted.challenge, factor).await.unwrap().unwrap();
    assert_eq!(challenge.verified_at, None);
    assert_eq!(planted.owner.find_passkey(b"credential").await.unwrap().unwrap().sign_count, 3);
    let codes = planted.owner.list_recovery_codes(user).await.unwrap();
    assert_eq!(codes.iter().filter(|code| code.used_at.is_none()).count(), 10);
    let kept = planted.owner.consume_webauthn_challenge(planted.ceremony, registration, Some(user)).await.unwrap();
    assert!(kept.is_some());
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
    drop(tx);
    let mut tx = stranger.begin().await.unwrap();
    let foreign = tx.factors().insert(new_factor(&f, planted.user, FactorType::Totp, "")).await;
    assert!(matches!(foreign, Err(StoreError::Fault(_))), "{foreign:?}");
    drop(tx);
    let mut tx = stranger.begin().await.unwrap();
    let foreign = tx.passkeys().insert(&new_passkey(&f, planted.user, b"other")).await;
    assert!(matches!(foreign, Err(StoreError::Fault(_))), "{foreign:?}");
    drop(tx);
    let mut tx = stranger.begin().await.unwrap();
    let foreign = tx.known_devices().insert(planted.user, &["Edge".to_owned()], t(2)).await;
    assert!(matches!(foreign, Err(StoreError::Fault(_))), "{foreign:?}");
    drop(tx);
    let mut tx = stranger.begin().await.unwrap();
    let foreign = tx.recovery_codes().replace(planted.user, f.id(), &codes(&f, "x"), t(2)).await;
    assert!(matches!(foreign, Err(StoreError::Fault(_))), "{foreign:?}");
}
