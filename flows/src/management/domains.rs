//! Hosts of projects' own: named, shown to be the namer's, put to use.
//!
//! Anybody may name a host; only who can publish a TXT record below it can have a project served there. What is served there is
//! the same project: its issuer and its addresses in mails stay what they are.

use domain::ids::ProjectRef;
use domain::time::Timestamp;
use serde_json::json;
use storage::StoreError;
use storage::control::{Bundle, Domain, DomainStatus};
use url::Url;

use super::{Error, Management, Result};

/// Below which label the proof is published.
const LABEL: &str = "_tenantry";

/// A host of a project's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainView {
    /// In lower case, without port.
    pub host: String,
    /// `initiated`, `verified`, `active`.
    pub status: &'static str,
    /// The gateway's own host, to which the name is to lead.
    pub target: String,
    /// Where the proof is to be published.
    pub proof_name: String,
    /// The TXT record that proves whose the host is.
    pub proof_value: String,
    /// When it was named.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
}

impl Management {
    /// The project's own host.
    pub async fn custom_domain(&self, project: &ProjectRef) -> Result<Option<DomainView>> {
        let bundle = self.bundle(project).await?;
        let domain = self.control.domains().of(bundle.project.id).await?;
        Ok(domain.map(|domain| self.domain_view(&bundle, domain)))
    }

    /// Names a host in place of the project's earlier one, which is served no more.
    pub async fn initiate_domain(&self, project: &ProjectRef, host: &str) -> Result<DomainView> {
        let bundle = self.bundle(project).await?;
        let host = self.checked_host(host)?;
        if let Some(known) = self.control.domains().of(bundle.project.id).await?
            && known.host == host
        {
            return Ok(self.domain_view(&bundle, known));
        }
        let control = self.noting("domain.initiated", Some(&bundle.project), None, Some(json!({ "host": host })));
        control.domains().initiate(bundle.project.id, &host, self.now()).await?;
        self.announce_route(&bundle.project).await;
        let named = self.control.domains().of(bundle.project.id).await?.ok_or(Error::NotFound)?;
        Ok(self.domain_view(&bundle, named))
    }

    /// Looks for the proof.
    pub async fn verify_domain(&self, project: &ProjectRef) -> Result<DomainView> {
        let (bundle, domain) = self.domain_of(project).await?;
        if domain.status != DomainStatus::Initiated {
            return Ok(self.domain_view(&bundle, domain));
        }
        let wanted = self.domain_view(&bundle, domain.clone());
        let texts = self.dns.txt(&wanted.proof_name).await.map_err(|error| Error::Invalid(error.to_string()))?;
        if !texts.iter().any(|text| text.trim() == wanted.proof_value) {
            let (name, value) = (&wanted.proof_name, &wanted.proof_value);
            return Err(Error::Invalid(format!("there is no TXT record at {name} with the text {value}")));
        }
        let after = json!({ "host": domain.host });
        let control = self.noting("domain.verified", Some(&bundle.project), None, Some(after));
        if !control.domains().verify(bundle.project.id, &domain.host, self.now()).await? {
            return Err(Error::Conflict("another host was named meanwhile".to_owned()));
        }
        let (bundle, domain) = self.domain_of(project).await?;
        Ok(self.domain_view(&bundle, domain))
    }

    /// Serves the project at its host.
    pub async fn activate_domain(&self, project: &ProjectRef) -> Result<DomainView> {
        let (bundle, domain) = self.domain_of(project).await?;
        match domain.status {
            DomainStatus::Active => return Ok(self.domain_view(&bundle, domain)),
            DomainStatus::Verified => {}
            DomainStatus::Initiated => {
                return Err(Error::Invalid(format!("{} is not verified: publish its TXT record first", domain.host)));
            }
        }
        let after = json!({ "host": domain.host });
        let control = self.noting("domain.activated", Some(&bundle.project), None, Some(after));
        let activated = control.domains().activate(bundle.project.id, &domain.host, self.now()).await;
        let activated = activated.map_err(|error| match error {
            StoreError::Conflict => Error::Conflict(format!("another project is served at {}", domain.host)),
            other => other.into(),
        })?;
        if !activated {
            return Err(Error::Conflict("another host was named meanwhile".to_owned()));
        }
        self.announce_route(&bundle.project).await;
        let (bundle, domain) = self.domain_of(project).await?;
        Ok(self.domain_view(&bundle, domain))
    }

    /// Serves the project at no host of its own any more.
    pub async fn remove_domain(&self, project: &ProjectRef) -> Result<()> {
        let (bundle, domain) = self.domain_of(project).await?;
        let before = json!({ "host": domain.host });
        let control = self.noting("domain.removed", Some(&bundle.project), Some(before), None);
        if !control.domains().remove(bundle.project.id, self.now()).await? {
            return Err(Error::NotFound);
        }
        self.announce_route(&bundle.project).await;
        Ok(())
    }

    async fn domain_of(&self, project: &ProjectRef) -> Result<(Bundle, Domain)> {
        let bundle = self.bundle(project).await?;
        let domain = self.control.domains().of(bundle.project.id).await?.ok_or(Error::NotFound)?;
        Ok((bundle, domain))
    }

    fn domain_view(&self, bundle: &Bundle, domain: Domain) -> DomainView {
        // Nobody can know it who was not told it, so that no record that lies there already is a proof.
        let proof = self.master_key.mark("domain", format!("{}:{}", bundle.project.id, domain.host).as_bytes());
        DomainView {
            target: self.own_host(),
            proof_name: format!("{LABEL}.{}", domain.host),
            proof_value: format!("tenantry={proof}"),
            status: match domain.status {
                DomainStatus::Initiated => "initiated",
                DomainStatus::Verified => "verified",
                DomainStatus::Active => "active",
            },
            host: domain.host,
            created_at: domain.created_at,
            updated_at: domain.updated_at,
        }
    }

    fn own_host(&self) -> String {
        let url = Url::parse(&self.urls.external).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    fn checked_host(&self, host: &str) -> Result<String> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let named = host.len() <= 243 && host.contains('.') && host.split('.').all(label);
        if !named || host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(Error::Invalid("custom_hostname must be a host name such as auth.example.com".to_owned()));
        }
        let own = self.own_host();
        if host == own || host.ends_with(&format!(".{own}")) {
            return Err(Error::Invalid("custom_hostname must not be one of the gateway's own hosts".to_owned()));
        }
        Ok(host)
    }
}
