//! Parts of a JSON document by type. What is absent or null is empty; what has another type is an error, never a guess.

use serde_json::{Number, Value};

use crate::providers::ProviderError;

/// The value at a JSON pointer (RFC 6901), unless it is null.
pub(crate) fn present<'a>(root: &'a Value, at: &str) -> Option<&'a Value> {
    root.pointer(at).filter(|value| !value.is_null())
}

/// A text.
pub(crate) fn text<'a>(root: &'a Value, at: &str) -> Result<&'a str, ProviderError> {
    present(root, at).map_or(Ok(""), |value| value.as_str().ok_or(ProviderError::Profile))
}

/// A flag.
pub(crate) fn flag(root: &Value, at: &str) -> Result<bool, ProviderError> {
    present(root, at).map_or(Ok(false), |value| value.as_bool().ok_or(ProviderError::Profile))
}

/// A whole number.
pub(crate) fn integer<'a>(root: &'a Value, at: &str) -> Result<Option<&'a Number>, ProviderError> {
    match present(root, at) {
        None => Ok(None),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(number)),
        Some(_) => Err(ProviderError::Profile),
    }
}

/// A flag that is documented to come as a text, too.
pub(crate) fn flag_or_text(root: &Value, at: &str) -> Result<Option<bool>, ProviderError> {
    match present(root, at) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| ProviderError::Profile),
        Some(_) => Err(ProviderError::Profile),
    }
}
