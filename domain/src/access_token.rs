//! The claims of an access token (`contract/core.md` §8.2).

use chrono::TimeDelta;
use serde::Serialize;

use crate::session::{Aal, Session, SessionLimits};
use crate::time::Timestamp;
use crate::user::{Metadata, User};

/// One entry of `amr`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Amr {
    /// `password`, `otp`, `totp`, ...
    pub method: String,
    /// When it was last used, Unix seconds.
    pub timestamp: i64,
    /// The SSO provider, only for `sso/saml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// The claims, in the order they are written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claims {
    /// The project's issuer, left out when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub iss: String,
    /// The user.
    pub sub: String,
    /// The user's audience.
    pub aud: String,
    /// End, Unix seconds.
    pub exp: i64,
    /// Issue, Unix seconds.
    pub iat: i64,
    /// Address, empty when none.
    pub email: String,
    /// Number, empty when none.
    pub phone: String,
    /// As stored.
    pub app_metadata: Metadata,
    /// As stored.
    pub user_metadata: Metadata,
    /// PostgreSQL role.
    pub role: String,
    /// `aal1` or `aal2`, by the methods of the session.
    pub aal: &'static str,
    /// Methods, newest first.
    pub amr: Vec<Amr>,
    /// The session.
    pub session_id: String,
    /// Whether the user has no identity.
    pub is_anonymous: bool,
}

/// The best assurance level the user can reach.
pub fn best_aal(user: &User) -> Aal {
    if user.has_verified_factor() { Aal::Aal2 } else { Aal::Aal1 }
}

/// When a token issued at `now` ends, Unix seconds: after `life` seconds, sooner where the project limits one-factor
/// sessions of users who have a second factor.
pub fn expires_at(user: &User, session: &Session, life: i64, limits: &SessionLimits, now: Timestamp) -> i64 {
    let full = now.unix().saturating_add(life);
    let capped = limits.low_aal.filter(|_| session.level() < best_aal(user));
    capped.map_or(full, |cap: TimeDelta| full.min(session.created_at.plus(cap).unix()))
}

impl Claims {
    /// Claims of a token of `session`; times are Unix seconds.
    pub fn new(user: &User, session: &Session, issuer: &str, issued_at: i64, expires_at: i64) -> Self {
        Self {
            iss: issuer.to_owned(),
            sub: user.id.to_string(),
            aud: user.aud.clone(),
            exp: expires_at,
            iat: issued_at,
            email: user.email.clone().unwrap_or_default(),
            phone: user.phone.clone().unwrap_or_default(),
            app_metadata: user.app_metadata.clone(),
            user_metadata: user.user_metadata.clone(),
            role: user.role.clone(),
            aal: session.level().as_str(),
            amr: amr(user, session),
            session_id: session.id.to_string(),
            is_anonymous: user.is_anonymous,
        }
    }
}

fn amr(user: &User, session: &Session) -> Vec<Amr> {
    let mut entries: Vec<Amr> = session
        .amr
        .iter()
        .map(|entry| Amr {
            method: entry.method.clone(),
            timestamp: entry.at.unix(),
            provider: (entry.method == "sso/saml").then(|| sso_provider(user)).flatten(),
        })
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.timestamp));
    entries
}

/// The user's SSO provider where there is exactly one.
fn sso_provider(user: &User) -> Option<String> {
    let mut names = user.identities.iter().filter_map(|identity| identity.provider.strip_prefix("sso:"));
    match (names.next(), names.next()) {
        (Some(only), None) => Some(only.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{amr_entry, at, factor, identity, session, user};

    fn claims(user: &User, session: &Session) -> Claims {
        Claims::new(user, session, "https://p.example/auth/v1", at(100).unix(), at(3700).unix())
    }

    #[test]
    fn claims_are_written_in_the_contracts_order() {
        let mut user = user();
        user.app_metadata = serde_json::from_value(json!({"provider": "email", "providers": ["email"]})).unwrap();
        let mut session = session();
        session.amr = vec![amr_entry("password", 100)];
        let text = serde_json::to_string(&claims(&user, &session)).unwrap();
        let expected = format!(
            "{{\"iss\":\"https://p.example/auth/v1\",\"sub\":\"{}\",\"aud\":\"authenticated\",\"exp\":{},\"iat\":{},\
             \"email\":\"a@b.co\",\"phone\":\"\",\"app_metadata\":{{\"provider\":\"email\",\"providers\":[\"email\"]}},\
             \"user_metadata\":{{}},\"role\":\"authenticated\",\"aal\":\"aal1\",\
             \"amr\":[{{\"method\":\"password\",\"timestamp\":{}}}],\"session_id\":\"{}\",\"is_anonymous\":false}}",
            user.id,
            at(100).unix() + 3600,
            at(100).unix(),
            at(100).unix(),
            session.id,
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn amr_is_newest_first_and_decides_the_level() {
        let mut session = session();
        session.amr = vec![amr_entry("password", 10), amr_entry("totp", 50)];
        let claims = claims(&user(), &session);
        assert_eq!(claims.aal, "aal2");
        let methods: Vec<&str> = claims.amr.iter().map(|entry| entry.method.as_str()).collect();
        assert_eq!(methods, ["totp", "password"]);
    }

    #[test]
    fn life_of_a_low_session_is_cut_only_for_users_with_a_second_factor() {
        let limits = SessionLimits { low_aal: Some(TimeDelta::seconds(900)), ..SessionLimits::default() };
        let session = session(); // opened at 0
        let mut user = user();
        assert_eq!(expires_at(&user, &session, 3600, &limits, at(100)), at(3700).unix());
        user.factors.push(factor(true));
        assert_eq!(expires_at(&user, &session, 3600, &limits, at(100)), at(900).unix());
        let mut high = session;
        high.amr.push(amr_entry("totp", 90));
        assert_eq!(expires_at(&user, &high, 3600, &limits, at(100)), at(3700).unix());
    }

    #[test]
    fn sso_entries_name_the_only_provider() {
        let mut session = session();
        session.amr = vec![amr_entry("sso/saml", 1)];
        let mut user = user();
        user.identities = vec![identity("sso:acme", "x")];
        assert_eq!(claims(&user, &session).amr[0].provider.as_deref(), Some("acme"));
        user.identities.push(identity("sso:other", "y"));
        assert_eq!(claims(&user, &session).amr[0].provider, None);
    }

    #[test]
    fn an_empty_issuer_is_left_out() {
        let claims = Claims::new(&user(), &session(), "", 0, 60);
        assert!(!serde_json::to_string(&claims).unwrap().contains("\"iss\""));
    }
}
