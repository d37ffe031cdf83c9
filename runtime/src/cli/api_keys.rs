//! `tenantry api-keys ...`: what clients send as `apikey`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::connection::Arguments;
use super::duration;
use super::failure::Failure;
use super::output::{self, field};
use super::project::{done, path};

/// What is done with API keys.
#[derive(Subcommand)]
pub(super) enum Action {
    /// List the API keys
    List {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Show secret keys in full
        #[arg(long)]
        reveal: bool,
    },
    /// Create a key
    Create {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Publishable keys act as `anon`, secret keys as `service_role`
        #[arg(long = "type", value_enum)]
        kind: Kind,
        /// 4 to 64 of a-z, 0-9 and underscores
        #[arg(long)]
        name: String,
    },
    /// Make a key that takes another's place; the old one is accepted for a while
    Rotate {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The old key's id
        #[arg(value_name = "ID")]
        id: String,
        /// How long the old key is still accepted, such as 24h; 0 ends it at once [default: as the gateway has it]
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        grace: Option<u64>,
    },
    /// Show whether the old-style keys `anon` and `service_role` are accepted, or change it
    Legacy {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Accept them or refuse them
        #[arg(value_enum)]
        state: Option<Accepted>,
    },
    /// Delete a key; clients that use it are refused from now on
    Delete {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The key's id
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// What a key may do.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    /// For browsers and apps
    Publishable,
    /// For servers only
    Secret,
}

/// Whether a kind of key opens anything.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Accepted {
    /// Accepted
    On,
    /// Refused
    Off,
}

/// Runs `tenantry api-keys`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    let gateway = connection.gateway()?;
    match action {
        Action::List { reference, reveal } => {
            let keys = gateway.get(&format!("{}/api-keys?reveal={reveal}", path(&reference))).await?;
            if json {
                return output::json(&keys);
            }
            let columns = ["id", "name", "type", "api_key", "last_used_at", "expires_at"];
            output::table(&columns, output::rows(&columns, output::list(&keys)))
        }
        Action::Create { reference, kind, name } => {
            let kind = match kind {
                Kind::Publishable => "publishable",
                Kind::Secret => "secret",
            };
            let body = json!({ "type": kind, "name": name });
            let key = gateway.post(&format!("{}/api-keys?reveal=true", path(&reference)), &body).await?;
            if json {
                return output::json(&key);
            }
            output::pairs(&["id", "name", "type", "api_key"].map(|name| (name, field(&key, name))))
        }
        Action::Rotate { reference, id, grace } => {
            let id = parsed(&id)?;
            let body = grace.map_or_else(|| json!({}), |seconds| json!({ "grace_seconds": seconds }));
            let key = gateway.post(&format!("{}/api-keys/{id}/rotate?reveal=true", path(&reference)), &body).await?;
            if json {
                return output::json(&key);
            }
            output::pairs(&["id", "name", "type", "api_key"].map(|name| (name, field(&key, name))))
        }
        Action::Legacy { reference, state } => {
            let route = format!("{}/api-keys/legacy", path(&reference));
            let answer = match state {
                None => gateway.get(&route).await?,
                Some(state) => gateway.put(&format!("{route}?enabled={}", state == Accepted::On), &json!({})).await?,
            };
            let on = answer.get("enabled").and_then(Value::as_bool) == Some(true);
            let verb = if on { "accepted" } else { "refused" };
            done(json, &answer, &format!("old-style keys of {reference} are {verb}"))
        }
        Action::Delete { reference, id } => {
            let id = parsed(&id)?;
            let key = gateway.delete(&format!("{}/api-keys/{id}", path(&reference))).await?;
            done(json, &key, &format!("key {id} is deleted"))
        }
    }
}

fn parsed(id: &str) -> Result<uuid::Uuid, Failure> {
    id.parse().map_err(|_| Failure::usage(format!("`{id}` cannot be used"), "the id of a key is a UUID"))
}
