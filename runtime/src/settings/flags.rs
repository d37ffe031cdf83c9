//! The flags of `tenantry serve`. They stay text here, so that one run reports every wrong value.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

/// Flags of `tenantry serve`; each wins over its environment variable, and that over `tenantry.toml`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServeFlags {
    /// Address of the public listener [env: TENANTRY_LISTEN] [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Address of a listener of its own for Management API, metrics and mailbox [env: TENANTRY_ADMIN_LISTEN] [default:
    /// the public listener]
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,

    /// Directory of key file, token file and embedded databases [env: TENANTRY_DATA_DIR] [default: ./tenantry-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,

    /// PostgreSQL to keep everything in [env: TENANTRY_DATABASE_URL, else DATABASE_URL] [default: SQLite files in the
    /// data directory]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,

    /// Connections to PostgreSQL at most [env: TENANTRY_DATABASE_CONNECTIONS] [default: twice the cores, at least 4]
    #[arg(long, value_name = "N")]
    database_connections: Option<String>,

    /// Databases of projects' own that are open at a time, four connections each at most [env: TENANTRY_OWN_DATABASES]
    /// [default: 128]
    #[arg(long, value_name = "N")]
    own_databases: Option<String>,

    /// How long a deleted project can be restored when nothing is said, in seconds [env: TENANTRY_DELETE_GRACE]
    /// [default: 604800, a week]
    #[arg(long, value_name = "SECONDS")]
    delete_grace: Option<String>,

    /// Redis that several gateways share [env: TENANTRY_REDIS_URL, else REDIS_URL] [default: in process]
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,

    /// Projects answer on {ref}.DOMAIN [env: TENANTRY_DOMAIN] [default: localhost]
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,

    /// How clients reach this gateway [env: TENANTRY_EXTERNAL_URL] [default: from --listen]
    #[arg(long, value_name = "URL")]
    external_url: Option<String>,

    /// Addresses and ranges, comma separated, whose forwarded headers count [env: TENANTRY_TRUSTED_PROXIES] [default:
    /// none]
    #[arg(long, value_name = "LIST")]
    trusted_proxies: Option<String>,

    /// Private ranges, comma separated, that operator-set URLs may reach [env: TENANTRY_ALLOW_PRIVATE_TARGETS]
    /// [default: loopback while listening on loopback, else none]
    #[arg(long, value_name = "LIST")]
    allow_private_targets: Option<String>,

    /// Certificates of authorities, in PEM form, that mail servers may have theirs from besides the public ones [env:
    /// TENANTRY_SMTP_CA_FILE] [default: none]
    #[arg(long, value_name = "FILE")]
    smtp_ca_file: Option<String>,

    /// File of breached passwords, made by `tenantry breached-passwords build`; passwords that are not in it are asked of
    /// nobody [env: TENANTRY_BREACHED_PASSWORDS_FILE] [default: none, the service is asked]
    #[arg(long, value_name = "FILE")]
    breached_passwords_file: Option<String>,

    /// Seconds a shutdown waits for requests under way [env: TENANTRY_DRAIN_TIMEOUT] [default: 30]
    #[arg(long, value_name = "SECONDS")]
    drain_timeout: Option<String>,

    /// Form of the log lines on stderr, text or json [env: TENANTRY_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,

    /// Settings file [env: TENANTRY_SETTINGS] [default: ./tenantry.toml, where it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
}

impl ServeFlags {
    /// The flags that were given, by name.
    pub(crate) fn given(&self) -> BTreeMap<&'static str, String> {
        [
            ("--listen", &self.listen),
            ("--admin-listen", &self.admin_listen),
            ("--data-dir", &self.data_dir),
            ("--database-url", &self.database_url),
            ("--database-connections", &self.database_connections),
            ("--own-databases", &self.own_databases),
            ("--delete-grace", &self.delete_grace),
            ("--redis-url", &self.redis_url),
            ("--domain", &self.domain),
            ("--external-url", &self.external_url),
            ("--trusted-proxies", &self.trusted_proxies),
            ("--allow-private-targets", &self.allow_private_targets),
            ("--smtp-ca-file", &self.smtp_ca_file),
            ("--breached-passwords-file", &self.breached_passwords_file),
            ("--drain-timeout", &self.drain_timeout),
            ("--log-format", &self.log_format),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect()
    }
}
