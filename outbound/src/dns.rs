//! TXT records: what the holder of a name has published about it. A question to the system's resolvers (RFC 1035), which do the rest.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::entropy::Entropy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How long one resolver may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest answer over UDP.
const DATAGRAM: usize = 4096;

/// The port of resolvers.
const PORT: u16 = 53;

const TXT: u16 = 16;
const INTERNET: u16 = 1;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The name is none that could be asked for.
    #[error("not a host name")]
    Name,
    /// No resolver answered, or none answered anything that makes sense.
    #[error("the name servers do not answer: {0}")]
    Away(String),
}

/// Looks TXT records up.
#[async_trait]
pub trait TxtRecords: Send + Sync {
    /// The texts at `name`; none when there is no such name, or none there.
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError>;
}

/// The system's resolvers.
pub struct SystemTxtRecords {
    servers: Vec<SocketAddr>,
    entropy: Arc<dyn Entropy>,
}

impl SystemTxtRecords {
    /// The resolvers that `/etc/resolv.conf` names; without it, one on this host.
    pub fn from_system(entropy: Arc<dyn Entropy>) -> Self {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let mut servers = named_servers(&text);
        if servers.is_empty() {
            servers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
        }
        Self::new(servers, entropy)
    }

    /// These resolvers, asked one after the other until one answers.
    pub fn new(servers: Vec<SocketAddr>, entropy: Arc<dyn Entropy>) -> Self {
        Self { servers, entropy }
    }

    async fn ask(&self, server: SocketAddr, name: &str) -> io::Result<Answer> {
        let id = u16::from_be_bytes(self.entropy.bytes());
        let question = question(id, name).ok_or_else(|| broken("not a host name"))?;
        let bind: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((bind, 0)).await?;
        socket.connect(server).await?;
        socket.send(&question).await?;
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let length = socket.recv(&mut buffer).await?;
            let datagram = buffer.get(..length).unwrap_or_default();
            // What is no answer to this question is somebody else's, or a guess.
            match read(datagram, &question) {
                Some(Answer::Truncated) => return over_tcp(server, &question).await,
                Some(answer) => return Ok(answer),
                None => {}
            }
        }
    }
}

#[async_trait]
impl TxtRecords for SystemTxtRecords {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        question(0, name).ok_or(DnsError::Name)?;
        let mut why = "there are none".to_owned();
        for server in &self.servers {
            match timeout(PATIENCE, self.ask(*server, name)).await {
                Ok(Ok(Answer::Texts(texts))) => return Ok(texts),
                Ok(Ok(_)) => why = format!("{server} refuses"),
                Ok(Err(error)) => why = format!("{server}: {error}"),
                Err(_) => why = format!("{server} takes too long"),
            }
        }
        Err(DnsError::Away(why))
    }
}

/// Records for tests: what is put in is found.
#[derive(Default)]
pub struct RecordingTxtRecords(Mutex<HashMap<String, Vec<String>>>);

impl RecordingTxtRecords {
    /// Publishes a text at `name`.
    pub fn publish(&self, name: &str, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().push(text.to_owned());
    }
}

#[async_trait]
impl TxtRecords for RecordingTxtRecords {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Texts(Vec<String>),
    Truncated,
    Refused,
}

fn broken(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn named_servers(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| -> Option<SocketAddr> {
        let named = line.trim().strip_prefix("nameserver")?.split_whitespace().next()?;
        Some(SocketAddr::new(named.parse().ok()?, PORT))
    };
    text.lines().filter_map(address).collect()
}

/// A question for the texts at `name` (RFC 1035 §4.1).
fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut bytes = id.to_be_bytes().to_vec();
    // Recursion is wanted; one question.
    bytes.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    let name = name.trim_end_matches('.');
    if name.is_empty() || name.len() > 253 {
        return None;
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.to_ascii_lowercase().bytes());
    }
    bytes.push(0);
    bytes.extend(TXT.to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
    Some(bytes)
}

async fn over_tcp(server: SocketAddr, question: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(|_| broken("question too long"))?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    read(&message, question).ok_or_else(|| broken("not an answer to the question"))
}

/// Reads an answer; `None` when it is none to `question`.
fn read(message: &[u8], question: &[u8]) -> Option<Answer> {
    const HEAD: usize = 12;
    const NO_SUCH_NAME: u8 = 3;
    let (head, rest) = message.split_at_checked(HEAD)?;
    let [id1, id2, flags1, flags2, _, _, count1, count2, ..] = *head else { return None };
    let (asked_head, asked) = question.split_at_checked(HEAD)?;
    if asked_head.get(..2)? != [id1, id2] || flags1 & 0x80 == 0 {
        return None;
    }
    let (echo, _) = rest.split_at_checked(asked.len())?;
    if !echo.eq_ignore_ascii_case(asked) {
        return None;
    }
    match flags2 & 0x0f {
        0 => {}
        NO_SUCH_NAME => return Some(Answer::Texts(Vec::new())),
        _ => return Some(Answer::Refused),
    }
    if flags1 & 0x02 != 0 {
        return Some(Answer::Truncated);
    }
    let mut at = HEAD + asked.len();
    let mut texts = Vec::new();
    for _ in 0..u16::from_be_bytes([count1, count2]) {
        at = after_name(message, at)?;
        let fixed = message.get(at..at + 10)?;
        let [kind1, kind2, _, _, _, _, _, _, length1, length2] = *fixed else { return None };
        let length = usize::from(u16::from_be_bytes([length1, length2]));
        let data = message.get(at + 10..at + 10 + length)?;
        if u16::from_be_bytes([kind1, kind2]) == TXT {
            texts.push(joined(data)?);
        }
        at += 10 + length;
    }
    Some(Answer::Texts(texts))
}

/// Where what follows a name begins.
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            pointer if pointer & 0xc0 == 0xc0 => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}

/// The pieces of one record as one text.
fn joined(mut data: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some((&length, rest)) = data.split_first() {
        let (piece, after) = rest.split_at_checked(usize::from(length))?;
        bytes.extend_from_slice(piece);
        data = after;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    struct Same;

    impl Entropy for Same {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    /// An answer to `question` with one record for each list of pieces.
    fn answer(question: &[u8], flags: [u8; 2], records: &[&[&str]]) -> Vec<u8> {
        let mut bytes = question.to_vec();
        bytes[2..4].copy_from_slice(&flags);
        bytes[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
        for pieces in records {
            let data: Vec<u8> = pieces
                .iter()
                .flat_map(|piece| [&[u8::try_from(piece.len()).unwrap()], piece.as_bytes()].concat())
                .collect();
            bytes.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
            bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend(data);
        }
        bytes
    }

    async fn resolver(reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                for datagram in reply(&buffer[..length]) {
                    socket.send_to(&datagram, from).await.unwrap();
                }
            }
        });
        address
    }

    fn asking(servers: Vec<SocketAddr>) -> SystemTxtRecords {
        SystemTxtRecords::new(servers, Arc::new(Same))
    }

    #[tokio::test]
    async fn texts_are_found_and_their_pieces_joined() {
        let server = resolver(|question| vec![answer(question, [0x81, 0x80], &[&["one"], &["tw", "o"]])]).await;
        assert_eq!(asking(vec![server]).txt("_tenantry.Example.com").await.unwrap(), ["one", "two"]);
    }

    #[tokio::test]
    async fn answers_to_other_questions_are_passed_over() {
        let server = resolver(|question| {
            let mut guessed = answer(question, [0x81, 0x80], &[&["forged"]]);
            guessed[0] ^= 1;
            let other = super::question(u16::from_be_bytes([question[0], question[1]]), "other.example.com").unwrap();
            vec![guessed, answer(&other, [0x81, 0x80], &[&["forged"]]), answer(question, [0x81, 0x80], &[&["true"]])]
        })
        .await;
        assert_eq!(asking(vec![server]).txt("example.com").await.unwrap(), ["true"]);
    }

    #[tokio::test]
    async fn a_long_answer_comes_over_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            socket.send_to(&answer(&buffer[..length], [0x83, 0x80], &[]), from).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            let message = answer(&question, [0x81, 0x80], &[&["long"]]);
            let length = u16::try_from(message.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length[..], &message].concat()).await.unwrap();
        });
        assert_eq!(asking(vec![address]).txt("example.com").await.unwrap(), ["long"]);
    }

    #[tokio::test]
    async fn no_such_name_is_no_texts_and_a_refusal_asks_the_next_server() {
        let refusing = resolver(|question| vec![answer(question, [0x81, 0x85], &[])]).await;
        let knowing = resolver(|question| vec![answer(question, [0x81, 0x83], &[])]).await;
        assert!(asking(vec![refusing, knowing]).txt("example.com").await.unwrap().is_empty());
        assert!(matches!(asking(vec![refusing]).txt("example.com").await, Err(DnsError::Away(_))));
        assert!(matches!(asking(vec![knowing]).txt("a..b").await, Err(DnsError::Name)));
    }

    #[test]
    fn broken_answers_are_no_answers() {
        let asked = question(7, "example.com").unwrap();
        let whole = answer(&asked, [0x81, 0x80], &[&["text"]]);
        for length in 0..whole.len() {
            assert_ne!(read(&whole[..length], &asked), Some(Answer::Texts(vec!["text".to_owned()])), "{length}");
        }
    }

    #[test]
    fn resolvers_are_read() {
        let text = "# comment\nnameserver 10.0.0.1\nsearch example.com\nnameserver fd00::1\nnameserver nowhere\n";
        let expected: Vec<SocketAddr> = vec!["10.0.0.1:53".parse().unwrap(), "[fd00::1]:53".parse().unwrap()];
        assert_eq!(named_servers(text), expected);
    }
}
