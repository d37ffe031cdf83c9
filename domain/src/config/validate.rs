//! Checks a PATCH of the configuration: every problem at once, none of them with a secret in it.

use std::fmt;

use serde_json::{Map, Value};

use crate::config::explicit::Explicit;
use crate::config::field::{Field, Kind, Literal, Lock};
use crate::config::fields::{FIELDS, field};
use crate::config::format::{list, shown};
use crate::config::mail::link_bodies;
use crate::project::Profile;
use crate::redirect::has_wildcard;

/// Why a field is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which field.
    pub field: &'static str,
    /// What it must be.
    pub demand: String,
    /// What was given; `None` for secrets.
    pub given: Option<String>,
    /// Whether it is a bound of the shield profile.
    pub lock: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.demand)?;
        match &self.given {
            Some(given) => write!(f, ", got {given}"),
            None => Ok(()),
        }
    }
}

impl Problem {
    fn new(field: &'static Field, demand: impl Into<String>, given: &Value) -> Self {
        let given = (!field.secret).then(|| shown(given));
        Self { field: field.name, demand: demand.into(), given, lock: false }
    }
}

/// All problems in one sentence, bounds of the shield profile last and named as such.
pub fn describe(problems: &[Problem]) -> String {
    let part = |lock: bool| {
        let texts: Vec<String> =
            problems.iter().filter(|problem| problem.lock == lock).map(ToString::to_string).collect();
        texts.join("; ")
    };
    match (part(false), part(true)) {
        (plain, locks) if locks.is_empty() => plain,
        (plain, locks) if plain.is_empty() => format!("security profile shield: {locks}"),
        (plain, locks) => format!("{plain}; security profile shield: {locks}"),
    }
}

/// The keys of `patch` that are no field. They are ignored, as newer tools may know more fields.
pub fn unknown_keys(patch: &Map<String, Value>) -> Vec<&str> {
    patch.keys().map(String::as_str).filter(|name| field(name).is_none()).collect()
}

/// The values after `patch`: `null` returns a field to its default, and so does an empty secret; `smtp_host: ""` takes the SMTP server
/// away. Fields that are only answered (`contract/management.md` §1.1) are ignored as unknown ones are, so that a whole answer can be
/// sent back: what they say is not the project's to decide.
///
/// # Errors
/// Every problem of the patch, and of the values that would result from it.
pub fn validate_patch(current: &Explicit, patch: &Map<String, Value>) -> Result<Explicit, Vec<Problem>> {
    validate(current, patch, true)
}

/// The values of a new project, whose maker decides about every field.
///
/// # Errors
/// Every problem of the values.
pub fn validate_new(values: &Map<String, Value>) -> Result<Explicit, Vec<Problem>> {
    validate(&Explicit::default(), values, false)
}

/// The values of an `earlier` version, judged as a patch of them would be now, in the place of the `current` ones. Going back brings
/// settings back and gives no protection up: the security profile stays what it is where the earlier one is looser, and what is not the
/// project's to decide stays in any case.
///
/// # Errors
/// Every problem of the values, and of what would result from them.
pub fn validate_rollback(current: &Explicit, earlier: &Explicit) -> Result<Explicit, Vec<Problem>> {
    let mut kept = Explicit::default();
    let mut values = earlier.to_map();
    let mut keep = |name: &str| {
        values.remove(name);
        kept.set(name, current.get(name).cloned().unwrap_or_default());
    };
    FIELDS.iter().filter(|field| field.is_answer_only()).for_each(|field| keep(field.name));
    if strictness(earlier) < strictness(current) {
        PROFILE.into_iter().for_each(keep);
    }
    validate(&kept, &values, true)
}

const PROFILE: [&str; 2] = ["security_profile", "security_profile_mode"];

/// Grows with what the security profile holds a project to.
fn strictness(values: &Explicit) -> (bool, bool) {
    (values.profile() == Profile::Shield, values.enforces_locks())
}

fn validate(current: &Explicit, patch: &Map<String, Value>, answered: bool) -> Result<Explicit, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut next = current.clone();
    for (name, value) in patch {
        let Some(field) = field(name).filter(|field| !answered || !field.is_answer_only()) else { continue };
        match checked(field, value) {
            Ok(_) if field.secret && value.as_str() == Some("") => next.unset(field.name),
            Ok(value) => next.set(field.name, value),
            Err(demand) => problems.push(Problem::new(field, demand, value)),
        }
    }
    if patch.get("smtp_host").and_then(Value::as_str) == Some("") {
        for name in SMTP_SERVER {
            next.unset(name);
        }
    }
    problems.extend(contradictions(&next));
    problems.extend(broken_locks(&next));
    if problems.is_empty() { Ok(next) } else { Err(problems) }
}

const SMTP_SERVER: [&str; 6] =
    ["smtp_host", "smtp_port", "smtp_user", "smtp_pass", "smtp_admin_email", "smtp_sender_name"];

/// The value as it is stored, or what it should have been.
fn checked(field: &Field, value: &Value) -> Result<Value, String> {
    if value.is_null() {
        return if field.nullable { Ok(Value::Null) } else { Err("must not be null".to_owned()) };
    }
    match field.kind {
        Kind::Boolean if value.is_boolean() => Ok(value.clone()),
        Kind::Boolean => Err("must be true or false".to_owned()),
        Kind::Integer { min, max } => match whole(value) {
            Some(number) if (min..=max).contains(&number) => Ok(Value::from(number)),
            _ => Err(format!("must be a whole number from {min} to {max}")),
        },
        Kind::Number { min } => match value.as_f64() {
            Some(number) if number.is_finite() && number >= min => Ok(value.clone()),
            _ => Err(format!("must be a number of at least {min}")),
        },
        Kind::Choice(choices) => match value.as_str() {
            Some(text) if choices.contains(&text) => Ok(value.clone()),
            _ => Err(format!("must be one of {}", quoted(choices))),
        },
        Kind::Text(format) => match value.as_str() {
            Some(text) => format.demand(text).map_or_else(|| Ok(value.clone()), Err),
            None => Err("must be a text".to_owned()),
        },
    }
}

/// The number, also where it is written with a zero fraction.
fn whole(value: &Value) -> Option<i64> {
    let integral = |number: f64| (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(integral))
}

fn quoted(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("{choice:?}")).collect();
    quoted.join(", ")
}

fn on(values: &Explicit, name: &str) -> bool {
    values.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn problem(name: &str, demand: impl Into<String>, values: &Explicit) -> Option<Problem> {
    let field = field(name)?;
    Some(Problem::new(field, demand, values.get(name).unwrap_or(&Value::Null)))
}

/// Rules between fields (`contract/management.md` §1.5).
fn contradictions(values: &Explicit) -> Vec<Problem> {
    let mut found = Vec::new();
    if on(values, "mailer_autoconfirm") && on(values, "mailer_allow_unverified_email_sign_ins") {
        let demand = "must not be true together with mailer_autoconfirm";
        found.extend(problem("mailer_allow_unverified_email_sign_ins", demand, values));
    }
    if on(values, "security_captcha_enabled") && values.text("security_captcha_secret").is_none() {
        found.extend(problem("security_captcha_enabled", "needs security_captcha_secret", values));
    }
    if on(values, "security_cors_allow_credentials") && allows_every_origin(values) {
        let demand = "must not be true while security_cors_allowed_origins allows every origin";
        found.extend(problem("security_cors_allow_credentials", demand, values));
    }
    for (switch, uri, _) in HOOKS {
        if on(values, switch) && values.text(uri).is_none() {
            found.extend(problem(switch, format!("needs {uri}"), values));
        }
    }
    found.extend(templates_without_domain(values));
    found
}

fn allows_every_origin(values: &Explicit) -> bool {
    match values.text("security_cors_allowed_origins") {
        Some(origins) => list(origins).any(|origin| origin == "*"),
        None => values.profile() == Profile::Compat,
    }
}

const HOOKS: [(&str, &str, &str); 7] = [
    ("hook_after_user_created_enabled", "hook_after_user_created_uri", "hook_after_user_created_secrets"),
    ("hook_before_user_created_enabled", "hook_before_user_created_uri", "hook_before_user_created_secrets"),
    ("hook_custom_access_token_enabled", "hook_custom_access_token_uri", "hook_custom_access_token_secrets"),
    (
        "hook_mfa_verification_attempt_enabled",
        "hook_mfa_verification_attempt_uri",
        "hook_mfa_verification_attempt_secrets",
    ),
    (
        "hook_password_verification_attempt_enabled",
        "hook_password_verification_attempt_uri",
        "hook_password_verification_attempt_secrets",
    ),
    ("hook_send_email_enabled", "hook_send_email_uri", "hook_send_email_secrets"),
    ("hook_send_sms_enabled", "hook_send_sms_uri", "hook_send_sms_secrets"),
];

/// A link or a code must show, in visible text, where it is for.
fn templates_without_domain(values: &Explicit) -> Vec<Problem> {
    let name = "mailer_require_domain_in_templates";
    let set = values.get(name).and_then(Value::as_bool);
    if !set.unwrap_or(values.profile() == Profile::Shield) {
        return Vec::new();
    }
    let host = values.text("site_url").and_then(|url| url::Url::parse(url).ok()?.host_str().map(str::to_owned));
    let shows = |html: &str| {
        let text = visible(html);
        text.contains(".SiteURL") || text.contains(".Domain") || host.as_ref().is_some_and(|host| text.contains(host))
    };
    let bare = |name: &&str| values.text(name).is_some_and(|html| !shows(html));
    let problem = |field| Problem { field, demand: "must show the domain".to_owned(), given: None, lock: false };
    link_bodies().filter(bare).map(problem).collect()
}

/// The text between tags.
fn visible(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => inside = false,
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    text
}

/// Values beyond the bounds of the shield profile, where it is enforced.
fn broken_locks(values: &Explicit) -> Vec<Problem> {
    let enforced = values.enforces_locks();
    let broken = |field: &&'static Field| {
        let lock = field.lock.filter(|_| enforced || field.always_locked)?;
        let value = match (lock, values.get(field.name)) {
            (Lock::SignedHook, value) if must_sign(field.name, values) => value.unwrap_or(&Value::Null),
            (Lock::SignedHook, _) | (_, None) => return None,
            (_, Some(value)) => value,
        };
        let demand = lock_demand(lock, value)?;
        let demand = if field.rule.is_empty() { demand } else { format!("{demand} ({})", field.rule) };
        Some(Problem { lock: enforced, ..Problem::new(field, demand, value) })
    };
    FIELDS.iter().filter_map(broken).collect()
}

/// Whether the hook of these secrets calls out over http or https.
fn must_sign(secrets: &str, values: &Explicit) -> bool {
    let called = |(switch, uri, _): &(&str, &str, &str)| {
        let over_http = |uri: &str| uri.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
        on(values, switch) && values.text(uri).is_some_and(over_http)
    };
    HOOKS.iter().any(|hook| hook.2 == secrets && called(hook))
}

/// What the lock asks for, where `value` is beyond it.
fn lock_demand(lock: Lock, value: &Value) -> Option<String> {
    let number = value.as_i64();
    let text = value.as_str().unwrap_or_default();
    let (kept, demand) = match lock {
        Lock::Only(Literal::Null) => (value.is_null(), "must not be set".to_owned()),
        Lock::Only(literal) => (*value == literal.to_json(), format!("must be {}", literal.to_json())),
        Lock::AtMost(max) => (number.is_some_and(|n| n <= max), format!("must be at most {max}")),
        Lock::AtLeast(min) => (number.is_some_and(|n| n >= min), format!("must be at least {min}")),
        Lock::Between(min, max) => {
            (number.is_some_and(|n| (min..=max).contains(&n)), format!("must be from {min} to {max}"))
        }
        Lock::Holds(words) => (
            words.iter().all(|word| list(text).any(|part| part == *word)),
            format!("must hold at least {}", words.join(", ")),
        ),
        Lock::NoWildcards => {
            let entry = text.split(',').position(has_wildcard);
            let place = entry.map_or(0, |place| place + 1);
            (entry.is_none(), format!("entry {place}: wildcards are not allowed"))
        }
        Lock::NoWildcardOrigin => (list(text).all(|origin| origin != "*"), "must not allow every origin".to_owned()),
        Lock::SignedHook => (!text.is_empty(), "must be set for a hook that is called over http".to_owned()),
    };
    (!kept).then_some(demand)
}
