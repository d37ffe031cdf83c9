//! Making a change: what it changes and does is said first.

use domain::secret::Secret;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{How, config_path, effects};
use crate::cli::connection::{Body, Management};
use crate::cli::failure::Failure;
use crate::cli::output::{self, field, one_line};
use crate::cli::{ask, redirects};

/// Says why a version is made.
const NOTE_HEADER: &str = "x-tenantry-note";

/// A change of one project's configuration.
pub(super) struct Change<'a> {
    pub(super) gateway: &'a Management,
    pub(super) reference: &'a str,
    pub(super) how: How,
    pub(super) json: bool,
    /// Whether the person at the terminal is asked first: where a whole file decides, not the words of the command.
    pub(super) asks: bool,
}

/// What `patch` would change.
pub(super) async fn ask_for(
    gateway: &Management,
    reference: &str,
    patch: &Map<String, Value>,
) -> Result<Value, Failure> {
    gateway.post(&format!("{}/diff", config_path(reference)), &Value::Object(patch.clone())).await
}

/// The changes of a difference.
pub(super) fn changes(found: &Value) -> &[Value] {
    found.get("changes").map(output::list).unwrap_or_default()
}

/// Prints a difference.
pub(super) fn show(found: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(found);
    }
    if changes(found).is_empty() {
        return output::print("no difference");
    }
    changes(found).iter().try_for_each(|change| output::print(&line(change)))
}

/// One change in one line.
fn line(change: &Value) -> String {
    let value = |side: &str| match change.get(side) {
        None | Some(Value::Null) => "(not set)".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(value) => one_line(value),
    };
    format!("  {}: {} -> {}", field(change, "field"), value("from"), value("to"))
}

/// How the names of the fields begin that choose the security profile and its mode.
const PROFILE: &str = "security_profile";

impl Change<'_> {
    /// Sets the fields of `patch`.
    pub(super) async fn make(&self, patch: Map<String, Value>) -> Result<(), Failure> {
        let found = ask_for(self.gateway, self.reference, &patch).await?;
        if !self.goes_on(&found)? {
            return Ok(());
        }
        let note = self.how.note.clone().map(Secret::new);
        let headers: Vec<_> = note.iter().map(|note| (NOTE_HEADER, note)).collect();
        let body = Value::Object(patch.clone());
        let path = config_path(self.reference);
        let changed = self.gateway.send(Method::PATCH, &path, Body::Json(&body), &headers).await?;
        self.tell(&changed.json(), &found)?;
        if patch.keys().any(|name| redirects::concerns(name)) {
            redirects::warn(self.gateway, self.reference, self.json).await?;
        }
        Ok(())
    }

    /// Puts an old version in force again.
    pub(super) async fn roll_back(&self, version: u64) -> Result<(), Failure> {
        let found = super::versions::diff_to(self.gateway, self.reference, version).await?;
        let is_in = |diff: &Value| changes(diff).iter().any(|change| field(change, "field").starts_with(PROFILE));
        let told_of_profile = !self.json && is_in(&found);
        if !self.goes_on(&found)? {
            if told_of_profile {
                output::print("the security profile would only change if that makes it stricter")?;
            }
            return Ok(());
        }
        let route = format!("{}/rollback", config_path(self.reference));
        let body = json!({ "version": version, "note": self.how.note });
        let done = self.gateway.post(&route, &body).await?;
        if told_of_profile && !is_in(&done) {
            output::print("the security profile stays as it is: going back never loosens it")?;
        }
        self.tell(&done, &found)
    }

    /// Says what will change and what that does, and asks where that is wanted. Whether there is anything left to do.
    fn goes_on(&self, found: &Value) -> Result<bool, Failure> {
        let nothing = changes(found).is_empty();
        if self.json {
            // A program gets one document: the difference of a trial, else the configuration that results.
            return if self.how.dry_run { output::json(found).map(|()| false) } else { Ok(true) };
        }
        if nothing {
            output::print(&format!("nothing changes: {} is set like this already", self.reference))?;
            return Ok(false);
        }
        show(found, false)?;
        effects::of(changes(found)).iter().try_for_each(|effect| output::print(&format!("  * {effect}")))?;
        if self.how.dry_run {
            return output::print("nothing was changed: --dry-run").map(|()| false);
        }
        if self.asks && !self.how.yes && ask::somebody_is_there() {
            ask::for_yes(&format!("Change {}?", self.reference), "nothing was changed")?;
        }
        Ok(true)
    }

    fn tell(&self, config: &Value, found: &Value) -> Result<(), Failure> {
        if self.json {
            return output::json(config);
        }
        let back = match field(found, "from") {
            from if from.is_empty() => "`tenantry config history` lists the versions".to_owned(),
            from => format!("`tenantry config rollback {} {from}` undoes it", self.reference),
        };
        output::print(&format!("live on every gateway; {back}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_line() {
        let told = |from: Value, to: Value| line(&json!({ "field": "f", "from": from, "to": to }));
        assert_eq!(told(json!(3600), json!(900)), "  f: 3600 -> 900");
        assert_eq!(told(Value::Null, json!("a\nb")), "  f: (not set) -> a ...");
        assert_eq!(told(json!(""), Value::Null), "  f: \"\" -> (not set)");
    }
}
