//! `tenantry api-keys ...`: what clients send as `apikey`.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::connection::Arguments;
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
            let columns = ["id", "name", "type", "api_key"];
            let rows = output::list(&keys).iter().map(|key| columns.map(|name| field(key, name)).to_vec());
            output::table(&columns, rows.collect())
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
        Action::Delete { reference, id } => {
            let id: uuid::Uuid = id
                .parse()
                .map_err(|_| Failure::usage(format!("`{id}` cannot be used"), "the id of a key is a UUID"))?;
            let key = gateway.delete(&format!("{}/api-keys/{id}", path(&reference))).await?;
            done(json, &key, &format!("key {id} is deleted"))
        }
    }
}
