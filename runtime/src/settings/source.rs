//! Where settings come from, and what is said when one is wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The names of one setting.
pub(super) struct Setting {
    key: Option<&'static str>,
    flag: Option<&'static str>,
    environment: &'static [&'static str],
    secret: bool,
}

impl Setting {
    pub(super) const fn new(key: &'static str, flag: &'static str, environment: &'static [&'static str]) -> Self {
        Self { key: Some(key), flag: Some(flag), environment, secret: false }
    }

    pub(super) const fn without_flag(key: &'static str, environment: &'static [&'static str]) -> Self {
        Self { key: Some(key), flag: None, environment, secret: false }
    }

    pub(super) const fn environment_only(environment: &'static [&'static str]) -> Self {
        Self { key: None, flag: None, environment, secret: false }
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// `why` the value is refused, with the value unless it may hold a password.
    pub(super) fn describe(&self, text: &str, why: &str) -> String {
        if self.secret { format!("the value {why}") } else { format!("`{text}` {why}") }
    }
}

/// One thing that is wrong with the settings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    origin: String,
    text: String,
}

impl Problem {
    pub(super) fn new(origin: impl Into<String>, text: impl Into<String>) -> Self {
        Self { origin: origin.into(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.text)
    }
}

/// A value as it was found, and where.
pub(super) struct Found {
    pub(super) origin: String,
    pub(super) text: Result<String, String>,
}

/// Flags, environment and settings file of one run.
pub(crate) struct Source {
    flags: BTreeMap<&'static str, String>,
    environment: BTreeMap<String, String>,
    file: Option<(PathBuf, toml::Table)>,
}

impl Source {
    /// The flags and environment of one run, and the settings file that they or the working directory name.
    pub(crate) fn new(
        flags: BTreeMap<&'static str, String>,
        named_file: Option<&Path>,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, Problem> {
        let from_environment = environment.get("TENANTRY_SETTINGS").filter(|path| !path.is_empty()).map(PathBuf::from);
        let file = match named_file.map(Path::to_owned).or(from_environment) {
            Some(path) => Some(read(&path)?),
            None if Path::new("tenantry.toml").exists() => Some(read(Path::new("tenantry.toml"))?),
            None => None,
        };
        Ok(Self { flags, environment, file })
    }

    /// The value that wins, `None` where nobody gives one. An empty variable counts as not set.
    pub(super) fn find(&self, setting: &Setting) -> Option<Found> {
        if let Some((flag, text)) = setting.flag.and_then(|flag| Some((flag, self.flags.get(flag)?))) {
            return Some(Found { origin: flag.to_owned(), text: Ok(text.clone()) });
        }
        for name in setting.environment {
            if let Some(text) = self.environment.get(*name).filter(|text| !text.is_empty()) {
                return Some(Found { origin: (*name).to_owned(), text: Ok(text.clone()) });
            }
        }
        let (path, table) = self.file.as_ref()?;
        let key = setting.key?;
        let value = table.get(key)?;
        Some(Found { origin: format!("{}, {key}", path.display()), text: text_of(value) })
    }

    /// A problem for every key of the settings file that is none of `known`.
    pub(super) fn unknown_keys(&self, known: &[&Setting]) -> Vec<Problem> {
        let Some((path, table)) = &self.file else { return Vec::new() };
        let names: Vec<&str> = known.iter().filter_map(|setting| setting.key).collect();
        let unknown = table.keys().filter(|key| !names.contains(&key.as_str()));
        unknown
            .map(|key| {
                let known = names.join(", ");
                Problem::new(
                    format!("{}, {key}", path.display()),
                    format!("there is no such setting; there are {known}"),
                )
            })
            .collect()
    }
}

fn read(path: &Path) -> Result<(PathBuf, toml::Table), Problem> {
    let origin = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|error| Problem::new(&origin, format!("cannot be read: {error}")))?;
    let table = text.parse::<toml::Table>().map_err(|error| Problem::new(&origin, format!("is not TOML: {error}")))?;
    Ok((path.to_owned(), table))
}

fn text_of(value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        toml::Value::Array(items) => Ok(items.iter().map(text_of).collect::<Result<Vec<_>, _>>()?.join(",")),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
            Err(format!("wants text, a whole number, true or false, or a list of texts, not a {}", value.type_str()))
        }
    }
}
