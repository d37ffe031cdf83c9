//! A line to a server that a test cuts and mends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::secret::Secret;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Cut,
    Silent,
}

/// A line to a server. Gone with this value.
pub struct Wire {
    url: Url,
    state: watch::Sender<State>,
    dialled: Arc<AtomicUsize>,
    listening: tokio::task::JoinHandle<()>,
}

impl Wire {
    /// A line to the server of a database's `url`.
    pub async fn to(url: &Secret<String>) -> Self {
        let mut url = Url::parse(url.expose()).unwrap();
        let server = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5432));
        let server: SocketAddr = tokio::net::lookup_host(server).await.unwrap().next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(here.port())).unwrap();
        let (state, observed) = watch::channel(State::Whole);
        let dialled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&dialled);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(client, server, observed.clone()));
            }
        });
        Self { url, state, dialled, listening }
    }

    /// The database as it is reached over this line.
    pub fn url(&self) -> Secret<String> {
        Secret::new(self.url.to_string())
    }

    /// Ends every connection, and every new one at once.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Lets nothing through and says nothing.
    pub fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    /// Lets everything through again.
    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }

    /// How many connections were asked for so far.
    pub fn dialled(&self) -> usize {
        self.dialled.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listening.abort();
        self.state.send_replace(State::Cut);
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, mut state: watch::Receiver<State>) {
    let mut pumping = std::pin::pin!(async {
        if let Ok(mut server) = TcpStream::connect(server).await {
            let _ended = copy_bidirectional(&mut client, &mut server).await;
        }
    });
    loop {
        let now = *state.borrow_and_update();
        if now == State::Cut {
            return;
        }
        tokio::select! {
            () = &mut pumping, if now == State::Whole => return,
            changed = state.changed() => if changed.is_err() { return },
        }
    }
}
