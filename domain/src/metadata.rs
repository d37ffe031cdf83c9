//! Merging metadata (`contract/core.md` §16.2).

use crate::user::Metadata;

/// Lays `changes` over `target`, one level deep: a `null` takes its key away, any other value replaces it whole.
pub fn merge(target: &mut Metadata, changes: &Metadata) {
    for (key, value) in changes {
        if value.is_null() {
            target.remove(key);
        } else {
            target.insert(key.clone(), value.clone());
        }
    }
}

/// The same on a copy.
pub fn merged(target: &Metadata, changes: &Metadata) -> Metadata {
    let mut result = target.clone();
    merge(&mut result, changes);
    result
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(value: Value) -> Metadata {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn merge_is_shallow_and_null_deletes() {
        let before = object(json!({"a": 1, "b": {"x": 1, "y": 2}, "c": 3}));
        let after = merged(&before, &object(json!({"b": {"x": 9}, "c": null, "d": [], "e": null})));
        assert_eq!(after, object(json!({"a": 1, "b": {"x": 9}, "d": []})));
    }
}
