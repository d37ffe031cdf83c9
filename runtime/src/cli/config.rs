//! `tenantry config ...`

mod change;
mod effects;
pub(super) mod source;
mod versions;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::config::{FIELDS, Kind};
use serde_json::{Map, Value};

use super::connection::{Arguments, Management};
use super::failure::Failure;
use super::output::{self, one_line};
use super::project::{path, read};
use super::redirects;
use change::Change;

/// What is done with a project's configuration. Every write is validated first, versioned, and live at once.
#[derive(Subcommand)]
pub(super) enum Action {
    /// Show the configuration; secrets as a fingerprint
    Show {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// As it was in this version
        #[arg(long, value_name = "VERSION")]
        version: Option<u64>,
    },
    /// Set fields, and say what that changes and does
    Set {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Fields and values, such as `jwt_exp=900` or `site_url=https://app.example.com`
        #[arg(required_unless_present = "file", value_name = "KEY=VALUE")]
        fields: Vec<String>,
        /// A field and the file with its text, such as `mailer_templates_invite_content=invite.html`
        #[arg(long, value_name = "KEY=FILE")]
        file: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Return fields to their defaults
    Unset {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Fields
        #[arg(required = true, value_name = "KEY")]
        fields: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Set all that a file says: fields as JSON or TOML, Supabase's config.toml, or the environment file of a GoTrue server
    Apply {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        #[command(flatten)]
        source: source::Wanted,
        #[command(flatten)]
        how: How,
    },
    /// Judge the site URL and every entry of the allow list: where sign-ins may be sent
    Redirects {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// List the versions there were, newest first
    History {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        /// Only those before this one
        #[arg(long, value_name = "VERSION")]
        before: Option<u64>,
    },
    /// Show what is different between two versions, or what a file would change
    Diff {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The older version [default: the one before the newer]
        #[arg(value_name = "FROM")]
        from: Option<u64>,
        /// The newer version [default: the one in force]
        #[arg(value_name = "TO")]
        to: Option<u64>,
        /// What this file would change of the configuration in force
        #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
        file: Option<PathBuf>,
        /// End with exit code 3 where there is a difference
        #[arg(long)]
        exit_code: bool,
    },
    /// Put a version in force again, as a new version
    Rollback {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The version, as `history` lists it
        #[arg(value_name = "VERSION")]
        version: u64,
        #[command(flatten)]
        how: How,
    },
}

/// How a change is made.
#[derive(Args)]
pub(super) struct How {
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Why; kept with the new version
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs `tenantry config`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    match action {
        Action::Show { reference, version: Some(version) } => {
            versions::show(&connection.gateway()?, &reference, version, json).await
        }
        Action::Show { reference, version: None } => {
            let config = connection.gateway()?.get(&config_path(&reference)).await?;
            if json { output::json(&config) } else { print(&config) }
        }
        Action::Set { reference, fields, file, how } => {
            let gateway = connection.gateway()?;
            let current = current(&gateway, &reference).await?;
            let mut patch = Map::new();
            for assignment in fields {
                let (name, text) = assigned(&assignment)?;
                known(name, &current)?;
                patch.insert(name.to_owned(), value_of(name, text));
            }
            for assignment in file {
                let (name, file) = assigned(&assignment)?;
                known(name, &current)?;
                patch.insert(name.to_owned(), Value::from(read(file.as_ref())?));
            }
            Change { gateway: &gateway, reference: &reference, how, json, asks: false }.make(patch).await
        }
        Action::Unset { reference, fields, how } => {
            let gateway = connection.gateway()?;
            let current = current(&gateway, &reference).await?;
            for name in &fields {
                known(name, &current)?;
            }
            let patch = fields.into_iter().map(|name| (name, Value::Null)).collect();
            Change { gateway: &gateway, reference: &reference, how, json, asks: false }.make(patch).await
        }
        Action::Apply { reference, source, how } => {
            let read = source::read(&source, Some(&reference))?;
            let gateway = connection.gateway()?;
            let current = current(&gateway, &reference).await?;
            read.tell(json);
            let patch = read.patch(&current)?;
            Change { gateway: &gateway, reference: &reference, how, json, asks: true }.make(patch).await
        }
        Action::Redirects { reference } => redirects::show(&connection.gateway()?, &reference, json).await,
        Action::History { reference, limit, before } => {
            versions::history(&connection.gateway()?, &reference, limit, before, json).await
        }
        Action::Diff { reference, from, to, file, exit_code } => {
            let gateway = connection.gateway()?;
            let found = match file {
                Some(file) => {
                    let read = source::read(&source::Wanted::of(file), Some(&reference))?;
                    read.tell(json);
                    let patch = read.patch(&current(&gateway, &reference).await?)?;
                    change::ask_for(&gateway, &reference, &patch).await?
                }
                None => versions::diff(&gateway, &reference, from, to).await?,
            };
            change::show(&found, json)?;
            let differs = !change::changes(&found).is_empty();
            if exit_code && differs {
                return Err(Failure::threshold("there is a difference", "--exit-code asks to say so"));
            }
            Ok(())
        }
        Action::Rollback { reference, version, how } => {
            let gateway = connection.gateway()?;
            Change { gateway: &gateway, reference: &reference, how, json, asks: true }.roll_back(version).await
        }
    }
}

/// Prints fields and values.
fn print(config: &Value) -> Result<(), Failure> {
    let rows = config.as_object().into_iter().flatten().map(|(name, value)| vec![name.clone(), one_line(value)]);
    output::table(&["field", "value"], rows.collect())
}

fn config_path(reference: &str) -> String {
    format!("{}/config/auth", path(reference))
}

async fn current(gateway: &Management, reference: &str) -> Result<Map<String, Value>, Failure> {
    Ok(gateway.get(&config_path(reference)).await?.as_object().cloned().unwrap_or_default())
}

fn assigned(assignment: &str) -> Result<(&str, &str), Failure> {
    assignment.split_once('=').ok_or_else(|| {
        Failure::usage(format!("`{assignment}` cannot be set"), "it is no assignment such as jwt_exp=900")
    })
}

/// The Management API ignores fields that it does not know; a person who mistypes one wants to hear of it.
fn known(name: &str, current: &Map<String, Value>) -> Result<(), Failure> {
    if current.contains_key(name) {
        return Ok(());
    }
    let near: Vec<&str> = current.keys().map(String::as_str).filter(|known| is_near(known, name)).take(5).collect();
    let failure = Failure::usage(format!("`{name}` cannot be set"), "there is no such field");
    Err(match near.as_slice() {
        [] => failure.next("`tenantry config show` lists every field"),
        near => failure.next(format!("did you mean {}?", near.join(", "))),
    })
}

fn is_near(known: &str, name: &str) -> bool {
    let mut words = name.split('_').filter(|word| word.len() > 2);
    !name.is_empty() && (known.contains(name) || (name.contains('_') && words.all(|word| known.contains(word))))
}

/// The text of a field as the field's type has it: fields that hold text take it as it is.
fn value_of(name: &str, text: &str) -> Value {
    if text == "null" {
        return Value::Null;
    }
    let field = FIELDS.iter().find(|field| field.name == name);
    let holds_text = field.is_some_and(|field| matches!(field.kind, Kind::Text(_) | Kind::Choice(_)));
    if holds_text {
        return Value::from(text);
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
