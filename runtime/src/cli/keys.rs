//! `tenantry keys ...`: the keys that sign a project's tokens.

use clap::Subcommand;
use serde_json::{Value, json};

use super::connection::{Arguments, Management};
use super::failure::Failure;
use super::output::{self, field};
use super::project::{done, path};

/// What is done with signing keys.
#[derive(Subcommand)]
pub(super) enum Action {
    /// List the signing keys
    List {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Create a standby key; clients learn it from the JWKS before it signs
    Create {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// ES256, RS256, EdDSA or HS256
        #[arg(long)]
        alg: String,
    },
    /// Sign with the standby key; the old key is still accepted
    Rotate {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Accept a key no longer
    Revoke {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The key's id
        #[arg(value_name = "KID")]
        kid: String,
    },
}

const COLUMNS: [&str; 4] = ["id", "algorithm", "status", "created_at"];

/// Runs `tenantry keys`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    let gateway = connection.gateway()?;
    match action {
        Action::List { reference } => {
            let keys = list(&gateway, &reference).await?;
            if json {
                return output::json(&Value::from(keys));
            }
            output::table(&COLUMNS, keys.iter().map(|key| COLUMNS.map(|name| field(key, name)).to_vec()).collect())
        }
        Action::Create { reference, alg } => {
            let key = gateway.post(&keys_path(&reference), &json!({ "algorithm": alg })).await?;
            done(
                json,
                &key,
                &format!("key {} stands by; `tenantry keys rotate {reference}` puts it in use", field(&key, "id")),
            )
        }
        Action::Rotate { reference } => {
            let keys = list(&gateway, &reference).await?;
            let standby = keys.iter().find(|key| field(key, "status") == "standby").ok_or_else(|| {
                Failure::new("no key was rotated", "there is no standby key")
                    .next(format!("create one with `tenantry keys create {reference} --alg ES256`"))
            })?;
            let key = set_status(&gateway, &reference, &field(standby, "id"), "in_use").await?;
            done(json, &key, &format!("key {} signs now", field(&key, "id")))
        }
        Action::Revoke { reference, kid } => {
            let key = set_status(&gateway, &reference, &kid, "revoked").await?;
            done(json, &key, &format!("key {kid} is accepted no longer"))
        }
    }
}

fn keys_path(reference: &str) -> String {
    format!("{}/config/auth/signing-keys", path(reference))
}

async fn list(gateway: &Management, reference: &str) -> Result<Vec<Value>, Failure> {
    let answer = gateway.get(&keys_path(reference)).await?;
    Ok(answer.get("keys").map(output::list).unwrap_or_default().to_vec())
}

async fn set_status(gateway: &Management, reference: &str, kid: &str, status: &str) -> Result<Value, Failure> {
    let kid: uuid::Uuid =
        kid.parse().map_err(|_| Failure::usage(format!("`{kid}` cannot be used"), "the id of a key is a UUID"))?;
    gateway.patch(&format!("{}/{kid}", keys_path(reference)), &json!({ "status": status })).await
}
