//! `tenantry project ...`

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::connection::{Arguments, Management};
use super::failure::Failure;
use super::output::{self, field};

/// What is done with projects.
#[derive(Subcommand)]
pub(super) enum Action {
    /// Create a project
    Create {
        /// The project's ref: 3 to 63 of a-z, 0-9 and hyphens [default: 20 random letters]
        #[arg(long = "ref", value_name = "REF")]
        reference: Option<String>,
        /// A name for people [default: the ref]
        #[arg(long)]
        name: Option<String>,
        /// Which defaults the configuration starts from
        #[arg(long, value_enum, default_value_t = Profile::Compat)]
        profile: Profile,
        /// Configuration to start with: a JSON or TOML file with the field names of the Management API
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The secret of HS256 tokens [default: random]
        #[arg(long, value_name = "SECRET")]
        jwt_secret: Option<String>,
        /// Signing keys to import: a JSON file with a list of private JWKs; the one with `sign` in its `key_ops` signs
        #[arg(long, value_name = "FILE")]
        signing_keys: Option<PathBuf>,
        /// A PostgreSQL database of the project's own
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
    },
    /// List all projects
    List,
    /// Show one project with its keys
    Show {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Stop serving a project; its data stays
    Pause {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Serve a paused project again
    Resume {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Delete a project with all its data
    Delete {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Which defaults a project starts from.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Profile {
    /// As Supabase Auth ships
    Compat,
    /// The stricter rules of the house
    Shield,
}

/// Runs `tenantry project`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    match action {
        Action::Create { reference, name, profile, config, jwt_secret, signing_keys, database_url } => {
            let mut body = Map::new();
            body.insert("name".to_owned(), name.or(reference.clone()).unwrap_or_default().into());
            let profile = match profile {
                Profile::Compat => "compat",
                Profile::Shield => "shield",
            };
            body.insert("profile".to_owned(), profile.into());
            let mut put = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    body.insert(name.to_owned(), value);
                }
            };
            put("ref", reference.map(Value::from));
            put("jwt_secret", jwt_secret.map(Value::from));
            put("database_url", database_url.map(Value::from));
            put("config", config.as_deref().map(read_object).transpose()?.map(Value::Object));
            put("signing_keys", signing_keys.as_deref().map(read_json).transpose()?);
            let created = connection.gateway()?.post("/v1/projects", &Value::Object(body)).await?;
            print_project(&summary(&created), json)
        }
        Action::List => {
            let projects = connection.gateway()?.get("/v1/projects").await?;
            if json {
                return output::json(&projects);
            }
            let columns = ["ref", "name", "status", "created_at"];
            let rows = output::list(&projects).iter().map(|project| columns.map(|name| field(project, name)).to_vec());
            output::table(&columns, rows.collect())
        }
        Action::Show { reference } => {
            let gateway = connection.gateway()?;
            let project = gateway.get(&path(&reference)).await?;
            print_project(&with_keys(&gateway, &reference, summary(&project)).await?, json)
        }
        Action::Pause { reference } => {
            let answer = connection.gateway()?.post(&format!("{}/pause", path(&reference)), &json!({})).await?;
            done(
                json,
                &answer,
                &format!(
                    "project {reference} is paused: its clients get 503 until `tenantry project resume {reference}`"
                ),
            )
        }
        Action::Resume { reference } => {
            let answer = connection.gateway()?.post(&format!("{}/restore", path(&reference)), &json!({})).await?;
            done(json, &answer, &format!("project {reference} is served again"))
        }
        Action::Delete { reference, yes } => {
            let gateway = connection.gateway()?;
            if !yes {
                confirm(&reference)?;
            }
            let answer = gateway.delete(&path(&reference)).await?;
            done(json, &answer, &format!("project {reference} is deleted"))
        }
    }
}

/// The path of a project in the Management API.
pub(super) fn path(reference: &str) -> String {
    // A ref never needs escaping; anything else must not reach another path.
    let safe: String = reference.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    format!("/v1/projects/{safe}")
}

/// Prints the answer of a command that changes something.
pub(super) fn done(json: bool, answer: &Value, sentence: &str) -> Result<(), Failure> {
    if json { output::json(answer) } else { output::print(sentence) }
}

/// A file with one JSON or TOML object.
pub(super) fn read_object(file: &Path) -> Result<Map<String, Value>, Failure> {
    let broken = |why: String| Failure::usage(format!("{} cannot be used", file.display()), why);
    if file.extension().is_some_and(|extension| extension == "toml") {
        return toml::from_str(&read(file)?).map_err(|error| broken(error.to_string()));
    }
    match read_json(file)? {
        Value::Object(object) => Ok(object),
        _ => Err(broken("it is no JSON object".to_owned())),
    }
}

fn read_json(file: &Path) -> Result<Value, Failure> {
    serde_json::from_str(&read(file)?)
        .map_err(|error| Failure::usage(format!("{} cannot be used", file.display()), error.to_string()))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{} cannot be read", file.display()), error.to_string()))
}

const SUMMARY: [&str; 8] = ["ref", "name", "url", "anon_key", "service_role_key", "jwt_secret", "profile", "status"];

/// The members of a project that the command line promises, in their order.
fn summary(project: &Value) -> Map<String, Value> {
    SUMMARY.iter().filter_map(|name| Some(((*name).to_owned(), project.get(*name)?.clone()))).collect()
}

/// Adds the two keys that a client needs.
async fn with_keys(
    gateway: &Management,
    reference: &str,
    mut project: Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    let keys = gateway.get(&format!("{}/api-keys?reveal=true", path(reference))).await?;
    for (name, member) in [("anon", "anon_key"), ("service_role", "service_role_key")] {
        let key = output::list(&keys).iter().find(|key| field(key, "name") == name);
        if let Some(text) = key.and_then(|key| key.get("api_key")) {
            project.insert(member.to_owned(), text.clone());
        }
    }
    Ok(project)
}

fn print_project(project: &Map<String, Value>, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&Value::Object(project.clone()));
    }
    let pairs = SUMMARY.iter().filter_map(|name| Some((*name, output::show(project.get(*name)?))));
    output::pairs(&pairs.collect::<Vec<_>>())
}

fn confirm(reference: &str) -> Result<(), Failure> {
    let refused = |why: &str| Failure::usage(format!("project {reference} was not deleted"), why.to_owned());
    if !std::io::stdin().is_terminal() {
        return Err(refused("there is no terminal to ask on").next("add --yes to delete without asking"));
    }
    eprint!("Delete project {reference} with all its users and sessions? Type its ref to go on: ");
    _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|error| refused(&error.to_string()))?;
    if answer.trim() == reference { Ok(()) } else { Err(refused("the ref was not repeated")) }
}
