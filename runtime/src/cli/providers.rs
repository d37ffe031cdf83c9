//! `tenantry providers ...`: where a project's people can sign in.

use clap::Subcommand;
use serde_json::{Value, json};

use super::connection::{Arguments, Management};
use super::failure::Failure;
use super::output::{self, field};
use super::project::path;

/// What is done with providers.
#[derive(Subcommand)]
pub(super) enum Action {
    /// List the built-in providers that are on, and the project's own
    List {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Ask providers whether a sign-in would work: metadata, keys, client secret, redirect URI
    Test {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// One provider, such as `google` or `custom:acme` [default: all that are on]
        #[arg(value_name = "PROVIDER")]
        provider: Option<String>,
    },
}

/// Runs `tenantry providers`.
pub(super) async fn run(connection: &Arguments, action: Action) -> Result<(), Failure> {
    let json = connection.json;
    match action {
        Action::List { reference } => {
            let providers = list(&connection.gateway()?, &reference).await?;
            if json {
                return output::json(&Value::from(providers));
            }
            let columns = ["name", "kind", "enabled", "client_id", "redirect_uri"];
            let rows = providers.iter().map(|provider| columns.map(|name| field(provider, name)).to_vec());
            output::table(&columns, rows.collect())
        }
        Action::Test { reference, provider } => {
            let gateway = connection.gateway()?;
            let tested = match provider {
                Some(provider) => vec![test(&gateway, &reference, &provider).await?],
                None => test_all(&gateway, &reference).await?,
            };
            let ill: Vec<String> =
                tested.iter().filter(|test| !healthy(test)).map(|test| field(test, "provider")).collect();
            if json {
                output::json(&Value::from(tested))?;
            } else {
                print(&tested)?;
            }
            if ill.is_empty() {
                return Ok(());
            }
            Err(Failure::new("nobody can sign in there as it is set up", ill.join(", "))
                .next("correct what failed at the provider's console or with `tenantry config set`, and test again"))
        }
    }
}

/// The providers of a project.
pub(super) async fn list(gateway: &Management, reference: &str) -> Result<Vec<Value>, Failure> {
    let providers = gateway.get(&providers_path(reference)).await?;
    Ok(output::list(&providers).to_vec())
}

/// Tests those that are on.
pub(super) async fn test_all(gateway: &Management, reference: &str) -> Result<Vec<Value>, Failure> {
    let mut tested = Vec::new();
    for provider in list(gateway, reference).await? {
        if provider.get("enabled").and_then(Value::as_bool) == Some(true) {
            tested.push(test(gateway, reference, &field(&provider, "name")).await?);
        }
    }
    Ok(tested)
}

/// Whether a test found nothing that stands in the way.
pub(super) fn healthy(test: &Value) -> bool {
    test.get("healthy").and_then(Value::as_bool) == Some(true)
}

/// The single findings of a test.
pub(super) fn checks(test: &Value) -> &[Value] {
    test.get("checks").map(output::list).unwrap_or_default()
}

async fn test(gateway: &Management, reference: &str, provider: &str) -> Result<Value, Failure> {
    gateway.post(&format!("{}/{}/test", providers_path(reference), safe(provider)?), &json!({})).await
}

fn providers_path(reference: &str) -> String {
    format!("{}/config/auth/providers", path(reference))
}

/// The name of a provider as it stands in a path. Nothing else must reach another path.
fn safe(provider: &str) -> Result<&str, Failure> {
    let known = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | ':');
    if !provider.is_empty() && provider.chars().all(known) {
        return Ok(provider);
    }
    Err(Failure::usage(format!("`{provider}` cannot be tested"), "it is no name of a provider")
        .next("`tenantry providers list` shows those of a project"))
}

fn print(tested: &[Value]) -> Result<(), Failure> {
    let rows = tested.iter().flat_map(|test| {
        let provider = field(test, "provider");
        checks(test).iter().map(move |check| {
            let [name, state, detail] = ["name", "state", "detail"].map(|name| field(check, name));
            vec![provider.clone(), name, state, detail]
        })
    });
    output::table(&["provider", "check", "state", "found"], rows.collect())
}
