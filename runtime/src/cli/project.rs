//! `tenantry project ...`

mod archive;
mod domain;
mod listing;
mod moves;
mod quotas;
mod sessions;
mod wanted;

use std::path::Path;

use serde_json::{Map, Value, json};

use super::ask;
use super::config::source;
use super::connection::{Arguments, Management, query};
use super::failure::Failure;
use super::output::{self, field};

pub(super) use wanted::Action;
use wanted::{Create, Profile};

/// Runs `tenantry project`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    match action {
        Action::Create(create) => {
            let created = connection.gateway()?.post("/v1/projects", &body_of(create)?).await?;
            print_project(&summary(&created), json)
        }
        Action::List(wanted) => listing::run(&connection.gateway()?, wanted, json).await,
        Action::Show { reference } => {
            let gateway = connection.gateway()?;
            let project = gateway.get(&path(&reference)).await?;
            let shown = with_keys(&gateway, &reference, summary(&project)).await?;
            print_project(&with_state(&gateway, &reference, shown).await, json)
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
        Action::Delete { reference, grace, yes } => {
            let gateway = connection.gateway()?;
            if !yes {
                let after = if grace == Some(0) { ", at once and for good" } else { "" };
                let question = format!("Delete project {reference} with all its users and sessions{after}?");
                ask::for_word(&question, &reference, &format!("project {reference} was not deleted"))?;
            }
            let wanted = query(&[("grace", grace.map(|seconds| seconds.to_string()))]);
            let answer = gateway.delete(&format!("{}{wanted}", path(&reference))).await?;
            // The answer does not say until when; what is gone for good cannot be asked.
            let left = match grace {
                Some(0) => None,
                _ => gateway.get(&format!("{}?deleted=true", path(&reference))).await.ok(),
            };
            let answer = left.unwrap_or(answer);
            done(json, &answer, &farewell(&reference, &answer, grace))
        }
        Action::Restore { reference } => {
            let answer = connection.gateway()?.post(&format!("{}/restore", path(&reference)), &json!({})).await?;
            done(json, &answer, &format!("project {reference} is back as it was"))
        }
        Action::Quotas { reference, quotas } => quotas::run(&connection.gateway()?, &reference, &quotas, json).await,
        Action::Usage { reference } => quotas::usage(&connection.gateway()?, &reference, json).await,
        Action::Sessions(wanted) => sessions::run(&connection.gateway()?, wanted, json).await,
        Action::Domain { action } => domain::run(&connection.gateway()?, action, json).await,
        Action::Move(wanted) => moves::run(&connection.gateway()?, wanted, json).await,
        Action::Export(wanted) => archive::export(&connection.gateway()?, wanted, json).await,
        Action::Import(wanted) => archive::import(&connection.gateway()?, wanted, json).await,
    }
}

fn body_of(create: Create) -> Result<Value, Failure> {
    let mut body = Map::new();
    let profile = match create.profile {
        Profile::Compat => "compat",
        Profile::Shield => "shield",
    };
    let name = create.name.or(create.reference.clone()).unwrap_or_default();
    let config = create.config.as_deref().map(|file| source::for_new(file, create.reference.as_deref())).transpose()?;
    let members = [
        ("name", Some(name.into())),
        ("profile", Some(profile.into())),
        ("ref", create.reference.map(Value::from)),
        ("jwt_secret", create.jwt_secret.map(Value::from)),
        ("database_url", create.database_url.map(Value::from)),
        ("placement", create.placement.map(|placement| placement.as_str().into())),
        ("config", config.map(Value::Object)),
        ("signing_keys", create.signing_keys.as_deref().map(read_json).transpose()?),
    ];
    body.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Ok(Value::Object(body))
}

/// What is said of a project that was deleted.
fn farewell(reference: &str, answer: &Value, grace: Option<u64>) -> String {
    if grace == Some(0) {
        return format!("project {reference} is deleted, and its data with it");
    }
    let until = match field(answer, "purge_at") {
        until if until.is_empty() => "for a while".to_owned(),
        until => format!("until {until}"),
    };
    format!(
        "project {reference} is deleted; its data is kept {until}: `tenantry project restore {reference}` brings it back"
    )
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

/// A file with one JSON document.
pub(super) fn read_json(file: &Path) -> Result<Value, Failure> {
    serde_json::from_str(&read(file)?)
        .map_err(|error| Failure::usage(format!("{} cannot be used", file.display()), error.to_string()))
}

/// A file of text.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
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

/// Adds where the project lies, what it is granted and what it uses. A token that may not ask for that sees the project
/// without.
async fn with_state(gateway: &Management, reference: &str, mut project: Map<String, Value>) -> Map<String, Value> {
    for (route, member) in [("placement", Some("placement")), ("quotas", None), ("usage", None)] {
        if let Ok(answer) = gateway.get(&format!("{}/{route}", path(reference))).await {
            let found = member.map_or(Some(&answer), |member| answer.get(member)).cloned();
            project.insert(route.to_owned(), found.unwrap_or(Value::Null));
        }
    }
    project
}

fn print_project(project: &Map<String, Value>, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&Value::Object(project.clone()));
    }
    let pairs =
        SUMMARY.iter().chain(&["placement"]).filter_map(|name| Some((*name, output::show(project.get(*name)?))));
    output::pairs(&pairs.collect::<Vec<_>>())?;
    if let Some(quotas) = project.get("quotas") {
        output::print("")?;
        quotas::print(quotas)?;
    }
    match project.get("usage") {
        Some(usage) => {
            output::print("")?;
            quotas::print_usage(usage)
        }
        None => Ok(()),
    }
}
