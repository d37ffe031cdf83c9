//! Settings that were written for another server, as a patch of `config/auth`: a GoTrue environment file, and the `[auth]` section of
//! Supabase's `config.toml`.
//!
//! What a source sets and a project has no field for is told, key by key: nothing is dropped in silence. Keys and JWT secrets
//! are never part of a patch.

mod env_file;
mod gotrue;
mod gotrue_names;
mod reading;
mod supabase;
mod supabase_keys;

use std::fmt;

use serde_json::{Map, Value};

pub use env_file::{EnvFile, Unreadable, parse as parse_env_file};
pub use gotrue::from_environment;
pub use supabase::{Remote, from_config_toml};

use crate::config::fields::field;
use reading::Form;

/// What was found in a source.
#[derive(Default)]
pub struct Imported {
    /// Fields to set. Values may be secrets.
    pub patch: Map<String, Value>,
    /// Fields whose text stands in a file of its own.
    pub files: Vec<TextFile>,
    /// What was not taken over, or not as it stands.
    pub notes: Vec<Note>,
    /// Values that cannot be read: nothing should be applied while there is one.
    pub problems: Vec<Note>,
}

/// A field whose text is in a file that the source names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// The key of the source.
    pub key: String,
    /// The field that takes the text.
    pub field: &'static str,
    /// As the source has it.
    pub path: String,
}

/// Why a key is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// No server that is known here has such a key.
    Unknown,
    /// The key is known and a project has nothing of the kind.
    Unsupported,
    /// The thing exists here and is set elsewhere.
    Elsewhere,
    /// It was taken over as something that is close to it.
    Approximated,
    /// It refers to a variable that is set nowhere.
    Unresolved,
    /// The source itself switches it off.
    Off,
    /// It is not set, and stands for something else there than here.
    Default,
    /// The value cannot be read.
    Unreadable,
}

impl Why {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unsupported => "unsupported",
            Self::Elsewhere => "elsewhere",
            Self::Approximated => "approximated",
            Self::Unresolved => "unresolved",
            Self::Off => "off",
            Self::Default => "default",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What a person should know of one key. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The key as the source has it.
    pub key: String,
    /// Why it is told of.
    pub why: Why,
    /// In words.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.text)
    }
}

impl Imported {
    fn note(&mut self, key: impl Into<String>, why: Why, text: impl Into<String>) {
        self.notes.push(Note { key: key.into(), why, text: text.into() });
    }

    fn problem(&mut self, key: &str, text: impl Into<String>) {
        self.problems.push(Note { key: key.to_owned(), why: Why::Unreadable, text: text.into() });
    }

    /// Sets `name` to what `value` is in `form`.
    fn take(&mut self, key: &str, name: &'static str, form: Form, value: &Value) {
        let Some(field) = field(name) else {
            return self.note(key, Why::Unsupported, "there is no such field");
        };
        match form.read(field, value) {
            Ok(read) => {
                if let Some(note) = read.approximated {
                    self.note(key, Why::Approximated, note);
                }
                for (name, value) in read.values {
                    self.patch.insert(name.to_owned(), value);
                }
            }
            Err(text) => self.problem(key, text),
        }
    }
}
