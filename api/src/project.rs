//! Which project a request is for: the path says it, else the host, else the API key, else there is only one.

use domain::ids::ProjectRef;
use http::header::HOST;
use http::{HeaderMap, Uri};

use crate::api_key::ApiKey;
use crate::failure::Failure;
use crate::runtime::Projects;

/// The project of a request.
///
/// # Errors
/// [`Failure::UnknownProject`] where none is meant.
pub(crate) async fn of(
    projects: &(impl Projects + ?Sized),
    domain: &str,
    uri: &Uri,
    headers: &HeaderMap,
    key: Option<&ApiKey>,
) -> Result<ProjectRef, Failure> {
    if let Some(named) = in_path(uri.path()) {
        return named.parse().map_err(|_| Failure::UnknownProject);
    }
    if let Some(project) = in_host(uri, headers, domain) {
        return Ok(project);
    }
    if let Some(key) = key {
        let project = match key.claimed_project() {
            Some(project) => Some(project),
            None => projects.project_of_api_key(&key.value).await?,
        };
        if let Some(project) = project {
            return Ok(project);
        }
    }
    projects.only_project().await?.ok_or(Failure::UnknownProject)
}

/// The project of a request that carries no key by nature, as preflights do; `None` where its host serves several.
pub(crate) async fn of_preflight(
    projects: &(impl Projects + ?Sized),
    domain: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<ProjectRef> {
    of(projects, domain, uri, headers, None).await.ok()
}

/// The `{ref}` of `/p/{ref}/...`.
pub(crate) fn in_path(path: &str) -> Option<&str> {
    path.strip_prefix("/p/")?.split('/').next()
}

/// The `{ref}` of the host `{ref}.{domain}`. Other labels, such as `www` before a domain of few letters, name nothing.
fn in_host(uri: &Uri, headers: &HeaderMap, domain: &str) -> Option<ProjectRef> {
    let host = match uri.host() {
        Some(host) => host,
        None => headers.get(HOST)?.to_str().ok()?,
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name).to_ascii_lowercase();
    name.trim_end_matches('.').strip_suffix(domain)?.strip_suffix('.')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use actors::management::Management;
    use async_trait::async_trait;
    use domain::ids::ProjectId;
    use domain::secret::Secret;
    use http::HeaderValue;
    use tokio::time::Instant;

    use super::*;
    use crate::runtime::Facts;

    struct Known {
        key: Option<&'static str>,
        only: Option<&'static str>,
    }

    #[async_trait]
    impl Projects for Known {
        async fn facts(&self, _: &ProjectRef, _: Instant) -> Result<Facts, Failure> {
            Err(Failure::UnknownProject)
        }

        async fn id(&self, _: &ProjectRef) -> Result<ProjectId, Failure> {
            Err(Failure::UnknownProject)
        }

        async fn project_of_api_key(&self, key: &Secret<String>) -> Result<Option<ProjectRef>, Failure> {
            Ok(self.key.filter(|_| key.expose() == "sb_publishable_known").map(|project| project.parse().unwrap()))
        }

        async fn only_project(&self) -> Result<Option<ProjectRef>, Failure> {
            Ok(self.only.map(|project| project.parse().unwrap()))
        }

        async fn ready(&self) -> bool {
            true
        }

        fn management(&self) -> Option<&Management> {
            None
        }
    }

    async fn found(known: Known, uri: &str, host: &'static str, key: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        let key = key.map(|key| ApiKey { value: Secret::new(key.to_owned()), in_query: false });
        let project = of(&known, "auth.example.com", &uri.parse().unwrap(), &headers, key.as_ref()).await;
        project.ok().map(|project| project.to_string())
    }

    #[tokio::test]
    async fn the_path_comes_before_everything() {
        let known = || Known { key: Some("keyed"), only: Some("only-one") };
        let key = Some("sb_publishable_known");
        assert_eq!(found(known(), "/p/acme/auth/v1/user", "other.auth.example.com", key).await.unwrap(), "acme");
        assert_eq!(found(known(), "/p/Not_A_Ref/auth/v1/user", "other.auth.example.com", key).await, None);
    }

    #[tokio::test]
    async fn the_host_comes_before_the_key() {
        let known = || Known { key: Some("keyed"), only: Some("only-one") };
        let key = Some("sb_publishable_known");
        for host in ["acme.auth.example.com", "ACME.auth.example.com:8000", "acme.auth.example.com."] {
            assert_eq!(found(known(), "/auth/v1/user", host, key).await.unwrap(), "acme", "{host}");
        }
        assert_eq!(found(known(), "http://acme.auth.example.com/auth/v1/user", "x", key).await.unwrap(), "acme");
        for host in ["auth.example.com", "a.b.auth.example.com", "evilauth.example.com", "127.0.0.1:8000", "[::1]:8000"] {
            assert_eq!(found(known(), "/auth/v1/user", host, key).await.unwrap(), "keyed", "{host}");
        }
    }

    #[tokio::test]
    async fn an_unknown_key_leaves_the_only_project() {
        let known = || Known { key: None, only: Some("only-one") };
        assert_eq!(found(known(), "/auth/v1/user", "x", Some("sb_publishable_other")).await.unwrap(), "only-one");
        assert_eq!(found(known(), "/auth/v1/user", "x", None).await.unwrap(), "only-one");
        assert_eq!(found(Known { key: None, only: None }, "/auth/v1/user", "x", None).await, None);
    }
}
