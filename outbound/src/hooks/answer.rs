//! What the answer of a hook means (`contract/platform.md` §4.4). It is the same for hooks over HTTP and for functions in
//! a project's database.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::HookError;

/// Reads an answer as `T`. No answer (`null`) reads as an empty object; keys that `T` does not know are ignored. `T` names
/// its keys in lower case, and finds them in the answer in any, as hooks of the reference may write them.
///
/// # Errors
/// [`HookError::Rejected`] where the hook refuses: an `error` with a message, whatever its code. A code that is no error
/// status becomes 500. [`HookError::Output`] where the answer has another shape.
pub fn read<T: DeserializeOwned>(answer: &Value) -> Result<T, HookError> {
    let fields = match answer {
        Value::Object(fields) => lower_case(fields),
        Value::Null => Map::new(),
        _ => return Err(HookError::Output),
    };
    refusal(&fields)?;
    T::deserialize(Value::Object(fields)).map_err(|_| HookError::Output)
}

/// `fields` by their names in lower case; of two that differ in case only, the one in lower case counts unless it is null.
fn lower_case(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut lower = Map::new();
    for (name, value) in fields {
        let (key, exact) = (name.to_ascii_lowercase(), name.bytes().all(|byte| !byte.is_ascii_uppercase()));
        match lower.get(&key) {
            Some(known) if !known.is_null() && (!exact || value.is_null()) => {}
            _ => {
                lower.insert(key, value.clone());
            }
        }
    }
    lower
}

fn refusal(fields: &Map<String, Value>) -> Result<(), HookError> {
    let error = match fields.get("error") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(error)) => lower_case(error),
        Some(_) => return Err(HookError::Output),
    };
    let code = match error.get("http_code") {
        None | Some(Value::Null) => 0,
        Some(code) => code.as_i64().ok_or(HookError::Output)?,
    };
    let message = match error.get("message") {
        None | Some(Value::Null) => return Ok(()),
        Some(message) => message.as_str().ok_or(HookError::Output)?,
    };
    if message.is_empty() {
        return Ok(());
    }
    let status = u16::try_from(code).ok().filter(|code| (400..600).contains(code)).unwrap_or(500);
    Err(HookError::Rejected { status, message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Decision {
        decision: String,
    }

    fn rejected(status: u16) -> Result<Decision, HookError> {
        Err(HookError::Rejected { status, message: "no".to_owned() })
    }

    #[test]
    fn an_error_with_a_message_refuses() {
        for (code, status) in [(403, 403), (451, 451), (500, 500), (0, 500), (200, 500), (99_999, 500), (-1, 500)] {
            let answer = json!({"error": {"http_code": code, "message": "no"}, "decision": "continue"});
            assert_eq!(read::<Decision>(&answer), rejected(status), "{code}");
        }
        assert_eq!(read::<Decision>(&json!({"error": {"message": "no"}})), rejected(500));
    }

    #[test]
    fn an_error_without_message_is_none() {
        for error in [json!(null), json!({}), json!({"http_code": 403}), json!({"http_code": 403, "message": ""})] {
            assert_eq!(read::<Decision>(&json!({"error": error, "decision": "x"})).unwrap().decision, "x");
        }
    }

    #[test]
    fn nothing_is_an_empty_answer() {
        assert_eq!(read::<Decision>(&Value::Null), Ok(Decision::default()));
        assert_eq!(read::<Decision>(&json!({"extra": [1]})), Ok(Decision::default()));
    }

    #[test]
    fn keys_may_be_written_in_any_case() {
        assert_eq!(read::<Decision>(&json!({"Error": {"HTTP_Code": 403, "Message": "no"}})), rejected(403));
        for (answer, decision) in [
            (json!({"Decision": "x"}), "x"),
            (json!({"DECISION": "y", "decision": "x"}), "x"),
            (json!({"decision": "x", "\u{e9}": 1, "decisioN": "y"}), "x"),
            (json!({"Decision": "x", "Error": null, "error": {}}), "x"),
        ] {
            assert_eq!(read::<Decision>(&answer).unwrap().decision, decision, "{answer}");
        }
        // A null says nothing.
        let either = json!({"Error": {"message": "no"}, "error": null});
        assert_eq!(read::<Decision>(&either), rejected(500));
        assert_eq!(read::<Map<String, Value>>(&json!({"Claims": {"Sub": 1}})).unwrap()["claims"], json!({"Sub": 1}));
    }

    #[test]
    fn other_shapes_are_no_answer() {
        for answer in [
            json!([]),
            json!("x"),
            json!({"decision": 5}),
            json!({"error": "no"}),
            json!({"error": [403, "no"]}),
            json!({"error": {"http_code": "403", "message": "no"}}),
            json!({"error": {"http_code": 403.5, "message": "no"}}),
            json!({"error": {"message": 5}}),
        ] {
            assert_eq!(read::<Decision>(&answer), Err(HookError::Output), "{answer}");
        }
    }
}
