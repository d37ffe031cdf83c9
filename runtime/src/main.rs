//! `tenantry`: the gateway and its command line.

mod cli;
mod clock;
mod entropy;
mod gateway_files;
mod http;
mod serve;
mod server_address;
mod settings;
mod telemetry;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run().await
}
