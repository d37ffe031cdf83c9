//! `tenantry mail ...`: mail of a project that was given up.

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::connection::{Arguments, Management};
use super::failure::Failure;
use super::output::{self, field};
use super::project::{done, path};

/// What is done with mail that was given up.
#[derive(Subcommand)]
pub(super) enum Action {
    /// List mail that could not be delivered, newest first, with the reason
    List {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// How much of it
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// How much of it to leave out first
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// Deliver mail after all, as if it were new
    Retry {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The id of one mail
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// Everything that was given up
        #[arg(long)]
        all: bool,
    },
    /// Throw one mail away
    Discard {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The id of the mail
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// Runs `tenantry mail`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    match action {
        Action::List { reference, limit, offset } => {
            let outbox = list(&connection.gateway()?, &reference, limit, offset).await?;
            if json { output::json(&outbox) } else { print(&reference, &outbox) }
        }
        Action::Retry { reference, id: Some(id), .. } => {
            let path = format!("{}/{}/retry", letters(&reference), parsed(&id)?);
            let answer = connection.gateway()?.post(&path, &json!({})).await?;
            done(json, &answer, &format!("mail {id} is delivered in a moment"))
        }
        Action::Retry { reference, id: None, .. } => {
            let retried = retry_all(&connection.gateway()?, &reference).await?;
            done(json, &json!({ "retried": retried }), &format!("{retried} mails are delivered in a moment"))
        }
        Action::Discard { reference, id } => {
            let path = format!("{}/{}", letters(&reference), parsed(&id)?);
            let answer = connection.gateway()?.delete(&path).await?;
            done(json, &answer, &format!("mail {id} is gone"))
        }
    }
}

fn letters(reference: &str) -> String {
    format!("{}/mail/dead-letters", path(reference))
}

fn parsed(id: &str) -> Result<Uuid, Failure> {
    id.parse().map_err(|_| Failure::usage(format!("`{id}` cannot be used"), "the id of a mail is a UUID"))
}

async fn list(gateway: &Management, reference: &str, limit: u32, offset: u32) -> Result<Value, Failure> {
    gateway.get(&format!("{}?limit={limit}&offset={offset}", letters(reference))).await
}

/// Retries what is listed until nothing is. What fails again at once has its attempts before it and is not listed.
async fn retry_all(gateway: &Management, reference: &str) -> Result<u64, Failure> {
    let mut retried = 0;
    loop {
        let outbox = list(gateway, reference, 1000, 0).await?;
        let dead = outbox.get("dead_letters").map(output::list).unwrap_or_default();
        if dead.is_empty() {
            return Ok(retried);
        }
        for letter in dead {
            let path = format!("{}/{}/retry", letters(reference), parsed(&field(letter, "id"))?);
            gateway.post(&path, &json!({})).await?;
            retried += 1;
        }
    }
}

fn print(reference: &str, outbox: &Value) -> Result<(), Failure> {
    let dead = outbox.get("dead_letters").map(output::list).unwrap_or_default();
    let number = |name: &str| field(outbox, name);
    output::print(&format!("{} waiting, {} given up", number("pending"), number("dead")))?;
    if dead.is_empty() {
        return Ok(());
    }
    let columns = ["id", "kind", "attempts", "created_at", "last_error"];
    output::table(&columns, dead.iter().map(|letter| columns.map(|name| field(letter, name)).to_vec()).collect())?;
    output::print(&format!("`tenantry mail retry {reference} ID` delivers one after all, --all every one of them"))
}
