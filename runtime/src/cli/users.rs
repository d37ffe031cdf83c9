//! `tenantry users ...`: the accounts of a project. Asked of the project's own admin endpoints, with its secret key.

mod found;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::connection::{Arguments, Body, Management, query};
use super::failure::Failure;
use super::output::{self, field};
use super::project::{done, path};
use super::{ask, duration};

/// A user of a project.
#[derive(Args)]
pub(super) struct One {
    /// The project's ref
    #[arg(value_name = "REF")]
    reference: String,
    /// The user's id, address or number
    #[arg(value_name = "USER")]
    user: String,
}

/// What is done with users.
#[derive(Subcommand)]
pub(super) enum Action {
    /// List users, newest first
    List {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Only those whose address, number or name has this text
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Go on behind this cursor, which the list before ended with
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// All of them
        #[arg(long, conflicts_with = "limit")]
        all: bool,
    },
    /// Show one user with identities and factors
    Show {
        #[command(flatten)]
        one: One,
    },
    /// List a user's sessions, the one used last first
    Sessions {
        #[command(flatten)]
        one: One,
        /// Sessions a page
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Which page
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        page: u32,
    },
    /// End a user's sessions: each must sign in again
    Logout {
        #[command(flatten)]
        one: One,
        /// Only this one
        #[arg(long, value_name = "ID")]
        session: Option<Uuid>,
    },
    /// Refuse a user's sign-ins and refreshes
    Ban {
        #[command(flatten)]
        one: One,
        /// For how long, such as 24h or 30d [default: a hundred years]
        #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
        time: Option<u64>,
        /// End the ban
        #[arg(long, conflicts_with = "time")]
        lift: bool,
    },
    /// Delete a user with sessions, identities and factors
    Delete {
        #[command(flatten)]
        one: One,
        /// Keep a row without personal data, under the same id
        #[arg(long)]
        soft: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What a ban without end is to the admin API, which knows bans with one only.
const HUNDRED_YEARS: u64 = 876_000 * 3600;
/// The most that one request gives.
const PAGE: usize = 200;

/// Runs `tenantry users`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    let gateway = connection.gateway()?;
    match action {
        Action::List { reference, search, limit, after, all } => {
            let project = project(&gateway, &reference).await?;
            let limit = if all { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
            let (users, next) = list(&project, search.as_deref(), limit, after).await?;
            if json {
                return output::json(&json!({ "users": users, "next_cursor": next }));
            }
            let columns = ["id", "email", "phone", "created_at", "last_sign_in_at", "banned_until"];
            output::table(&columns, output::rows(&columns, &users))?;
            next.map_or(Ok(()), |next| output::print(&format!("more: --after {next}")))
        }
        Action::Show { one } => {
            let (_, user) = found::one(&gateway, &one).await?;
            if json { output::json(&user) } else { print_user(&user) }
        }
        Action::Sessions { one, limit, page } => {
            let (project, id) = found::id(&gateway, &one).await?;
            let listed = project.get(&format!("{}/sessions?page={page}&per_page={limit}", user_path(id))).await?;
            if json { output::json(&listed) } else { print_sessions(&listed) }
        }
        Action::Logout { one, session } => {
            let (project, id) = found::id(&gateway, &one).await?;
            let which = session.map(|session| format!("/{session}")).unwrap_or_default();
            let answer = project.delete(&format!("{}/sessions{which}", user_path(id))).await?;
            done(json, &answer, &format!("user {} must sign in again", one.user))
        }
        Action::Ban { one, time, lift } => {
            let (project, id) = found::id(&gateway, &one).await?;
            let time = if lift { "none".to_owned() } else { format!("{}s", time.unwrap_or(HUNDRED_YEARS)) };
            let user = project.put(&user_path(id), &json!({ "ban_duration": time })).await?;
            let until = field(&user, "banned_until");
            let sentence = if lift { "may sign in again".to_owned() } else { format!("is banned until {until}") };
            done(json, &user, &format!("user {} {sentence}", one.user))
        }
        Action::Delete { one, soft, yes } => {
            let (project, id) = found::id(&gateway, &one).await?;
            if !yes {
                let question = format!("Delete user {} ({id}) of {}?", one.user, one.reference);
                ask::for_yes(&question, "the user was not deleted")?;
            }
            let body = json!({ "should_soft_delete": soft });
            let answer = project.send(reqwest::Method::DELETE, &user_path(id), Body::Json(&body), &[]).await?.json();
            done(json, &answer, &format!("user {} is deleted", one.user))
        }
    }
}

fn user_path(id: Uuid) -> String {
    format!("/auth/v1/admin/users/{id}")
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

/// Up to `limit` users behind `after`, and the cursor of the next.
async fn list(
    project: &Management,
    search: Option<&str>,
    limit: usize,
    after: Option<String>,
) -> Result<(Vec<Value>, Option<String>), Failure> {
    let mut users: Vec<Value> = Vec::new();
    let mut cursor = after.unwrap_or_default();
    loop {
        let more = (limit - users.len()).min(PAGE);
        let wanted = query(&[
            ("cursor", Some(cursor)),
            ("limit", Some(more.to_string())),
            ("filter", search.map(str::to_owned)),
        ]);
        let answer = project.get(&format!("/auth/v1/admin/users{wanted}")).await?;
        let page = answer.get("users").map(output::list).unwrap_or_default();
        users.extend(page.iter().cloned());
        let next = answer.pointer("/pagination/next_cursor").and_then(Value::as_str).map(str::to_owned);
        match next {
            Some(next) if users.len() < limit && !page.is_empty() => cursor = next,
            next => return Ok((users, next)),
        }
    }
}

fn print_user(user: &Value) -> Result<(), Failure> {
    let names = [
        "id",
        "email",
        "phone",
        "role",
        "created_at",
        "email_confirmed_at",
        "phone_confirmed_at",
        "last_sign_in_at",
        "banned_until",
        "is_anonymous",
        "app_metadata",
        "user_metadata",
    ];
    let shown = names.map(|name| (name, field(user, name)));
    output::pairs(&shown.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>())?;
    for (member, columns) in [
        ("identities", &["provider", "id", "created_at", "last_sign_in_at"][..]),
        ("factors", &["factor_type", "id", "status", "created_at"][..]),
    ] {
        let rows = user.get(member).map(output::list).unwrap_or_default();
        if !rows.is_empty() {
            output::print("")?;
            output::table(columns, output::rows(columns, rows))?;
        }
    }
    Ok(())
}

fn print_sessions(listed: &Value) -> Result<(), Failure> {
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
