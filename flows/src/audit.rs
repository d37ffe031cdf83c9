//! The payloads of audit rows (`contract/core.md` §19).

use std::sync::atomic::{AtomicU32, Ordering};

use domain::entropy::Entropy;
use domain::ids::UserId;
use domain::time::Timestamp;
use domain::user::{Metadata, User};
use serde_json::{Value, json};
use storage::NewUser;
use uuid::{Builder, Uuid};

/// How many rows this process has written.
static WRITTEN: AtomicU32 = AtomicU32::new(0);

/// The id of a new row (RFC 9562, version 7): rows of one instant sort in the order in which they were written.
pub(crate) fn id(entropy: &dyn Entropy, now: Timestamp) -> Uuid {
    let [_, first, second, third] = WRITTEN.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let [a, b, c, d, e] = entropy.bytes();
    let millis = u64::try_from(now.unix_micros() / 1000).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &[0, first, 0, second, third, a, b, c, d, e]).into_uuid()
}

/// What is written down: action and the log it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(pub &'static str, pub &'static str);

/// A session was opened.
pub const LOGIN: Action = Action("login", "account");
/// A sign-in was refused. Ours: the contract logs successes only.
pub const LOGIN_FAILED: Action = Action("login_failed", "account");
/// Sessions were ended by their user.
pub const LOGOUT: Action = Action("logout", "account");
/// An account was confirmed or made.
pub const USER_SIGNED_UP: Action = Action("user_signedup", "team");
/// An account was removed.
pub const USER_DELETED: Action = Action("user_deleted", "team");
/// A refresh token was traded.
pub const TOKEN_REFRESHED: Action = Action("token_refreshed", "token");
/// A refresh token, or its family, ended.
pub const TOKEN_REVOKED: Action = Action("token_revoked", "token");
/// An account was changed.
pub const USER_MODIFIED: Action = Action("user_modified", "user");
/// A password was changed by its user.
pub const USER_UPDATED_PASSWORD: Action = Action("user_updated_password", "user");
/// A confirmation message was asked for.
pub const USER_CONFIRMATION_REQUESTED: Action = Action("user_confirmation_requested", "user");
/// A sign-up of a confirmed address.
pub const USER_REPEATED_SIGNUP: Action = Action("user_repeated_signup", "user");
/// A recovery, a magic link or a code was asked for.
pub const USER_RECOVERY_REQUESTED: Action = Action("user_recovery_requested", "user");
/// A nonce was asked for.
pub const USER_REAUTHENTICATE_REQUESTED: Action = Action("user_reauthenticate_requested", "user");
/// An administrator invited somebody.
pub const USER_INVITED: Action = Action("user_invited", "team");
/// A factor was enrolled.
pub const FACTOR_IN_PROGRESS: Action = Action("factor_in_progress", "factor");
/// A factor was challenged.
pub const CHALLENGE_CREATED: Action = Action("challenge_created", "factor");
/// A challenge was answered.
pub const VERIFICATION_ATTEMPTED: Action = Action("verification_attempted", "factor");
/// A factor was removed by its user.
pub const FACTOR_UNENROLLED: Action = Action("factor_unenrolled", "factor");
/// A factor was removed by an administrator.
pub const FACTOR_DELETED: Action = Action("factor_deleted", "factor");
/// A factor was changed by an administrator.
pub const FACTOR_UPDATED: Action = Action("factor_updated", "factor");
/// Recovery codes were made. Ours.
pub const RECOVERY_CODES_GENERATED: Action = Action("recovery_codes_generated", "factor");
/// Recovery codes were dropped by their user. Ours.
pub const RECOVERY_CODES_DELETED: Action = Action("recovery_codes_deleted", "factor");
/// An invitation was accepted through a provider.
pub const INVITE_ACCEPTED: Action = Action("invite_accepted", "account");
/// An identity was linked.
pub const IDENTITY_LINKED: Action = Action("identity_linked", "user");
/// An identity was unlinked.
pub const IDENTITY_UNLINKED: Action = Action("identity_unlinked", "user");
/// A passkey was registered.
pub const PASSKEY_CREATED: Action = Action("passkey_created", "user");
/// A passkey was renamed.
pub const PASSKEY_UPDATED: Action = Action("passkey_updated", "user");
/// A passkey was removed.
pub const PASSKEY_DELETED: Action = Action("passkey_deleted", "user");

/// Whom an action is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    id: UserId,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    via_sso: bool,
    full_name: Option<&'a Value>,
}

impl<'a> From<&'a User> for Subject<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id,
            email: user.email.as_deref(),
            phone: user.phone.as_deref(),
            via_sso: user.is_sso_user,
            full_name: user.user_metadata.get("full_name"),
        }
    }
}

impl<'a> From<&'a NewUser> for Subject<'a> {
    fn from(user: &'a NewUser) -> Self {
        Self {
            id: user.id,
            email: user.email.as_deref(),
            phone: user.phone.as_deref(),
            via_sso: user.is_sso_user,
            full_name: user.user_metadata.get("full_name"),
        }
    }
}

/// An action of a user himself.
pub fn by_user<'a>(user: impl Into<Subject<'a>>, action: Action, traits: Value) -> Value {
    let user = user.into();
    let mut payload = json!({
        "actor_id": user.id,
        "actor_username": user.phone.or(user.email).unwrap_or_default(),
        "actor_via_sso": user.via_sso,
        "action": action.0,
        "log_type": action.1,
    });
    if let (Some(name), Some(payload)) = (user.full_name, payload.as_object_mut()) {
        payload.insert("actor_name".to_owned(), name.clone());
    }
    with_traits(payload, traits)
}

/// An attempt of somebody who has proven nothing: `username` is what he gave.
pub fn by_stranger(username: &str, action: Action, traits: Value) -> Value {
    let payload = json!({
        "actor_id": Uuid::nil(),
        "actor_username": username,
        "actor_via_sso": false,
        "action": action.0,
        "log_type": action.1,
    });
    with_traits(payload, traits)
}

/// An action of a user himself on his account, which `traits` names besides.
pub fn by_owner<'a>(user: impl Into<Subject<'a>>, action: Action, traits: Value) -> Value {
    let user = user.into();
    by_user(user, action, with_subject(traits, user, action))
}

/// `traits` with whom the action is about. An invitation goes to an address: its row names no number.
fn with_subject(mut traits: Value, user: Subject<'_>, action: Action) -> Value {
    if let Some(traits) = traits.as_object_mut() {
        traits.insert("user_id".to_owned(), json!(user.id));
        traits.insert("user_email".to_owned(), json!(user.email.unwrap_or_default()));
        if action != USER_INVITED {
            traits.insert("user_phone".to_owned(), json!(user.phone.unwrap_or_default()));
        }
    }
    traits
}

/// An action of an admin, whose token has `role`, on a user.
pub fn by_admin<'a>(role: &str, user: impl Into<Subject<'a>>, action: Action, traits: Value) -> Value {
    by_role(role, action, with_subject(traits, user.into(), action))
}

/// An action of an admin, whose token has `role`, on what `traits` name.
pub fn by_role(role: &str, action: Action, traits: Value) -> Value {
    let payload = json!({
        "actor_id": Uuid::nil(),
        "actor_username": role,
        "actor_via_sso": false,
        "action": action.0,
        "log_type": action.1,
    });
    with_traits(payload, traits)
}

fn with_traits(mut payload: Value, traits: Value) -> Value {
    let some = traits.as_object().is_some_and(|traits| !traits.is_empty());
    if let (true, Some(payload)) = (some, payload.as_object_mut()) {
        payload.insert("traits".to_owned(), traits);
    }
    payload
}

/// An action of the user a token was issued to, as far as its claims tell.
pub fn by_claims(claims: &Metadata, action: Action, traits: Value) -> Value {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let full_name = claims.get("user_metadata").and_then(|metadata| metadata.get("full_name"));
    let mut payload = json!({
        "actor_id": claims.get("sub"),
        "actor_username": text("phone").or(text("email")).unwrap_or_default(),
        "actor_via_sso": false,
        "action": action.0,
        "log_type": action.1,
    });
    if let (Some(name), Some(payload)) = (full_name, payload.as_object_mut()) {
        payload.insert("actor_name".to_owned(), name.clone());
    }
    with_traits(payload, traits)
}
