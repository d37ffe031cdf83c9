//! Settings of the process: flag, then environment, then `tenantry.toml`, then the default.
//!
//! Every setting is read even when an earlier one is wrong, so that an operator sees all problems at once.

mod flags;
mod parse;
mod source;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use domain::secret::Secret;
use ipnet::IpNet;
use url::Url;

pub(crate) use flags::ServeFlags;
pub(crate) use source::{Problem, Source};

use source::Setting;

/// How the gateway runs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The public listener.
    pub(crate) listen: SocketAddr,
    /// A listener of its own for the Management API, metrics and the mailbox.
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Key file, token file and embedded databases.
    pub(crate) data_dir: PathBuf,
    /// PostgreSQL; `None` = SQLite files in the data directory.
    pub(crate) database_url: Option<Secret<String>>,
    /// Connections to PostgreSQL at most; `None` = twice the cores.
    pub(crate) database_connections: Option<u32>,
    /// Databases of projects' own that are open at a time.
    pub(crate) own_databases: usize,
    /// How long a deleted project can be restored when nothing is said, in seconds.
    pub(crate) delete_grace: i64,
    /// Redis; `None` = everything shared stays in this process.
    pub(crate) redis_url: Option<Secret<String>>,
    /// Projects answer on `{ref}.{domain}`.
    pub(crate) domain: String,
    /// How clients reach the gateway; `None` = from the listener.
    pub(crate) external_url: Option<Url>,
    /// Peers whose forwarded headers count.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Private ranges that operator-set URLs may reach; `None` = loopback while the gateway listens on loopback.
    pub(crate) allow_private_targets: Option<Vec<IpNet>>,
    /// More authorities that mail servers may have certificates from, in PEM form.
    pub(crate) smtp_ca_file: Option<PathBuf>,
    /// What is looked up before the breach service is asked.
    pub(crate) breached_passwords_file: Option<PathBuf>,
    /// Seals secrets at rest; `None` = the key file.
    pub(crate) master_key: Option<Secret<String>>,
    /// Defaults of new projects.
    pub(crate) project_defaults: ProjectDefaults,
    /// How long a shutdown waits for requests under way.
    pub(crate) drain_timeout: Duration,
    /// What is logged and how.
    pub(crate) logs: Logs,
}

/// What is logged, how, and whether traces are exported.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    /// Directives as `RUST_LOG` takes them.
    pub(crate) filter: String,
    /// Lines for people or JSON objects for machines.
    pub(crate) format: LogFormat,
    /// Whether `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector; the exporter reads the variable itself.
    pub(crate) export_traces: bool,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object.
    Json,
}

/// What a project gets where its own configuration says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProjectDefaults {
    /// Life of access tokens in seconds.
    pub(crate) access_token_lifetime: i64,
    /// Where links lead when no redirect is named.
    pub(crate) site_url: String,
    /// Whether new addresses count as confirmed.
    pub(crate) auto_confirm: bool,
}

const LISTEN: Setting = Setting::new("listen", "--listen", &["TENANTRY_LISTEN"]);
const ADMIN_LISTEN: Setting = Setting::new("admin_listen", "--admin-listen", &["TENANTRY_ADMIN_LISTEN"]);
const DATA_DIR: Setting = Setting::new("data_dir", "--data-dir", &["TENANTRY_DATA_DIR"]);
const DATABASE_URL: Setting =
    Setting::new("database_url", "--database-url", &["TENANTRY_DATABASE_URL", "DATABASE_URL"]).secret();
const DATABASE_CONNECTIONS: Setting =
    Setting::new("database_connections", "--database-connections", &["TENANTRY_DATABASE_CONNECTIONS"]);
const OWN_DATABASES: Setting = Setting::new("own_databases", "--own-databases", &["TENANTRY_OWN_DATABASES"]);
const DELETE_GRACE: Setting = Setting::new("delete_grace", "--delete-grace", &["TENANTRY_DELETE_GRACE"]);
const REDIS_URL: Setting = Setting::new("redis_url", "--redis-url", &["TENANTRY_REDIS_URL", "REDIS_URL"]).secret();
const DOMAIN: Setting = Setting::new("domain", "--domain", &["TENANTRY_DOMAIN"]);
const EXTERNAL_URL: Setting = Setting::new("external_url", "--external-url", &["TENANTRY_EXTERNAL_URL"]);
const TRUSTED_PROXIES: Setting = Setting::new("trusted_proxies", "--trusted-proxies", &["TENANTRY_TRUSTED_PROXIES"]);
const ALLOW_PRIVATE_TARGETS: Setting =
    Setting::new("allow_private_targets", "--allow-private-targets", &["TENANTRY_ALLOW_PRIVATE_TARGETS"]);
const SMTP_CA_FILE: Setting = Setting::new("smtp_ca_file", "--smtp-ca-file", &["TENANTRY_SMTP_CA_FILE"]);
const BREACHED_PASSWORDS_FILE: Setting =
    Setting::new("breached_passwords_file", "--breached-passwords-file", &["TENANTRY_BREACHED_PASSWORDS_FILE"]);
const DRAIN_TIMEOUT: Setting = Setting::new("drain_timeout", "--drain-timeout", &["TENANTRY_DRAIN_TIMEOUT"]);
const ACCESS_TOKEN_LIFETIME: Setting = Setting::without_flag("access_token_lifetime", &["ACCESS_TOKEN_LIFETIME"]);
const SITE_URL: Setting = Setting::without_flag("site_url", &["SITE_URL"]);
const AUTO_CONFIRM: Setting = Setting::without_flag("auth_auto_confirm", &["AUTH_AUTO_CONFIRM"]);
const LOG_FORMAT: Setting = Setting::new("log_format", "--log-format", &["TENANTRY_LOG_FORMAT"]);
const LOG_FILTER: Setting = Setting::environment_only(&["RUST_LOG"]);
const OTLP_ENDPOINT: Setting = Setting::environment_only(&["OTEL_EXPORTER_OTLP_ENDPOINT"]);
const MASTER_KEY: Setting = Setting::environment_only(&["TENANTRY_MASTER_KEY"]).secret();

const ALL: &[&Setting] = &[
    &LISTEN,
    &ADMIN_LISTEN,
    &DATA_DIR,
    &DATABASE_URL,
    &DATABASE_CONNECTIONS,
    &OWN_DATABASES,
    &DELETE_GRACE,
    &REDIS_URL,
    &DOMAIN,
    &EXTERNAL_URL,
    &TRUSTED_PROXIES,
    &ALLOW_PRIVATE_TARGETS,
    &SMTP_CA_FILE,
    &BREACHED_PASSWORDS_FILE,
    &DRAIN_TIMEOUT,
    &ACCESS_TOKEN_LIFETIME,
    &SITE_URL,
    &AUTO_CONFIRM,
    &LOG_FORMAT,
    &LOG_FILTER,
    &OTLP_ENDPOINT,
    &MASTER_KEY,
];

impl Settings {
    /// Reads every setting from `source`, or says everything that is wrong with them.
    pub(crate) fn load(source: &Source) -> Result<Self, Vec<Problem>> {
        let mut problems = source.unknown_keys(ALL);
        let mut reader = Reader { source, problems: &mut problems };

        let listen = reader.or(&LISTEN, parse::address, SocketAddr::from(([127, 0, 0, 1], 8000)));
        let admin_listen = reader.read(&ADMIN_LISTEN, parse::address);
        let data_dir = reader.or(&DATA_DIR, parse::path, PathBuf::from("./tenantry-data"));
        let database_url = reader.read(&DATABASE_URL, parse::postgres_url);
        let database_connections = reader.read(&DATABASE_CONNECTIONS, parse::connections);
        let own_databases = reader.or(&OWN_DATABASES, parse::open_databases, 128);
        let delete_grace = reader.or(&DELETE_GRACE, parse::grace, flows::management::DEFAULT_GRACE);
        let redis_url = reader.read(&REDIS_URL, parse::redis_url);
        let domain = reader.or(&DOMAIN, parse::domain, "localhost".to_owned());
        let external_url = reader.read(&EXTERNAL_URL, parse::base_url);
        let trusted_proxies = reader.or(&TRUSTED_PROXIES, parse::networks, Vec::new());
        let allow_private_targets = reader.read(&ALLOW_PRIVATE_TARGETS, parse::networks);
        let smtp_ca_file = reader.read(&SMTP_CA_FILE, parse::path);
        let breached_passwords_file = reader.read(&BREACHED_PASSWORDS_FILE, parse::path);
        let drain_timeout = reader.or(&DRAIN_TIMEOUT, parse::seconds, Duration::from_secs(30));
        let master_key = reader.read(&MASTER_KEY, |text| Ok(Secret::new(text.to_owned())));
        let project_defaults = ProjectDefaults {
            access_token_lifetime: reader.or(&ACCESS_TOKEN_LIFETIME, parse::token_lifetime, 3600),
            site_url: reader.or(&SITE_URL, parse::site_url, "http://localhost:3000".to_owned()),
            auto_confirm: reader.or(&AUTO_CONFIRM, parse::boolean, false),
        };
        let logs = Logs {
            filter: reader.or(&LOG_FILTER, parse::log_filter, "info,ractor=warn".to_owned()),
            format: reader.or(&LOG_FORMAT, parse::log_format, LogFormat::Text),
            export_traces: reader.read(&OTLP_ENDPOINT, parse::base_url).is_some(),
        };
        if admin_listen == Some(listen) && listen.port() != 0 {
            let text = format!("{listen} is the public listener already: leave it out or give it a port of its own");
            problems.push(Problem::new("--admin-listen", text));
        }

        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            listen,
            admin_listen,
            data_dir,
            database_url,
            database_connections,
            own_databases,
            delete_grace,
            redis_url,
            domain,
            external_url,
            trusted_proxies,
            allow_private_targets,
            smtp_ca_file,
            breached_passwords_file,
            master_key,
            project_defaults,
            drain_timeout,
            logs,
        })
    }
}

#[cfg(test)]
impl Settings {
    /// The defaults, on a data directory of a test's own.
    pub(crate) fn for_test(data_dir: &std::path::Path) -> Self {
        let flags = [("--data-dir", data_dir.display().to_string())].into();
        let nothing = data_dir.join("none.toml");
        std::fs::write(&nothing, "").unwrap();
        let source = Source::new(flags, Some(&nothing), std::collections::BTreeMap::new()).unwrap();
        Self::load(&source).unwrap()
    }
}

/// Reads settings and keeps what was wrong with them.
struct Reader<'a> {
    source: &'a Source,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn read<T>(&mut self, setting: &Setting, parse: fn(&str) -> Result<T, String>) -> Option<T> {
        let found = self.source.find(setting)?;
        let parsed = found.text.and_then(|text| parse(&text).map_err(|why| setting.describe(&text, &why)));
        parsed.map_err(|why| self.problems.push(Problem::new(found.origin, why))).ok()
    }

    fn or<T>(&mut self, setting: &Setting, parse: fn(&str) -> Result<T, String>, default: T) -> T {
        self.read(setting, parse).unwrap_or(default)
    }
}

#[cfg(test)]
mod tests;
