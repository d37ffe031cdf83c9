//! Files that say how a project is to be configured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use domain::config::import::{self, Imported, Remote};
use domain::time::Clock;
use serde_json::{Map, Value, json};

use crate::cli::failure::Failure;
use crate::cli::project::read as read_text;
use crate::clock::SystemClock;

/// Which file, and what it is.
#[derive(Args)]
pub(in crate::cli) struct Wanted {
    /// The file
    file: PathBuf,
    /// What the file is [default: what it looks like]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The block of [remotes] in config.toml to lay over it [default: the one whose project_id is the ref]
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    /// Where variables that config.toml names are looked up beside the environment [default: .env beside it]
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

impl Wanted {
    /// The file as it looks.
    pub(super) fn of(file: PathBuf) -> Self {
        Self { file, format: None, remote: None, env_file: None }
    }
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An object with the fields of the Management API
    Json,
    /// The same as TOML
    Toml,
    /// Supabase's config.toml, of which the [auth] section counts
    Supabase,
    /// The environment of a GoTrue server
    Env,
}

/// What a file says.
pub(in crate::cli) struct Source {
    /// Whether the names are ours, and a wrong one a mistake.
    ours: bool,
    patch: Map<String, Value>,
    notes: Vec<import::Note>,
}

impl Source {
    /// Says on stderr what of the file is not taken over.
    pub(in crate::cli) fn tell(&self, json: bool) {
        if self.notes.is_empty() {
            return;
        }
        if json {
            let notes =
                self.notes.iter().map(|note| json!({ "key": note.key, "why": note.why.as_str(), "text": note.text }));
            let notes: Vec<Value> = notes.collect();
            eprintln!(
                "{}",
                json!({ "warning": { "what": "not everything is taken over as it stands", "keys": notes } })
            );
            return;
        }
        eprintln!("not everything is taken over as it stands:");
        self.notes.iter().for_each(|note| eprintln!("  {note}"));
    }

    /// The fields to set on a project that has those of `current`.
    pub(super) fn patch(self, current: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
        let mut patch = self.patch;
        if self.ours {
            patch.keys().try_for_each(|name| super::known(name, current))?;
        } else if patch.get("sms_test_otp") == current.get("sms_test_otp")
            && is_set(current, "sms_test_otp_valid_until")
        {
            // The file has no end for codes: those that are there already keep theirs.
            patch.remove("sms_test_otp_valid_until");
        }
        Ok(patch)
    }
}

fn is_set(config: &Map<String, Value>, name: &str) -> bool {
    config.get(name).is_some_and(|value| !value.is_null())
}

/// The configuration for a project that is to be made. A name that is no field is refused as anywhere.
pub(in crate::cli) fn for_new(file: &Path, reference: Option<&str>) -> Result<Map<String, Value>, Failure> {
    let source = read(&Wanted::of(file.to_owned()), reference)?;
    source.tell(false);
    Ok(source.patch)
}

/// Reads a file for the project with this ref.
pub(in crate::cli) fn read(wanted: &Wanted, reference: Option<&str>) -> Result<Source, Failure> {
    let text = read_text(&wanted.file)?;
    let format = wanted.format.unwrap_or_else(|| looks_like(&wanted.file, &text));
    let broken = |why: String| Failure::usage(format!("{} cannot be used", wanted.file.display()), why);
    match format {
        Format::Json => {
            let patch =
                serde_json::from_str(&text).map_err(|error| broken(format!("it is no JSON object: {error}")))?;
            Ok(Source { ours: true, patch, notes: Vec::new() })
        }
        Format::Toml => {
            let patch = toml::from_str(&text).map_err(|error| broken(error.to_string()))?;
            Ok(Source { ours: true, patch, notes: Vec::new() })
        }
        Format::Supabase => {
            let document: Map<String, Value> = toml::from_str(&text).map_err(|error| broken(error.to_string()))?;
            let variables = variables_beside(wanted)?;
            let look_up = |name: &str| environment(name).or_else(|| variables.get(name).cloned());
            let remote = match (&wanted.remote, reference) {
                (Some(name), _) => Remote::Named(name),
                (None, reference) => Remote::Of(reference.unwrap_or_default()),
            };
            let imported = import::from_config_toml(&document, remote, &look_up, SystemClock.now());
            finished(wanted, imported)
        }
        Format::Env => {
            let file = import::parse_env_file(&text, &environment).map_err(|error| broken(error.to_string()))?;
            let mut imported = import::from_environment(&file.values);
            imported.notes.extend(file.unresolved.into_iter().map(|(key, name)| import::Note {
                key,
                why: import::Why::Unresolved,
                text: format!("it refers to {name}, which is set neither in the file nor in the environment"),
            }));
            finished(wanted, imported)
        }
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The variables of the file that is named, else of the one beside it.
fn variables_beside(wanted: &Wanted) -> Result<BTreeMap<String, String>, Failure> {
    let beside = wanted.file.with_file_name(".env");
    let file = match &wanted.env_file {
        Some(file) => file,
        None if beside.exists() => &beside,
        None => return Ok(BTreeMap::new()),
    };
    let parsed = import::parse_env_file(&read_text(file)?, &environment);
    let parsed =
        parsed.map_err(|error| Failure::usage(format!("{} cannot be used", file.display()), error.to_string()));
    Ok(parsed?.values)
}

/// Reads the texts that stand in files of their own, and refuses what cannot be read.
fn finished(wanted: &Wanted, mut imported: Imported) -> Result<Source, Failure> {
    for text in std::mem::take(&mut imported.files) {
        match std::fs::read_to_string(found(&wanted.file, &text.path)) {
            Ok(content) => {
                imported.patch.insert(text.field.to_owned(), Value::from(content));
            }
            Err(error) => imported.problems.push(import::Note {
                key: text.key,
                why: import::Why::Unreadable,
                text: format!("{} cannot be read: {error}", text.path),
            }),
        }
    }
    if imported.problems.is_empty() {
        return Ok(Source { ours: false, patch: imported.patch, notes: imported.notes });
    }
    let list: Vec<String> = imported.problems.iter().map(ToString::to_string).collect();
    Err(Failure::usage(format!("{} cannot be applied", wanted.file.display()), list.join("\n       "))
        .next("correct these; nothing was changed"))
}

/// Where a text is that the file names: beside the file, or beside its directory, as projects of Supabase's tools have it.
fn found(file: &Path, path: &str) -> PathBuf {
    let beside = file.parent().unwrap_or(Path::new("")).join(path);
    if beside.exists() {
        return beside;
    }
    let absolute = std::path::absolute(file).ok();
    let above = absolute.and_then(|file| Some(file.parent()?.parent()?.join(path)));
    above.filter(|above| above.exists()).unwrap_or(beside)
}

/// What a file is by its name, else by how it begins.
fn looks_like(file: &Path, text: &str) -> Format {
    let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_supabase = || {
        let document: Result<Map<String, Value>, _> = toml::from_str(text);
        document.is_ok_and(|document| {
            ["auth", "remotes"].iter().any(|key| document.get(*key).is_some_and(Value::is_object))
        })
    };
    if name.ends_with(".json") {
        return Format::Json;
    }
    if name.ends_with(".toml") {
        return if is_supabase() { Format::Supabase } else { Format::Toml };
    }
    if name.ends_with(".env") || name.starts_with(".env") {
        return Format::Env;
    }
    if text.trim_start().starts_with('{') {
        return Format::Json;
    }
    if is_supabase() { Format::Supabase } else { Format::Env }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names_and_by_how_they_begin() {
        for (name, text, expected) in [
            ("a.json", "{}", Format::Json),
            ("patch", " {\"jwt_exp\": 60}", Format::Json),
            ("a.toml", "jwt_exp = 60", Format::Toml),
            ("config.toml", "[auth]\nsite_url = \"https://a.co\"", Format::Supabase),
            ("supabase", "[remotes.x]\nproject_id = \"y\"", Format::Supabase),
            (".env", "GOTRUE_JWT_EXP=60", Format::Env),
            (".env.production", "{", Format::Env),
            ("auth.env", "X=1", Format::Env),
            ("settings", "GOTRUE_JWT_EXP=60", Format::Env),
        ] {
            assert!(looks_like(Path::new(name), text) == expected, "{name}");
        }
    }

    #[test]
    fn texts_are_found_beside_the_file_or_above_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        let supabase = folder.path().join("supabase");
        std::fs::create_dir_all(supabase.join("templates")).unwrap();
        let file = supabase.join("config.toml");
        std::fs::write(
            &file,
            "[auth.email.template.invite]\ncontent_path = \"./supabase/templates/invite.html\"\n\
             [auth.email.template.recovery]\ncontent_path = \"templates/invite.html\"\n",
        )
        .unwrap();
        std::fs::write(supabase.join("templates/invite.html"), "<p>Come</p>").unwrap();
        let source = read(&Wanted::of(file.clone()), None).unwrap();
        for name in ["mailer_templates_invite_content", "mailer_templates_recovery_content"] {
            assert_eq!(source.patch[name], "<p>Come</p>", "{name}");
        }
        std::fs::remove_file(supabase.join("templates/invite.html")).unwrap();
        assert!(
            read(&Wanted::of(file), None).is_err_and(|failure| failure.told().contains("invite.html cannot be read"))
        );
    }

    #[test]
    fn variables_are_looked_up_in_the_file_beside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "[auth]\nsite_url = \"env(CONFIG_SOURCE_TEST_SITE)\"\n").unwrap();
        let unresolved = read(&Wanted::of(file.clone()), None).unwrap();
        assert!(unresolved.patch.is_empty() && unresolved.notes.len() == 1);
        std::fs::write(folder.path().join(".env"), "CONFIG_SOURCE_TEST_SITE=https://a.co\n").unwrap();
        assert_eq!(read(&Wanted::of(file), None).unwrap().patch["site_url"], "https://a.co");
    }

    #[test]
    fn an_end_for_test_codes_is_not_moved_by_the_same_codes() {
        let source = || Source {
            ours: false,
            patch: Map::from_iter([
                ("sms_test_otp".to_owned(), "1=2".into()),
                ("sms_test_otp_valid_until".to_owned(), "2036-01-01T00:00:00Z".into()),
            ]),
            notes: Vec::new(),
        };
        let same = Map::from_iter([
            ("sms_test_otp".to_owned(), "1=2".into()),
            ("sms_test_otp_valid_until".to_owned(), "2035-01-01T00:00:00Z".into()),
        ]);
        assert_eq!(source().patch(&same).unwrap().len(), 1);
        assert_eq!(source().patch(&Map::new()).unwrap().len(), 2);
    }
}
