//! `tenantry project move`: a project's data goes to another database while the project serves.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::wanted::Place;
use super::{done, path};
use crate::cli::connection::Management;
use crate::cli::failure::Failure;
use crate::cli::output::{self, field};
use crate::cli::{duration, progress};

/// Where a project goes.
#[derive(Args)]
pub(in crate::cli) struct Wanted {
    /// The project's ref
    #[arg(value_name = "REF")]
    reference: String,
    /// Where to
    #[arg(long, value_enum, required_unless_present_any = ["cancel", "show"])]
    to: Option<Place>,
    /// The address of the PostgreSQL database it goes to
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// How long its clients may wait for the last rows, such as 10s; a move that would take longer is given up
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    max_pause: Option<u64>,
    /// Do not wait for the end
    #[arg(long)]
    no_wait: bool,
    /// Give up the move that is under way: everything stays where it was
    #[arg(long, conflicts_with_all = ["to", "show"])]
    cancel: bool,
    /// Only show where the project is, and how far a move is
    #[arg(long, conflicts_with = "to")]
    show: bool,
}

/// How often the gateway is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// Runs `tenantry project move`.
pub(super) async fn run(gateway: &Management, wanted: Wanted, json: bool) -> Result<(), Failure> {
    let reference = wanted.reference.as_str();
    let (place, route) = (format!("{}/placement", path(reference)), format!("{}/move", path(reference)));
    if wanted.cancel {
        let answer = gateway.delete(&route).await?;
        return done(json, &answer, &format!("project {reference} stays where it is"));
    }
    let Some(to) = wanted.to else {
        return show(&gateway.get(&place).await?, json);
    };
    let mut body = Map::new();
    body.insert("placement".to_owned(), to.as_str().into());
    if let Some(url) = wanted.database_url {
        body.insert("database_url".to_owned(), url.into());
    }
    if let Some(seconds) = wanted.max_pause {
        body.insert("max_pause_seconds".to_owned(), seconds.into());
    }
    let mut state = gateway.post(&route, &Value::Object(body)).await?;
    if wanted.no_wait {
        return show(&state, json);
    }
    let bar = progress::endless(told(&state));
    let phase = loop {
        let phase = movement(&state).map(|movement| field(movement, "phase")).unwrap_or_default();
        if !matches!(phase.as_str(), "copying" | "holding" | "cleaning") {
            break phase;
        }
        tokio::time::sleep(LOOK).await;
        state = gateway.get(&place).await?;
        bar.set_message(told(&state));
    };
    bar.finish_and_clear();
    if phase == "failed" {
        let why = movement(&state).map(|movement| field(movement, "error")).unwrap_or_default();
        return Err(Failure::new(format!("project {reference} was not moved"), why)
            .next("it is served from where it was; correct the cause and move it again"));
    }
    show(&state, json)
}

fn movement(state: &Value) -> Option<&Value> {
    state.get("move").filter(|movement| !movement.is_null())
}

fn told(state: &Value) -> String {
    match movement(state) {
        Some(movement) => format!("{}, {} rows", field(movement, "phase"), field(movement, "rows")),
        None => "done".to_owned(),
    }
}

fn show(state: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(state);
    }
    let mut pairs = vec![("placement", field(state, "placement"))];
    if let Some(movement) = movement(state) {
        let names = [("move to", "placement"), ("phase", "phase"), ("rows", "rows"), ("error", "error")];
        let shown = names.map(|(name, member)| (name, field(movement, member)));
        pairs.extend(shown.into_iter().filter(|(_, value)| !value.is_empty()));
    }
    output::pairs(&pairs)
}
