use domain::ids::UserId;
use domain::secret::Secret;
use domain::user::User;
use serde_json::json;
use storage::{NewFlowState, NewUser, SoftDelete, StoreError, TenantStore, TokenKind, UserChanges, UserTokens};

use crate::fixture::{Fixture, object, t};
use crate::flow_states::flow;

on_both! {
    what_is_written_reads_back
    every_column_can_change_alone
    nullable_columns_can_become_null
    an_address_is_taken_once_in_a_project
    addresses_are_compared_exactly
    accounts_are_found_by_several_addresses
    credentials_are_forgotten_and_the_rest_stays
    deleting_takes_all_that_belongs_to_the_user
    soft_deleting_leaves_an_unusable_row
    a_locked_user_shows_what_others_committed_while_waiting
    rows_of_other_programs_may_hold_null
    accounts_about_to_change_to_a_number_are_found
    dropping_a_transaction_rolls_back
}

async fn what_is_written_reads_back(f: Fixture) {
    let store = f.tenant();
    let user = NewUser {
        phone: Some("4915112345678".to_owned()),
        phone_confirmed_at: Some(t(2)),
        invited_at: Some(t(3)),
        banned_until: Some(t(4)),
        ..f.new_user("ada@example.com")
    };
    let mut tx = store.begin().await.unwrap();
    tx.users().insert(&user, t(9)).await.unwrap();
    let identity = f.new_identity(user.id, "email", "ada@example.com");
    tx.identities().insert(&identity, t(9)).await.unwrap();
    let second = f.new_identity(user.id, "google", "ada@example.com");
    tx.identities().insert(&second, t(10)).await.unwrap();
    tx.commit().await.unwrap();

    let read = store.find_user(user.id).await.unwrap().unwrap();
    let identities = read.identities.clone();
    let expected = User {
        email: user.email,
        phone: user.phone,
        email_confirmed_at: Some(t(1)),
        phone_confirmed_at: Some(t(2)),
        confirmed_at: Some(t(1)),
        invited_at: Some(t(3)),
        app_metadata: user.app_metadata,
        user_metadata: user.user_metadata,
        banned_until: Some(t(4)),
        identities: identities.clone(),
        ..User::new(user.id, &user.aud, &user.role, t(9))
    };
    assert_eq!(read, expected);
    let [first, last] = identities.as_slice() else { panic!("{identities:?}") };
    assert_eq!((first.id, &first.data, first.created_at), (identity.id, &identity.data, t(9)));
    assert_eq!(
        (first.user_id, &first.provider_id, first.last_sign_in_at),
        (user.id, &identity.provider_id, Some(t(1)))
    );
    assert_eq!(last.provider, "google");

    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.identities().list(user.id).await.unwrap(), identities);
    assert!(tx.identities().update_data(first.id, &object(json!({ "email": "B@example.com" })), t(11)).await.unwrap());
    let changed = tx.identities().list(user.id).await.unwrap().remove(0);
    assert_eq!((changed.email().unwrap(), changed.updated_at), ("b@example.com".to_owned(), t(11)));
    assert!(tx.identities().delete(first.id).await.unwrap());
    assert!(!tx.identities().delete(first.id).await.unwrap());
    assert_eq!(tx.users().read(user.id).await.unwrap().unwrap().identities.len(), 1);
}

async fn change(store: &TenantStore, user: &User, changes: UserChanges) -> User {
    let mut tx = store.begin().await.unwrap();
    assert!(tx.users().update(user.id, changes, t(20)).await.unwrap());
    let read = tx.users().read(user.id).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    read
}

async fn every_column_can_change_alone(f: Fixture) {
    let store = f.tenant();
    let id = f.user(&store, "ada@example.com").await;
    let mut expected = store.find_user(id).await.unwrap().unwrap();
    expected.updated_at = t(20);
    macro_rules! changes {
        ($($column:ident: $value:expr => $read:expr;)+) => {$(
            expected.$column = $read;
            expected.confirmed_at = expected.email_confirmed_at;
            let changes = UserChanges { $column: Some($value), ..UserChanges::default() };
            assert_eq!(change(&store, &expected, changes).await, expected, stringify!($column));
        )+};
    }
    changes! {
        role: "editor".to_owned() => "editor".to_owned();
        email: Some("b@example.com".to_owned()) => Some("b@example.com".to_owned());
        phone: Some("49".to_owned()) => Some("49".to_owned());
        email_confirmed_at: Some(t(2)) => Some(t(2));
        phone_confirmed_at: Some(t(3)) => Some(t(3));
        invited_at: Some(t(4)) => Some(t(4));
        confirmation_sent_at: Some(t(5)) => Some(t(5));
        recovery_sent_at: Some(t(6)) => Some(t(6));
        email_change: "c@example.com".to_owned() => "c@example.com".to_owned();
        email_change_sent_at: Some(t(7)) => Some(t(7));
        email_change_confirm_status: 1 => 1;
        phone_change: "50".to_owned() => "50".to_owned();
        phone_change_sent_at: Some(t(8)) => Some(t(8));
        reauthentication_sent_at: Some(t(9)) => Some(t(9));
        last_sign_in_at: Some(t(10)) => Some(t(10));
        app_metadata: object(json!({ "a": 1 })) => object(json!({ "a": 1 }));
        user_metadata: object(json!({ "b": null })) => object(json!({ "b": null }));
        is_anonymous: true => true;
        banned_until: Some(t(11)) => Some(t(11));
    }
    let secrets = UserChanges {
        password_hash: Some(Some(Secret::new("new hash".to_owned()))),
        confirmation_token: Some("1a".to_owned()),
        recovery_token: Some("2a".to_owned()),
        email_change_token_new: Some("3a".to_owned()),
        email_change_token_current: Some("4a".to_owned()),
        phone_change_token: Some("5a".to_owned()),
        reauthentication_token: Some("6a".to_owned()),
        ..UserChanges::default()
    };
    change(&store, &expected, secrets).await;
    let mut tx = store.begin().await.unwrap();
    let locked = tx.users().lock(id).await.unwrap().unwrap();
    assert_eq!(locked.user, expected);
    assert_eq!(locked.password_hash.unwrap().expose(), "new hash");
    let tokens = UserTokens {
        confirmation: "1a".to_owned(),
        recovery: "2a".to_owned(),
        email_change_new: "3a".to_owned(),
        email_change_current: "4a".to_owned(),
        phone_change: "5a".to_owned(),
        reauthentication: "6a".to_owned(),
    };
    assert_eq!(locked.tokens, tokens);
}

async fn nullable_columns_can_become_null(f: Fixture) {
    let store = f.tenant();
    let id = f.user(&store, "ada@example.com").await;
    let user = store.find_user(id).await.unwrap().unwrap();
    let mut blank = UserChanges {
        email: Some(None),
        phone: Some(Some(String::new())),
        password_hash: Some(None),
        email_confirmed_at: Some(None),
        banned_until: Some(None),
        ..UserChanges::default()
    };
    blank.clear_tokens_and_times();
    let read = change(&store, &user, blank).await;
    assert_eq!((read.email, read.phone, read.email_confirmed_at), (None, None, None));
    assert_eq!(store.find_password(id).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.users().lock(id).await.unwrap().unwrap().tokens, UserTokens::default());
    let nobody = f.new_user("x@example.com").id;
    assert!(!tx.users().update(nobody, UserChanges::default(), t(2)).await.unwrap());
    assert!(tx.users().lock(nobody).await.unwrap().is_none());
}

async fn an_address_is_taken_once_in_a_project(f: Fixture) {
    let store = f.tenant();
    f.user(&store, "ada@example.com").await;
    let again = f.new_user("ada@example.com");
    let mut tx = store.begin().await.unwrap();
    assert!(matches!(tx.users().insert(&again, t(1)).await, Err(StoreError::Conflict)));
    drop(tx);

    let mut tx = store.begin().await.unwrap();
    let sso = NewUser { is_sso_user: true, ..again.clone() };
    tx.users().insert(&sso, t(1)).await.unwrap();
    let phone = NewUser { phone: Some("49".to_owned()), email: None, ..f.new_user("") };
    tx.users().insert(&phone, t(1)).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin().await.unwrap();
    let other = NewUser { phone: Some("49".to_owned()), ..f.new_user("other@example.com") };
    assert!(matches!(tx.users().insert(&other, t(1)).await, Err(StoreError::Conflict)));
    drop(tx);

    let mut tx = store.begin().await.unwrap();
    let taken = UserChanges { email: Some(Some("ada@example.com".to_owned())), ..UserChanges::default() };
    assert!(matches!(tx.users().update(phone.id, taken, t(1)).await, Err(StoreError::Conflict)));
    drop(tx);

    let elsewhere = f.tenant();
    f.user(&elsewhere, "ada@example.com").await;
}

async fn addresses_are_compared_exactly(f: Fixture) {
    let store = f.tenant();
    let id = f.user(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    let phone = NewUser { phone: Some("49".to_owned()), email: None, ..f.new_user("") };
    tx.users().insert(&phone, t(1)).await.unwrap();
    assert_eq!(tx.users().find_by_email("ada@example.com").await.unwrap().unwrap().id, id);
    for other in ["Ada@example.com", "ada@example.com ", "ad\u{e1}@example.com", "%", ""] {
        assert_eq!(tx.users().find_by_email(other).await.unwrap(), None, "{other}");
    }
    assert_eq!(tx.users().find_by_phone("49").await.unwrap().unwrap().id, phone.id);
    assert_eq!(tx.users().find_by_phone("4").await.unwrap(), None);
}

async fn accounts_are_found_by_several_addresses(f: Fixture) {
    let store = f.tenant();
    let (ada, bob) = (f.user(&store, "ada@example.com").await, f.user(&store, "bob@example.com").await);
    let mut tx = store.begin().await.unwrap();
    let sso = NewUser { is_sso_user: true, ..f.new_user("sso@example.com") };
    let elsewhere = NewUser { aud: "other".to_owned(), ..f.new_user("eve@example.com") };
    let gone = f.new_user("gone@example.com");
    for user in [&sso, &elsewhere, &gone] {
        tx.users().insert(user, t(1)).await.unwrap();
    }
    let gone = f.literal(gone.id.0);
    tx.commit().await.unwrap();
    f.write(&format!("update auth.users set deleted_at = '2026-01-01T00:00:00.000000Z' where id = {gone}")).await;
    let mut tx = store.begin().await.unwrap();
    for (asked, mut found) in [
        (&["ada@example.com", "bob@example.com", "nobody@example.com"][..], vec![ada, bob]),
        (&["ADA@Example.com", "ada@example.com"], vec![ada]),
        (&["eve@example.com"], vec![elsewhere.id]),
        (&["sso@example.com", "gone@example.com"], vec![]),
        (&["ad\u{e1}@example.com", "%", "", "\u{212a}"], vec![]),
        (&[], vec![]),
    ] {
        let asked: Vec<String> = asked.iter().map(|&email| email.to_owned()).collect();
        found.sort();
        let mut users = tx.users().by_emails(&asked).await.unwrap();
        users.sort();
        assert_eq!(users, found, "{asked:?}");
    }
}

async fn credentials_are_forgotten_and_the_rest_stays(f: Fixture) {
    let store = f.tenant();
    let (id, session) = f.signed_in(&store, "ada@example.com").await;
    let (stays, _) = f.signed_in(&store, "bob@example.com").await;
    for owner in [id, stays] {
        plant_second_factors(&f, &store, owner).await;
    }
    let hash = store.find_password(id).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.users().forget_credentials(id).await.unwrap();
    tx.commit().await.unwrap();
    let tables = ["mfa_factors", "webauthn_credentials", "webauthn_challenges", "mfa_recovery_codes", "known_devices"];
    for table in tables {
        assert_eq!(f.count(&format!("auth.{table}")).await, 1, "{table}");
    }
    let read = f.read(&store, id, session).await;
    assert_eq!((read.user.identities.len(), read.user.factors.len()), (1, 0));
    assert!(read.session.is_some());
    assert_eq!(store.find_password(id).await.unwrap(), hash);
}

async fn deleting_takes_all_that_belongs_to_the_user(f: Fixture) {
    let store = f.tenant();
    let (id, _) = f.signed_in(&store, "ada@example.com").await;
    let (stays, _) = f.signed_in(&store, "bob@example.com").await;
    plant_flow(&f, &store, id, "his code").await;
    plant_flow(&f, &store, stays, "other code").await;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.users().delete(id).await.unwrap());
    assert!(!tx.users().delete(id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.find_user(id).await.unwrap(), None);
    assert!(store.find_user(stays).await.unwrap().is_some());
    for table in ["auth.users", "auth.identities", "auth.sessions", "auth.mfa_amr_claims", "auth.flow_state"] {
        assert_eq!(f.count(table).await, 1, "{table}");
    }
}

/// A flow that has given its code out.
async fn plant_flow(f: &Fixture, store: &TenantStore, user: UserId, code: &str) {
    let flow = NewFlowState { user_id: Some(user), ..flow(f, "magiclink", 2) };
    let mut tx = store.begin().await.unwrap();
    tx.flow_states().insert(flow.clone()).await.unwrap();
    assert!(tx.flow_states().issue_code(flow.id, code, t(2)).await.unwrap());
    tx.commit().await.unwrap();
}

/// A factor, a passkey with a ceremony that has begun, a recovery code, a known device.
async fn plant_second_factors(f: &Fixture, store: &TenantStore, user: UserId) {
    let whose = format!("{}, {}, {}", f.literal(store.instance().0), f.literal(f.id()), f.literal(user.0));
    let at = "'2026-01-01T00:00:00.000000Z'";
    let bytes = if f.is_postgres() { "'\\x01'" } else { "x'01'" };
    let credential =
        if f.is_postgres() { format!("'\\x{}'", user.0.simple()) } else { format!("x'{}'", user.0.simple()) };
    for (table, columns, values) in [
        ("mfa_factors", "factor_type, status, created_at, updated_at", format!("'totp', 'verified', {at}, {at}")),
        (
            "webauthn_credentials",
            "credential_id, public_key, created_at, updated_at",
            format!("{credential}, {bytes}, {at}, {at}"),
        ),
        (
            "webauthn_challenges",
            "challenge_type, session_data, created_at, expires_at",
            format!("'registration', '{{}}', {at}, {at}"),
        ),
        ("mfa_recovery_codes", "set_id, code_hash, created_at", format!("{}, 'hash', {at}", f.literal(user.0))),
    ] {
        f.write(&format!("insert into auth.{table} (instance_id, id, user_id, {columns}) values ({whose}, {values})"))
            .await;
    }
    let mut tx = store.begin().await.unwrap();
    tx.known_devices().insert(user, &["Firefox".to_owned()], t(2)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn soft_deleting_leaves_an_unusable_row(f: Fixture) {
    let store = f.tenant();
    let (id, _) = f.signed_in(&store, "ada@example.com").await;
    let (stays, _) = f.signed_in(&store, "bob@example.com").await;
    let identity = store.find_user(id).await.unwrap().unwrap().identities.remove(0).id;
    let mut tx = store.begin().await.unwrap();
    let token = storage::NewOneTimeToken {
        id: f.id(),
        user_id: id,
        kind: TokenKind::Recovery,
        hash: "hash".to_owned(),
        code_hash: "code hash".to_owned(),
        relates_to: "ada@example.com".to_owned(),
    };
    tx.one_time_tokens().put(token, t(2)).await.unwrap();
    tx.commit().await.unwrap();
    for owner in [id, stays] {
        plant_second_factors(&f, &store, owner).await;
        plant_flow(&f, &store, owner, &format!("code of {owner}")).await;
    }
    let mut tx = store.begin().await.unwrap();
    let replacement = SoftDelete {
        email: "mail".to_owned(),
        phone: "phone".to_owned(),
        email_change: "new mail".to_owned(),
        phone_change: "new phone".to_owned(),
        identities: vec![(identity, "subject".to_owned())],
        now: t(30),
    };
    assert!(tx.users().soft_delete(id, replacement.clone()).await.unwrap());
    assert!(!tx.users().soft_delete(id, replacement).await.unwrap());
    let locked = tx.users().lock(id).await.unwrap().unwrap();
    tx.commit().await.unwrap();

    assert_eq!((locked.password_hash, locked.tokens), (None, UserTokens::default()));
    let user = locked.user;
    assert_eq!((user.email.as_deref(), user.phone.as_deref()), (Some("mail"), Some("phone")));
    assert_eq!((user.email_change.as_str(), user.phone_change.as_str()), ("new mail", "new phone"));
    assert_eq!((user.deleted_at, user.updated_at), (Some(t(30)), t(30)));
    assert!(user.app_metadata.is_empty() && user.user_metadata.is_empty());
    assert_eq!(user.identities[0].provider_id, "subject");
    assert!(user.identities[0].data.is_empty());
    let factors = ["mfa_factors", "webauthn_credentials", "webauthn_challenges", "mfa_recovery_codes"];
    for table in ["sessions", "known_devices", "flow_state"].into_iter().chain(factors) {
        assert_eq!(f.count(&format!("auth.{table}")).await, 1, "{table}: the neighbour's stays, his own goes");
    }
    assert_eq!(f.count("auth.one_time_tokens").await, 0);
    let mut tx = store.begin().await.unwrap();
    assert!(tx.flow_states().find_by_code(&format!("code of {id}")).await.unwrap().is_none());
    assert!(tx.flow_states().find_by_code(&format!("code of {stays}")).await.unwrap().is_some());
    drop(tx);
    f.user(&store, "ada@example.com").await;
}

async fn a_locked_user_shows_what_others_committed_while_waiting(f: Fixture) {
    let store = f.tenant();
    let id = f.user(&store, "ada@example.com").await;
    let mut first = store.begin().await.unwrap();
    first.users().lock(id).await.unwrap().unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move {
            let mut second = store.begin().await.unwrap();
            second.users().lock(id).await.unwrap().unwrap().user
        }
    });
    tokio::task::yield_now().await;
    first.identities().insert(&f.new_identity(id, "email", "ada@example.com"), t(2)).await.unwrap();
    let changes = UserChanges { role: Some("changed".to_owned()), ..UserChanges::default() };
    first.users().update(id, changes, t(2)).await.unwrap();
    first.commit().await.unwrap();
    let seen = waiting.await.unwrap();
    assert_eq!((seen.role.as_str(), seen.identities.len()), ("changed", 1));
}

async fn rows_of_other_programs_may_hold_null(f: Fixture) {
    let store = f.tenant();
    let id = f.user(&store, "ada@example.com").await;
    let columns = [
        "aud",
        "role",
        "email",
        "encrypted_password",
        "confirmation_token",
        "recovery_token",
        "email_change_token_new",
        "email_change",
        "raw_app_meta_data",
        "raw_user_meta_data",
        "created_at",
        "updated_at",
        "phone_change",
        "phone_change_token",
        "email_change_token_current",
        "email_change_confirm_status",
        "reauthentication_token",
    ];
    let set: Vec<String> = columns.iter().map(|column| format!("{column} = null")).collect();
    f.write(&format!("update auth.users set {}", set.join(", "))).await;
    let user = store.find_user(id).await.unwrap().unwrap();
    assert_eq!((user.aud.as_str(), user.role.as_str(), user.email, user.email_change.as_str()), ("", "", None, ""));
    assert!(user.app_metadata.is_empty() && user.user_metadata.is_empty());
    let mut tx = store.begin().await.unwrap();
    let locked = tx.users().lock(id).await.unwrap().unwrap();
    assert_eq!((locked.password_hash, locked.tokens), (None, UserTokens::default()));
    drop(tx);
    f.write("update auth.users set raw_app_meta_data = 'null', raw_user_meta_data = '[]'").await;
    assert!(store.find_user(id).await.unwrap().unwrap().user_metadata.is_empty());
}

async fn accounts_about_to_change_to_a_number_are_found(f: Fixture) {
    let store = f.tenant();
    let mut expected = Vec::new();
    for (hour, name, pending) in [(3, "ada", "49151"), (2, "bob", "49151"), (1, "carl", ""), (1, "dora", "49152")] {
        let user = f.new_user(&format!("{name}@example.com"));
        let mut tx = store.begin().await.unwrap();
        tx.users().insert(&user, t(hour)).await.unwrap();
        let changes = UserChanges { phone_change: Some(pending.to_owned()), ..UserChanges::default() };
        tx.users().update(user.id, changes, t(hour)).await.unwrap();
        tx.commit().await.unwrap();
        if pending == "49151" {
            expected.insert(0, user.id);
        }
    }
    let mut tx = store.begin().await.unwrap();
    let found = tx.users().find_by_phone_change("49151").await.unwrap();
    assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), expected);
    assert_eq!(tx.users().find_by_phone_change("").await.unwrap(), []);
    assert_eq!(tx.users().find_by_phone_change("1").await.unwrap(), []);
}

async fn dropping_a_transaction_rolls_back(f: Fixture) {
    let store = f.tenant();
    let user = f.new_user("ada@example.com");
    let mut tx = store.begin().await.unwrap();
    tx.users().insert(&user, t(1)).await.unwrap();
    tx.audit().insert(f.audit("login")).await.unwrap();
    drop(tx);
    assert_eq!(store.find_user(user.id).await.unwrap(), None);
    f.user(&store, "ada@example.com").await;
    assert_eq!(f.count("auth.audit_log_entries").await, 0);
}
