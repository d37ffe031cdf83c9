//! `tenantry serve`: puts the gateway together, runs it until a signal, and drains it.

mod banner;
mod compose;
mod first_run;
mod keys;
mod mailbox;
mod metrics;
mod outside;
mod process;
mod targets;

use std::fs::{File, OpenOptions, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use flows::OwnDatabases;
use storage::Placement;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cli::Failure;
use crate::entropy::SystemEntropy;
use crate::gateway_files;
use crate::http::{self, Drained};
use crate::settings::Settings;
use crate::telemetry;

use banner::Banner;
use compose::Gateway;
use first_run::OperatorToken;

/// The addresses a gateway is reached at.
pub(super) struct Addresses {
    /// How clients reach it, without a trailing slash.
    pub(super) external: String,
    /// How this machine reaches the Management API.
    pub(super) admin: String,
    /// Whether only this machine can connect to the public listener.
    pub(super) local: bool,
}

/// Runs the gateway until SIGTERM or SIGINT.
pub(crate) async fn run(settings: Settings, json: bool) -> Result<(), Failure> {
    let telemetry =
        telemetry::start(&settings.logs).map_err(|error| Failure::new("logging cannot start", format!("{error:#}")))?;
    let outcome = serve(&settings, json).await;
    telemetry.flush().await;
    outcome
}

async fn serve(settings: &Settings, json: bool) -> Result<(), Failure> {
    let signals = signals()?;
    gateway_files::create_data_dir(&settings.data_dir).map_err(|error| {
        Failure::caused(format!("the data directory {} cannot be made", settings.data_dir.display()), &error)
    })?;
    // Held until the process ends, however it ends.
    let _lock = lock(settings)?;
    let master_key = keys::master_key(settings, &SystemEntropy)?;
    let public = bind("--listen", settings.listen).await?;
    let admin = match settings.admin_listen {
        Some(address) => Some(bind("--admin-listen", address).await?),
        None => None,
    };
    let addresses = addresses(settings, &public, admin.as_ref())?;
    let gateway = Gateway::start(settings, &addresses, master_key).await?;
    announce(settings, &addresses, &gateway, json).await?;

    let stop = CancellationToken::new();
    let deadline = drain_deadline(settings);
    let mut servers = tokio::task::JoinSet::new();
    match admin {
        None => servers.spawn(http::serve(public, gateway.combined_router(), stop.clone(), deadline.clone())),
        Some(admin) => {
            servers.spawn(http::serve(admin, gateway.admin_router(), stop.clone(), deadline.clone()));
            servers.spawn(http::serve(public, gateway.public_router(), stop.clone(), deadline.clone()))
        }
    };
    let crashed = tokio::select! {
        () = signals.first() => false,
        () = gateway.ended() => true,
    };
    tracing::info!(crashed, "draining");
    stop.cancel();
    gateway.end_streams();
    let drain = async {
        let mut whole = true;
        while let Some(served) = servers.join_next().await {
            whole &= served.is_ok_and(|drained| drained == Drained::Whole);
        }
        whole & gateway.shut_down(deadline()).await
    };
    let whole = tokio::select! {
        whole = drain => whole,
        () = signals.second() => false,
    };
    if crashed {
        return Err(Failure::new("the gateway ended itself", "something crashed more often than it may")
            .next("the log has the cause; restart the gateway"));
    }
    if whole {
        tracing::info!("drained");
    } else {
        tracing::warn!("requests were cut off: the drain took longer than the time it has");
    }
    Ok(())
}

/// Where auth data lies: the gateway's PostgreSQL, or a SQLite file of the data directory.
pub(crate) fn placement(settings: &Settings) -> Placement {
    placed(settings, "auth.db")
}

/// Where the control store lies: a schema of its own in PostgreSQL, or a file of its own.
pub(super) fn control_placement(settings: &Settings) -> Placement {
    placed(settings, "control.db")
}

/// Where projects' own databases lie: files of their own only beside the gateway's, since another gateway could not reach them.
pub(super) fn own_databases(settings: &Settings) -> OwnDatabases {
    let embedded = settings.database_url.is_none();
    OwnDatabases { files: embedded.then(|| settings.data_dir.join("projects")), most_open: settings.own_databases }
}

fn placed(settings: &Settings, file: &str) -> Placement {
    match &settings.database_url {
        None => Placement::Sqlite { file: settings.data_dir.join(file) },
        Some(url) => {
            let cores = std::thread::available_parallelism().map_or(2, |cores| u32::try_from(cores.get()).unwrap_or(2));
            let max_connections = settings.database_connections.unwrap_or((2 * cores).max(4));
            Placement::Postgres { url: url.clone(), max_connections }
        }
    }
}

async fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::caused(format!("nothing can listen on {address}"), &error)
            .next(format!("stop what uses the address, or name another with {flag}"))
    })
}

fn lock(settings: &Settings) -> Result<File, Failure> {
    let path = settings.data_dir.join("lock");
    let broken = |error: &std::io::Error| Failure::caused(format!("{} cannot be locked", path.display()), error);
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| broken(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(broken(&error)),
        Err(TryLockError::WouldBlock) => {
            let what = format!("the data directory {} is in use", settings.data_dir.display());
            Err(Failure::new(what, "another gateway runs on it").next("give this one its own with --data-dir"))
        }
    }
}

fn addresses(settings: &Settings, public: &TcpListener, admin: Option<&TcpListener>) -> Result<Addresses, Failure> {
    let local = |listener: &TcpListener| {
        listener.local_addr().map_err(|error| Failure::caused("the listener has no address", &error))
    };
    let public = local(public)?;
    let external = match &settings.external_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None if public.ip().is_unspecified() => format!("http://{}:{}", settings.domain, public.port()),
        None => format!("http://{public}"),
    };
    let admin = admin.map(local).transpose()?.unwrap_or(public);
    let admin = match admin {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => format!("http://127.0.0.1:{}", v4.port()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("http://[::1]:{}", v6.port()),
        address => format!("http://{address}"),
    };
    Ok(Addresses { external, admin, local: public.ip().is_loopback() })
}

/// Leaves token and address for the command line, and says where everything is.
async fn announce(settings: &Settings, addresses: &Addresses, gateway: &Gateway, json: bool) -> Result<(), Failure> {
    let token_file = gateway_files::token_file(&settings.data_dir);
    let address_file = gateway_files::address_file(&settings.data_dir);
    let unwritten = |path: &Path, error| Failure::caused(format!("{} cannot be written", path.display()), &error);
    let write = |path: &Path, text: &str| {
        gateway_files::write_private(path, &format!("{text}\n")).map_err(|error| unwritten(path, error))
    };
    match gateway.operator_token() {
        OperatorToken::Good(token) => write(&token_file, token.expose())?,
        OperatorToken::Revoked(token) => gateway_files::forget_operator_token(&settings.data_dir, token)
            .map_err(|error| unwritten(&token_file, error))?,
    }
    write(&address_file, &addresses.admin)?;
    let project = first_run::first_project(gateway.management())
        .await
        .map_err(|error| Failure::new("the first project cannot be made", format!("{error:#}")))?;
    let mailbox_url = addresses.local.then(|| format!("{}/mail/", addresses.admin));
    let banner = Banner {
        url: &addresses.external,
        admin_url: &addresses.admin,
        token_file: token_file.exists().then_some(&*token_file),
        mailbox_url: mailbox_url.as_deref(),
        project,
        local: addresses.local,
    };
    banner.print(json).map_err(|error| Failure::caused("the banner cannot be printed", &error))?;
    tracing::info!(url = addresses.external, admin_url = addresses.admin, "ready");
    Ok(())
}

/// When a drain ends: the same moment for everything that drains, counted from the first one that asks.
fn drain_deadline(settings: &Settings) -> impl FnOnce() -> Instant + Clone + use<> {
    let (patience, deadline) = (settings.drain_timeout, Arc::new(OnceLock::new()));
    move || *deadline.get_or_init(|| Instant::now() + patience)
}

/// SIGTERM and SIGINT: the first drains, the second ends at once.
struct Signals {
    first: CancellationToken,
    second: CancellationToken,
}

fn signals() -> Result<Signals, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::caused("signals cannot be received", &error));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let signals = Signals { first: CancellationToken::new(), second: CancellationToken::new() };
    let (first, second) = (signals.first.clone(), signals.second.clone());
    tokio::spawn(async move {
        for token in [first, second] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            token.cancel();
        }
    });
    Ok(signals)
}

impl Signals {
    async fn first(&self) {
        self.first.cancelled().await;
    }

    async fn second(&self) {
        self.second.cancelled().await;
    }
}
