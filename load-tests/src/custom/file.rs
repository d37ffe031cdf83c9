//! The form of a file.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::person::Operation;
use crate::arrivals::Curve;
use crate::journeys::parse_think_time;
use crate::scenario::Plan;
use crate::thresholds::{self, Thresholds};

/// Seconds; as on the command line.
const LONGEST: f64 = 86_400.0;

/// A scenario as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: String,
    /// What happens.
    #[serde(default = "unsaid")]
    pub(super) does: String,
    /// What it stands for.
    #[serde(default = "unsaid")]
    pub(super) models: String,
    #[serde(default)]
    pub(super) load: Load,
    /// `p99<50ms`, as `--fail-on` takes them.
    #[serde(default, deserialize_with = "read_thresholds")]
    pub(super) thresholds: Vec<Thresholds>,
    /// Fields of the projects that are made for it.
    #[serde(default = "nothing")]
    pub(super) configuration: Value,
    pub(super) steps: Vec<Step>,
}

/// How hard and for how long.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Load {
    clients: Option<u32>,
    users: Option<u32>,
    projects: Option<u32>,
    rate: Option<f64>,
    curve: Option<Curve>,
    duration: Option<f64>,
    warm_up: Option<f64>,
    #[serde(default, deserialize_with = "read_think_time")]
    think_time: Option<RangeInclusive<Duration>>,
}

/// A share of the turns.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    #[serde(rename = "do")]
    pub(super) operation: Operation,
    #[serde(default = "once")]
    pub(super) weight: u32,
}

fn unsaid() -> String {
    "a scenario of its own file".to_owned()
}

fn nothing() -> Value {
    serde_json::json!({})
}

fn once() -> u32 {
    1
}

fn read_thresholds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Thresholds>, D::Error> {
    let lists = Vec::<String>::deserialize(from)?;
    lists.iter().map(|list| thresholds::parse(list).map_err(serde::de::Error::custom)).collect()
}

fn read_think_time<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<RangeInclusive<Duration>>, D::Error> {
    let text = String::deserialize(from)?;
    parse_think_time(&text).map(Some).map_err(serde::de::Error::custom)
}

impl File {
    /// Reads and checks a file; what is wrong is said with its line or its field.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| format!("\n{error}"))?;
        if file.name.trim().is_empty() || file.name.len() > 80 {
            return Err("name: needs 1 to 80 letters".to_owned());
        }
        if !file.configuration.is_object() {
            return Err("configuration: must be a table".to_owned());
        }
        if file.steps.is_empty() {
            return Err("steps: there is none".to_owned());
        }
        if let Some(index) = file.steps.iter().position(|step| !(1..=1_000).contains(&step.weight)) {
            return Err(format!("steps[{index}].weight: must lie between 1 and 1000"));
        }
        file.load.check()?;
        Ok(file)
    }
}

impl Load {
    fn check(&self) -> Result<(), String> {
        let counts =
            [("clients", self.clients, 10_000), ("users", self.users, 100_000), ("projects", self.projects, 100_000)];
        for (field, value, most) in counts {
            if value.is_some_and(|value| !(1..=most).contains(&value)) {
                return Err(format!("load.{field}: must lie between 1 and {most}"));
            }
        }
        for (field, value) in [("rate", self.rate), ("duration", self.duration)] {
            if value.is_some_and(|value| !(value > 0.0 && value <= LONGEST)) {
                return Err(format!("load.{field}: must be above 0 and at most {LONGEST}"));
            }
        }
        if self.warm_up.is_some_and(|value| !(0.0..=LONGEST).contains(&value)) {
            return Err(format!("load.warm-up: must lie between 0 and {LONGEST}"));
        }
        if self.curve.is_some() && self.rate.is_none() {
            return Err("load.curve: shapes load.rate, which is not there".to_owned());
        }
        if self.think_time.is_some() && self.rate.is_some() {
            return Err("load.think-time: is for closed loops, without load.rate".to_owned());
        }
        Ok(())
    }

    /// What it asks for.
    pub(super) fn plan(self, fail_on: Vec<Thresholds>) -> Plan {
        let Self { clients, users, projects, rate, curve, duration, warm_up, think_time } = self;
        Plan { clients, users, projects, rate, curve, duration, warm_up, think_time, fail_on }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: &str = "[[steps]]\ndo = \"user-read\"\n";

    fn refused(text: &str) -> String {
        File::read(text).err().unwrap()
    }

    #[test]
    fn a_name_and_a_step_are_enough() {
        let file = File::read(&format!("name = \"n\"\n{STEP}")).unwrap();
        assert_eq!((file.steps.len(), file.steps[0].weight), (1, 1));
    }

    #[test]
    fn people_of_a_file_may_think() {
        let file = File::read(&format!("name = \"n\"\n[load]\nthink-time = \"0.5..2\"\n{STEP}")).unwrap();
        let plan = file.load.plan(Vec::new());
        assert_eq!(plan.think_time, Some(Duration::from_millis(500)..=Duration::from_secs(2)));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_or_field() {
        for (text, names) in [
            ("name = \"n\"\n[[steps]]\ndo = \"dance\"\n".to_owned(), "line 3"),
            (format!("name = \"n\"\nmore = 1\n{STEP}"), "line 2"),
            (format!("name = \"n\"\nthresholds = [\"p99\"]\n{STEP}"), "line 2"),
            (format!("name = \"n\"\n[load]\ncurve = \"wave\"\n{STEP}"), "line 3"),
            (format!("name = \"n\"\n{STEP}weight = 0\n"), "steps[0].weight"),
            (format!("name = \"n\"\n[load]\nrate = 0.0\n{STEP}"), "load.rate"),
            (format!("name = \"n\"\n[load]\nclients = 10001\n{STEP}"), "load.clients"),
            (format!("name = \"n\"\n[load]\nwarm-up = -1.0\n{STEP}"), "load.warm-up"),
            (format!("name = \"n\"\n[load]\ncurve = \"day\"\n{STEP}"), "load.curve"),
            (format!("name = \"n\"\n[load]\nthink-time = \"2..1\"\n{STEP}"), "line 3"),
            (format!("name = \"n\"\n[load]\nthink-time = \"1..2\"\nrate = 1.0\n{STEP}"), "load.think-time"),
            (format!("name = \"n\"\nconfiguration = 1\n{STEP}"), "configuration"),
            ("name = \"n\"\nsteps = []\n".to_owned(), "steps: there is none"),
            (format!("name = \" \"\n{STEP}"), "name:"),
        ] {
            let reason = refused(&text);
            assert!(reason.contains(names), "{text}: {reason}");
        }
    }
}
