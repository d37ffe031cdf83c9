//! What holds for any input.

use domain::config::{Explicit, FIELDS, Policy, describe, effective, validate_patch};
use domain::metadata;
use domain::pkce::Challenge;
use domain::{email, phone, redirect};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{defaults, object, policy};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..1000_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop_oneof![Just("shield"), Just("*"), Just("derived"), Just("all"), Just("https://a.example"), Just("")]
            .prop_map(Value::from),
        Just(json!([1])),
        Just(json!({"a": 1})),
    ]
}

fn patch() -> impl Strategy<Value = Map<String, Value>> {
    let name = (0..FIELDS.len()).prop_map(|place| FIELDS[place].name.to_owned());
    prop::collection::vec((name, scalar()), 0..12).prop_map(|members| members.into_iter().collect())
}

fn member() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec(("[abc]", scalar()), 0..4).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn what_is_accepted_makes_a_policy_and_can_be_sent_back(patch in patch()) {
        if let Ok(explicit) = validate_patch(&Explicit::default(), &patch) {
            let _ = Policy::from_explicit(&explicit, &defaults());
            let values: Map<String, Value> =
                effective(&explicit, &defaults()).into_iter().filter(|(name, value)| {
                    // The process's default stands beside what the project says; alone it is no contradiction.
                    !value.is_null() && (explicit.get(name).is_some() || name != "mailer_autoconfirm")
                }).collect();
            prop_assert!(validate_patch(&explicit, &values).is_ok(), "{:?}", values);
        }
    }

    #[test]
    fn a_patch_is_idempotent(patch in patch()) {
        if let Ok(once) = validate_patch(&Explicit::default(), &patch) {
            prop_assert_eq!(validate_patch(&once, &patch), Ok(once.clone()));
        }
    }

    #[test]
    fn no_problem_shows_a_secret(secret in "[a-z]{12,20}", place in 0..36_usize) {
        let fields: Vec<&str> = FIELDS.iter().filter(|field| field.secret).map(|field| field.name).collect();
        let canary = format!("canary{secret}");
        let patch = object(json!({fields[place]: {"wrong": canary.clone()}, "jwt_exp": "x"}));
        let problems = validate_patch(&Explicit::default(), &patch).unwrap_err();
        let shown = format!("{}{:?}", describe(&problems), problems);
        prop_assert!(!shown.contains(&canary));
    }

    #[test]
    fn an_accepted_address_is_its_own_spelling(text in "[A-Za-z0-9.+_-]{1,12}@[A-Za-z0-9.-]{1,12}") {
        if let Ok(stored) = email::validate(&text) {
            prop_assert_eq!(email::validate(&stored), Ok(stored.clone()));
            prop_assert_eq!(email::normalise(&text), stored);
        }
    }

    #[test]
    fn only_ascii_letters_change_in_an_address(text in ".{0,30}") {
        let spelled = email::normalise(&text);
        prop_assert_eq!(text.chars().count(), spelled.chars().count());
        prop_assert!(text.chars().zip(spelled.chars()).all(|(a, b)| a == b || a.is_ascii_uppercase()));
    }

    #[test]
    fn an_accepted_number_is_its_own_spelling(text in "[+ 0-9]{0,18}") {
        if let Ok(stored) = phone::validate(&text) {
            prop_assert_eq!(phone::validate(&stored), Ok(stored));
        }
    }

    #[test]
    fn challenges_never_panic(challenge in ".{0,140}", method in ".{0,6}") {
        let _ = Challenge::parse(&challenge, &method);
    }

    #[test]
    fn a_merge_keeps_no_deleted_key_and_is_idempotent(before in member(), changes in member()) {
        let once = metadata::merged(&before, &changes);
        prop_assert!(changes.iter().all(|(key, value)| once.get(key) == Some(value).filter(|value| !value.is_null())));
        prop_assert_eq!(metadata::merged(&once, &changes), once);
    }

    /// Whatever a wildcard of the host stands for, the browser goes to a host of that domain.
    #[test]
    fn an_allowed_target_leads_to_an_allowed_host(
        scheme in "https?|HTTPS|javascript|com\\.app",
        authority in "[a-z0-9.-]{0,8}[.:@?#/\\\\%x-]{0,2}[a-z0-9.-]{0,8}",
        rest in "[a-z/?#@.:\\\\-]{0,16}",
        dressed in any::<bool>(),
    ) {
        let policy = policy(json!({
            "site_url": "https://site.example.com",
            "uri_allow_list": "https://*.one.example.com/**,https://**.many.example.com/**,https://*-preview.example.com/**"
        }));
        let suffix = if dressed { ".one.example.com/" } else { "-preview.example.com/" };
        for candidate in [format!("{scheme}://{authority}{rest}"), format!("{scheme}://{authority}{suffix}{rest}")] {
            let Some(target) = redirect::allowed(&candidate, &policy) else { continue };
            let url = url::Url::parse(&target).unwrap();
            let host = url.host_str().unwrap_or_default();
            let loopback = matches!(host, "127.0.0.1" | "[::1]") || host.starts_with("127.");
            prop_assert!(
                loopback || host == "site.example.com" || host.ends_with(".one.example.com")
                    || host.ends_with(".many.example.com") || host.ends_with("-preview.example.com"),
                "{} leads to {}", candidate, host
            );
        }
    }
}
