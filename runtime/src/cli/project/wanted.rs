//! What can be asked for with `tenantry project ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{archive, domain, listing, moves, sessions};
use crate::cli::duration;

/// What is done with projects.
#[derive(Subcommand)]
pub(in crate::cli) enum Action {
    /// Create a project
    Create(Create),
    /// List the projects, by ref
    List(listing::Wanted),
    /// Show one project with its keys, its place, its quotas and what it uses of them
    Show {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Stop serving a project; its data stays
    Pause {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Serve a paused project again
    Resume {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Delete a project: it is not served any more, and its data goes for good when its time of grace is over
    Delete {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// How long it can be restored, such as 24h; 0 removes everything at once [default: as the gateway has it, 7 days]
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        grace: Option<u64>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Bring back a project that was deleted, as it was
    Restore {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Show what a project is granted of what all share, or change it
    Quotas {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// Quotas, such as `in_flight=200` or `users=default`
        #[arg(value_name = "QUOTA=N")]
        quotas: Vec<String>,
    },
    /// Show what a project uses, and what it was refused
    Usage {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// List a project's sessions, or end them
    Sessions(sessions::Wanted),
    /// The host name of a project's own
    Domain {
        #[command(subcommand)]
        action: domain::Action,
    },
    /// Move a project's data to another database while it serves
    Move(moves::Wanted),
    /// Write a project with users, sessions, keys and configuration into a file
    Export(archive::Export),
    /// Make a project of a file that `export` wrote
    Import(archive::Import),
}

/// A project that is to be.
#[derive(Args)]
pub(in crate::cli) struct Create {
    /// The project's ref: 3 to 63 of a-z, 0-9 and hyphens [default: 20 random letters]
    #[arg(long = "ref", value_name = "REF")]
    pub(super) reference: Option<String>,
    /// A name for people [default: the ref]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Which defaults the configuration starts from
    #[arg(long, value_enum, default_value_t = Profile::Compat)]
    pub(super) profile: Profile,
    /// Configuration to start with: fields as JSON or TOML, Supabase's config.toml, or the environment file of a GoTrue server
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The secret of HS256 tokens [default: random]
    #[arg(long, value_name = "SECRET")]
    pub(super) jwt_secret: Option<String>,
    /// Signing keys to import: a JSON file with a list of private JWKs; the one with `sign` in its `key_ops` signs
    #[arg(long, value_name = "FILE")]
    pub(super) signing_keys: Option<PathBuf>,
    /// A PostgreSQL database of the project's own
    #[arg(long, value_name = "URL")]
    pub(super) database_url: Option<String>,
    /// Where its data is to be [default: with that of others, or in the database of --database-url]
    #[arg(long, value_enum)]
    pub(super) placement: Option<Place>,
}

/// Which defaults a project starts from.
#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Profile {
    /// As Supabase Auth ships
    Compat,
    /// The stricter rules of the house
    Shield,
}

/// Where a project's data is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Place {
    /// In the gateway's database, beside those of other projects
    Gateway,
    /// In a PostgreSQL database of its own
    Postgres,
    /// In a SQLite file of its own
    Sqlite,
}

impl Place {
    /// The word of the Management API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }
}
