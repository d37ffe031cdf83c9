//! The command line. All commands but `serve`, `doctor`, `breached-passwords`, `completions` and `man` speak to a running gateway
//! through its Management API.

mod api_keys;
mod ask;
mod audit;
mod breached_passwords;
mod config;
mod connection;
mod doctor;
mod documents;
mod duration;
mod failure;
mod gateways;
mod keys;
mod mail;
mod output;
mod progress;
mod project;
mod providers;
mod redirects;
mod third_party;
mod tokens;
mod users;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::serve;
use crate::settings::{Problem, ServeFlags, Settings, Source};

pub(crate) use failure::Failure;

const ENDS: &str = "Ends with 0 when it is done, 1 when it was refused or failed, 2 when it was asked for in a way that \
                    cannot work, 3 when what was looked at is past a threshold that was asked for.";

/// A multi-tenant, Supabase-compatible auth gateway.
#[derive(Parser)]
#[command(name = "tenantry", version, about, arg_required_else_help = true, after_help = ENDS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway
    Serve {
        #[command(flatten)]
        flags: ServeFlags,
        /// Print URLs and keys as one JSON line on stdout once the gateway is ready
        #[arg(long)]
        json: bool,
    },
    /// Create, list, place, pause, delete and restore projects
    Project {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(subcommand)]
        action: project::Action,
    },
    /// Read and change a project's configuration
    Config {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(subcommand)]
        action: config::Action,
    },
    /// Signing keys of a project
    Keys {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(subcommand)]
        action: keys::Action,
    },
    /// API keys of a project
    ApiKeys {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(subcommand)]
        action: api_keys::Action,
    },
    /// Providers that a project's people sign in with
    Providers {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(subcommand)]
        action: providers::Action,
    },
    /// Issuers whose access tokens a project accepts
    ThirdParty {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(subcommand)]
        action: third_party::Action,
    },
    /// Users of a project
    Users {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(subcommand)]
        action: users::Action,
    },
    /// Mail of a project that could not be delivered
    Mail {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(subcommand)]
        action: mail::Action,
    },
    /// The file of breached passwords that a gateway looks into
    BreachedPasswords {
        #[command(subcommand)]
        action: breached_passwords::Action,
        /// Print JSON instead of a sentence
        #[arg(long, global = true)]
        json: bool,
    },
    /// Operator tokens: who may operate the gateway and its projects
    Tokens {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(subcommand)]
        action: tokens::Action,
    },
    /// The operator log: who changed what
    Audit {
        #[command(flatten)]
        connection: connection::Arguments,
        #[command(flatten)]
        wanted: audit::Wanted,
    },
    /// The gateways that serve these projects
    Gateways {
        #[command(flatten)]
        connection: connection::Arguments,
    },
    /// Print what a shell needs to complete commands
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands into a directory
    Man {
        /// The directory
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
    /// Check data directory, database, Redis, SMTP, clock and limits, and say what to do
    Doctor {
        #[command(flatten)]
        flags: ServeFlags,
        /// Also ask the providers of this project, and look at the places it sends browsers to
        #[arg(long, value_name = "REF")]
        project: Option<String>,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command line and gives the exit code: 0, 1 (refused or failed), 2 (usage) or 3 (past a threshold).
pub(crate) async fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version are answers, not mistakes: clap knows which is which. A closed pipe is nobody's loss.
            _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    let (json, outcome) = match cli.command {
        Command::Serve { flags, json } => (false, start(&flags, json).await),
        Command::Project { connection, action } => (connection.json, project::run(&connection, action).await),
        Command::Config { connection, action } => (connection.json, config::run(&connection, action).await),
        Command::Keys { connection, action } => (connection.json, keys::run(&connection, action).await),
        Command::ApiKeys { connection, action } => (connection.json, api_keys::run(&connection, action).await),
        Command::Providers { connection, action } => (connection.json, providers::run(&connection, action).await),
        Command::ThirdParty { connection, action } => (connection.json, third_party::run(&connection, action).await),
        Command::Users { connection, action } => (connection.json, users::run(&connection, action).await),
        Command::Mail { connection, action } => (connection.json, mail::run(&connection, action).await),
        Command::Tokens { connection, action } => (connection.json, tokens::run(&connection, action).await),
        Command::Audit { connection, wanted } => (connection.json, audit::run(&connection, wanted).await),
        Command::Gateways { connection } => (connection.json, gateways::run(&connection).await),
        Command::Completions { shell } => (false, documents::completions(Cli::command(), shell)),
        Command::Man { directory } => (false, documents::man(Cli::command(), directory)),
        Command::BreachedPasswords { action, json } => (json, breached_passwords::run(action, json)),
        Command::Doctor { flags, project, json } => (json, doctor::run(&flags, project.as_deref(), json).await),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

async fn start(flags: &ServeFlags, json: bool) -> Result<(), Failure> {
    let settings = settings(flags)?;
    serve::run(settings, json).await
}

/// The settings of this run, or all that is wrong with them as one failure.
fn settings(flags: &ServeFlags) -> Result<Settings, Failure> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let refuse = |problems: Vec<Problem>| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::usage("the settings cannot be used", list.join("\n       "))
            .next("correct them; `tenantry serve --help` lists every setting and its default")
    };
    let source =
        Source::new(flags.given(), flags.settings.as_deref(), environment).map_err(|problem| refuse(vec![problem]))?;
    Settings::load(&source).map_err(refuse)
}
