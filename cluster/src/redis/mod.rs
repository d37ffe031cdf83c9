//! The services over Redis: one connection for commands, one for hearing the other gateways.
//!
//! Keys are `{prefix}:{project id}:sessions:{user}` (hash), `...:bucket:{name}` (string) and `...:log:{name}` (list),
//! each with an expiry of its own, and `{prefix}:{project id}:keys`, which lists those that live; invalidations travel on the channel `{prefix}:invalidations:{db}`.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use domain::ids::ProjectId;
use domain::secret::Secret;
use fred::types::RespVersion;
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, UnresponsiveConfig};
use fred::types::scripts::Script;
use tokio::task::{JoinHandle, JoinSet};

use self::bus::RedisBus;
use self::counters::RedisCounters;
use self::link::Link;
use self::sessions::RedisSessions;
use crate::fallback::Fallback;
use crate::{Cluster, Unavailable};

mod bus;
mod counters;
mod link;
mod sessions;

/// How the services use a Redis server.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// First part of every key and channel: deployments that share a server differ in it. `tn` unless said otherwise.
    pub prefix: String,
    /// How long a call may take before it fails; half a second unless said otherwise.
    pub call_timeout: Duration,
    /// How long to wait for the first connection; three seconds unless said otherwise.
    pub first_connection: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "tn".to_owned(),
            call_timeout: Duration::from_millis(500),
            first_connection: Duration::from_secs(3),
        }
    }
}

/// A Redis server that cannot be used as configured; waiting would not help.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not understood, or the system's certificates cannot be read.
    #[error("the redis url is not usable: {0}")]
    Url(String),
    /// The server answered and refused the credentials.
    #[error("the redis server refused the credentials: {0}")]
    Refused(String),
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const SILENCE: Duration = Duration::from_secs(1);
/// How often an idle connection is asked whether it is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often a lost connection is looked at.
const RETRY: Duration = Duration::from_millis(100);

/// The background work of the services; ends with the last of them.
type Tasks = Arc<JoinSet<()>>;

pub(crate) async fn connect(url: &Secret<String>, options: RedisOptions) -> Result<Cluster, ConnectError> {
    let config = parse(url)?;
    let database = config.database.unwrap_or(0);
    let link = Arc::new(Link::new(client(config.clone()), options.call_timeout));
    let prefix: Arc<str> = options.prefix.into();
    let channel = format!("{prefix}:invalidations:{database}");
    let listener = Arc::new(bus::Listener::new(client(config), channel, Arc::clone(&link)));

    let mut refusals = link.refusals();
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&link).keep_up());
    tasks.spawn(Arc::clone(&listener).listen());
    let tasks = Arc::new(tasks);

    tokio::select! {
        () = async { tokio::join!(link.until_up(), listener.until_hearing()); } => {}
        refusal = refusals.next() => return Err(ConnectError::Refused(refusal)),
        () = tokio::time::sleep(options.first_connection) => {
            tracing::warn!("redis cannot be reached, going on without it until it can");
        }
    }
    Ok(Cluster {
        sessions: Arc::new(RedisSessions::new(Arc::clone(&link), Arc::clone(&prefix), Arc::clone(&tasks))),
        counters: Arc::new(Fallback::of(RedisCounters::new(link, prefix, Arc::clone(&tasks)))),
        bus: Arc::new(RedisBus::new(listener, tasks)),
    })
}

fn parse(url: &Secret<String>) -> Result<Config, ConnectError> {
    let config = Config::from_url(url.expose());
    let mut config = config.map_err(|error| ConnectError::Url(error.details().to_owned()))?;
    config.fail_fast = false;
    config.version = RespVersion::RESP3;
    Ok(config)
}

fn client(config: Config) -> fred::clients::Client {
    let performance = PerformanceConfig { broadcast_channel_capacity: crate::bus::BACKLOG, ..Default::default() };
    let connection = ConnectionConfig {
        connection_timeout: CONNECT_TIMEOUT,
        internal_command_timeout: CONNECT_TIMEOUT,
        // Whether a command that lost its connection was carried out is unknown: it is never sent twice.
        max_command_attempts: 1,
        unresponsive: UnresponsiveConfig { max_timeout: Some(SILENCE), interval: SILENCE / 4 },
        ..Default::default()
    };
    let policy = ReconnectPolicy::new_exponential(0, 50, 2_000, 2);
    fred::clients::Client::new(config, Some(performance), Some(connection), Some(policy))
}

/// A script that notes the key it writes to as one of its project's.
macro_rules! noting {
    ($file:literal) => {
        std::sync::LazyLock::new(|| {
            fred::types::scripts::Script::from_lua(concat!(include_str!("known.lua"), include_str!($file)))
        })
    };
}
use noting;

static FORGET: LazyLock<Script> = LazyLock::new(|| Script::from_lua(include_str!("forget.lua")));

/// Keys that are forgotten at a time.
const AT_A_TIME: i64 = 500;

/// What lists the keys of a project.
fn keys_of(prefix: &str, project: ProjectId) -> String {
    format!("{prefix}:{project}:keys")
}

/// Forgets every key of a project.
async fn forget(link: &Link, prefix: &str, project: ProjectId) -> Result<(), Unavailable> {
    loop {
        let keys = vec![keys_of(prefix, project)];
        let gone: i64 = run(link, &FORGET, keys, vec![AT_A_TIME.to_string()]).await?;
        if gone == 0 {
            return Ok(());
        }
    }
}

/// Runs a script by its digest, and by its text where the server does not know it yet.
async fn run<R: fred::types::FromValue>(
    link: &Link,
    script: &Script,
    keys: Vec<String>,
    arguments: Vec<String>,
) -> Result<R, Unavailable> {
    use fred::interfaces::LuaInterface;

    let digest = script.sha1().clone();
    let first = link.call(link.client().evalsha(digest, keys.clone(), arguments.clone())).await;
    let result = match first {
        Err(error) if error.details().starts_with("NOSCRIPT") => {
            let text = script.lua().cloned().unwrap_or_default();
            link.call(link.client().eval(text, keys, arguments)).await
        }
        other => other,
    };
    result.map_err(link::unavailable)
}

/// A task that ends with its owner.
struct Task<T>(JoinHandle<T>);

impl<T> Task<T> {
    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
