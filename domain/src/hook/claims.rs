//! What the custom-access-token hook may answer (`contract/core.md` §8.2, `contract/platform.md` §4.5).

use serde_json::{Map, Value};

use crate::refusal::HookRefusal;

/// A kind of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Array,
    Integer,
    Object,
    Text,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Integer => "integer",
            Self::Object => "object",
            Self::Text => "string",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Array => value.is_array(),
            Self::Integer => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            Self::Object => value.is_object(),
            Self::Text => value.is_string(),
        }
    }
}

/// A claim: its name, whether it must be there, and the types it may have; none listed means any.
struct Rule(&'static str, bool, &'static [Type]);

const RULES: [Rule; 16] = [
    Rule("aud", true, &[Type::Text, Type::Array]),
    Rule("exp", true, &[Type::Integer]),
    Rule("iat", true, &[Type::Integer]),
    Rule("sub", true, &[Type::Text]),
    Rule("email", true, &[Type::Text]),
    Rule("phone", true, &[Type::Text]),
    Rule("role", true, &[Type::Text]),
    Rule("aal", true, &[Type::Text]),
    Rule("session_id", true, &[Type::Text]),
    Rule("is_anonymous", true, &[]),
    Rule("jti", false, &[Type::Text]),
    Rule("nbf", false, &[Type::Integer]),
    Rule("iss", false, &[Type::Text]),
    Rule("client_id", false, &[Type::Text]),
    Rule("app_metadata", false, &[Type::Object]),
    Rule("user_metadata", false, &[Type::Object]),
];

/// The claims of an answer, which become the token's. A number without fraction is signed as an integer, however it was
/// written (`1.0`, `1e3`).
///
/// # Errors
/// One line for each claim that is missing or of another type.
pub fn check(claims: Value) -> Result<Map<String, Value>, HookRefusal> {
    let mut problems = Vec::new();
    match &claims {
        Value::Object(claims) => {
            problems.extend(RULES.iter().filter_map(|rule| missing(rule, claims)));
            problems.extend(RULES.iter().filter_map(|Rule(name, _, types)| mistyped(name, claims.get(*name)?, types)));
            problems.extend(methods(claims.get("amr")));
        }
        other => problems.extend(mistyped("(root)", other, &[Type::Object])),
    }
    match claims {
        Value::Object(mut claims) if problems.is_empty() => {
            claims.values_mut().for_each(round);
            Ok(claims)
        }
        _ => Err(HookRefusal::ClaimsInvalid(problems)),
    }
}

fn missing(Rule(name, required, _): &Rule, claims: &Map<String, Value>) -> Option<String> {
    (*required && !claims.contains_key(*name)).then(|| format!("(root): {name} is required"))
}

/// Writes numbers without fraction as integers, at every depth.
fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            // What needs more than 64 bits stays as it is. An `f64` without fraction prints as the integer it is.
            let whole = number.as_f64().filter(|number| number.fract() == 0.0).map(|number| format!("{number:.0}"));
            if let Some(integer) = whole.and_then(|whole| whole.parse::<serde_json::Number>().ok())
                && !integer.is_f64()
            {
                *number = integer;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(fields) => fields.values_mut().for_each(round),
        _ => {}
    }
}

/// The problems of `amr`: an array of texts or objects, where it is there.
fn methods(amr: Option<&Value>) -> Vec<String> {
    match amr {
        None => Vec::new(),
        Some(Value::Array(entries)) => {
            let entry = |(at, entry)| mistyped(&format!("amr.{at}"), entry, &[Type::Text, Type::Object]);
            entries.iter().enumerate().filter_map(entry).collect()
        }
        Some(other) => mistyped("amr", other, &[Type::Array]).into_iter().collect(),
    }
}

fn mistyped(name: &str, value: &Value, types: &[Type]) -> Option<String> {
    if types.is_empty() || types.iter().any(|kind| kind.fits(value)) {
        return None;
    }
    let names = types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",");
    let expected = if types.len() > 1 { format!("[{names}]") } else { names };
    let given = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if Type::Integer.fits(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Some(format!("{name}: Invalid type. Expected: {expected}, given: {given}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access_token::Claims;
    use crate::fixtures::{session, user};

    fn claims() -> Map<String, Value> {
        let claims = json!(Claims::new(&user(), &session(), "https://p.example/auth/v1", 1, 2));
        claims.as_object().unwrap().clone()
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims.insert(name.to_owned(), value);
        Value::Object(claims)
    }

    fn problems(claims: Value) -> Vec<String> {
        match check(claims) {
            Err(HookRefusal::ClaimsInvalid(problems)) => problems,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn our_own_claims_and_any_others_beside_them_pass() {
        assert_eq!(check(Value::Object(claims())), Ok(claims()));
        let nested = with("nested", json!({"list": [1, "two", null]}));
        assert_eq!(check(nested.clone()).map(Value::Object), Ok(nested));
    }

    #[test]
    fn required_claims_cannot_be_dropped_others_can() {
        for Rule(name, required, _) in &RULES {
            let mut less = claims();
            less.remove(*name);
            let checked = check(Value::Object(less));
            let expected = HookRefusal::ClaimsInvalid(vec![format!("(root): {name} is required")]);
            assert_eq!(checked.err(), required.then_some(expected), "{name}");
        }
        let mut bare = claims();
        bare.retain(|name, _| RULES.iter().any(|Rule(known, required, _)| *required && known == name));
        assert!(check(Value::Object(bare)).is_ok());
    }

    #[test]
    fn types_are_those_of_the_contract() {
        for (name, good) in [
            ("aud", json!(["a", "b"])),
            ("exp", json!(4_000_000_000_u64)),
            ("iat", json!(1.0)),
            ("is_anonymous", json!("x")),
            ("amr", json!(["password", {"method": "totp"}])),
            ("amr", json!([])),
            ("nbf", json!(0)),
            ("jti", json!("x")),
        ] {
            assert!(check(with(name, good.clone())).is_ok(), "{name} {good}");
        }
        for (name, bad, line) in [
            ("aud", json!(5), "aud: Invalid type. Expected: [string,array], given: integer"),
            ("exp", json!("1"), "exp: Invalid type. Expected: integer, given: string"),
            ("iat", json!(1.5), "iat: Invalid type. Expected: integer, given: number"),
            ("sub", json!(null), "sub: Invalid type. Expected: string, given: null"),
            ("role", json!(true), "role: Invalid type. Expected: string, given: boolean"),
            ("nbf", json!([]), "nbf: Invalid type. Expected: integer, given: array"),
            ("user_metadata", json!("x"), "user_metadata: Invalid type. Expected: object, given: string"),
            ("amr", json!({}), "amr: Invalid type. Expected: array, given: object"),
            ("amr", json!(["a", 5]), "amr.1: Invalid type. Expected: [string,object], given: integer"),
        ] {
            assert_eq!(problems(with(name, bad)), [line]);
        }
    }

    #[test]
    fn whole_numbers_become_integers() {
        let answer = r#"{"exp": 4e9, "n": 1.0, "deep": [{"n": 1e3}, -2.0, 0.5, 1e300, 18446744073709551615.0, 7]}"#;
        let answer: Map<String, Value> = serde_json::from_str(answer).unwrap();
        let mut all = claims();
        all.extend(answer);
        let checked = check(Value::Object(all)).unwrap();
        assert_eq!((checked["exp"].to_string(), checked["n"].to_string()), ("4000000000".to_owned(), "1".to_owned()));
        assert_eq!(checked["deep"].to_string(), r#"[{"n":1000},-2,0.5,1e+300,1.8446744073709552e+19,7]"#);
    }

    #[test]
    fn all_problems_are_told_at_once_what_is_missing_first() {
        let names = ["aud", "exp", "iat", "sub", "email", "phone", "role", "aal", "session_id", "is_anonymous"];
        assert_eq!(problems(json!({})), names.map(|name| format!("(root): {name} is required")));
        let mut mixed = claims();
        mixed.insert("aud".to_owned(), json!(1));
        mixed.remove("role");
        let mistyped = "aud: Invalid type. Expected: [string,array], given: integer";
        assert_eq!(problems(Value::Object(mixed)), ["(root): role is required", mistyped]);
        assert_eq!(problems(Value::Null), ["(root): Invalid type. Expected: object, given: null"]);
        let text = HookRefusal::ClaimsInvalid(problems(Value::Null)).wire().message;
        assert_eq!(
            text,
            "output claims do not conform to the expected schema: \n- (root): Invalid type. Expected: object, given: null\n"
        );
    }
}
