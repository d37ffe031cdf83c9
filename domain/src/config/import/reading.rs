//! How a foreign value becomes the value of a field.

use chrono::TimeDelta;
use serde_json::Value;

use crate::config::field::{Field, Kind};
use crate::config::fields::field;
use crate::config::format::{list, shown};
use crate::go_duration;

/// In which form a source has a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As the field's own type, or as text of it.
    Plain,
    /// A switch that means the opposite.
    Inverted,
    /// A Go duration, of which the field has the seconds.
    Seconds,
    /// A Go duration, of which the field has the hours.
    Hours,
    /// A number an hour, or `N/duration`.
    PerHour,
    /// `phone:code` pairs with commas between, or a table of them.
    TestOtps,
    /// Client ids with commas between: the first is the browser's, the rest has a field of its own.
    ClientIds,
    /// A list, of which the field has a comma list.
    List,
    /// One of the names that Supabase's tools have for sets of characters.
    Requirements,
    /// Providers with commas between, each of which is a domain of its own.
    OwnDomains,
}

/// What a value became.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    /// Fields and their values.
    pub(super) values: Vec<(&'static str, Value)>,
    /// What is not quite as it was.
    pub(super) approximated: Option<String>,
}

impl Read {
    fn one(field: &'static Field, value: Value) -> Self {
        Self { values: vec![(field.name, value)], approximated: None }
    }
}

impl Form {
    /// The value of `field` that `value` stands for.
    pub(super) fn read(self, field: &'static Field, value: &Value) -> Result<Read, String> {
        match self {
            Self::Plain => plain(field, value).map(|value| Read::one(field, value)),
            Self::Inverted => match plain(field, value)? {
                Value::Bool(on) => Ok(Read::one(field, Value::Bool(!on))),
                other => Ok(Read::one(field, other)),
            },
            Self::Seconds => seconds(field, value),
            Self::Hours => hours(field, value),
            Self::PerHour => per_hour(field, value),
            Self::TestOtps => test_otps(field, value),
            Self::ClientIds => client_ids(field, value),
            Self::List => comma_list(value).map(|text| Read::one(field, Value::from(text))),
            Self::Requirements => requirements(field, value),
            Self::OwnDomains => comma_list(value).map(|text| {
                let pairs: Vec<String> = list(&text).map(|name| format!("{name}={name}")).collect();
                Read::one(field, Value::from(pairs.join(",")))
            }),
        }
    }
}

/// The value as the field's type has it. An empty text says that nothing is set.
fn plain(field: &Field, value: &Value) -> Result<Value, String> {
    let refused = |demand: &str| Err(demanded(field, demand, value));
    if value.as_str() == Some("") && !is_text(field) {
        return if field.nullable { Ok(Value::Null) } else { refused("must not be empty") };
    }
    match (field.kind, value) {
        (Kind::Boolean, Value::Bool(_)) => Ok(value.clone()),
        (Kind::Boolean, Value::String(text)) => match truth(text) {
            Some(truth) => Ok(Value::Bool(truth)),
            None => refused("must be true or false"),
        },
        (Kind::Boolean, _) => refused("must be true or false"),
        (Kind::Integer { .. }, Value::Number(_)) => Ok(value.clone()),
        (Kind::Integer { .. }, Value::String(text)) => match text.trim().parse::<i64>() {
            Ok(number) => Ok(Value::from(number)),
            Err(_) => refused("must be a whole number"),
        },
        (Kind::Integer { .. }, _) => refused("must be a whole number"),
        (Kind::Number { .. }, Value::Number(_)) => Ok(value.clone()),
        (Kind::Number { .. }, Value::String(text)) => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::from(number)),
            _ => refused("must be a number"),
        },
        (Kind::Number { .. }, _) => refused("must be a number"),
        (Kind::Text(_) | Kind::Choice(_), Value::String(text)) => Ok(text_of(field, text)),
        (Kind::Text(_) | Kind::Choice(_), Value::Number(number)) => Ok(Value::from(number.to_string())),
        (Kind::Text(_) | Kind::Choice(_), _) => refused("must be a text"),
    }
}

fn is_text(field: &Field) -> bool {
    matches!(field.kind, Kind::Text(_) | Kind::Choice(_))
}

/// An empty text takes a value away; that of the SMTP host is how a server is taken away.
fn text_of(field: &Field, text: &str) -> Value {
    if text.is_empty() && field.name != "smtp_host" { Value::Null } else { Value::from(text) }
}

/// The words that Go reads as a truth.
fn truth(text: &str) -> Option<bool> {
    match text.trim() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn demanded(field: &Field, demand: &str, value: &Value) -> String {
    if field.secret { demand.to_owned() } else { format!("{demand}, got {}", shown(value)) }
}

fn duration(field: &Field, value: &Value) -> Result<Option<TimeDelta>, String> {
    let text = value.as_str().ok_or_else(|| demanded(field, "must be a duration such as \"30s\"", value))?;
    if text.is_empty() {
        return Ok(None);
    }
    match go_duration::parse(text.trim()) {
        Ok(duration) if duration >= TimeDelta::zero() => Ok(Some(duration)),
        Ok(_) => Err(demanded(field, "must not be negative", value)),
        Err(why) => Err(format!("must be a duration such as 30s or 1h30m ({why})")),
    }
}

/// Whole seconds, begun ones counted: a pause that was asked for does not become none.
fn whole_seconds(duration: TimeDelta) -> i64 {
    duration.num_seconds() + i64::from(duration.subsec_nanos() > 0)
}

fn seconds(field: &'static Field, value: &Value) -> Result<Read, String> {
    Ok(match duration(field, value)? {
        None => Read::one(field, Value::Null),
        Some(duration) => {
            let seconds = whole_seconds(duration);
            let note = (duration.subsec_nanos() > 0).then(|| format!("taken as {seconds} s"));
            Read { approximated: note, ..Read::one(field, Value::from(seconds)) }
        }
    })
}

fn hours(field: &'static Field, value: &Value) -> Result<Read, String> {
    Ok(match duration(field, value)? {
        None => Read::one(field, Value::Null),
        Some(duration) => {
            let seconds = whole_seconds(duration);
            let hours =
                if seconds % 3600 == 0 { Value::from(seconds / 3600) } else { Value::from(seconds as f64 / 3600.0) };
            Read::one(field, hours)
        }
    })
}

fn per_hour(field: &'static Field, value: &Value) -> Result<Read, String> {
    let Some((count, span)) = value.as_str().and_then(|text| text.split_once('/')) else {
        return plain(field, value).map(|value| Read::one(field, value));
    };
    let refused = || demanded(field, "must be a number, or a number and a duration such as 100/24h", value);
    let count: f64 = count.trim().parse().map_err(|_| refused())?;
    let span = go_duration::parse(span.trim()).map_err(|_| refused())?;
    let seconds = whole_seconds(span);
    if seconds <= 0 || !count.is_finite() || count < 0.0 {
        return Err(refused());
    }
    let hourly = (count * 3600.0 / seconds as f64).floor().max(1.0) as i64;
    let note = format!("taken as {hourly} an hour: here a limit has no other span");
    Ok(Read { approximated: Some(note), ..Read::one(field, Value::from(hourly)) })
}

fn test_otps(field: &'static Field, value: &Value) -> Result<Read, String> {
    let mut pairs: Vec<String> = match value {
        Value::String(text) => list(text).map(|pair| pair.replacen(':', "=", 1)).collect(),
        Value::Object(codes) => {
            let pair = |(phone, code): (&String, &Value)| match code {
                Value::String(code) => Ok(format!("{}={code}", phone.trim_start_matches('+'))),
                Value::Number(code) => Ok(format!("{}={code}", phone.trim_start_matches('+'))),
                _ => Err("must have a code for each phone number".to_owned()),
            };
            codes.iter().map(pair).collect::<Result<_, _>>()?
        }
        _ => return Err("must be phone numbers with codes".to_owned()),
    };
    pairs.sort();
    Ok(Read::one(field, if pairs.is_empty() { Value::Null } else { Value::from(pairs.join(",")) }))
}

fn client_ids(first: &'static Field, value: &Value) -> Result<Read, String> {
    let text = value.as_str().ok_or_else(|| demanded(first, "must be a text", value))?;
    let rest = first.name.strip_suffix("_client_id").map(|base| format!("{base}_additional_client_ids"));
    let Some(rest) = rest.as_deref().and_then(field) else {
        return Ok(Read::one(first, text_of(first, text)));
    };
    let mut ids = list(text);
    let browser = ids.next().unwrap_or_default();
    let others: Vec<&str> = ids.collect();
    let values = vec![(first.name, text_of(first, browser)), (rest.name, text_of(rest, &others.join(",")))];
    Ok(Read { values, approximated: None })
}

fn comma_list(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let parts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
            parts.map(|parts| parts.join(",")).ok_or_else(|| "must be a list of texts".to_owned())
        }
        _ => Err("must be a list of texts".to_owned()),
    }
}

/// The names stand for the choices of the field from the weakest to the strongest.
fn requirements(field: &'static Field, value: &Value) -> Result<Read, String> {
    const NAMES: [&str; 4] = ["", "letters_digits", "lower_upper_letters_digits", "lower_upper_letters_digits_symbols"];
    let place = NAMES.iter().position(|name| value.as_str() == Some(name));
    let chosen = match field.kind {
        Kind::Choice(choices) => place.and_then(|place| choices.get(place)),
        _ => None,
    };
    match chosen {
        Some(chosen) => Ok(Read::one(field, Value::from(*chosen))),
        None => Err(demanded(field, &format!("must be one of {NAMES:?}"), value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(form: Form, name: &str, value: Value) -> Result<Value, String> {
        let read = form.read(field(name).unwrap(), &value)?;
        Ok(read
            .values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<serde_json::Map<_, _>>()
            .into())
    }

    #[test]
    fn texts_become_what_the_field_holds() {
        for (name, given, expected) in [
            ("disable_signup", json!("1"), json!(true)),
            ("disable_signup", json!("False"), json!(false)),
            ("disable_signup", json!(""), Value::Null),
            ("jwt_exp", json!("3600"), json!(3600)),
            ("jwt_exp", json!(60), json!(60)),
            ("smtp_port", json!(587), json!("587")),
            ("smtp_user", json!(""), Value::Null),
            ("smtp_host", json!(""), json!("")),
            ("security_captcha_provider", json!("turnstile"), json!("turnstile")),
        ] {
            assert_eq!(read(Form::Plain, name, given.clone()), Ok(json!({ name: expected })), "{name} {given}");
        }
        for (name, given) in [
            ("disable_signup", json!("yes")),
            ("disable_signup", json!(1)),
            ("jwt_exp", json!("1h")),
            ("jwt_exp", json!(true)),
            ("smtp_host", json!(["a"])),
            ("passkey_enabled", json!("")),
        ] {
            assert!(read(Form::Plain, name, given.clone()).is_err(), "{name} {given}");
        }
    }

    #[test]
    fn a_secret_is_in_no_complaint() {
        let told = read(Form::Plain, "smtp_pass", json!(["hunter2"])).unwrap_err();
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn durations_are_seconds_or_hours() {
        for (given, expected) in
            [("5s", json!(5)), ("1m", json!(60)), ("500ms", json!(1)), ("0", json!(0)), ("", Value::Null)]
        {
            assert_eq!(
                read(Form::Seconds, "sms_max_frequency", json!(given)),
                Ok(json!({"sms_max_frequency": expected}))
            );
        }
        for (given, expected) in [("24h", json!(24)), ("90m", json!(1.5)), ("0s", json!(0))] {
            assert_eq!(read(Form::Hours, "sessions_timebox", json!(given)), Ok(json!({"sessions_timebox": expected})));
        }
        for given in [json!("60"), json!("-5s"), json!(60), json!("1d")] {
            assert!(read(Form::Seconds, "sms_max_frequency", given.clone()).is_err(), "{given}");
        }
    }

    #[test]
    fn limits_of_other_spans_are_an_hourly_limit_and_said_to_be() {
        for (given, expected, told) in
            [("30", 30, false), ("100/24h", 4, true), ("1/24h", 1, true), ("10/1m", 600, true)]
        {
            let read = Form::PerHour.read(field("rate_limit_email_sent").unwrap(), &json!(given)).unwrap();
            assert_eq!(read.values, [("rate_limit_email_sent", json!(expected))], "{given}");
            assert_eq!(read.approximated.is_some(), told, "{given}");
        }
        for given in ["x/1h", "5/0s", "5/x", "-1/1h"] {
            assert!(read(Form::PerHour, "rate_limit_email_sent", json!(given)).is_err(), "{given}");
        }
    }

    #[test]
    fn test_codes_are_pairs_with_an_equals_sign() {
        for given in
            [json!("15550000001:123456,15550000002:654321"), json!({"15550000001": "123456", "+15550000002": 654321})]
        {
            let expected = json!({"sms_test_otp": "15550000001=123456,15550000002=654321"});
            assert_eq!(read(Form::TestOtps, "sms_test_otp", given), Ok(expected));
        }
        assert!(read(Form::TestOtps, "sms_test_otp", json!({"1": true})).is_err());
    }

    #[test]
    fn further_client_ids_have_a_field_of_their_own_where_there_is_one() {
        assert_eq!(
            read(Form::ClientIds, "external_google_client_id", json!("web, ios,android")),
            Ok(json!({"external_google_client_id": "web", "external_google_additional_client_ids": "ios,android"})),
        );
        assert_eq!(
            read(Form::ClientIds, "external_google_client_id", json!("web")),
            Ok(json!({"external_google_client_id": "web", "external_google_additional_client_ids": null})),
            "what was there before goes"
        );
        assert_eq!(
            read(Form::ClientIds, "external_github_client_id", json!("a,b")),
            Ok(json!({"external_github_client_id": "a,b"})),
        );
    }

    #[test]
    fn lists_and_names_of_requirements() {
        assert_eq!(
            read(Form::List, "uri_allow_list", json!(["https://a.co", "https://b.co/**"])),
            Ok(json!({"uri_allow_list": "https://a.co,https://b.co/**"})),
        );
        assert!(read(Form::List, "uri_allow_list", json!([1])).is_err());
        for (name, length) in [
            ("", 0),
            ("letters_digits", 63),
            ("lower_upper_letters_digits", 64),
            ("lower_upper_letters_digits_symbols", 98),
        ] {
            let read = read(Form::Requirements, "password_required_characters", json!(name)).unwrap();
            assert_eq!(read["password_required_characters"].as_str().unwrap().len(), length, "{name}");
        }
        assert!(read(Form::Requirements, "password_required_characters", json!("strong")).is_err());
        assert_eq!(
            read(Form::OwnDomains, "external_linking_domains", json!("keycloak,apple")),
            Ok(json!({"external_linking_domains": "keycloak=keycloak,apple=apple"})),
        );
    }
}
