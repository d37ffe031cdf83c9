//! `tenantry users ...`: what a project knows of its users. Asked of the project's own admin endpoints, with its secret key.

use clap::Subcommand;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::connection::{Arguments, Management};
use super::failure::Failure;
use super::output::{self, field};
use super::project::path;

/// What is done with users.
#[derive(Subcommand)]
pub(super) enum Action {
    /// List a user's sessions, the one used last first
    Sessions {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The user's id
        #[arg(value_name = "USER")]
        user: String,
        /// Sessions a page
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Which page
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        page: u32,
    },
}

/// Runs `tenantry users`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    match action {
        Action::Sessions { reference, user, limit, page } => {
            let user: Uuid = user
                .parse()
                .map_err(|_| Failure::usage(format!("`{user}` cannot be used"), "the id of a user is a UUID"))?;
            let gateway = connection.gateway()?;
            let project = project(&gateway, &reference).await?;
            let path = format!("/auth/v1/admin/users/{user}/sessions?page={page}&per_page={limit}");
            let listed = project.get(&path).await?;
            if json { output::json(&listed) } else { print(&listed) }
        }
    }
}

/// The project itself, with a key that opens its admin endpoints.
async fn project(gateway: &Management, reference: &str) -> Result<Management, Failure> {
    let project = gateway.get(&path(reference)).await?;
    let keys = gateway.get(&format!("{}/api-keys?reveal=true", path(reference))).await?;
    let keys = output::list(&keys);
    // A project may have switched its old-style keys off.
    let key = ["secret", "legacy"].iter().find_map(|kind| {
        let opens = |key: &&Value| field(key, "type") == *kind && field(key, "name") != "anon";
        keys.iter().find(opens).map(|key| field(key, "api_key")).filter(|key| !key.is_empty())
    });
    let key = key.ok_or_else(|| {
        Failure::new(format!("the users of {reference} cannot be seen"), "the project has no secret key")
            .next(format!("make one with `tenantry api-keys create {reference} --type secret --name NAME`"))
    })?;
    Management::new(&field(&project, "url"), key.into())
}

fn print(listed: &Value) -> Result<(), Failure> {
    let columns = ["id", "created_at", "refreshed_at", "aal", "ip", "device"];
    let sessions = listed.get("sessions").map(output::list).unwrap_or_default();
    if sessions.is_empty() {
        return output::print("no session lives");
    }
    let row = |session: &Value| {
        columns.map(|name| if name == "device" { device(session) } else { field(session, name) }).to_vec()
    };
    output::table(&columns, sessions.iter().map(row).collect())
}

/// Browser and system where they are known, else what the client called itself.
fn device(session: &Value) -> String {
    let none = Map::new();
    let device = session.get("device").and_then(Value::as_object).unwrap_or(&none);
    let parts: Vec<&str> = ["browser", "os"].iter().filter_map(|name| device.get(*name)?.as_str()).collect();
    if parts.is_empty() { field(session, "user_agent") } else { parts.join(", ") }
}
