//! An HTTP server that keeps what it is sent and answers what a test says, byte by byte.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outbound::{HttpClient, Reach};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn body(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// What happens after a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// A pause, then these bytes, then the end.
    Late(Duration, Vec<u8>),
    /// These bytes, then one more a second.
    Drip(Vec<u8>),
    /// These bytes, then others without end.
    Flood(Vec<u8>),
    /// Silence, with the connection open.
    Silence,
    /// What the request deserves.
    Each(fn(&Request) -> Self),
}

/// An answer with a status, headers and a body.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
    if status != 204 {
        head += &format!("content-length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    Reply::Raw([head.as_bytes(), b"\r\n", body].concat())
}

/// A 200 with JSON.
pub(crate) fn json(body: &str) -> Reply {
    reply(200, &[("content-type", "application/json")], body.as_bytes())
}

/// A redirect.
pub(crate) fn redirect(status: u16, to: &str) -> Reply {
    reply(status, &[("location", to)], b"")
}

/// A server on this machine.
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl StandIn {
    /// One that gives `answers` in turn, the last of them again and again.
    pub(crate) async fn giving(answers: impl Into<Vec<Reply>>) -> Self {
        let answers = answers.into();
        Self::at("127.0.0.1", move |number, _| answers[number.min(answers.len() - 1)].clone()).await
    }

    /// One at another address of this machine, that answers the request with the given number.
    pub(crate) async fn at(host: &str, answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let Some(request) = read(&mut stream).await else { return };
                    let number = {
                        let mut kept = kept.lock().unwrap();
                        kept.push(request.clone());
                        kept.len() - 1
                    };
                    let reply = match answer(number, &request) {
                        Reply::Each(judge) => judge(&request),
                        reply => reply,
                    };
                    write(stream.into_inner(), reply).await;
                });
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut start = lines.first()?.split(' ');
    let (method, target) = (start.next()?.to_owned(), start.next()?.to_owned());
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { method, target, headers, body })
}

/// The client may leave whenever it likes.
async fn write(mut stream: TcpStream, reply: Reply) {
    match reply {
        Reply::Raw(bytes) => drop(stream.write_all(&bytes).await),
        Reply::Late(pause, bytes) => {
            tokio::time::sleep(pause).await;
            drop(stream.write_all(&bytes).await);
        }
        Reply::Drip(bytes) => {
            drop(stream.write_all(&bytes).await);
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Reply::Flood(bytes) => {
            drop(stream.write_all(&bytes).await);
            while stream.write_all(&[b' '; 8192]).await.is_ok() {}
        }
        Reply::Silence | Reply::Each(_) => std::future::pending().await,
    }
}

/// A client that may reach everything.
pub(crate) fn client() -> HttpClient {
    client_within(Arc::new(|_: IpAddr| true))
}

/// A client that may reach some addresses.
pub(crate) fn client_within(reach: Reach) -> HttpClient {
    HttpClient::new(reach, Duration::from_secs(10)).unwrap()
}
