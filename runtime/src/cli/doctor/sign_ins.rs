//! What the sign-ins of one project at its providers lean on.

use serde_json::Value;

use super::{Finding, State};
use crate::cli::connection::Management;
use crate::cli::output::field;
use crate::cli::{providers, redirects};

/// Its providers, and the places it sends browsers to.
pub(super) async fn of(management: &Management, reference: &str) -> Vec<Finding> {
    let mut findings = at_providers(management, reference).await;
    findings.extend(redirected(management, reference).await);
    findings
}

async fn at_providers(management: &Management, reference: &str) -> Vec<Finding> {
    const SUBJECT: &str = "provider";
    let next = "check the project's ref, and that the gateway runs";
    match providers::test_all(management, reference).await {
        Err(failure) => vec![Finding::failed(SUBJECT, failure.told(), next)],
        Ok(tested) if tested.is_empty() => vec![Finding::ok(SUBJECT, format!("project {reference} has none"))],
        Ok(tested) => tested.iter().flat_map(|test| checked(SUBJECT, test)).collect(),
    }
}

fn checked(subject: &'static str, test: &Value) -> Vec<Finding> {
    let provider = field(test, "provider");
    let finding = |check: &Value| {
        let detail = format!("{provider}, {}: {}", field(check, "name"), field(check, "detail"));
        let (state, next) = match field(check, "state").as_str() {
            "ok" => (State::Ok, ""),
            "warning" => (State::Warning, "test again later, or compare it with the provider's console"),
            _ => (State::Failed, "correct it at the provider's console, or with `tenantry config set`"),
        };
        Finding { subject, state, detail, next }
    };
    providers::checks(test).iter().map(finding).collect()
}

async fn redirected(management: &Management, reference: &str) -> Vec<Finding> {
    const SUBJECT: &str = "redirects";
    let next = "list whole https addresses in uri_allow_list, one for each place";
    match redirects::unsafe_ones(management, reference).await {
        // What is wrong with the project was found above.
        Err(_) => Vec::new(),
        Ok(entries) if entries.is_empty() => {
            vec![Finding::ok(SUBJECT, format!("project {reference} sends browsers to safe places only"))]
        }
        Ok(entries) => {
            let finding = |entry| Finding::warning(SUBJECT, redirects::sentence(entry), next);
            entries.iter().map(finding).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_check_is_a_finding_and_only_what_failed_breaks() {
        let test = json!({"provider": "google", "healthy": false, "checks": [
            {"name": "discovery", "state": "ok", "detail": "found"},
            {"name": "redirect", "state": "warning", "detail": "unknown"},
            {"name": "secret", "state": "failed", "detail": "refused"},
        ]});
        let findings = checked("provider", &test);
        let told: Vec<_> = findings.iter().map(|finding| finding.detail.as_str()).collect();
        assert_eq!(told, ["google, discovery: found", "google, redirect: unknown", "google, secret: refused"]);
        assert!(findings[0].state == State::Ok && findings[0].next.is_empty());
        assert!(findings[1].state == State::Warning && !findings[1].next.is_empty());
        assert!(findings[2].state == State::Failed && !findings[2].next.is_empty());
    }
}
