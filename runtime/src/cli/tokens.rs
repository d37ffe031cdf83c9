//! `tenantry tokens ...`: who may operate the gateway and its projects.

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::connection::Arguments;
use super::failure::Failure;
use super::output::{self, field};
use super::project::done;
use super::{ask, duration};

/// What is done with operator tokens.
#[derive(Subcommand)]
pub(super) enum Action {
    /// List the tokens there are and were, newest first; none of them in clear
    List,
    /// Make a token; it is shown once and never again
    Create {
        /// A name for people: who or what uses it
        #[arg(value_name = "NAME")]
        name: String,
        /// What its bearer may do
        #[arg(long, value_enum)]
        role: Role,
        /// Only for this project, which can be given several times [default: every project]
        #[arg(long = "project", value_name = "REF")]
        projects: Vec<String>,
        /// Ends by itself after this time, such as 90d [default: never]
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        expires_in: Option<u64>,
    },
    /// Accept a token no longer, from the next request on
    Revoke {
        /// The token's id
        #[arg(value_name = "ID")]
        id: Uuid,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What the bearer of a token is.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Role {
    /// May do everything, tokens included
    Owner,
    /// May do everything with projects
    Operator,
    /// May look, but at no secret
    #[value(name = "read_only", alias = "read-only")]
    ReadOnly,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::ReadOnly => "read_only",
        }
    }
}

const COLUMNS: [&str; 8] = ["id", "name", "role", "projects", "prefix", "last_used_at", "expires_at", "revoked_at"];

/// Runs `tenantry tokens`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    match action {
        Action::List => {
            let tokens = connection.gateway()?.get("/v1/tokens").await?;
            if json {
                return output::json(&tokens);
            }
            let row = |token: &Value| {
                COLUMNS.map(|name| if name == "projects" { projects(token) } else { field(token, name) }).to_vec()
            };
            output::table(&COLUMNS, output::list(&tokens).iter().map(row).collect())
        }
        Action::Create { name, role, projects, expires_in } => {
            let mut body = Map::new();
            body.insert("name".to_owned(), name.into());
            body.insert("role".to_owned(), role.as_str().into());
            if !projects.is_empty() {
                body.insert("projects".to_owned(), projects.into());
            }
            if let Some(seconds) = expires_in {
                body.insert("expires_in".to_owned(), seconds.into());
            }
            let token = connection.gateway()?.post("/v1/tokens", &Value::Object(body)).await?;
            if json {
                return output::json(&token);
            }
            let shown = ["id", "name", "role", "token"].map(|name| (name, field(&token, name)));
            output::pairs(&shown)?;
            output::print("keep the token: it is not shown again")
        }
        Action::Revoke { id, yes } => {
            if !yes {
                let question = format!("Refuse the token {id} from now on?");
                ask::for_yes(&question, "the token was not revoked")?;
            }
            let answer = connection.gateway()?.delete(&format!("/v1/tokens/{id}")).await?;
            done(json, &answer, &format!("token {id} is accepted no longer"))
        }
    }
}

fn projects(token: &Value) -> String {
    match token.get("projects").and_then(Value::as_array) {
        Some(projects) => projects.iter().map(output::show).collect::<Vec<_>>().join(","),
        None => "all".to_owned(),
    }
}
