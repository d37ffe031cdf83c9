//! What a change does that its fields do not say by themselves.

use serde_json::Value;

use crate::cli::output::field;

/// When a sentence is said.
#[derive(Clone, Copy)]
enum When {
    /// Whatever the new value is.
    Changed,
    /// When it is switched on.
    On,
    /// When it is switched off.
    Off,
    /// When it is taken away.
    Gone,
    /// When a number becomes smaller.
    Less,
}

const EFFECTS: &[(&str, When, &str)] = &[
    ("disable_signup", When::On, "nobody can make an account any more; those there are go on"),
    ("external_email_enabled", When::Off, "nobody can sign up or sign in with an address any more"),
    ("external_phone_enabled", When::Off, "nobody can sign up or sign in with a number any more"),
    ("external_anonymous_users_enabled", When::On, "whoever has the anon key can make accounts without an address"),
    ("mailer_autoconfirm", When::On, "addresses are believed without a mail: whoever signs up first owns one"),
    ("mailer_autoconfirm", When::Off, "new accounts must follow the link of a mail before they can sign in"),
    ("sms_autoconfirm", When::On, "numbers are believed without a code: whoever signs up first owns one"),
    ("jwt_exp", When::Changed, "access tokens that were issued before keep their lifetime"),
    ("refresh_token_rotation_enabled", When::Off, "a stolen refresh token is not noticed any more"),
    ("security_refresh_token_reuse_interval", When::Less, "clients that refresh in parallel may lose their sessions"),
    ("sessions_timebox", When::Changed, "it counts for sessions there are: old ones may end with their next refresh"),
    (
        "sessions_inactivity_timeout",
        When::Changed,
        "it counts for sessions there are: old ones may end with their next refresh",
    ),
    ("sessions_single_per_user", When::On, "a sign-in ends the user's other sessions"),
    ("password_min_length", When::Changed, "passwords there are stay good; the rule counts for new ones"),
    ("password_required_characters", When::Changed, "passwords there are stay good; the rule counts for new ones"),
    ("smtp_host", When::Gone, "mail goes to the gateway's mailbox while it listens on loopback, else nowhere"),
    ("smtp_host", When::Changed, "`tenantry mail list` shows what the new server refuses"),
    ("site_url", When::Changed, "links in mails lead there from the next mail on"),
    ("uri_allow_list", When::Changed, "sign-ins under way to an address that is not listed end at the site URL"),
    ("security_captcha_enabled", When::On, "clients that send no captcha token are refused"),
    ("security_profile", When::Changed, "every field that is not set takes the new profile's default"),
    (
        "mfa_totp_verify_enabled",
        When::Off,
        "users whose only factor is an authenticator app cannot reach aal2 any more",
    ),
    ("mfa_phone_verify_enabled", When::Off, "users whose only factor is a phone cannot reach aal2 any more"),
    ("mfa_web_authn_verify_enabled", When::Off, "users whose only factor is a security key cannot reach aal2 any more"),
    ("passkey_enabled", When::Off, "passkeys are kept and open nothing any more"),
    ("webauthn_rp_id", When::Changed, "passkeys and security keys of the old domain cannot be used any more"),
    ("audit_log_disable_postgres", When::On, "what happens is not written into the audit log any more"),
];

/// The sentences on these changes, each once.
pub(super) fn of(changes: &[Value]) -> Vec<&'static str> {
    let mut told: Vec<&'static str> = Vec::new();
    for change in changes {
        let said = EFFECTS.iter().find(|(name, when, _)| *name == field(change, "field") && when.holds(change));
        if let Some((_, _, sentence)) = said
            && !told.contains(sentence)
        {
            told.push(sentence);
        }
    }
    told
}

impl When {
    fn holds(self, change: &Value) -> bool {
        let [from, to] = ["from", "to"].map(|side| change.get(side).unwrap_or(&Value::Null));
        match self {
            Self::Changed => true,
            Self::On => to.as_bool() == Some(true),
            Self::Off => to.as_bool() == Some(false),
            Self::Gone => to.is_null() || to.as_str() == Some(""),
            Self::Less => from.as_f64().zip(to.as_f64()).is_some_and(|(from, to)| to < from),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_effect_is_told_where_it_is_one() {
        let told = |name: &str, from: Value, to: Value| of(&[json!({ "field": name, "from": from, "to": to })]).len();
        assert_eq!(told("disable_signup", json!(false), json!(true)), 1);
        assert_eq!(told("disable_signup", json!(true), json!(false)), 0);
        assert_eq!(told("security_refresh_token_reuse_interval", json!(10), json!(30)), 0);
        assert_eq!(told("security_refresh_token_reuse_interval", json!(10), json!(0)), 1);
        assert_eq!(told("rate_limit_otp", json!(1), json!(2)), 0);
        let gone = of(&[json!({ "field": "smtp_host", "from": "a", "to": null })]);
        let other = of(&[json!({ "field": "smtp_host", "from": "a", "to": "b" })]);
        assert_ne!(gone, other);
        let both =
            ["password_min_length", "password_required_characters"].map(|name| json!({ "field": name, "to": 8 }));
        assert_eq!(of(&both).len(), 1, "one sentence is said once");
    }

    #[test]
    fn every_effect_is_of_a_field() {
        for (name, ..) in EFFECTS {
            assert!(domain::config::field(name).is_some(), "{name}");
        }
    }
}
