//! `/v1/projects/{ref}/custom-hostname`: a domain of a project's own, in the shapes of Supabase. It is named, proved by a record
//! in its DNS, and then activated; from then on requests to that host are the project's.

use actors::management::DomainView;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::management::operator::{Operator, refused};
use crate::management::{answer, empty, message};

/// A project's own domain, and what is left to do.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomHostname)]
pub(super) struct Hostname {
    /// `1_not_started`, `2_initiated`, `4_origin_setup_completed` (proved) or `5_services_reconfigured` (in use).
    status: &'static str,
    custom_hostname: String,
    data: Data,
}

/// The same in the words of the service that Supabase uses.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomHostnameData)]
struct Data {
    success: bool,
    #[schema(value_type = Vec<Object>)]
    errors: [(); 0],
    #[schema(value_type = Vec<Object>)]
    messages: [(); 0],
    result: Detail,
}

/// What must stand in the DNS.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomHostnameDetail)]
struct Detail {
    id: String,
    hostname: String,
    ssl: Ssl,
    ownership_verification: Record,
    /// Where a CNAME of the domain leads to.
    custom_origin_server: String,
    status: &'static str,
}

/// Certificates are the reverse proxy's affair.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomHostnameSsl)]
struct Ssl {
    status: &'static str,
    validation_records: Vec<Proof>,
}

/// A TXT record.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomHostnameProof)]
struct Proof {
    txt_name: String,
    txt_value: String,
}

/// A record of the DNS.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomHostnameRecord)]
struct Record {
    r#type: &'static str,
    name: String,
    value: String,
}

/// The domain.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewCustomHostname)]
pub(super) struct NewHostname {
    custom_hostname: String,
}

impl Hostname {
    fn of(project: &str, domain: Option<DomainView>) -> Self {
        let (status, stage, proved) = match domain.as_ref().map(|domain| domain.status) {
            None => ("1_not_started", "none", "none"),
            Some("active") => ("5_services_reconfigured", "active", "active"),
            Some("verified") => ("4_origin_setup_completed", "active", "active"),
            Some(_) => ("2_initiated", "pending", "pending_validation"),
        };
        let (host, target, name, value) = match domain {
            Some(domain) => (domain.host, domain.target, domain.proof_name, domain.proof_value),
            None => Default::default(),
        };
        let records = if proved == "pending_validation" {
            vec![Proof { txt_name: name.clone(), txt_value: value.clone() }]
        } else {
            Vec::new()
        };
        let result = Detail {
            id: project.to_owned(),
            hostname: host.clone(),
            ssl: Ssl { status: proved, validation_records: records },
            ownership_verification: Record { r#type: "txt", name, value },
            custom_origin_server: target,
            status: stage,
        };
        let data = Data { success: true, errors: [], messages: [], result };
        Self { status, custom_hostname: host, data }
    }
}

/// Whether `host` is the gateway's domain or one below it, where the first label is a ref: no project owns those.
fn is_below(host: &str, domain: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let rest = host.strip_suffix(&domain.to_ascii_lowercase());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `GET`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let project = operator.project()?;
    let domain = operator.management().custom_domain(&project).await.map_err(refused)?;
    answer(StatusCode::OK, &Hostname::of(project.as_str(), domain))
}

/// `POST .../initialize`.
pub(super) async fn initialize(operator: Operator) -> Result<Response, Failure> {
    let NewHostname { custom_hostname } = operator.body()?;
    let project = operator.project()?;
    if is_below(&custom_hostname, operator.domain()) {
        return Err(message(StatusCode::BAD_REQUEST, "custom_hostname must not be one of the gateway's own hosts"));
    }
    let domain = operator.management().initiate_domain(&project, &custom_hostname).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Hostname::of(project.as_str(), Some(domain)))
}

/// `POST .../reverify`.
pub(super) async fn reverify(operator: Operator) -> Result<Response, Failure> {
    let project = operator.project()?;
    let domain = operator.management().verify_domain(&project).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Hostname::of(project.as_str(), Some(domain)))
}

/// `POST .../activate`.
pub(super) async fn activate(operator: Operator) -> Result<Response, Failure> {
    let project = operator.project()?;
    let domain = operator.management().activate_domain(&project).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Hostname::of(project.as_str(), Some(domain)))
}

/// `DELETE`: the project is reached by its other addresses.
pub(super) async fn remove(operator: Operator) -> Result<Response, Failure> {
    operator.management().remove_domain(&operator.project()?).await.map_err(refused)?;
    Ok(empty(StatusCode::OK))
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn the_gateways_domain_and_what_is_below_it_belong_to_nobody() {
        for (host, expected) in [
            ("auth.example.com", true),
            ("acme.auth.example.com", true),
            ("a.b.Auth.Example.COM.", true),
            ("myauth.example.com", false),
            ("example.com", false),
            ("auth.example.com.evil.example", false),
        ] {
            assert_eq!(is_below(host, "auth.example.com"), expected, "{host}");
        }
    }
}
