//! `tenantry keys ...`: the keys that sign a project's tokens.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::connection::{Arguments, Management};
use super::duration;
use super::failure::Failure;
use super::output::{self, field};
use super::project::{done, path, read_json};

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
        /// Take over this key: a JSON file with one private JWK [default: a new key]
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
    },
    /// Sign with a new key: the one that stands by, else one that is made now. Every gateway publishes it before it signs, and
    /// tokens of the old key stay good
    Rotate {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// ES256, RS256, EdDSA or HS256 [default: that of the standby key, else ES256]
        #[arg(long)]
        alg: Option<String>,
        /// How long the new key stands by before it signs, such as 20m, for clients that keep the JWKS
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        standby: Option<u64>,
    },
    /// Accept a key no longer: its tokens are refused from now on
    Revoke {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The key's id
        #[arg(value_name = "KID")]
        kid: String,
    },
    /// Delete a key that is revoked
    Delete {
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
        Action::Create { reference, alg, import } => {
            let mut body = Map::new();
            body.insert("algorithm".to_owned(), alg.into());
            if let Some(file) = import {
                body.insert("private_jwk".to_owned(), read_json(&file)?);
            }
            let key = gateway.post(&keys_path(&reference), &Value::Object(body)).await?;
            done(
                json,
                &key,
                &format!("key {} stands by; `tenantry keys rotate {reference}` puts it in use", field(&key, "id")),
            )
        }
        Action::Rotate { reference, alg, standby } => {
            let mut body = Map::new();
            if let Some(alg) = alg {
                body.insert("algorithm".to_owned(), alg.into());
            }
            if let Some(seconds) = standby {
                body.insert("standby_seconds".to_owned(), seconds.into());
            }
            let key = gateway.post(&format!("{}/rotate", keys_path(&reference)), &Value::Object(body)).await?;
            let id = field(&key, "id");
            let sentence = if field(&key, "status") == "in_use" {
                format!(
                    "key {id} signs now; tokens of the old key are accepted until `tenantry keys revoke {reference} KID` ends that"
                )
            } else {
                let at = field(&key, "promote_at");
                format!(
                    "key {id} stands by and signs {}",
                    if at.is_empty() { "later".to_owned() } else { format!("from {at} on") }
                )
            };
            done(json, &key, &sentence)
        }
        Action::Revoke { reference, kid } => {
            let key = set_status(&gateway, &reference, &kid, "revoked").await?;
            done(json, &key, &format!("key {kid} is accepted no longer"))
        }
        Action::Delete { reference, kid } => {
            let key = gateway.delete(&format!("{}/{}", keys_path(&reference), parsed(&kid)?)).await?;
            done(json, &key, &format!("key {kid} is deleted"))
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
    let kid = parsed(kid)?;
    gateway.patch(&format!("{}/{kid}", keys_path(reference)), &json!({ "status": status })).await
}

fn parsed(kid: &str) -> Result<uuid::Uuid, Failure> {
    kid.parse().map_err(|_| Failure::usage(format!("`{kid}` cannot be used"), "the id of a key is a UUID"))
}
