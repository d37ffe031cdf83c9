//! Mail over SMTP (`contract/platform.md` §5.1): one connection for each message.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::mail::Message;
use crate::reach::Reach;
use crate::transport::{Encryption, MailTransport, SendError, SmtpServer};

/// Looking up the host, and again reaching it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Everything, from the look-up to the server's word on the mail.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// Saying good-bye, when the outcome is known and no longer depends on it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The port on which TLS starts at once (RFC 8314).
const IMPLICIT_TLS_PORT: u16 = 465;

/// Sends over the network.
///
/// - Port 465 is TLS from the start; on any other port `STARTTLS` is used when offered, and once it is offered a
///   failure of it fails the mail. [`Encryption::Required`] refuses what stays in the clear.
/// - Credentials go only over TLS or to a loopback address, so that nobody in between gets them by hiding `STARTTLS`.
/// - The look-up and the connection take at most 10 s each, everything up to the server's verdict 20 s.
pub struct SmtpTransport {
    hello: ClientId,
    reach: Reach,
}

/// Why a mail was not tried, or broken off, by us.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("the mail server's name has no address")]
    NoAddress,
    #[error("the mail server's address is not allowed: {0}")]
    Forbidden(IpAddr),
    #[error("the mail server does not offer encryption")]
    NotEncrypted,
    #[error("the mail server does not offer encryption, so the password was not sent")]
    PasswordInClear,
    #[error("sending broke down")]
    BrokeDown,
}

impl SmtpTransport {
    /// A transport that greets servers as `hello` (the host of the gateway's external URL) and connects only where
    /// `reach` allows it.
    pub fn new(hello: &str, reach: Reach) -> Self {
        let hello = match hello.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(ip)) => ClientId::Ipv4(ip),
            Ok(IpAddr::V6(ip)) => ClientId::Ipv6(ip),
            Err(_) if is_host_name(hello) => ClientId::Domain(hello.to_owned()),
            Err(_) => ClientId::Domain("localhost".to_owned()),
        };
        Self { hello, reach }
    }
}

#[async_trait]
impl MailTransport for SmtpTransport {
    async fn send(&self, server: &SmtpServer, message: &Message) -> Result<(), SendError> {
        let mail = message.build().map_err(SendError::permanent)?;
        let delivery = Delivery {
            hello: self.hello.clone(),
            reach: Arc::clone(&self.reach),
            server: server.clone(),
            envelope: mail.envelope().clone(),
            bytes: mail.formatted(),
        };
        // A task of its own: what a hostile server can break in the mail library stays there. Dropping the set ends it.
        let mut task = JoinSet::new();
        task.spawn(delivery.run());
        match task.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(SendError::transient(Fault::BrokeDown)),
        }
    }
}

struct Delivery {
    hello: ClientId,
    reach: Reach,
    server: SmtpServer,
    envelope: Envelope,
    bytes: Vec<u8>,
}

impl Delivery {
    async fn run(self) -> Result<(), SendError> {
        let deadline = Instant::now() + SEND_TIMEOUT;
        let addresses = self.addresses().await?;
        let mut connection = self.connect(&addresses).await?;
        let conversation = self.converse(&mut connection, &addresses);
        let result = match tokio::time::timeout_at(deadline, conversation).await {
            Ok(result) => result,
            Err(_elapsed) => return Err(SendError::transient(Fault::Timeout(SEND_TIMEOUT))),
        };
        // A server that hangs now must not turn a mail it has taken into one that is sent again.
        let closing = async {
            match &result {
                Ok(()) => drop(connection.quit().await),
                Err(_) => connection.abort().await,
            }
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
        result
    }

    /// The server's addresses, if every one of them may be reached: a name that also points to a forbidden place is
    /// not to be trusted.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, SendError> {
        let lookup = tokio::net::lookup_host((self.host(), self.server.port));
        let found = match tokio::time::timeout(CONNECT_TIMEOUT, lookup).await {
            Ok(found) => found.map_err(SendError::transient)?,
            Err(_elapsed) => return Err(SendError::transient(Fault::Timeout(CONNECT_TIMEOUT))),
        };
        let addresses: Vec<SocketAddr> = found.collect();
        if addresses.is_empty() {
            return Err(SendError::transient(Fault::NoAddress));
        }
        match addresses.iter().find(|address| !(self.reach)(address.ip())) {
            Some(forbidden) => Err(SendError::permanent(Fault::Forbidden(forbidden.ip()))),
            None => Ok(addresses),
        }
    }

    async fn connect(&self, addresses: &[SocketAddr]) -> Result<AsyncSmtpConnection, SendError> {
        let implicit = if self.server.port == IMPLICIT_TLS_PORT { Some(self.tls()?) } else { None };
        let connecting = AsyncSmtpConnection::connect_tokio1(addresses, None, &self.hello, implicit, None);
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected.map_err(classify),
            Err(_elapsed) => Err(SendError::transient(Fault::Timeout(CONNECT_TIMEOUT))),
        }
    }

    async fn converse(&self, connection: &mut AsyncSmtpConnection, addresses: &[SocketAddr]) -> Result<(), SendError> {
        if connection.can_starttls() {
            connection.starttls(self.tls()?, &self.hello).await.map_err(classify)?;
        }
        let encrypted = connection.is_encrypted();
        if !encrypted && self.server.encryption == Encryption::Required {
            return Err(SendError::permanent(Fault::NotEncrypted));
        }
        if let Some((credentials, mechanism)) = self.login(connection) {
            if !encrypted && !addresses.iter().all(|address| address.ip().is_loopback()) {
                return Err(SendError::permanent(Fault::PasswordInClear));
            }
            connection.auth(&[mechanism], &credentials).await.map_err(classify)?;
        }
        connection.send(&self.envelope, &self.bytes).await.map_err(classify)?;
        Ok(())
    }

    /// Credentials and the way to show them: none without a user, none where the server asks for none.
    fn login(&self, connection: &AsyncSmtpConnection) -> Option<(Credentials, Mechanism)> {
        let user = self.server.user.clone().filter(|user| !user.is_empty())?;
        let pass = self.server.pass.as_ref().map(|pass| pass.expose().clone()).unwrap_or_default();
        let offered = connection.server_info().get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login])?;
        Some((Credentials::new(user, pass), offered))
    }

    fn tls(&self) -> Result<TlsParameters, SendError> {
        TlsParameters::new(self.host().to_owned()).map_err(SendError::permanent)
    }

    /// The host; an IPv6 address without its brackets.
    fn host(&self) -> &str {
        self.server.host.trim_matches(['[', ']'])
    }
}

/// 5xx and messages the server cannot take are final; anything about the network is not.
fn classify(error: lettre::transport::smtp::Error) -> SendError {
    let permanent = error.is_permanent() || error.is_client();
    SendError { permanent, source: Box::<dyn Error + Send + Sync>::from(error) }
}

fn is_host_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 253 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}
