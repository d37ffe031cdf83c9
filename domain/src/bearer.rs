//! What a verified token says (`contract/core.md` §8.4 to §8.6). The signature, `exp` and `nbf` were checked before.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::access_token::best_aal;
use crate::config::Policy;
use crate::ids::{SessionId, UserId};
use crate::refusal::Refusal;
use crate::session::{Session, session_end};
use crate::time::Timestamp;
use crate::user::User;

/// The claims of a token.
pub type Claims = Map<String, Value>;

fn text<'a>(claims: &'a Claims, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Claims that are not of their type make the token malformed, as they do where it is decoded into a structure.
///
/// # Errors
/// The first such claim.
pub fn check_types(claims: &Claims) -> Result<(), Refusal> {
    for (name, fits) in CLAIM_TYPES {
        if claims.get(name).is_some_and(|value| !value.is_null() && !fits(value)) {
            let detail = format!("token is malformed: could not JSON decode claim: {name} has the wrong type");
            return Err(Refusal::BadJwt(detail));
        }
    }
    Ok(())
}

/// Whether a claim has its type; null counts as absent.
type Fits = fn(&Value) -> bool;

/// The types of the claims of an access token (§8.2). Others may be anything.
const CLAIM_TYPES: [(&str, Fits); 17] = [
    ("sub", Value::is_string),
    ("aud", is_text_or_texts),
    ("role", Value::is_string),
    ("session_id", Value::is_string),
    ("email", Value::is_string),
    ("phone", Value::is_string),
    ("iss", Value::is_string),
    ("exp", Value::is_number),
    ("iat", Value::is_number),
    ("nbf", Value::is_number),
    ("aal", Value::is_string),
    ("amr", is_list_of_methods),
    ("app_metadata", Value::is_object),
    ("user_metadata", Value::is_object),
    ("is_anonymous", Value::is_boolean),
    ("client_id", Value::is_string),
    ("scope", Value::is_string),
];

fn is_text_or_texts(value: &Value) -> bool {
    value.is_string() || value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

fn is_list_of_methods(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(|entry| entry.is_string() || entry.is_object()))
}

/// The user a token names, steps 3 and 4.
///
/// # Errors
/// No subject, or one that is no UUID.
pub fn subject(claims: &Claims) -> Result<UserId, Refusal> {
    check_types(claims)?;
    match text(claims, "sub") {
        "" => Err(Refusal::MissingSub),
        subject => Uuid::parse_str(subject).map(UserId).map_err(|_| Refusal::SubNotUuid),
    }
}

/// The session a token names, step 6; `None` when absent, empty or nil. A refusal stands only once the user was found.
///
/// # Errors
/// A claim that is no UUID.
pub fn session(claims: &Claims) -> Result<Option<SessionId>, Refusal> {
    match text(claims, "session_id") {
        "" => Ok(None),
        id => match Uuid::parse_str(id) {
            Ok(id) => Ok((!id.is_nil()).then_some(SessionId(id))),
            Err(_) => Err(Refusal::SessionIdNotUuid),
        },
    }
}

/// The `role` claim, empty when absent.
pub fn role(claims: &Claims) -> String {
    text(claims, "role").to_owned()
}

/// The first non-empty `aud`, empty when absent; the claim is a text or a list of texts (RFC 7519 §4.1.3).
pub fn audience(claims: &Claims) -> String {
    match claims.get("aud") {
        Some(Value::Array(list)) => {
            let mut texts = list.iter().filter_map(Value::as_str);
            texts.find(|text| !text.is_empty()).unwrap_or_default().to_owned()
        }
        _ => text(claims, "aud").to_owned(),
    }
}

/// Steps 5 to 8 on what was read for `subject` and `session`: the user exists, the session claim is well-formed, its
/// session exists and is the user's, the user is not banned. Sessions past their limits are not refused here.
///
/// # Errors
/// The first of these that does not hold.
pub fn admit(claims: &Claims, user: Option<&User>, found: Option<&Session>, now: Timestamp) -> Result<(), Refusal> {
    let user = alive(claims, user, found)?;
    if user.is_banned(now) {
        return Err(Refusal::BearerUserBanned);
    }
    Ok(())
}

fn alive<'a>(claims: &Claims, user: Option<&'a User>, found: Option<&Session>) -> Result<&'a User, Refusal> {
    let id = subject(claims)?;
    let user = user.filter(|user| user.id == id).ok_or(Refusal::BearerUserNotFound)?;
    let is = |wanted: SessionId| found.is_some_and(|found| found.id == wanted && found.user_id == id);
    match session(claims)? {
        Some(wanted) if !is(wanted) => Err(Refusal::BearerSessionNotFound),
        // The row of a soft-deleted account is kept; its sessions are not.
        _ if user.deleted_at.is_some() => Err(Refusal::BearerUserNotFound),
        _ => Ok(user),
    }
}

/// User and session that must be read before `admit_admin`; `None` for keys, which have no session and need no subject.
///
/// # Errors
/// As `subject` and `session`.
pub fn admin_session(claims: &Claims) -> Result<Option<(UserId, Option<SessionId>)>, Refusal> {
    check_types(claims)?;
    match session(claims) {
        Ok(None) => Ok(None),
        Ok(session) => Ok(Some((subject(claims)?, session))),
        // The user is looked for first, then the claim is refused.
        Err(_) => Ok(Some((subject(claims)?, None))),
    }
}

/// Whether a token opens the admin endpoints (§8.5): its session, where it has one, is valid, then its role is an admin
/// role. Bans are not looked at.
///
/// # Errors
/// As `admit` but for the ban; a session past its limits; another role.
pub fn admit_admin(
    claims: &Claims,
    user: Option<&User>,
    found: Option<&Session>,
    policy: &Policy,
    now: Timestamp,
) -> Result<(), Refusal> {
    if session(claims) != Ok(None) {
        let user = alive(claims, user, found)?;
        let end =
            |found: &Session| session_end(found, found.last_refresh(), best_aal(user), &policy.session_limits, now);
        if found.and_then(end).is_some() {
            return Err(Refusal::SessionNoLongerValid);
        }
    }
    if policy.admin_roles.contains(&role(claims)) { Ok(()) } else { Err(Refusal::NotAdmin) }
}

/// The audience a request with a bearer is about (§8.6): the header, else a user token's own, else the project's. New
/// accounts never ask the header: they are of the project's audience.
pub fn request_audience(header: Option<&str>, claims: &Claims, policy: &Policy) -> String {
    if let Some(header) = header.filter(|text| !text.is_empty()) {
        return header.to_owned();
    }
    let own = audience(claims);
    if own.is_empty() || policy.admin_roles.contains(&role(claims)) { policy.jwt_aud.clone() } else { own }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{at, policy, session as open, user};

    fn claims(value: Value) -> Claims {
        serde_json::from_value(value).unwrap()
    }

    fn full() -> Claims {
        claims(json!({
            "sub": user().id, "session_id": open().id, "aud": "authenticated", "role": "authenticated"
        }))
    }

    fn with(name: &str, value: Value) -> Claims {
        let mut claims = full();
        claims.insert(name.to_owned(), value);
        claims
    }

    #[test]
    fn subject_is_a_uuid_in_any_of_its_forms() {
        assert_eq!(subject(&with("sub", json!(""))), Err(Refusal::MissingSub));
        assert_eq!(subject(&claims(json!({"role": "anon"}))), Err(Refusal::MissingSub));
        assert_eq!(subject(&with("sub", json!("me"))), Err(Refusal::SubNotUuid));
        let id = user().id.0;
        for text in [id.to_string(), id.simple().to_string(), id.braced().to_string(), id.urn().to_string()] {
            assert_eq!(subject(&with("sub", json!(text))), Ok(user().id), "{text}");
        }
    }

    #[test]
    fn claims_of_another_type_make_the_token_malformed() {
        for (name, values) in [
            ("sub", vec![json!(7)]),
            ("aud", vec![json!(3), json!([3]), json!({})]),
            ("role", vec![json!([])]),
            ("session_id", vec![json!(1)]),
            ("email", vec![json!(false)]),
            ("phone", vec![json!(15550001111_i64)]),
            ("iss", vec![json!(1)]),
            ("exp", vec![json!("4102444800")]),
            ("iat", vec![json!("0")]),
            ("nbf", vec![json!([])]),
            ("aal", vec![json!(2)]),
            ("amr", vec![json!("password"), json!([1]), json!([null])]),
            ("app_metadata", vec![json!("x"), json!([])]),
            ("user_metadata", vec![json!(1)]),
            ("is_anonymous", vec![json!("false"), json!(0)]),
        ] {
            for value in values {
                let refused = subject(&with(name, value.clone()));
                let detail = format!("token is malformed: could not JSON decode claim: {name} has the wrong type");
                assert_eq!(refused, Err(Refusal::BadJwt(detail)), "{name} {value}");
            }
            if name != "sub" {
                assert_eq!(subject(&with(name, Value::Null)), Ok(user().id), "{name}");
            }
        }
        for amr in [json!([]), json!(["password"]), json!([{ "method": "password" }, "otp"])] {
            assert_eq!(subject(&with("amr", amr)), Ok(user().id));
        }
    }

    #[test]
    fn a_missing_user_comes_before_a_malformed_session() {
        let claims = with("session_id", json!("nonsense"));
        assert_eq!(admit(&claims, None, None, at(0)), Err(Refusal::BearerUserNotFound));
        assert_eq!(admit(&claims, Some(&user()), None, at(0)), Err(Refusal::SessionIdNotUuid));
    }

    #[test]
    fn the_session_must_exist_and_be_the_users() {
        let claims = full();
        assert_eq!(session(&claims), Ok(Some(open().id)));
        assert_eq!(admit(&claims, Some(&user()), None, at(0)), Err(Refusal::BearerSessionNotFound));
        let mut foreign = open();
        foreign.user_id = UserId(Uuid::from_u128(9));
        assert_eq!(admit(&claims, Some(&user()), Some(&foreign), at(0)), Err(Refusal::BearerSessionNotFound));
        assert_eq!(admit(&claims, Some(&user()), Some(&open()), at(0)), Ok(()));
    }

    #[test]
    fn a_ban_comes_last() {
        let mut banned = user();
        banned.banned_until = Some(at(10));
        let claims = full();
        assert_eq!(admit(&claims, Some(&banned), None, at(0)), Err(Refusal::BearerSessionNotFound));
        assert_eq!(admit(&claims, Some(&banned), Some(&open()), at(0)), Err(Refusal::BearerUserBanned));
        assert_eq!(admit(&claims, Some(&banned), Some(&open()), at(10)), Ok(()));
    }

    #[test]
    fn a_deleted_account_is_no_account() {
        let mut deleted = user();
        deleted.deleted_at = Some(at(0));
        assert_eq!(admit(&full(), Some(&deleted), Some(&open()), at(0)), Err(Refusal::BearerUserNotFound));
        assert_eq!(
            admit(&with("session_id", json!(null)), Some(&deleted), None, at(0)),
            Err(Refusal::BearerUserNotFound)
        );
        assert_eq!(admit(&full(), Some(&deleted), None, at(0)), Err(Refusal::BearerSessionNotFound));
    }

    #[test]
    fn an_absent_or_nil_session_is_none() {
        for value in [json!(null), json!(""), json!(Uuid::nil())] {
            let claims = with("session_id", value);
            assert_eq!(session(&claims), Ok(None));
            assert_eq!(admit(&claims, Some(&user()), None, at(0)), Ok(()));
        }
    }

    #[test]
    fn audience_is_the_first_of_a_list() {
        assert_eq!(audience(&with("aud", json!(["", "x", "y"]))), "x");
        assert_eq!(audience(&with("aud", json!([]))), "");
        assert_eq!(audience(&claims(json!({}))), "");
    }

    #[test]
    fn keys_need_only_the_role() {
        let gate = |value: Value| {
            let claims = claims(value);
            assert_eq!(admin_session(&claims), Ok(None));
            admit_admin(&claims, None, None, &policy(), at(0))
        };
        assert_eq!(gate(json!({"role": "service_role"})), Ok(()));
        assert_eq!(gate(json!({"role": "supabase_admin", "session_id": Uuid::nil()})), Ok(()));
        assert_eq!(gate(json!({"role": "anon"})), Err(Refusal::NotAdmin));
        assert_eq!(gate(json!({})), Err(Refusal::NotAdmin));
    }

    #[test]
    fn an_admins_session_is_checked_before_the_role() {
        let mut policy = policy();
        let (user, session) = (user(), open());
        let claims = full();
        assert_eq!(admin_session(&claims), Ok(Some((user.id, Some(session.id)))));
        let gate = |user, session, policy: &Policy| admit_admin(&claims, user, session, policy, at(100));
        assert_eq!(gate(None, None, &policy), Err(Refusal::BearerUserNotFound));
        assert_eq!(gate(Some(&user), None, &policy), Err(Refusal::BearerSessionNotFound));
        assert_eq!(gate(Some(&user), Some(&session), &policy), Err(Refusal::NotAdmin));
        policy.session_limits.timebox = Some(chrono::TimeDelta::seconds(50));
        assert_eq!(gate(Some(&user), Some(&session), &policy), Err(Refusal::SessionNoLongerValid));
    }

    #[test]
    fn an_admins_ban_is_not_checked() {
        let mut banned = user();
        banned.banned_until = Some(at(1000));
        let claims = with("role", json!("service_role"));
        assert_eq!(admit_admin(&claims, Some(&banned), Some(&open()), &policy(), at(0)), Ok(()));
    }

    #[test]
    fn a_session_without_subject_is_refused_at_the_admin_door() {
        let claims = claims(json!({"role": "service_role", "session_id": open().id}));
        assert_eq!(admin_session(&claims), Err(Refusal::MissingSub));
        assert_eq!(admit_admin(&claims, None, None, &policy(), at(0)), Err(Refusal::MissingSub));
    }

    #[test]
    fn a_malformed_session_is_refused_at_the_admin_door_once_the_user_is_found() {
        let claims = claims(json!({"role": "service_role", "sub": user().id, "session_id": "nonsense"}));
        assert_eq!(admin_session(&claims), Ok(Some((user().id, None))));
        assert_eq!(admit_admin(&claims, None, None, &policy(), at(0)), Err(Refusal::BearerUserNotFound));
        assert_eq!(admit_admin(&claims, Some(&user()), None, &policy(), at(0)), Err(Refusal::SessionIdNotUuid));
    }

    #[test]
    fn request_audience_prefers_header_then_user_token() {
        let policy = policy();
        let asked = |header, role: &str, aud: &str| {
            request_audience(header, &claims(json!({"role": role, "aud": aud})), &policy)
        };
        assert_eq!(asked(Some("other"), "authenticated", "mine"), "other");
        assert_eq!(asked(Some(""), "authenticated", "mine"), "mine");
        assert_eq!(asked(None, "service_role", "mine"), "authenticated");
        assert_eq!(asked(None, "authenticated", ""), "authenticated");
    }
}
