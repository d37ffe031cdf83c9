//! Whom a run may load: this machine and its private network, and others only where somebody says that they own them.
//!
//! A name is resolved once and its addresses are kept for the run: one that is answered differently a moment later leads
//! nowhere else. Redirects are not followed, and proxies of the environment are not used where the guard stands.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Lets requests through to where they may go. Cheap to clone; clones know the same addresses.
#[derive(Clone, Default)]
pub(crate) struct Guard {
    owned: bool,
    known: Arc<Mutex<BTreeMap<String, Vec<SocketAddr>>>>,
}

impl Guard {
    /// One that lets everything through where the hosts are `owned`.
    pub(crate) fn new(owned: bool) -> Self {
        Self { owned, ..Self::default() }
    }

    /// Whether it lets everything through.
    pub(crate) fn is_open(&self) -> bool {
        self.owned
    }

    /// Makes sure that a base URL leads to where the load may go.
    pub(crate) async fn admit(&self, url: &str) -> anyhow::Result<()> {
        let shown = crate::report::without_secrets(url);
        let parsed = Url::parse(url).with_context(|| format!("{shown} is not a URL"))?;
        ensure!(matches!(parsed.scheme(), "http" | "https"), "{shown} is not a URL of http or https");
        match parsed.host().with_context(|| format!("{shown} names no host"))? {
            Host::Ipv4(address) => self.check(&shown, &[IpAddr::V4(address)]),
            Host::Ipv6(address) => self.check(&shown, &[IpAddr::V6(address)]),
            Host::Domain(name) => self.addresses(name).await.map(|_| ()),
        }
    }

    /// The addresses of a name, from the first time on the same.
    async fn addresses(&self, name: &str) -> anyhow::Result<Vec<SocketAddr>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found: Vec<SocketAddr> = if name == "localhost" || name.ends_with(".localhost") {
            // Never asked of the network (RFC 6761).
            [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, 0)).into()
        } else {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            found.with_context(|| format!("{name} cannot be resolved"))?.collect()
        };
        ensure!(!found.is_empty(), "{name} has no address");
        self.check(&name, &found.iter().map(SocketAddr::ip).collect::<Vec<_>>())?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.entry(name).or_insert(found).clone())
    }

    fn check(&self, what: &str, addresses: &[IpAddr]) -> anyhow::Result<()> {
        let outside = addresses.iter().find(|address| !is_private(**address));
        match outside {
            Some(address) if !self.owned => anyhow::bail!(
                "{what} ({address}) is neither this machine nor its private network: give --i-own-this-host to load it, \
                 if it is yours"
            ),
            _ => Ok(()),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// This machine, or a network that cannot be reached from elsewhere. The addresses that providers share out behind their
/// own translation (100.64.0.0/10) are not: the neighbours there are strangers.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_and_its_private_network_are_admitted() {
        let guard = Guard::new(false);
        for url in [
            "http://127.0.0.1:8000",
            "http://127.9.9.9/p/demo",
            "https://10.1.2.3",
            "http://172.31.255.255",
            "http://192.168.0.1",
            "http://169.254.1.1",
            "http://[::1]:80",
            "http://[fd00::1]",
            "http://[fe80::1]",
            "http://[::ffff:10.0.0.1]",
            "http://localhost:8000",
            "http://acme.LOCALHOST.:8000/p",
        ] {
            guard.admit(url).await.unwrap();
        }
    }

    #[tokio::test]
    async fn others_are_refused_until_somebody_owns_them() {
        for url in [
            "http://8.8.8.8",
            "https://172.32.0.1/p/demo",
            "http://100.64.0.1",
            "http://[2001:db8::1]:8000",
            "http://[::ffff:8.8.8.8]",
            // Another way to write 8.8.8.8.
            "http://134744072",
        ] {
            let reason = Guard::new(false).admit(url).await.unwrap_err().to_string();
            assert!(reason.contains("--i-own-this-host"), "{url}: {reason}");
            Guard::new(true).admit(url).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_no_web_address_is_refused_and_shows_no_secret() {
        for url in ["", "localhost:8000", "ftp://127.0.0.1", "file:///etc/passwd"] {
            assert!(Guard::new(true).admit(url).await.is_err(), "{url}");
        }
        let reason = Guard::new(false).admit("http://user:secret@8.8.8.8/?key=secret").await.unwrap_err().to_string();
        assert!(!reason.contains("secret"), "{reason}");
    }

    #[tokio::test]
    async fn a_name_keeps_the_addresses_it_had_at_first() {
        let guard = Guard::new(false);
        let first: SocketAddr = "10.0.0.1:0".parse().unwrap();
        guard.known.lock().unwrap().insert("rebinds.example".to_owned(), vec![first]);
        assert_eq!(guard.clone().addresses("Rebinds.example.").await.unwrap(), [first]);
    }

    #[test]
    fn a_name_with_one_address_outside_is_outside() {
        let both = ["10.0.0.1".parse().unwrap(), "8.8.8.8".parse().unwrap()];
        assert!(Guard::new(false).check("mixed.example", &both).is_err());
    }
}
