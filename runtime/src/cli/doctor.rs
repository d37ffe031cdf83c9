//! `tenantry doctor`: looks at everything the gateway leans on and says what to do about what is wrong.

mod sign_ins;

use std::net::ToSocketAddrs;
use std::path::Path;
use std::time::Duration;

use domain::secret::Secret;
use reqwest::StatusCode;
use serde_json::{Value, json};
use storage::{Database, Placement};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::Management;
use super::failure::Failure;
use super::output::{self, field};
use crate::gateway_files;
use crate::serve::placement;
use crate::server_address;
use crate::settings::{ServeFlags, Settings};

const PATIENCE: Duration = Duration::from_secs(5);

/// What to do where the token of the data directory is none.
const GIVE_TOKEN: &str = "give an owner's token with TENANTRY_TOKEN; the one of the first run may have been revoked";

/// How a thing was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    Failed,
}

/// One thing that was looked at.
struct Finding {
    subject: &'static str,
    state: State,
    detail: String,
    next: &'static str,
}

impl Finding {
    fn ok(subject: &'static str, detail: impl Into<String>) -> Self {
        Self { subject, state: State::Ok, detail: detail.into(), next: "" }
    }

    fn warning(subject: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self { subject, state: State::Warning, detail: detail.into(), next }
    }

    fn failed(subject: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self { subject, state: State::Failed, detail: detail.into(), next }
    }
}

/// Runs `tenantry doctor`: exit code 1 when something is broken.
pub(super) async fn run(flags: &ServeFlags, project: Option<&str>, json: bool) -> Result<(), Failure> {
    let settings = super::settings(flags)?;
    let mut findings = vec![data_directory(&settings.data_dir), master_key(&settings)];
    findings.push(database(&settings).await);
    findings.push(redis(&settings).await);
    findings.extend(gateway(&settings, project).await);
    findings.push(clock());
    findings.push(open_files());
    show(&findings, json)?;
    let failed = findings.iter().filter(|finding| finding.state == State::Failed).count();
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::new("the gateway cannot run well", format!("{failed} of {} checks failed", findings.len()))
        .next("the last column of the list says what to do"))
}

fn show(findings: &[Finding], json: bool) -> Result<(), Failure> {
    let word = |state| match state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Failed => "failed",
    };
    if json {
        let list = findings.iter().map(|finding| {
            json!({ "check": finding.subject, "state": word(finding.state), "detail": finding.detail, "next": finding.next })
        });
        return output::json(&list.collect());
    }
    let rows = findings.iter().map(|finding| {
        vec![
            finding.subject.to_owned(),
            word(finding.state).to_owned(),
            finding.detail.clone(),
            finding.next.to_owned(),
        ]
    });
    output::table(&["check", "state", "found", "what to do"], rows.collect())
}

fn data_directory(path: &Path) -> Finding {
    const SUBJECT: &str = "data directory";
    let shown = path.display().to_string();
    if !path.exists() {
        return Finding::ok(SUBJECT, format!("{shown} will be created by the first `tenantry serve`"));
    }
    let probe = path.join(".doctor");
    let written = gateway_files::write_private(&probe, "probe").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding::ok(SUBJECT, format!("{shown} can be written")),
        Err(error) => Finding::failed(
            SUBJECT,
            format!("{shown}: {error}"),
            "give the gateway's user write access, or name another directory with --data-dir",
        ),
    }
}

fn master_key(settings: &Settings) -> Finding {
    const SUBJECT: &str = "master key";
    if settings.master_key.is_some() {
        return Finding::ok(SUBJECT, "from TENANTRY_MASTER_KEY");
    }
    let path = gateway_files::key_file(&settings.data_dir);
    match gateway_files::is_open_to_others(&path) {
        Ok(false) => Finding::ok(SUBJECT, format!("{} is for its owner only", path.display())),
        Ok(true) => Finding::failed(SUBJECT, format!("{} is readable by others", path.display()), "chmod 600 the file"),
        Err(_) if settings.database_url.is_some() => Finding::warning(
            SUBJECT,
            "there is none yet; the first `tenantry serve` makes one",
            "gateways that share a database need the same key: set TENANTRY_MASTER_KEY on each",
        ),
        Err(_) => Finding::ok(SUBJECT, "there is none yet; the first `tenantry serve` makes one"),
    }
}

async fn database(settings: &Settings) -> Finding {
    const SUBJECT: &str = "database";
    let placement = placement(settings);
    if let Placement::Sqlite { file } = &placement
        && !file.exists()
    {
        return Finding::ok(SUBJECT, "SQLite, made by the first `tenantry serve`");
    }
    let what = if settings.database_url.is_some() { "PostgreSQL" } else { "SQLite" };
    let look = async {
        let database = Database::connect(&placement).await?;
        let answered = database.ping().await;
        database.close().await;
        answered
    };
    let next = "check the URL, that the server runs, and that its user may create schemas";
    match timeout(PATIENCE, look).await {
        Ok(Ok(())) => Finding::ok(SUBJECT, format!("{what} answers")),
        Ok(Err(error)) => {
            let problem = match &settings.database_url {
                Some(url) => server_address::problem(url).await,
                None => None,
            };
            Finding::failed(SUBJECT, format!("{what}: {}", problem.unwrap_or_else(|| chain(&error))), next)
        }
        Err(_) => Finding::failed(SUBJECT, format!("{what} did not answer in {} s", PATIENCE.as_secs()), next),
    }
}

async fn redis(settings: &Settings) -> Finding {
    const SUBJECT: &str = "redis";
    let Some(url) = &settings.redis_url else {
        return match settings.database_url {
            None => Finding::ok(SUBJECT, "not used: one gateway shares nothing"),
            Some(_) => Finding::warning(
                SUBJECT,
                "not used",
                "fine for one gateway; several on one database need --redis-url to hear of each other's changes",
            ),
        };
    };
    let next = "check the URL and that the server runs; without it several gateways learn of changes late";
    match cluster::Cluster::redis(url, cluster::RedisOptions::default()).await {
        Ok(cluster) if cluster.bus.healthy() => Finding::ok(SUBJECT, "answers"),
        Ok(_) => Finding::failed(SUBJECT, "does not answer", next),
        Err(error) => Finding::failed(SUBJECT, chain(&error), next),
    }
}

/// The running gateway of this data directory, the mail servers of its projects, and what `project` leans on.
async fn gateway(settings: &Settings, project: Option<&str>) -> Vec<Finding> {
    const SUBJECT: &str = "gateway";
    let Ok(url) = gateway_files::admin_url(&settings.data_dir) else {
        return vec![Finding::ok(SUBJECT, "none has run on this data directory yet")];
    };
    // As the other commands do, so that the token of an owner can be given.
    let given = std::env::var("TENANTRY_TOKEN").ok().filter(|token| !token.is_empty()).map(Secret::new);
    let Some(token) = given.or_else(|| gateway_files::operator_token(&settings.data_dir).ok()) else {
        return vec![Finding::warning(SUBJECT, format!("no operator token is known for {url}"), GIVE_TOKEN)];
    };
    let management = match Management::new(&url, token) {
        Ok(management) => management,
        Err(failure) => return vec![Finding::failed(SUBJECT, format!("{failure:?}"), "start `tenantry serve` again")],
    };
    let listed = match management.look("/v1/projects").await {
        Ok(answer) if answer.status.is_success() => answer.json(),
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
            let detail = format!("{url} answers, but the operator token opens nothing");
            return vec![Finding::warning(SUBJECT, detail, GIVE_TOKEN)];
        }
        Ok(answer) => {
            let detail = format!("{url} answers {}", answer.status);
            return vec![Finding::warning(SUBJECT, detail, "the gateway's log on stderr has the cause")];
        }
        Err(_) => {
            return vec![Finding::warning(SUBJECT, format!("none answers at {url}"), "start it with `tenantry serve`")];
        }
    };
    let projects = output::list(&listed);
    let mut findings = vec![Finding::ok(SUBJECT, format!("{url} serves {} projects", projects.len()))];
    for project in projects {
        findings.extend(mail_server(&management, &field(project, "ref")).await);
    }
    if let Some(project) = project {
        findings.extend(sign_ins::of(&management, project).await);
    }
    findings
}

/// Whether the project's SMTP server takes a connection; `None` where it has none.
async fn mail_server(management: &Management, reference: &str) -> Option<Finding> {
    const SUBJECT: &str = "smtp";
    let config = management.get(&format!("/v1/projects/{reference}/config/auth")).await.ok()?;
    let host = config.get("smtp_host").and_then(Value::as_str)?.to_owned();
    let port: u16 = field(&config, "smtp_port").parse().unwrap_or(587);
    let shown = format!("{host}:{port} of project {reference}");
    let next = "check smtp_host and smtp_port, and that this machine may reach them";
    let addresses = tokio::task::spawn_blocking(move || (host, port).to_socket_addrs());
    let connect = async {
        let addresses: Vec<_> = addresses.await.map_err(std::io::Error::other)??.collect();
        TcpStream::connect(addresses.as_slice()).await
    };
    Some(match timeout(PATIENCE, connect).await {
        Ok(Ok(_)) => Finding::ok(SUBJECT, format!("{shown} takes connections")),
        Ok(Err(error)) => Finding::failed(SUBJECT, format!("{shown}: {error}"), next),
        Err(_) => Finding::failed(SUBJECT, format!("{shown} did not answer in {} s", PATIENCE.as_secs()), next),
    })
}

/// Tokens live by the clock: one that was never set would sign tokens that no client accepts.
fn clock() -> Finding {
    const SUBJECT: &str = "clock";
    const LONG_AGO: i64 = 1_767_225_600; // 2026-01-01, older than this program
    let now = domain::time::Clock::now(&crate::clock::SystemClock);
    if now.unix() < LONG_AGO {
        return Finding::failed(SUBJECT, format!("says {}", now.to_wire()), "set the time, best with NTP");
    }
    Finding::ok(SUBJECT, now.to_wire())
}

/// A connection is an open file, and each request of a browser may hold one.
fn open_files() -> Finding {
    const SUBJECT: &str = "open files";
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let Some(soft) = line.and_then(|line| line.split_whitespace().next()) else {
        return Finding::ok(SUBJECT, "the limit is not known on this system");
    };
    match soft.parse::<u64>() {
        Ok(count) if count < 4096 => Finding::warning(
            SUBJECT,
            format!("at most {count}"),
            "raise it: `ulimit -n 65536`, or LimitNOFILE= in a systemd unit",
        ),
        _ => Finding::ok(SUBJECT, format!("at most {soft}")),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
