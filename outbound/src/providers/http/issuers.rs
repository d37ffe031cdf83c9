//! Metadata and keys of issuers, fetched and kept.

use std::sync::Arc;

use domain::provider::Issuer;
use domain::time::Clock;
use serde_json::Value;

use super::super::ProviderError;
use super::super::call;
use super::super::fault::Fault;
use super::cache::Cache;
use super::keys::KeySet;
use super::metadata::{self, Metadata};
use super::ways::{Ways, is_usable};

/// The issuers that this process has to do with.
pub(super) struct Issuers {
    ways: Ways,
    metadata: Arc<Cache<Metadata>>,
    keys: Arc<Cache<KeySet>>,
}

impl Issuers {
    /// Nobody is known yet.
    pub(super) fn new(ways: Ways, clock: &Arc<dyn Clock>) -> Self {
        Self { ways, metadata: Cache::new(Arc::clone(clock)), keys: Cache::new(Arc::clone(clock)) }
    }

    /// The metadata of an issuer.
    pub(super) async fn metadata(&self, issuer: &Issuer) -> Result<Arc<Metadata>, Fault> {
        self.metadata_if(issuer, |_| Ok(())).await
    }

    /// The metadata of an issuer that people sign in by: it has all that this takes.
    pub(super) async fn provider(&self, issuer: &Issuer) -> Result<Arc<Metadata>, Fault> {
        self.metadata_if(issuer, is_complete).await
    }

    /// Metadata that are no good are looked at again soon: somebody may be setting the issuer up.
    async fn metadata_if(
        &self,
        issuer: &Issuer,
        accept: fn(&Metadata) -> Result<(), Fault>,
    ) -> Result<Arc<Metadata>, Fault> {
        let url = metadata::url(issuer);
        let judge = |found: &Metadata| {
            accept(found)?;
            found.fits(issuer).map_err(|detail| failed(&url, detail))
        };
        let kept = self.fetched(&url, issuer.foreign, false).await?;
        if judge(&kept).is_ok() {
            return Ok(kept);
        }
        let found = self.fetched(&url, issuer.foreign, true).await?;
        judge(&found).map(|()| found)
    }

    async fn fetched(&self, url: &str, foreign: bool, renew: bool) -> Result<Arc<Metadata>, Fault> {
        let (ways, address) = (self.ways.clone(), url.to_owned());
        let fetch = move || async move { read(&fetch_document(&ways, &address, foreign).await?, &address) };
        self.metadata.get(&key(url, foreign), renew, fetch).await
    }

    /// The metadata of such an issuer as they are now. Later sign-ins see them too.
    pub(super) async fn discover(&self, issuer: &Issuer) -> Result<Value, Fault> {
        let url = metadata::url(issuer);
        let document = fetch_document(&self.ways, &url, issuer.foreign).await?;
        let found = read(&document, &url)?;
        is_complete(&found)?;
        found.fits(issuer).map_err(|detail| failed(&url, detail))?;
        self.metadata.put(&key(&url, issuer.foreign), found);
        Ok(document)
    }

    /// The keys of an issuer; `renew` has them fetched anew unless that was done a moment ago.
    pub(super) async fn keys(&self, metadata: &Metadata, foreign: bool, renew: bool) -> Result<Arc<KeySet>, Fault> {
        match &metadata.jwks_uri {
            Some(url) => self.keys_at(url, foreign, renew).await,
            None => Err(unusable("the issuer names no keys")),
        }
    }

    /// The keys at an address.
    pub(super) async fn keys_at(&self, url: &str, foreign: bool, renew: bool) -> Result<Arc<KeySet>, Fault> {
        if !is_usable(url, foreign) {
            return Err(unusable("the address of the keys cannot be used"));
        }
        let (ways, address) = (self.ways.clone(), url.to_owned());
        let fetch = || async move {
            let error = ProviderError::Discovery("the keys of the issuer cannot be fetched".to_owned());
            let body = call::body(ways.get(&address, foreign), error).await?;
            let set = serde_json::from_slice(&body).ok();
            set.and_then(|set| KeySet::parse(&set)).ok_or_else(|| unusable("the keys of the issuer are no JWK set"))
        };
        self.keys.get(&key(url, foreign), renew, fetch).await
    }
}

/// Whether people can sign in by an issuer with these metadata.
fn is_complete(metadata: &Metadata) -> Result<(), Fault> {
    let missing = metadata.missing.clone();
    missing.map_or(Ok(()), |missing| Err(Fault::answer(ProviderError::Discovery(missing))))
}

/// What was fetched by way of the operator's network serves nobody else.
fn key(url: &str, foreign: bool) -> String {
    format!("{}{url}", if foreign { "foreign " } else { "" })
}

async fn fetch_document(ways: &Ways, url: &str, foreign: bool) -> Result<Value, Fault> {
    if !is_usable(url, foreign) {
        return Err(failed(url, "the address cannot be used"));
    }
    match call::answer(ways.get(url, foreign)).await {
        Ok((status, body)) if status == 200 => {
            serde_json::from_slice(&body).map_err(|_| failed(url, "the answer is no JSON"))
        }
        Ok((status, _)) => {
            let fault = failed(url, &format!("status {}", status.as_u16()));
            Err(Fault { outage: status.is_server_error(), ..fault })
        }
        Err(error) => Err(Fault { outage: call::is_outage(&error), ..failed(url, &error.to_string()) }),
    }
}

fn read(document: &Value, url: &str) -> Result<Metadata, Fault> {
    Metadata::parse(document).ok_or_else(|| failed(url, "the answer is no JSON object"))
}

fn failed(url: &str, detail: &str) -> Fault {
    Fault::answer(ProviderError::Discovery(format!("OIDC discovery from \"{url}\" failed: {detail}")))
}

fn unusable(detail: &str) -> Fault {
    Fault::answer(ProviderError::Discovery(detail.to_owned()))
}
