//! Which projects are put under load: given with their keys, or made on a gateway for the run.

use std::path::PathBuf;

use clap::Args;

/// The projects of a run.
#[derive(Args)]
pub(crate) struct TargetArguments {
    /// A project's URL, as given to `createClient`: the part before `/auth/v1`. Can be given several times.
    ///
    /// Without it projects are made on a gateway (--gateway, --token) and removed at the end.
    #[arg(long)]
    pub(crate) url: Vec<String>,
    /// The service_role or secret key of each project: creates and removes the users.
    #[arg(long, env = "TENANTRY_LOAD_KEY", hide_env_values = true, value_delimiter = ',')]
    pub(crate) key: Vec<String>,
    /// The anon or publishable key of each project, sent with the users' requests; else the service_role key is.
    #[arg(long, env = "TENANTRY_LOAD_ANON_KEY", hide_env_values = true, value_delimiter = ',')]
    pub(crate) anon_key: Vec<String>,
    /// The gateway's Management API [default: the gateway of --data-dir].
    #[arg(long, env = "TENANTRY_URL", value_name = "URL")]
    pub(crate) gateway: Option<String>,
    /// An operator token that may create projects [default: the token file of --data-dir].
    #[arg(long, env = "TENANTRY_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Data directory of a gateway on this machine.
    #[arg(long, env = "TENANTRY_DATA_DIR", default_value = "./tenantry-data", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Projects to make, where none are given [default: 1].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) projects: Option<u32>,
    /// Confirms that a host outside this machine and its private network is yours to load.
    #[arg(long)]
    pub(crate) i_own_this_host: bool,
}
