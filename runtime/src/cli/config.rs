//! `tenantry config ...`

use std::path::PathBuf;

use clap::Subcommand;
use domain::config::{FIELDS, Kind};
use serde_json::{Map, Value};

use super::connection::{Arguments, Management};
use super::failure::Failure;
use super::output::{self, field};
use super::project::{path, read_object};
use super::redirects;

/// What is done with a project's configuration. Every write is validated first, versioned, and live at once.
#[derive(Subcommand)]
pub(super) enum Action {
    /// Show the configuration; secrets as a fingerprint
    Show {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Set fields
    Set {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Fields and values, such as `jwt_exp=900` or `site_url=https://app.example.com`
        #[arg(required = true, value_name = "KEY=VALUE")]
        fields: Vec<String>,
    },
    /// Return fields to their defaults
    Unset {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Fields
        #[arg(required = true, value_name = "KEY")]
        fields: Vec<String>,
    },
    /// Set all fields of a JSON or TOML file
    Apply {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The file
        file: PathBuf,
    },
    /// Judge the site URL and every entry of the allow list: where sign-ins may be sent
    Redirects {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// List the versions there were
    History {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
}

/// Runs `tenantry config`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    match action {
        Action::Show { reference } => {
            let config = connection.gateway()?.get(&config_path(&reference)).await?;
            if json {
                return output::json(&config);
            }
            let fields = config.as_object().cloned().unwrap_or_default();
            let rows = fields.iter().map(|(name, value)| vec![name.clone(), one_line(value)]).collect();
            output::table(&["field", "value"], rows)
        }
        Action::Set { reference, fields } => {
            let gateway = connection.gateway()?;
            let current = current(&gateway, &reference).await?;
            let mut patch = Map::new();
            for assignment in fields {
                let (name, text) = assignment.split_once('=').ok_or_else(|| {
                    Failure::usage(format!("`{assignment}` cannot be set"), "it is no assignment such as jwt_exp=900")
                })?;
                known(name, &current)?;
                patch.insert(name.to_owned(), value_of(name, text));
            }
            write(&gateway, &reference, patch, json).await
        }
        Action::Unset { reference, fields } => {
            let gateway = connection.gateway()?;
            let current = current(&gateway, &reference).await?;
            for name in &fields {
                known(name, &current)?;
            }
            write(&gateway, &reference, fields.into_iter().map(|name| (name, Value::Null)).collect(), json).await
        }
        Action::Apply { reference, file } => {
            let gateway = connection.gateway()?;
            let patch = read_object(&file)?;
            let current = current(&gateway, &reference).await?;
            for name in patch.keys() {
                known(name, &current)?;
            }
            write(&gateway, &reference, patch, json).await
        }
        Action::Redirects { reference } => redirects::show(&connection.gateway()?, &reference, json).await,
        Action::History { reference } => {
            let versions = connection.gateway()?.get(&format!("{}/history", config_path(&reference))).await?;
            if json {
                return output::json(&versions);
            }
            let columns = ["version", "created_at"];
            let rows = output::list(&versions).iter().map(|version| columns.map(|name| field(version, name)).to_vec());
            output::table(&columns, rows.collect())
        }
    }
}

fn config_path(reference: &str) -> String {
    format!("{}/config/auth", path(reference))
}

async fn current(gateway: &Management, reference: &str) -> Result<Map<String, Value>, Failure> {
    Ok(gateway.get(&config_path(reference)).await?.as_object().cloned().unwrap_or_default())
}

async fn write(gateway: &Management, reference: &str, patch: Map<String, Value>, json: bool) -> Result<(), Failure> {
    let config = gateway.patch(&config_path(reference), &Value::Object(patch.clone())).await?;
    if json {
        output::json(&config)?;
    } else {
        let rows = patch.keys().map(|name| vec![name.clone(), config.get(name).map(one_line).unwrap_or_default()]);
        output::table(&["field", "value"], rows.collect())?;
    }
    if patch.keys().any(|name| redirects::concerns(name)) {
        redirects::warn(gateway, reference, json).await?;
    }
    Ok(())
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

fn one_line(value: &Value) -> String {
    let text = output::show(value);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let short: String = first.chars().take(80).collect();
    if short.len() < first.len() || lines.next().is_some() { format!("{short} ...") } else { short }
}
