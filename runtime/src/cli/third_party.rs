//! `tenantry third-party ...`: issuers whose access tokens a project accepts as its own.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::connection::Arguments;
use super::failure::Failure;
use super::output::{self, field};
use super::project::{done, path, read_json};

/// What is done with third-party issuers.
#[derive(Subcommand)]
pub(super) enum Action {
    /// List the issuers
    List {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Accept the tokens of one more issuer
    Add {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        #[command(flatten)]
        source: Source,
    },
    /// Accept the tokens of an issuer no longer
    Remove {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The issuer's id
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// Where the keys of an issuer come from.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Source {
    /// The issuer: its OpenID Connect metadata names its keys
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The address of a JWK set
    #[arg(long, value_name = "URL")]
    jwks_url: Option<String>,
    /// A JSON file with a JWK set of public keys
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

/// Runs `tenantry third-party`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    match action {
        Action::List { reference } => {
            let issuers = connection.gateway()?.get(&issuers_path(&reference)).await?;
            if json {
                return output::json(&issuers);
            }
            let columns = ["id", "type", "source", "inserted_at"];
            let rows = output::list(&issuers).iter().map(|issuer| {
                columns.map(|name| if name == "source" { source_of(issuer) } else { field(issuer, name) }).to_vec()
            });
            output::table(&columns, rows.collect())
        }
        Action::Add { reference, source } => {
            let body = match source {
                Source { issuer: Some(url), .. } => json!({ "oidc_issuer_url": url }),
                Source { jwks_url: Some(url), .. } => json!({ "jwks_url": url }),
                Source { jwks, .. } => json!({ "custom_jwks": jwks.as_deref().map(read_json).transpose()? }),
            };
            let issuer = connection.gateway()?.post(&issuers_path(&reference), &body).await?;
            let sentence = format!("tokens of {} are accepted; its id is {}", source_of(&issuer), field(&issuer, "id"));
            done(json, &issuer, &sentence)
        }
        Action::Remove { reference, id } => {
            let id: Uuid = id
                .parse()
                .map_err(|_| Failure::usage(format!("`{id}` cannot be used"), "the id of an issuer is a UUID"))?;
            let issuer = connection.gateway()?.delete(&format!("{}/{id}", issuers_path(&reference))).await?;
            done(json, &issuer, &format!("tokens of {} are accepted no longer", source_of(&issuer)))
        }
    }
}

fn issuers_path(reference: &str) -> String {
    format!("{}/config/auth/third-party-auth", path(reference))
}

/// An issuer as a person knows it.
fn source_of(issuer: &Value) -> String {
    let named = ["oidc_issuer_url", "jwks_url"].map(|name| field(issuer, name)).into_iter().find(|url| !url.is_empty());
    named.unwrap_or_else(|| "given keys".to_owned())
}
