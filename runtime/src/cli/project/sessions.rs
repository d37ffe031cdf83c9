//! `tenantry project sessions`: those of all its users.

use clap::Args;
use uuid::Uuid;

use super::{done, path};
use crate::cli::ask;
use crate::cli::connection::{Management, query};
use crate::cli::failure::Failure;
use crate::cli::output::{self, field};

/// Which sessions are listed or ended.
#[derive(Args)]
pub(in crate::cli) struct Wanted {
    /// The project's ref
    #[arg(value_name = "REF")]
    reference: String,
    /// How many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on behind this one, which the list before ended with
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// End this session
    #[arg(long, value_name = "ID")]
    end: Option<Uuid>,
    /// End the sessions of this user
    #[arg(long, value_name = "USER_ID", conflicts_with = "end")]
    end_user: Option<Uuid>,
    /// End every session: all users must sign in again
    #[arg(long, conflicts_with_all = ["end", "end_user"])]
    end_all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Lists or ends sessions.
pub(super) async fn run(gateway: &Management, wanted: Wanted, json: bool) -> Result<(), Failure> {
    let route = format!("{}/sessions", path(&wanted.reference));
    if let Some(id) = wanted.end {
        let answer = gateway.delete(&format!("{route}/{id}")).await?;
        return done(json, &answer, &format!("session {id} has ended"));
    }
    if let Some(user) = wanted.end_user {
        let answer = gateway.delete(&format!("{route}?user_id={user}")).await?;
        return done(json, &answer, &format!("the sessions of user {user} have ended"));
    }
    if wanted.end_all {
        if !wanted.yes {
            let question = format!("End every session of {}? All its users must sign in again.", wanted.reference);
            ask::for_yes(&question, "no session was ended")?;
        }
        let answer = gateway.delete(&route).await?;
        return done(json, &answer, &format!("every session of {} has ended", wanted.reference));
    }
    let page = query(&[("limit", Some(wanted.limit.to_string())), ("after", wanted.after)]);
    let listed = gateway.get(&format!("{route}{page}")).await?;
    if json {
        return output::json(&listed);
    }
    let columns = ["id", "user_id", "created_at", "refreshed_at", "aal", "ip"];
    let sessions = listed.get("sessions").unwrap_or(&listed);
    output::table(&columns, output::rows(&columns, output::list(sessions)))?;
    match field(&listed, "next") {
        next if next.is_empty() => Ok(()),
        next => output::print(&format!("more: --after {next}")),
    }
}
