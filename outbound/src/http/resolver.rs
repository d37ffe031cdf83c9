//! Names become those of their addresses that may be reached.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::error::Refused;
use crate::reach::Reach;

type Found = Result<Vec<SocketAddr>, String>;
type LookUp = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;
type Running = Arc<Mutex<HashMap<String, Shared<BoxFuture<'static, Found>>>>>;

/// Asks the system, once at a time for each name: a look-up occupies a thread until the name servers answer, also when
/// nobody waits any more, and a project whose name servers hang must not take all of them.
pub(super) struct Resolver {
    reach: Reach,
    look_up: LookUp,
    running: Running,
}

impl Resolver {
    /// The system's resolver behind `reach`.
    pub(super) fn new(reach: Reach) -> Self {
        Self::with(
            reach,
            Arc::new(|name| async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed()),
        )
    }

    fn with(reach: Reach, look_up: LookUp) -> Self {
        Self { reach, look_up, running: Running::default() }
    }

    /// The addresses of a name, whether or not they may be reached.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let found = self.find(name).await?;
        Ok(found.into_iter().map(|address| address.ip()).collect())
    }

    fn find(&self, name: &str) -> Shared<BoxFuture<'static, Found>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = running.get(name) {
            return found.clone();
        }
        let (look_up, others, key) = ((self.look_up)(name.to_owned()), Arc::clone(&self.running), name.to_owned());
        let task = tokio::spawn(async move {
            let found = look_up.await.map_err(|error| error.to_string());
            others.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            found
        });
        let found = task.map(|ended| ended.unwrap_or_else(|error| Err(error.to_string()))).boxed().shared();
        running.insert(name.to_owned(), found.clone());
        found
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, reach) = (self.find(name.as_str()), Arc::clone(&self.reach));
        Box::pin(async move {
            let found = found.await?;
            let some = !found.is_empty();
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| reach(address.ip())).collect();
            if some && allowed.is_empty() {
                return Err(Refused::Address.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    fn public() -> Reach {
        Arc::new(|address: IpAddr| !address.is_loopback())
    }

    async fn resolved(resolver: &Resolver) -> Result<Vec<String>, String> {
        let found = resolver.resolve("h.example".parse().unwrap()).await.map_err(|error| error.to_string())?;
        Ok(found.map(|address| address.ip().to_string()).collect())
    }

    fn answering(addresses: &'static [&'static str]) -> LookUp {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(move |_| std::future::ready(Ok(addresses.clone())).boxed())
    }

    #[tokio::test]
    async fn addresses_that_may_not_be_reached_are_left_out() {
        let some = Resolver::with(public(), answering(&["127.0.0.1:0", "192.0.2.1:0", "[::1]:0"]));
        assert_eq!(resolved(&some).await, Ok(vec!["192.0.2.1".to_owned()]));
        let none = Resolver::with(public(), answering(&["127.0.0.1:0"]));
        assert_eq!(resolved(&none).await, Err("the address is not allowed".to_owned()));
        let unknown = Resolver::with(public(), answering(&[]));
        assert_eq!(resolved(&unknown).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_name_that_changes_its_mind_is_judged_anew() {
        let asked = AtomicUsize::new(0);
        let look_up: LookUp = Arc::new(move |_| {
            let address = if asked.fetch_add(1, Ordering::SeqCst) == 0 { "192.0.2.1:0" } else { "127.0.0.1:0" };
            std::future::ready(Ok(vec![address.parse().unwrap()])).boxed()
        });
        let resolver = Resolver::with(public(), look_up);
        assert_eq!(resolved(&resolver).await, Ok(vec!["192.0.2.1".to_owned()]));
        assert_eq!(resolved(&resolver).await, Err("the address is not allowed".to_owned()));
    }

    #[tokio::test]
    async fn a_name_whose_servers_hang_is_looked_up_once_at_a_time() {
        let (asked, hangs) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (counter, gate) = (Arc::clone(&asked), Arc::clone(&hangs));
        let look_up: LookUp = Arc::new(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            let gate = Arc::clone(&gate);
            async move {
                drop(gate.acquire_owned().await);
                Err(io::Error::other("no answer"))
            }
            .boxed()
        });
        let resolver = Resolver::with(public(), look_up);
        // Whoever leaves early does not end the look-up, and the next one waits for it.
        assert_eq!(resolved(&resolver).now_or_never(), None);
        let waiting = futures::future::join(resolved(&resolver), resolved(&resolver));
        let release = async {
            tokio::task::yield_now().await;
            hangs.close();
        };
        let ((one, two), ()) = futures::future::join(waiting, release).await;
        assert_eq!((one, two), (Err("no answer".to_owned()), Err("no answer".to_owned())));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(resolved(&resolver).await.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
