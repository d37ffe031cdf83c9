//! CBOR (RFC 8949), as much of it as authenticators speak.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ciborium::value::Value;
use serde_json::Value as Json;

/// How deep items may lie in each other. Attestation statements need four.
const DEPTH: usize = 16;

/// Reads the item at the start of `input`, which moves on to what follows.
pub(super) fn take(input: &mut &[u8]) -> Option<Value> {
    ciborium::de::from_reader_with_recursion_limit(input, DEPTH).ok()
}

/// Reads an item that is all of `input`.
pub(super) fn parse(mut input: &[u8]) -> Option<Value> {
    let item = take(&mut input)?;
    input.is_empty().then_some(item)
}

/// The value under a text key, unless the key stands there twice.
pub(super) fn get<'a>(map: &'a Value, key: &str) -> Option<&'a Value> {
    let mut found = map.as_map()?.iter().filter(|(candidate, _)| candidate.as_text() == Some(key));
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// The item as JSON, with byte strings as base64.
pub(super) fn to_json(item: &Value) -> Json {
    match item {
        Value::Integer(number) => serde_json::Number::from_i128((*number).into()).map_or(Json::Null, Json::Number),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        Value::Float(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Tag(_, inner) => to_json(inner),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => Json::Object(entries.iter().map(|(key, value)| (name(key), to_json(value))).collect()),
        _ => Json::Null,
    }
}

fn name(key: &Value) -> String {
    match to_json(key) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
