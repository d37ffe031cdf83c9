//! Headers an operator adds to every mail (`contract/platform.md` §5.1).

use std::collections::BTreeMap;

use super::Kind;

/// What a value says in place of the kind of the mail.
const MESSAGE_TYPE: &str = "$messageType";

/// The headers that `json`, an object of lists of values by name, adds to a mail of `kind`. In each value `$messageType`
/// becomes the kind's name; empty names and values are left out. Other JSON adds nothing, and the log says so.
pub fn headers(json: &str, kind: Kind) -> Vec<(String, String)> {
    if json.trim().is_empty() {
        return Vec::new();
    }
    let named: BTreeMap<String, Vec<String>> = match serde_json::from_str(json) {
        Ok(named) => named,
        // The parser's own words would quote the text, which may hold a password.
        Err(error) => {
            tracing::warn!(
                line = error.line(),
                column = error.column(),
                "extra mail headers are not as they should be"
            );
            return Vec::new();
        }
    };
    let name = match kind {
        Kind::Reauthentication => "reauthenticate",
        kind => kind.as_str(),
    };
    let each =
        named.into_iter().flat_map(|(header, values)| values.into_iter().map(move |value| (header.clone(), value)));
    each.filter(|(header, value)| !header.is_empty() && !value.is_empty())
        .map(|(header, value)| (header, value.replace(MESSAGE_TYPE, name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(json: &str, kind: Kind) -> Vec<(String, String)> {
        headers(json, kind)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn values_name_the_kind_of_the_mail() {
        let json =
            r#"{"X-Type": ["$messageType", "a $messageType b"], "X-Team": ["auth"], "": ["x"], "X-No": ["", "y"]}"#;
        let expected =
            [pair("X-No", "y"), pair("X-Team", "auth"), pair("X-Type", "magic_link"), pair("X-Type", "a magic_link b")];
        assert_eq!(pairs(json, Kind::MagicLink), expected);
    }

    #[test]
    fn a_reauthentication_has_a_name_of_its_own() {
        let json = r#"{"X-Type": ["$messageType"]}"#;
        for (kind, name) in [
            (Kind::Reauthentication, "reauthenticate"),
            (Kind::Confirmation, "confirmation"),
            (Kind::EmailChangedNotification, "email_changed_notification"),
        ] {
            assert_eq!(pairs(json, kind), [pair("X-Type", name)]);
        }
    }

    #[test]
    fn anything_else_adds_nothing() {
        for json in ["", " ", "{", "[]", "null", r#"{"X-Type": "text"}"#, r#"{"X-Type": [1]}"#] {
            assert_eq!(pairs(json, Kind::Invite), [], "{json}");
        }
    }
}
