//! Which project a request is for: the path says it, else the host (`{ref}.{domain}`, or a domain of the project's own), else the
//! API key, else there is only one.

use std::net::IpAddr;

use domain::ids::ProjectRef;
use http::header::HOST;
use http::{HeaderMap, Uri};
use tokio::time::Instant;

use crate::api_key::ApiKey;
use crate::failure::Failure;
use crate::runtime::{Facts, Projects};

/// The project of a request, with what the edge knows of it.
///
/// # Errors
/// [`Failure::UnknownProject`] where none is meant.
pub(crate) async fn of(
    projects: &(impl Projects + ?Sized),
    domain: &str,
    uri: &Uri,
    headers: &HeaderMap,
    key: Option<&ApiKey>,
    deadline: Instant,
) -> Result<(ProjectRef, Facts), Failure> {
    let named = match in_path(uri.path()) {
        Some(named) => Some(named.parse().map_err(|_| Failure::UnknownProject)?),
        None => match host(uri, headers) {
            None => None,
            Some(host) => match in_host(&host, domain) {
                None if is_foreign(&host, domain) => projects.project_of_host(&host).await?,
                named => named,
            },
        },
    };
    if let Some(project) = named {
        let facts = projects.facts(&project, deadline).await?;
        return Ok((project, facts));
    }
    if let Some(key) = key {
        let keyed = match key.claimed_project() {
            Some(project) => Some(project),
            None => projects.project_of_api_key(&key.value).await?,
        };
        // A key of another gateway names nothing here.
        if let Some(project) = keyed {
            match projects.facts(&project, deadline).await {
                Ok(facts) => return Ok((project, facts)),
                Err(Failure::UnknownProject) => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    let only = projects.only_project().await?.ok_or(Failure::UnknownProject)?;
    let facts = projects.facts(&only, deadline).await?;
    Ok((only, facts))
}

/// The `{ref}` of `/p/{ref}/...`.
pub(crate) fn in_path(path: &str) -> Option<&str> {
    path.strip_prefix("/p/")?.split('/').next()
}

/// The host that was asked, in small letters, without port.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let host = match uri.host() {
        Some(host) => host,
        None => headers.get(HOST)?.to_str().ok()?,
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name).to_ascii_lowercase();
    Some(name.trim_end_matches('.').to_owned())
}

/// The `{ref}` of the host `{ref}.{domain}`. Other labels, such as `www` before a domain of few letters, name nothing.
fn in_host(host: &str, domain: &str) -> Option<ProjectRef> {
    host.strip_suffix(domain)?.strip_suffix('.')?.parse().ok()
}

/// Whether `host` may be a project's own domain: a name of several labels that is not the gateway's.
fn is_foreign(host: &str, domain: &str) -> bool {
    host.contains('.') && host != domain && host.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use actors::management::Management;
    use async_trait::async_trait;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use domain::ids::ProjectId;
    use domain::project::Profile;
    use domain::secret::Secret;
    use http::HeaderValue;

    use super::*;
    use crate::cors::Cors;

    /// Knows `acme`, `keyed` and `only-one`.
    struct Known {
        only: bool,
    }

    #[async_trait]
    impl Projects for Known {
        async fn facts(&self, project: &ProjectRef, _: Instant) -> Result<Facts, Failure> {
            if !["acme", "keyed", "only-one"].contains(&project.as_str()) {
                return Err(Failure::UnknownProject);
            }
            Ok(Facts {
                profile: Profile::Compat,
                cors: Cors::default(),
                sb_forwarded_for: false,
                api_key_in_query: true,
                block_secret_key_in_browser: true,
                hsts_max_age: 0,
                site_host: "localhost".to_owned(),
                mailbox: true,
            })
        }

        async fn id(&self, _: &ProjectRef) -> Result<ProjectId, Failure> {
            Err(Failure::UnknownProject)
        }

        async fn name(&self, project: &ProjectRef) -> Result<String, Failure> {
            Ok(project.to_string())
        }

        async fn project_of_api_key(&self, key: &Secret<String>) -> Result<Option<ProjectRef>, Failure> {
            Ok((key.expose() == "sb_publishable_known").then(|| "keyed".parse().unwrap()))
        }

        async fn project_of_host(&self, host: &str) -> Result<Option<ProjectRef>, Failure> {
            assert!(host.contains('.') && !host.starts_with("127."), "nobody's domain is looked up: {host}");
            Ok((host == "login.acme.example").then(|| "acme".parse().unwrap()))
        }

        async fn only_project(&self) -> Result<Option<ProjectRef>, Failure> {
            Ok(self.only.then(|| "only-one".parse().unwrap()))
        }

        async fn ready(&self) -> bool {
            true
        }

        fn management(&self) -> Option<&Management> {
            None
        }
    }

    async fn found(only: bool, uri: &str, host: &'static str, key: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        let key = key.map(|key| ApiKey { value: Secret::new(key.to_owned()), in_query: false });
        let (uri, known) = (uri.parse().unwrap(), Known { only });
        let project = of(&known, "auth.example.com", &uri, &headers, key.as_ref(), Instant::now()).await;
        project.ok().map(|(project, _)| project.to_string())
    }

    fn some(project: &str) -> Option<String> {
        Some(project.to_owned())
    }

    const KEY: Option<&str> = Some("sb_publishable_known");

    #[tokio::test]
    async fn the_path_comes_before_everything() {
        assert_eq!(found(true, "/p/acme/auth/v1/user", "keyed.auth.example.com", KEY).await, some("acme"));
        for path in ["/p/unknown/auth/v1/user", "/p/Not_A_Ref/auth/v1/user", "/p/"] {
            assert_eq!(found(true, path, "acme.auth.example.com", KEY).await, None, "{path}");
        }
    }

    #[tokio::test]
    async fn the_host_comes_before_the_key() {
        for host in ["acme.auth.example.com", "ACME.auth.example.com:8000", "acme.auth.example.com."] {
            assert_eq!(found(true, "/auth/v1/user", host, KEY).await, some("acme"), "{host}");
        }
        assert_eq!(found(true, "http://acme.auth.example.com/auth/v1/user", "x", KEY).await, some("acme"));
        assert_eq!(found(true, "/auth/v1/user", "unknown.auth.example.com", KEY).await, None);
        for host in ["auth.example.com", "a.b.auth.example.com", "evilauth.example.com", "127.0.0.1:8000", "[::1]:8000"]
        {
            assert_eq!(found(true, "/auth/v1/user", host, KEY).await, some("keyed"), "{host}");
        }
    }

    #[tokio::test]
    async fn a_domain_of_its_own_leads_to_a_project() {
        for host in ["login.acme.example", "LOGIN.acme.example:443", "login.acme.example."] {
            assert_eq!(found(true, "/auth/v1/user", host, KEY).await, some("acme"), "{host}");
        }
        assert_eq!(found(true, "/auth/v1/user", "other.acme.example", KEY).await, some("keyed"));
        assert_eq!(found(true, "/p/keyed/auth/v1/user", "login.acme.example", None).await, some("keyed"));
    }

    #[tokio::test]
    async fn an_old_style_key_names_its_project_and_one_of_elsewhere_none() {
        let key = |project: &str| {
            let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"ref":"{project}","role":"anon"}}"#));
            format!("e30.{claims}.c2ln")
        };
        assert_eq!(found(true, "/auth/v1/user", "x", Some(&key("acme"))).await, some("acme"));
        assert_eq!(found(true, "/auth/v1/user", "x", Some(&key("elsewhere"))).await, some("only-one"));
    }

    #[tokio::test]
    async fn an_unknown_key_leaves_the_only_project() {
        assert_eq!(found(true, "/auth/v1/user", "x", Some("sb_publishable_other")).await, some("only-one"));
        assert_eq!(found(true, "/auth/v1/user", "x", None).await, some("only-one"));
        assert_eq!(found(false, "/auth/v1/user", "x", None).await, None);
    }
}
