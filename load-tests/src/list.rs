//! What the scenarios say of themselves.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::scenario::{About, Scenario};

/// Everything, for programs.
pub(crate) fn json(all: &[&dyn Scenario]) -> Value {
    all.iter().map(|scenario| of_one(scenario.about())).collect()
}

fn of_one(about: &About) -> Value {
    let option = |setting: &crate::scenario::Setting| json!({"name": setting.name, "default": setting.default, "most": setting.most, "does": setting.does});
    json!({
        "name": about.name,
        "does": about.does,
        "models": about.models,
        "tables": about.tables,
        "needs_gateway": about.needs_gateway,
        "options": about.settings.iter().map(option).collect::<Vec<_>>(),
    })
}

/// Everything, for people.
pub(crate) fn long(all: &[&dyn Scenario]) -> String {
    all.iter().map(|scenario| paragraph(scenario.about())).collect::<Vec<_>>().join("\n")
}

fn paragraph(about: &About) -> String {
    let mut text = format!("{}\n  {}\n  Models: {}\n", about.name, about.does, about.models);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  Tables: {}", about.tables.join(", "));
    let needs =
        if about.needs_gateway { "a gateway (--gateway, --token)" } else { "a project and its service_role key" };
    let _ = writeln!(text, "  Needs: {needs}");
    for setting in about.settings {
        let (name, default, most) = (setting.name, setting.default, setting.most);
        let _ = writeln!(text, "  --option {name}={default}  (up to {most}) {}", setting.does);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn everything_a_scenario_says_is_listed() {
        let (text, list) = (long(scenario::ALL), json(scenario::ALL));
        for (about, row) in scenario::ALL.iter().map(|scenario| scenario.about()).zip(list.as_array().unwrap()) {
            assert_eq!(row["name"], about.name);
            assert_eq!(row["needs_gateway"], about.needs_gateway);
            assert_eq!(row["options"].as_array().unwrap().len(), about.settings.len());
            assert!(text.contains(about.models) && about.tables.iter().all(|table| text.contains(table)));
            assert!(about.settings.iter().all(|setting| text.contains(&format!("--option {}=", setting.name))));
        }
    }
}
