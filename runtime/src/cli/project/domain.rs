//! `tenantry project domain ...`: the host name of a project's own.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{done, path};
use crate::cli::connection::Management;
use crate::cli::failure::Failure;
use crate::cli::output::{self, field};

/// What is done with a project's host name.
#[derive(Subcommand)]
pub(in crate::cli) enum Action {
    /// Show the host name, and how far it is
    Show {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Name the host; the answer says which DNS records it needs
    Set {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
        /// The host name, such as auth.example.com
        #[arg(value_name = "HOST")]
        host: String,
    },
    /// Look whether the DNS records are there
    Verify {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Serve the project under the host name
    Activate {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Serve the project under it no longer
    Remove {
        /// The project's ref
        #[arg(value_name = "REF")]
        reference: String,
    },
}

/// Runs `tenantry project domain`.
pub(super) async fn run(gateway: &Management, action: Action, json: bool) -> Result<(), Failure> {
    let route = |reference: &str| format!("{}/custom-hostname", path(reference));
    match action {
        Action::Show { reference } => print(&reference, &gateway.get(&route(&reference)).await?, json),
        Action::Set { reference, host } => {
            let body = json!({ "custom_hostname": host });
            print(&reference, &gateway.post(&format!("{}/initialize", route(&reference)), &body).await?, json)
        }
        Action::Verify { reference } => {
            print(&reference, &gateway.post(&format!("{}/reverify", route(&reference)), &json!({})).await?, json)
        }
        Action::Activate { reference } => {
            print(&reference, &gateway.post(&format!("{}/activate", route(&reference)), &json!({})).await?, json)
        }
        Action::Remove { reference } => {
            let answer = gateway.delete(&route(&reference)).await?;
            done(json, &answer, &format!("project {reference} has no host name of its own"))
        }
    }
}

fn print(reference: &str, answer: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(answer);
    }
    let (host, status) = (field(answer, "custom_hostname"), field(answer, "status"));
    if host.is_empty() {
        return output::print(&format!("project {reference} has no host name of its own"));
    }
    output::pairs(&[("host", host.clone()), ("status", status.clone())])?;
    let records = records(&host, answer);
    if !records.is_empty() {
        output::print("")?;
        output::table(&["type", "name", "value"], records)?;
    }
    output::print(&next(reference, &status))
}

/// The records that the DNS must have.
fn records(host: &str, answer: &Value) -> Vec<Vec<String>> {
    let proof = |name: &str| {
        output::show(answer.pointer(&format!("/data/result/ownership_verification/{name}")).unwrap_or(&Value::Null))
    };
    let target = output::show(answer.pointer("/data/result/custom_origin_server").unwrap_or(&Value::Null));
    let records =
        [[proof("type").to_uppercase(), proof("name"), proof("value")], ["CNAME".to_owned(), host.to_owned(), target]];
    records.into_iter().filter(|[.., value]| !value.is_empty()).map(Vec::from).collect()
}

fn next(reference: &str, status: &str) -> String {
    let step = |word: &str| format!("`tenantry project domain {word} {reference}`");
    match status.split('_').next() {
        Some("5") => format!("project {reference} is served there"),
        Some("4") => format!("the record was found: {} serves the project there", step("activate")),
        _ => format!("make these records, then {} looks for them", step("verify")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_those_that_the_answer_asks_for() {
        let result = json!({
            "ownership_verification": { "type": "txt", "name": "_t.a.co", "value": "proof" },
            "custom_origin_server": "gateway.example.com",
        });
        let answer = json!({ "data": { "result": result } });
        let expected = [["TXT", "_t.a.co", "proof"], ["CNAME", "a.co", "gateway.example.com"]];
        assert_eq!(records("a.co", &answer), expected.map(|record| record.map(str::to_owned).to_vec()));
        assert!(records("a.co", &json!({})).is_empty());
    }

    #[test]
    fn each_step_names_the_next() {
        assert!(next("acme", "2_initiated").contains("domain verify acme"));
        assert!(next("acme", "4_origin_setup_completed").contains("domain activate acme"));
        assert!(next("acme", "5_services_reconfigured").contains("is served there"));
    }
}
